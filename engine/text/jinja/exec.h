/* SPDX-License-Identifier: Apache-2.0
 * Statements. */
#ifndef LV_JINJA_EXEC_H
#define LV_JINJA_EXEC_H

#include "text/jinja/eval.h"
#include "text/jinja/text.h"

/* Runs statements from `first`; their output is appended to `output`. */
bool lv_jinja_exec(LvJ *j, LvJScope *scope, const LvJNode *first, LvJBuild *output);
/* A scope in which the names in `hidden` are undefined; NULL after failing. */
LvJScope *lv_jinja_open_scope(LvJ *j, LvJScope *parent, const LvJNode *hidden);
/* LvJ.run. */
bool lv_jinja_run(LvJ *j, LvJValue function, const LvJArgs *args, LvJValue *out);

#endif
