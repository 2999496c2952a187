/* SPDX-License-Identifier: Apache-2.0
 * Converts the caller's JSON to marked values. */
#ifndef LV_JINJA_INPUT_H
#define LV_JINJA_INPUT_H

#include "text/jinja/scope.h"

/* Assigns every member of `variables` in scope. */
bool lv_jinja_input(
    LvJ *j, const json_t *variables, const LvJinjaOptions *options, LvJScope *scope);

#endif
