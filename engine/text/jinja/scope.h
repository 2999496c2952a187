/* SPDX-License-Identifier: Apache-2.0
 * Names and their values. */
#ifndef LV_JINJA_SCOPE_H
#define LV_JINJA_SCOPE_H

#include "text/jinja/machine.h"

typedef struct LvJVariable LvJVariable;
struct LvJVariable {
    const LvJString *name;
    LvJValue value;
    LvJVariable *next;
};
/* Names are looked up outwards and assigned in the innermost scope. Each loop iteration, macro call
 * and captured block has its own. */
typedef struct LvJScope {
    struct LvJScope *parent;
    LvJVariable *variables;
} LvJScope;

struct LvJMacro {
    const struct LvJNode *node;
    LvJScope *scope; /* where it was defined */
};

LvJScope *lv_jinja_scope(LvJ *j, LvJScope *parent);
bool lv_jinja_assign(LvJ *j, LvJScope *scope, const LvJString *name, LvJValue value);
/* NULL where no scope has the name. */
const LvJValue *lv_jinja_find_variable(const LvJScope *scope, const LvJString *name);

#endif
