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

_Static_assert(LV_CLASS_OTHER == 0, "what lies in no range is OTHER");

uint32_t lv_class_range_value(const LvClassRange *ranges, size_t n, uint32_t code)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ranges[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && ranges[low].first <= code ? ranges[low].value : 0;
}

LvUnicodeClass lv_unicode_class(uint32_t code)
{
    if (code < 0x80)
        return ascii_class(code);
    if (code >= 0x4E00 && code <= 0x9FFF)
        return LV_CLASS_LETTER;
    return (LvUnicodeClass)lv_class_range_value(lv_class_ranges, LV_N_CLASS_RANGES, code);
}

bool lv_python_space(uint32_t code)
{
    return (code >= 0x1C && code <= 0x1F) || lv_unicode_class(code) == LV_CLASS_SPACE;
}
