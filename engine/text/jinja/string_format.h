/* SPDX-License-Identifier: Apache-2.0
 * str.format(). */
#ifndef LV_JINJA_STRING_FORMAT_H
#define LV_JINJA_STRING_FORMAT_H

#include "text/jinja/machine.h"

/* Fields {}, {0} and {name}, without what may follow a name in them. */
bool lv_jinja_string_format(LvJ *j, const LvJString *format, const LvJArgs *args, LvJValue *out);

#endif
