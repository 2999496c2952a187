/* SPDX-License-Identifier: Apache-2.0
 * Python's str operations on marked strings, for methods and filters. */
#ifndef LV_JINJA_STRINGS_H
#define LV_JINJA_STRINGS_H

#include "text/jinja/text.h"

/* Of the character that begins at byte `at`; the byte where the one that ends at `end` begins; and
 * which one that is. */
size_t lv_jinja_char_bytes(const LvJString *string, size_t at);
size_t lv_jinja_char_before(const LvJString *string, size_t end);
uint32_t lv_jinja_char_at(const LvJString *string, size_t at);

enum { LV_JINJA_LEFT = 1, LV_JINJA_RIGHT = 2 };

/* strip() at `sides`; chars NULL: white space. */
bool lv_jinja_strip(
    LvJ *j, const LvJString *string, const LvJString *chars, unsigned sides, LvJValue *out);
typedef enum LvJCase {
    LVJ_UPPERCASE,
    LVJ_LOWERCASE,
    LVJ_CAPITALIZED,
    LVJ_TITLECASE, /* str.title() */
    LVJ_SWAPPED
} LvJCase;
bool lv_jinja_change_case(LvJ *j, const LvJString *string, LvJCase to, LvJValue *out);
/* replace(); count < 0: all. */
bool lv_jinja_replace(LvJ *j, const LvJString *string, const LvJString *old, const LvJString *with,
    int64_t count, LvJValue *out);
/* split() into a list; separator NULL: white space; most < 0: no bound. */
bool lv_jinja_split(
    LvJ *j, const LvJString *string, const LvJString *separator, int64_t most, LvJValue *out);
bool lv_jinja_rsplit(
    LvJ *j, const LvJString *string, const LvJString *separator, int64_t most, LvJValue *out);
bool lv_jinja_splitlines(LvJ *j, const LvJString *string, bool keep, LvJValue *out);
/* separator.join(items): with `any`, items that are no strings are shown by str(). */
bool lv_jinja_join(LvJ *j, const LvJString *separator, LvJValue items, bool any, LvJValue *out);
/* The last needle that ends at or before byte `end`; *out is SIZE_MAX where there is none. */
bool lv_jinja_find_last(
    LvJ *j, const LvJString *string, const LvJString *needle, size_t end, size_t *out);
/* left and right characters `fill` around string. */
bool lv_jinja_pad(LvJ *j, const LvJString *string, int64_t left, int64_t right,
    const LvJString *fill, LvJValue *out);

#endif
