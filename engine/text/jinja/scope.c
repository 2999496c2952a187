/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/scope.h"

#include "text/jinja/text.h"

LvJScope *lv_jinja_scope(LvJ *j, LvJScope *parent)
{
    LvJScope *scope = lv_jinja_alloc(j, 1, sizeof *scope);
    if (scope)
        *scope = (LvJScope){.parent = parent};
    return scope;
}

bool lv_jinja_assign(LvJ *j, LvJScope *scope, const LvJString *name, LvJValue value)
{
    LvJVariable *variable;
    for (variable = scope->variables; variable; variable = variable->next) {
        if (lv_jinja_same(variable->name, name)) {
            variable->value = value;
            return true;
        }
    }
    variable = lv_jinja_alloc(j, 1, sizeof *variable);
    if (!variable)
        return false;
    *variable = (LvJVariable){.name = name, .value = value, .next = scope->variables};
    scope->variables = variable;
    return true;
}

const LvJValue *lv_jinja_find_variable(const LvJScope *scope, const LvJString *name)
{

    for (; scope; scope = scope->parent)
        for (const LvJVariable *v = scope->variables; v; v = v->next)
            if (lv_jinja_same(v->name, name))
                return &v->value;
    return NULL;
}
