/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/status.h"

bool lv_jinja_fail(LvJ *j, LlavaovStatus status, const char *format, ...)
{
    char message[640];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    lv_fail(j->error, status, j->file, "%s, line %u: %s", j->file, j->line, message);
    return false;
}

const char *lv_jinja_shown(LvJ *j, const LvJString *string)
{
    size_t n = string->bytes < 80 ? string->bytes : 80;
    while (n < string->bytes && n && ((unsigned char)string->text[n] & 0xC0) == 0x80)
        n--;
    char *text = lv_jinja_arena_alloc(&j->arena, n + 1);
    if (!text)
        return "?";
    if (n)
        memcpy(text, string->text, n);
    text[n] = '\0';
    return text;
}

void *lv_jinja_alloc(LvJ *j, size_t count, size_t size)
{
    size_t bytes;
    void *block = NULL;
    j->arena.over_max = true;
    if (!__builtin_mul_overflow(count, size, &bytes))
        block = lv_jinja_arena_alloc(&j->arena, bytes);
    if (!block && j->arena.over_max)
        lv_jinja_fail(j, LLAVAOV_ERROR_MEMORY,
            "the template makes more than %zu bytes of values, the most that one may",
            j->arena.max);
    else if (!block)
        lv_jinja_fail(j, LLAVAOV_ERROR_MEMORY, "out of memory");
    return block;
}

bool lv_jinja_work(LvJ *j, uint64_t steps)
{
    if (steps <= j->max_steps - j->steps) {
        j->steps += steps;
        return true;
    }
    return lv_jinja_fail(j, LLAVAOV_ERROR_MEMORY,
        "the template takes more than %llu steps, the most that one may",
        (unsigned long long)j->max_steps);
}

bool lv_jinja_enter(LvJ *j)
{
    if (j->depth >= LV_MAX_TEMPLATE_CALLS)
        return lv_jinja_fail(j, LLAVAOV_ERROR_MEMORY,
            "the template nests calls and values deeper than %u levels, the most that it may",
            LV_MAX_TEMPLATE_CALLS);
    j->depth++;
    return lv_jinja_work(j, 1) || (j->depth--, false);
}
