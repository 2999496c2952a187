/* SPDX-License-Identifier: Apache-2.0
 * Numbers from text, as Python's int() and float() read them. */
#ifndef LV_JINJA_NUMBER_H
#define LV_JINJA_NUMBER_H

#include "text/jinja/machine.h"

/* *valid is false where the text is not such a number; false is returned where it is one that does
 * not fit 64 bits. */
bool lv_jinja_parse_int(LvJ *j, const LvJString *text, int base, int64_t *out, bool *valid);
bool lv_jinja_parse_float(LvJ *j, const LvJString *text, double *out, bool *valid);

#endif
