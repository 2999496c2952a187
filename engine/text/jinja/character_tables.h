/* SPDX-License-Identifier: Apache-2.0
 * Generated tables (make_character_tables.py): characters as Python's str knows them. Sorted by
 * code point. */
#ifndef LV_JINJA_CHARACTER_TABLES_H
#define LV_JINJA_CHARACTER_TABLES_H

#include <stddef.h>
#include <stdint.h>

typedef struct LvJFlagRange {
    uint32_t first, last, flags; /* LV_JINJA_ALPHA and so on (character.h) */
} LvJFlagRange;
/* first, first + step ... last become themselves + delta. */
typedef struct LvJCaseRun {
    uint32_t first, last;
    int32_t step, delta;
} LvJCaseRun;
/* A character that becomes up to three; the rest is 0. */
typedef struct LvJCaseSeveral {
    uint32_t code, to[3];
} LvJCaseSeveral;

extern const LvJFlagRange lv_jinja_flag_ranges[];
extern const size_t lv_jinja_n_flag_ranges;
extern const LvJCaseRun lv_jinja_upper_runs[], lv_jinja_lower_runs[], lv_jinja_title_runs[];
extern const size_t lv_jinja_n_upper_runs, lv_jinja_n_lower_runs, lv_jinja_n_title_runs;
extern const LvJCaseSeveral lv_jinja_upper_several[], lv_jinja_lower_several[],
    lv_jinja_title_several[];
extern const size_t lv_jinja_n_upper_several, lv_jinja_n_lower_several, lv_jinja_n_title_several;

#endif
