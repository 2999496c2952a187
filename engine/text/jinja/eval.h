/* SPDX-License-Identifier: Apache-2.0
 * Expressions. */
#ifndef LV_JINJA_EVAL_H
#define LV_JINJA_EVAL_H

#include "text/jinja/node.h"
#include "text/jinja/scope.h"

bool lv_jinja_eval(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out);
/* The arguments that a call, filter or test node lists. */
bool lv_jinja_eval_arguments(LvJ *j, LvJScope *scope, const LvJNode *node, LvJArgs *out);
/* Applies a chain of filters whose innermost has no operand of its own to value. */
bool lv_jinja_eval_filters(
    LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue value, LvJValue *out);
/* function(args). */
bool lv_jinja_call(LvJ *j, LvJValue function, const LvJArgs *args, LvJValue *out);

#endif
