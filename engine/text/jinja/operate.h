/* SPDX-License-Identifier: Apache-2.0
 * Python's operators, indices and attributes. */
#ifndef LV_JINJA_OPERATE_H
#define LV_JINJA_OPERATE_H

#include "text/jinja/machine.h"
#include "text/jinja/node.h"

bool lv_jinja_binary(LvJ *j, LvJOperator op, LvJValue a, LvJValue b, LvJValue *out);
/* A comparison, `in` and `not in`. */
bool lv_jinja_compare(LvJ *j, LvJOperator op, LvJValue a, LvJValue b, bool *out);
bool lv_jinja_negate(LvJ *j, LvJValue a, bool positive, LvJValue *out);

/* object.name: Python's attribute, else the item of that name, else undefined. */
bool lv_jinja_attribute(LvJ *j, LvJValue object, const LvJString *name, LvJValue *out);
/* The attribute, as Python looks it up; *found says whether there is one. */
bool lv_jinja_own_attribute(
    LvJ *j, LvJValue object, const LvJString *name, LvJValue *out, bool *found);
/* object[key]: the item, else the attribute of that name, else undefined. */
bool lv_jinja_item(LvJ *j, LvJValue object, LvJValue key, LvJValue *out);
/* object[start:stop:step]; a bound that is missing is LVJ_NONE. */
bool lv_jinja_slice(
    LvJ *j, LvJValue object, LvJValue start, LvJValue stop, LvJValue step, LvJValue *out);

#endif
