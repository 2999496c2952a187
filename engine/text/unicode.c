/* SPDX-License-Identifier: Apache-2.0 */
#include "text/unicode.h"

#include "text/unicode_tables.h"

/* Classes of ASCII as bit pairs would be smaller; a table of bytes is plainer. */
static LvUnicodeClass ascii_class(uint32_t code)
{
    if ((code | 32) - 'a' < 26)
        return LV_CLASS_LETTER;
    if (code - '0' < 10)
        return LV_CLASS_NUMBER;
    return code == ' ' || code - 9 < 5 ? LV_CLASS_SPACE : LV_CLASS_OTHER;
}

LvUnicodeClass lv_unicode_class(uint32_t code)
{
    if (code < 0x80)
        return ascii_class(code);
    if (code >= 0x4E00 && code <= 0x9FFF)
        return LV_CLASS_LETTER;
    size_t low = 0, high = LV_N_CLASS_RANGES;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lv_class_ranges[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == LV_N_CLASS_RANGES || lv_class_ranges[low].first > code)
        return LV_CLASS_OTHER;
    return (LvUnicodeClass)lv_class_ranges[low].value;
}
