/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/refusal.h"

#include <stdio.h>
#include <string.h>

void lv_refuse(char refusal[LV_REFUSAL_BYTES], char field[LV_REFUSED_FIELD], const char *file,
    const char *name, const char *format, va_list arguments)
{
    if (*refusal)
        return;
    char text[160];
    vsnprintf(text, sizeof text, format, arguments);
    const char *slash = strrchr(file, '/');
    snprintf(refusal, LV_REFUSAL_BYTES, "%s: %s %s", slash ? slash + 1 : file, name, text);
    snprintf(field, LV_REFUSED_FIELD, "%s", name);
}
