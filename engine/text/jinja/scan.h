/* SPDX-License-Identifier: Apache-2.0
 * Where the tokens of template code end. p < end; the code is UTF-8. */
#ifndef LV_JINJA_SCAN_H
#define LV_JINJA_SCAN_H

#include <stddef.h>

/* The end of the number at p, a digit; for a float NULL where it is none. Reads p[-1]. */
const char *lv_jinja_float_end(const char *p, const char *end);
const char *lv_jinja_integer_end(const char *p, const char *end);
/* p itself where no name begins. */
const char *lv_jinja_name_end(const char *p, const char *end);
/* The position after the closing quote of the string at p; NULL where there is none. */
const char *lv_jinja_string_end(const char *p, const char *end);
/* 0 where no operator stands. */
size_t lv_jinja_operator_bytes(const char *p, const char *end);

#endif
