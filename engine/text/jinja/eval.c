/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/eval.h"

#include <string.h>

#include "text/jinja/builtin_tables.h"
#include "text/jinja/object.h"
#include "text/jinja/operate.h"
#include "text/jinja/print.h"

bool lv_jinja_call(LvJ *j, LvJValue function, const LvJArgs *args, LvJValue *out)
{
    switch (function.type) {
    case LVJ_FUNCTION:
        return lv_jinja_call_builtin(j, function.function, (LvJValue){0}, args, out);
    case LVJ_METHOD:
        return lv_jinja_call_builtin(j, function.method->row, function.method->self, args, out);
    case LVJ_MACRO:
    case LVJ_LOOP:
        return j->run(j, function, args, out);
    case LVJ_JOINER:
        if (args->n || args->n_keywords)
            return lv_jinja_wrong(j, "a joiner takes no arguments");
        *out = function.cycler->items[function.cycler->at];
        function.cycler->at = 1;
        return true;
    case LVJ_UNDEFINED:
        return lv_jinja_fail_undefined(j, function);
    default:
        return lv_jinja_wrong(j, "'%s' object is not callable", lv_jinja_type_name(function));
    }
}

/* Appends to arrays that grow in the arena. */
static bool add_argument(LvJ *j, LvJArgs *args, LvJValue value)
{
    if ((args->n & (args->n - 1)) == 0) { /* 0, 1, 2, 4, 8: full */
        LvJValue *values = lv_jinja_alloc(j, args->n ? args->n * 2 : 1, sizeof *values);
        if (!values)
            return false;
        if (args->n)
            memcpy(values, args->values, args->n * sizeof *values);
        args->values = values;
    }
    args->values[args->n++] = value;
    return lv_jinja_work(j, 1);
}

static bool add_keyword(LvJ *j, LvJArgs *args, const LvJString *name, LvJValue value)
{
    for (size_t i = 0; i < args->n_keywords; i++)
        if (lv_jinja_same(args->keywords[i].name, name))
            return lv_jinja_wrong(
                j, "the keyword argument '%s' is given twice", lv_jinja_shown(j, name));
    size_t n = args->n_keywords;
    if ((n & (n - 1)) == 0) {
        LvJKeyword *keywords = lv_jinja_alloc(j, n ? n * 2 : 1, sizeof *keywords);
        if (!keywords)
            return false;
        if (n)
            memcpy(keywords, args->keywords, n * sizeof *keywords);
        args->keywords = keywords;
    }
    args->keywords[args->n_keywords++] = (LvJKeyword){.name = name, .value = value};
    return lv_jinja_work(j, 1 + n / 4);
}

static bool spread(LvJ *j, LvJArgs *args, LvJValue value)
{
    LvJIterator *iterator;
    if (!lv_jinja_iterate(j, value, &iterator))
        return false;
    LvJValue item;
    bool good;
    while (lv_jinja_each(j, iterator, &item, &good))
        if (!add_argument(j, args, item))
            return false;
    return good;
}

static bool spread_keywords(LvJ *j, LvJArgs *args, LvJValue value)
{
    if (value.type != LVJ_DICT)
        return lv_jinja_wrong(
            j, "the argument after ** must be a mapping, not %s", lv_jinja_type_name(value));
    for (size_t i = 0; i < value.dict->n; i++) {
        const LvJEntry *entry = &value.dict->entries[i];
        if (entry->key.type != LVJ_STRING)
            return lv_jinja_wrong(j, "keywords must be strings");
        if (!add_keyword(j, args, entry->key.string, entry->value))
            return false;
    }
    return true;
}

bool lv_jinja_eval_arguments(LvJ *j, LvJScope *scope, const LvJNode *node, LvJArgs *out)
{
    *out = (LvJArgs){0};
    for (const LvJNode *argument = node->list; argument; argument = argument->next) {
        LvJValue value;
        if (!lv_jinja_eval(j, scope, argument->a, &value))
            return false;
        bool done = argument->kind == LVJ_ARGUMENT  ? add_argument(j, out, value)
                    : argument->kind == LVJ_KEYWORD ? add_keyword(j, out, argument->text, value)
                    : argument->kind == LVJ_STAR    ? spread(j, out, value)
                                                    : spread_keywords(j, out, value);
        if (!done)
            return false;
    }
    return true;
}

static bool eval_name(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    const LvJValue *value = lv_jinja_find_variable(scope, node->text);
    if (value) {
        *out = *value;
        return true;
    }
    const LvJBuiltin *function = lv_jinja_find_function(node->text);
    if (function) {
        *out = (LvJValue){.type = LVJ_FUNCTION, .function = function};
        return true;
    }
    return lv_jinja_undefined(j, out, "'%s' is undefined", lv_jinja_shown(j, node->text));
}

static bool eval_items(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    if (!lv_jinja_new_list(j, node->kind == LVJ_LIST_OF ? LVJ_LIST : LVJ_TUPLE, 0, out))
        return false;
    for (const LvJNode *item = node->list; item; item = item->next) {
        LvJValue value;
        if (!lv_jinja_eval(j, scope, item, &value) || !lv_jinja_append(j, out->list, value))
            return false;
    }
    return true;
}

