/* SPDX-License-Identifier: Apache-2.0
 * Global functions. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "text/jinja/filters.h"
#include "text/jinja/object.h"
#include "text/jinja/print.h"

#define FUNCTION(name)                                                                             \
    static bool do_##name(                                                                         \
        LvJ *j, LvJValue v, const LvJValue *given, const LvJArgs *args, LvJValue *out)
#define UNUSED (void)j, (void)v, (void)given, (void)args

FUNCTION(range)
{
    UNUSED;
    int64_t part[3] = {0, 0, 1}, distance;
    size_t n = args->n;
    if (!n || n > 3 || args->n_keywords)
        return lv_jinja_wrong(j, "range expected 1 to 3 arguments, got %zu", n);
    for (size_t i = 0; i < n; i++) {
        if (args->values[i].type == LVJ_UNDEFINED)
            return lv_jinja_fail_undefined(j, args->values[i]);
        if (!lv_jinja_is_int(args->values[i]))
            return lv_jinja_wrong(j, "'%s' object cannot be interpreted as an integer",
                lv_jinja_type_name(args->values[i]));
        part[n == 1 ? 1 : i] = lv_jinja_as_int(args->values[i]);
    }
    if (!part[2])
        return lv_jinja_wrong(j, "range() arg 3 must not be zero");
    bool up = part[2] > 0, over = up ? __builtin_sub_overflow(part[1], part[0], &distance)
                                     : __builtin_sub_overflow(part[0], part[1], &distance);
    if (over && part[up ? 1 : 0] > part[up ? 0 : 1])
        return lv_jinja_cannot(j, "an integer outside of 64 bits");
    uint64_t stride = up ? (uint64_t)part[2] : 0 - (uint64_t)part[2];
    uint64_t count = over || distance <= 0 ? 0 : ((uint64_t)distance - 1) / stride + 1;
    if (count > LV_MAX_TEMPLATE_RANGE)
        return lv_jinja_fail(j, LLAVAOV_ERROR_MEMORY,
            "range() of more than %u numbers, the most that a template may have",
            LV_MAX_TEMPLATE_RANGE);
    LvJRange *made = lv_jinja_alloc(j, 1, sizeof *made);
    if (!made)
        return false;
    *made = (LvJRange){.start = part[0], .stop = part[1], .step = part[2], .n = (int64_t)count};
    *out = (LvJValue){.type = LVJ_RANGE, .range = made};
    return true;
}

/* A mapping, or pairs. */
static bool update(LvJ *j, LvJDict *dict, LvJValue from)
{
    LvJIterator *iterator;
    if (from.type == LVJ_DICT) {
        for (size_t i = 0; i < from.dict->n; i++)
            if (!lv_jinja_dict_set(j, dict, from.dict->entries[i].key, from.dict->entries[i].value))
                return false;
        return true;
    }
    if (!lv_jinja_iterate(j, from, &iterator))
        return false;
    LvJValue item, pair;
    bool good;
    while (lv_jinja_each(j, iterator, &item, &good)) {
        if (!lv_jinja_to_list(j, LVJ_LIST, item, &pair))
            return false;
        if (pair.list->n != 2)
            return lv_jinja_wrong(j,
                "dictionary update sequence element has length %zu; 2 is required", pair.list->n);
        if (!lv_jinja_dict_set(j, dict, pair.list->items[0], pair.list->items[1]))
            return false;
    }
    return good;
}

static bool make_dict(LvJ *j, LvJType type, const LvJArgs *args, LvJValue *out)
{
    if (!lv_jinja_new_dict(j, type, out))
        return false;
    if (args->n > 1)
        return lv_jinja_wrong(j, "dict expected at most 1 argument, got %zu", args->n);
    if (args->n && !update(j, out->dict, args->values[0]))
        return false;
    for (size_t i = 0; i < args->n_keywords; i++) {
        LvJValue key = {.type = LVJ_STRING, .string = args->keywords[i].name};
        if (!lv_jinja_dict_set(j, out->dict, key, args->keywords[i].value))
            return false;
    }
    return true;
}

FUNCTION(dict)
{
    UNUSED;
    return make_dict(j, LVJ_DICT, args, out);
}

FUNCTION(namespace)
{
    UNUSED;
    if (!make_dict(j, LVJ_NAMESPACE, args, out))
        return false;
    for (size_t i = 0; i < out->dict->n; i++) {
        LvJValue key = out->dict->entries[i].key;
        if (key.type == LVJ_STRING && key.string->bytes && key.string->text[0] == '_')
            return lv_jinja_wrong(j, "a namespace stores no attribute that begins with _");
    }
    return true;
}

