/* SPDX-License-Identifier: Apache-2.0
 * Characters as Python's str knows them. */
#ifndef LV_JINJA_CHARACTER_H
#define LV_JINJA_CHARACTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LV_JINJA_ALPHA = 1,
    LV_JINJA_DECIMAL = 2,
    LV_JINJA_DIGIT = 4,
    LV_JINJA_NUMERIC = 8,
    LV_JINJA_SPACE = 16,
    LV_JINJA_PRINTABLE = 32,
    LV_JINJA_UPPER = 64,
    LV_JINJA_LOWER = 128,
    LV_JINJA_TITLE = 256,
    LV_JINJA_IGNORABLE = 512 /* skipped when deciding whether a capital sigma ends a word */
};
#define LV_JINJA_CASED (LV_JINJA_UPPER | LV_JINJA_LOWER | LV_JINJA_TITLE)

unsigned lv_jinja_flags(uint32_t code);
/* str.isspace(), and what strip() and \s mean by white space. */
bool lv_jinja_is_space(uint32_t code);
bool lv_jinja_is_printable(uint32_t code);
/* The value of a decimal digit of any script; -1 = none. */
int lv_jinja_digit_value(uint32_t code);

/* One character's full mapping, without regard to its neighbours: 1 to 3 characters. */
size_t lv_jinja_upper(uint32_t code, uint32_t out[3]);
size_t lv_jinja_lower(uint32_t code, uint32_t out[3]);
size_t lv_jinja_title(uint32_t code, uint32_t out[3]);

#endif
