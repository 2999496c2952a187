/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/macro.h"

#include "text/jinja/builtin.h"
#include "text/jinja/eval.h"
#include "text/jinja/object.h"
#include "text/jinja/text.h"

/* Takes the keyword of that name out of its slot; NULL = none. */
static const LvJValue *take_keyword(LvJ *j, LvJKeyword *keywords, size_t n, const LvJString *name)
{
    for (size_t i = 0; i < n && lv_jinja_work(j, 1); i++) {
        if (keywords[i].name && lv_jinja_same(keywords[i].name, name)) {
            keywords[i].name = NULL;
            return &keywords[i].value;
        }
    }
    return NULL;
}

static bool bind_rest(
    LvJ *j, LvJScope *scope, const LvJNode *node, const LvJArgs *args, LvJKeyword *left, size_t at)
{
    static const LvJString caller = {.text = "caller", .bytes = 6, .chars = 6},
                           varargs = {.text = "varargs", .bytes = 7, .chars = 7},
                           kwargs = {.text = "kwargs", .bytes = 6, .chars = 6};
    LvJValue value;
    const LvJValue *given;
    if (node->uses & LVJ_USES_CALLER &&
        !lv_jinja_find_variable(&(LvJScope){NULL, scope->variables}, &caller)) {
        given = take_keyword(j, left, args->n_keywords, &caller);
        if (given)
            value = *given;
        else if (!lv_jinja_undefined(j, &value, "No caller defined"))
            return false;
        if (!lv_jinja_assign(j, scope, &caller, value))
            return false;
    }
    if (node->uses & LVJ_USES_KWARGS && !lv_jinja_new_dict(j, LVJ_DICT, &value))
        return false;
    for (size_t i = 0; i < args->n_keywords; i++) {
        if (!left[i].name)
            continue;
        LvJValue key = {.type = LVJ_STRING, .string = left[i].name};
        if (!(node->uses & LVJ_USES_KWARGS))
            return lv_jinja_wrong(j, "macro '%s' takes no keyword argument '%s'",
                node->text ? lv_jinja_shown(j, node->text) : "caller",
                lv_jinja_shown(j, left[i].name));
        if (!lv_jinja_dict_set(j, value.dict, key, left[i].value))
            return false;
    }
    if (node->uses & LVJ_USES_KWARGS && !lv_jinja_assign(j, scope, &kwargs, value))
        return false;
    if (!(node->uses & LVJ_USES_VARARGS))
        return at >= args->n || lv_jinja_wrong(j, "macro '%s' takes not more than %zu argument(s)",
                                    node->text ? lv_jinja_shown(j, node->text) : "caller", at);
    if (!lv_jinja_new_list(j, LVJ_TUPLE, 0, &value))
        return false;
    for (; at < args->n; at++)
        if (!lv_jinja_append(j, value.list, args->values[at]))
            return false;
    return lv_jinja_assign(j, scope, &varargs, value);
}

bool lv_jinja_bind_macro(LvJ *j, LvJScope *scope, const LvJNode *node, const LvJArgs *args)
{
    LvJKeyword *left = lv_jinja_alloc(j, args->n_keywords, sizeof *left);
    size_t at = 0, count = 0;
    if (!left)
        return false;
    for (size_t i = 0; i < args->n_keywords; i++)
        left[i] = args->keywords[i];
    for (const LvJNode *p = node->other; p; p = p->next)
        count++;
    for (const LvJNode *p = node->other; p; p = p->next, at++) {
        LvJValue value = {.type = LVJ_MISSING};
        const LvJValue *keyword =
            at < args->n ? NULL : take_keyword(j, left, args->n_keywords, p->text);
        if (at < args->n)
            value = args->values[at];
        else if (keyword)
            value = *keyword;
        else if (p->a ? !lv_jinja_eval(j, scope, p->a, &value)
                      : !lv_jinja_undefined(j, &value, "parameter '%s' was not provided",
                            lv_jinja_shown(j, p->text)))
            return false;
        if (!lv_jinja_assign(j, scope, p->text, value))
            return false;
    }
    return bind_rest(j, scope, node, args, left, count);
}
