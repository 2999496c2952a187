/* SPDX-License-Identifier: Apache-2.0
 * Python's format % arguments. */
#ifndef LV_JINJA_PERCENT_H
#define LV_JINJA_PERCENT_H

#include "text/jinja/machine.h"

/* format is a string; arguments a tuple, a dict, or one value. */
bool lv_jinja_percent(LvJ *j, LvJValue format, LvJValue arguments, LvJValue *out);

#endif
