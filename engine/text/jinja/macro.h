/* SPDX-License-Identifier: Apache-2.0
 * What a macro is called with. */
#ifndef LV_JINJA_MACRO_H
#define LV_JINJA_MACRO_H

#include "text/jinja/node.h"
#include "text/jinja/scope.h"

/* Assigns the macro's parameters in scope, its own: from args, else from its defaults. */
bool lv_jinja_bind_macro(LvJ *j, LvJScope *scope, const LvJNode *node, const LvJArgs *args);

#endif
