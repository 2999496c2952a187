/* SPDX-License-Identifier: Apache-2.0
 * jinja2 decides while compiling what a name means: one that a block assigns, unconditionally and
 * before it reads it, is undefined in all of that block until then, even where the caller has a
 * variable of that name. */
#ifndef LV_JINJA_SYMBOLS_H
#define LV_JINJA_SYMBOLS_H

#include "text/jinja/machine.h"
#include "text/jinja/node.h"

/* Sets `hidden` (and `hidden_else`) of every node that opens a scope, and gives the template's own:
 * lists of LVJ_NAME, whose variables are undefined when the scope is entered. */
bool lv_jinja_find_hidden(LvJ *j, LvJNode *first, LvJNode **hidden);

#endif
