/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/refusal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void lv_refuse(LvRefusal *refusal, const char *file, const char *field, const char *format, ...)
{
    if (*refusal->reason)
        return;
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *slash = strrchr(file, '/');
    snprintf(refusal->reason, sizeof refusal->reason, "%s: %s %s", slash ? slash + 1 : file, field,
        text);
    snprintf(refusal->field, sizeof refusal->field, "%s", field);
}