static bool eval_dict(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    if (!lv_jinja_new_dict(j, LVJ_DICT, out))
        return false;
    for (const LvJNode *pair = node->list; pair; pair = pair->next) {
        LvJValue key, value;
        if (!lv_jinja_eval(j, scope, pair->a, &key) || !lv_jinja_eval(j, scope, pair->b, &value) ||
            !lv_jinja_dict_set(j, out->dict, key, value))
            return false;
    }
    return true;
}

static bool eval_compare(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJValue left, right;
    bool holds = true;
    if (!lv_jinja_eval(j, scope, node->a, &left))
        return false;
    for (const LvJNode *operand = node->list; operand && holds; operand = operand->next) {
        if (!lv_jinja_eval(j, scope, operand->a, &right) ||
            !lv_jinja_compare(j, operand->op, left, right, &holds))
            return false;
        left = right;
    }
    *out = lv_jinja_bool(holds);
    return true;
}

static bool eval_concat(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJBuild build = {.j = j};
    for (const LvJNode *item = node->list; item; item = item->next) {
        LvJValue value;
        if (!lv_jinja_eval(j, scope, item, &value) || !lv_jinja_put_str(&build, value))
            return false;
    }
    return lv_jinja_built(&build, out);
}

static bool eval_condition(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJValue test;
    if (!lv_jinja_eval(j, scope, node->a, &test))
        return false;
    if (lv_jinja_truth(test))
        return lv_jinja_eval(j, scope, node->b, out);
    if (node->c)
        return lv_jinja_eval(j, scope, node->c, out);
    return lv_jinja_undefined(j, out,
        "the inline if-expression on line %u evaluated to false and no else section was defined",
        node->line);
}

static bool eval_item(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJValue object, key[3] = {lv_jinja_none(), lv_jinja_none(), lv_jinja_none()};
    const LvJNode *b = node->b;
    if (!lv_jinja_eval(j, scope, node->a, &object))
        return false;
    if (b->kind != LVJ_SLICE)
        return lv_jinja_eval(j, scope, b, &key[0]) && lv_jinja_item(j, object, key[0], out);
    if ((b->a && !lv_jinja_eval(j, scope, b->a, &key[0])) ||
        (b->b && !lv_jinja_eval(j, scope, b->b, &key[1])) ||
        (b->c && !lv_jinja_eval(j, scope, b->c, &key[2])))
        return false;
    return lv_jinja_slice(j, object, key[0], key[1], key[2], out);
}

static bool eval_call(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJValue function;
    LvJArgs args;
    if (!lv_jinja_eval(j, scope, node->a, &function) ||
        !lv_jinja_eval_arguments(j, scope, node, &args))
        return false;
    j->line = node->line;
    return lv_jinja_call(j, function, &args, out);
}

/* A filter or a test. */
static bool eval_builtin(
    LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue value, LvJValue *out)
{
    LvJArgs args;
    if (!lv_jinja_eval_arguments(j, scope, node, &args))
        return false;
    j->line = node->line;
    return lv_jinja_call_builtin(j, node->builtin, value, &args, out);
}

bool lv_jinja_eval_filters(
    LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue value, LvJValue *out)
{
    if (!node) {
        *out = value;
        return true;
    }
    /* A parser's tree: not deeper than LV_MAX_TEMPLATE_NESTING. */
    return lv_jinja_eval_filters(j, scope, node->a, value, &value) &&
           eval_builtin(j, scope, node, value, out);
}

static bool eval_operands(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJValue a, b;
    if (!lv_jinja_eval(j, scope, node->a, &a))
        return false;
    switch (node->kind) {
    case LVJ_NOT:
        *out = lv_jinja_bool(!lv_jinja_truth(a));
        return true;
    case LVJ_NEGATIVE:
    case LVJ_POSITIVE:
        return lv_jinja_negate(j, a, node->kind == LVJ_POSITIVE, out);
    case LVJ_AND:
    case LVJ_OR:
        *out = a;
        return lv_jinja_truth(a) == (node->kind == LVJ_OR) || lv_jinja_eval(j, scope, node->b, out);
    case LVJ_ATTRIBUTE:
        j->line = node->line;
        return lv_jinja_attribute(j, a, node->text, out);
    case LVJ_FILTER:
    case LVJ_TEST:
        return eval_builtin(j, scope, node, a, out);
    default:
        return lv_jinja_eval(j, scope, node->b, &b) && lv_jinja_binary(j, node->op, a, b, out);
    }
}

static bool eval_node(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    switch (node->kind) {
    case LVJ_CONST:
        *out = node->value;
        return true;
    case LVJ_NAME:
        return eval_name(j, scope, node, out);
    case LVJ_LIST_OF:
    case LVJ_TUPLE_OF:
        return eval_items(j, scope, node, out);
    case LVJ_DICT_OF:
        return eval_dict(j, scope, node, out);
    case LVJ_COMPARE:
        return eval_compare(j, scope, node, out);
    case LVJ_CONCAT:
        return eval_concat(j, scope, node, out);
    case LVJ_CONDITION:
        return eval_condition(j, scope, node, out);
    case LVJ_ITEM:
        return eval_item(j, scope, node, out);
    case LVJ_CALL:
        return eval_call(j, scope, node, out);
    default:
        return eval_operands(j, scope, node, out);
    }
}

bool lv_jinja_eval(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    j->line = node->line;
    if (!lv_jinja_enter(j))
        return false;
    bool done = eval_node(j, scope, node, out);
    lv_jinja_leave(j);
    return done;
}
