/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/character.h"

#include "text/jinja/character_tables.h"

static const LvJFlagRange *find(uint32_t code)
{
    size_t low = 0, high = lv_jinja_n_flag_ranges;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (lv_jinja_flag_ranges[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    const LvJFlagRange *range = &lv_jinja_flag_ranges[low];
    return low < lv_jinja_n_flag_ranges && range->first <= code ? range : NULL;
}

unsigned lv_jinja_flags(uint32_t code)
{
    const LvJFlagRange *range = find(code);
    return range ? range->flags : 0;
}

bool lv_jinja_is_space(uint32_t code)
{
    if (code < 0x80)
        return code == ' ' || (code >= '\t' && code <= '\r') || (code >= 0x1C && code <= 0x1F);
    return lv_jinja_flags(code) & LV_JINJA_SPACE;
}

bool lv_jinja_is_printable(uint32_t code)
{
    return code < 0x7F ? code >= ' ' : (lv_jinja_flags(code) & LV_JINJA_PRINTABLE) != 0;
}

int lv_jinja_digit_value(uint32_t code)
{
    if (code < 0x80)
        return code >= '0' && code <= '9' ? (int)(code - '0') : -1;
    const LvJFlagRange *range = find(code);
    /* Every run of decimal digits begins with a zero and has whole tens. */
    return range && range->flags & LV_JINJA_DECIMAL ? (int)((code - range->first) % 10) : -1;
}

static size_t map(uint32_t code, const LvJCaseRun *runs, size_t n_runs,
    const LvJCaseSeveral *several, size_t n_several, uint32_t out[3])
{
    size_t low = 0, high = n_runs;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (runs[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < n_runs && runs[low].first <= code &&
        (code - runs[low].first) % (uint32_t)runs[low].step == 0) {
        out[0] = (uint32_t)((int32_t)code + runs[low].delta);
        return 1;
    }
    for (size_t i = 0; i < n_several; i++) {
        if (several[i].code == code) {
            size_t n = 0;
            for (; n < 3 && several[i].to[n]; n++)
                out[n] = several[i].to[n];
            return n;
        }
    }
    return 0;
}

size_t lv_jinja_upper(uint32_t code, uint32_t out[3])
{
    out[0] = code >= 'a' && code <= 'z' ? code - 32 : code;
    size_t n = code < 0x80 ? 1
                           : map(code, lv_jinja_upper_runs, lv_jinja_n_upper_runs,
                                 lv_jinja_upper_several, lv_jinja_n_upper_several, out);
    return n ? n : 1;
}

size_t lv_jinja_lower(uint32_t code, uint32_t out[3])
{
    out[0] = code >= 'A' && code <= 'Z' ? code + 32 : code;
    size_t n = code < 0x80 ? 1
                           : map(code, lv_jinja_lower_runs, lv_jinja_n_lower_runs,
                                 lv_jinja_lower_several, lv_jinja_n_lower_several, out);
    return n ? n : 1;
}

size_t lv_jinja_title(uint32_t code, uint32_t out[3])
{
    size_t n = code < 0x80 ? 0
                           : map(code, lv_jinja_title_runs, lv_jinja_n_title_runs,
                                 lv_jinja_title_several, lv_jinja_n_title_several, out);
    return n ? n : lv_jinja_upper(code, out);
}
