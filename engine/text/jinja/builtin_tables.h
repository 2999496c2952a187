/* SPDX-License-Identifier: Apache-2.0
 * Filters, tests and global functions by name. */
#ifndef LV_JINJA_BUILTIN_TABLES_H
#define LV_JINJA_BUILTIN_TABLES_H

#include "text/jinja/builtin.h"

/* NULL where there is none. Tests return a bool. */
const LvJBuiltin *lv_jinja_find_filter(const LvJString *name);
const LvJBuiltin *lv_jinja_find_test(const LvJString *name);
const LvJBuiltin *lv_jinja_find_function(const LvJString *name);

#endif