static bool new_cycler(LvJ *j, LvJType type, size_t n, LvJValue *out)
{
    LvJCycler *cycler = lv_jinja_alloc(j, 1, sizeof *cycler);
    LvJValue *items = cycler ? lv_jinja_alloc(j, n, sizeof *items) : NULL;
    if (!items)
        return false;
    *cycler = (LvJCycler){.items = items, .n = n};
    *out = (LvJValue){.type = (uint8_t)type, .cycler = cycler};
    return true;
}

FUNCTION(cycler)
{
    UNUSED;
    if (!args->n || args->n_keywords)
        return lv_jinja_wrong(j, "at least one item has to be provided");
    if (!new_cycler(j, LVJ_CYCLER, args->n, out))
        return false;
    memcpy(out->cycler->items, args->values, args->n * sizeof(LvJValue));
    return true;
}

/* Its items: what it returns first, and from then on. */
FUNCTION(joiner)
{
    UNUSED;
    if (!new_cycler(j, LVJ_JOINER, 2, out))
        return false;
    out->cycler->items[1] = given[0];
    return lv_jinja_string(j, "", 0, false, &out->cycler->items[0]) &&
           (given[0].type != LVJ_MISSING ||
               lv_jinja_string(j, ", ", 2, false, &out->cycler->items[1]));
}

FUNCTION(raise_exception)
{
    UNUSED;
    LvJValue text;
    if (!lv_jinja_str(j, given[0], &text))
        return false;
    return lv_jinja_fail(j, LLAVAOV_ERROR_ARGUMENT, "the template refuses: %.*s",
        (int)(text.string->bytes < 500 ? text.string->bytes : 500), text.string->text);
}

/* strftime() of a C string; Python's %f and %z are not available in a struct tm. */
static bool put_time(LvJBuild *build, const char *format, const struct tm *now)
{
    char text[1024], *plain = lv_jinja_alloc(build->j, strlen(format) + 2, 6), *to = plain;
    if (!plain)
        return false;
    for (; *format; format++) {
        if (*format != '%') {
            *to++ = *format;
        } else if (format[1] == 'f') {
            memcpy(to, "000000", 6);
            to += 6;
            format++;
        } else if (format[1] == 'z' || format[1] == 'Z') {
            format++;
        } else {
            *to++ = '%';
            *to++ = format[1];
            if (!*++format)
                return lv_jinja_wrong(build->j, "a time's format ends with %%");
        }
    }
    *to++ = '.'; /* so that an empty result differs from one that is too long */
    *to = '\0';
    size_t n = strftime(text, sizeof text, plain, now);
    if (!n)
        return lv_jinja_fail(build->j, LLAVAOV_ERROR_MEMORY,
            "strftime_now() makes more than %zu bytes", sizeof text);
    return lv_jinja_put(build, text, n - 1, false);
}

FUNCTION(strftime_now)
{
    UNUSED;
    LvJBuild build = {.j = j};
    struct tm now;
    time_t seconds = time(NULL);
    if (given[0].type != LVJ_STRING)
        return lv_jinja_wrong(j, "strftime_now() wants a string");
    const LvJString *format = given[0].string;
    if (memchr(format->text, '\0', format->bytes))
        return lv_jinja_wrong(j, "embedded null character");
    char *text = lv_jinja_alloc(j, format->bytes + 1, 1);
    if (!text || (!j->now && !localtime_r(&seconds, &now)))
        return text && lv_jinja_wrong(j, "this computer's time is not known");
    if (format->bytes)
        memcpy(text, format->text, format->bytes);
    text[format->bytes] = '\0';
    return put_time(&build, text, j->now ? j->now : &now) && lv_jinja_built(&build, out);
}

static const LvJBuiltin rows[] = {{"range", NULL, 0, do_range}, {"dict", NULL, 0, do_dict},
    {"namespace", NULL, 0, do_namespace}, {"cycler", NULL, 0, do_cycler},
    {"joiner", "sep", 0, do_joiner}, {"raise_exception", "message", 1, do_raise_exception},
    {"strftime_now", "format", 1, do_strftime_now}, {"lipsum", NULL, 0, NULL}};
const LvJTable lv_jinja_functions = LV_JINJA_TABLE(rows);
