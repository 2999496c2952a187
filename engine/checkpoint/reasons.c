/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/reasons.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

void lv_reason_add(LvReasons *reasons, const LlavaovError *error)
{
    for (size_t i = 0; i < reasons->n; i++)
        if (!strcmp(reasons->reason[i].message, error->message))
            return;
    if (!reasons->reason)
        reasons->reason = lv_calloc(LV_MAX_REASONS, sizeof *reasons->reason);
    if (!reasons->reason || reasons->n == LV_MAX_REASONS)
        reasons->lost++;
    else
        reasons->reason[reasons->n++] = *error;
}

void lv_reason(
    LvReasons *reasons, LlavaovStatus status, const char *subject, const char *format, ...)
{
    char text[sizeof((LlavaovError *)0)->message];
    LlavaovError error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lv_fail(&error, status, subject, "%s", text);
    lv_reason_add(reasons, &error);
}

LlavaovStatus lv_reasons_first(const LvReasons *reasons, LlavaovError *error)
{
    if (!reasons->n)
        return reasons->lost ? lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "out of memory")
                             : LLAVAOV_OK;
    if (error)
        *error = reasons->reason[0];
    return reasons->reason[0].status;
}

void lv_reasons_free(LvReasons *reasons)
{
    lv_free(reasons->reason);
    memset(reasons, 0, sizeof *reasons);
}
