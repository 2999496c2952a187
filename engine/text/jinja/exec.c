/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/exec.h"

#include "text/jinja/builtin.h"
#include "text/jinja/loop.h"
#include "text/jinja/macro.h"
#include "text/jinja/object.h"
#include "text/jinja/print.h"

typedef enum Flow { FAILED, NEXT, BREAK, CONTINUE } Flow;

static Flow run_list(LvJ *j, LvJScope *scope, const LvJNode *first, LvJBuild *output);

static Flow flow(bool done)
{
    return done ? NEXT : FAILED;
}

LvJScope *lv_jinja_open_scope(LvJ *j, LvJScope *parent, const LvJNode *hidden)
{
    LvJScope *scope = lv_jinja_scope(j, parent);
    for (; scope && hidden; hidden = hidden->next) {
        LvJValue nothing;
        if (!lv_jinja_undefined(
                j, &nothing, "'%s' is undefined", lv_jinja_shown(j, hidden->text)) ||
            !lv_jinja_assign(j, scope, hidden->text, nothing))
            return NULL;
    }
    return scope;
}

/* Renders a block's body in a scope of its own to a string. */
static bool capture(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJBuild build = {.j = j};
    LvJScope *inner = lv_jinja_open_scope(j, scope, node->hidden);
    return inner && run_list(j, inner, node->list, &build) != FAILED && lv_jinja_built(&build, out);
}

static bool assign_member(LvJ *j, LvJScope *scope, const LvJNode *target, LvJValue value)
{
    const LvJValue *object = lv_jinja_find_variable(scope, target->text);
    LvJValue key = {.type = LVJ_STRING, .string = target->attribute};
    if (!object || object->type != LVJ_NAMESPACE)
        return lv_jinja_wrong(j, "cannot assign attribute on non-namespace object");
    if (target->attribute->text[0] == '_')
        return lv_jinja_wrong(j, "a namespace stores no attribute that begins with _");
    return lv_jinja_dict_set(j, object->dict, key, value);
}

static bool assign(LvJ *j, LvJScope *scope, const LvJNode *target, LvJValue value)
{
    if (target->kind == LVJ_NAME)
        return lv_jinja_assign(j, scope, target->text, value);
    if (target->kind == LVJ_MEMBER)
        return assign_member(j, scope, target, value);
    LvJValue list;
    size_t want = 0;
    for (const LvJNode *item = target->list; item; item = item->next)
        want++;
    if (!lv_jinja_to_list(j, LVJ_LIST, value, &list))
        return false;
    if (list.list->n != want)
        return lv_jinja_wrong(j, "%s values to unpack (expected %zu)",
            list.list->n < want ? "not enough" : "too many", want);
    size_t at = 0;
    for (const LvJNode *item = target->list; item; item = item->next)
        if (!assign(j, scope, item, list.list->items[at++]))
            return false;
    return true;
}

/* The elements for which a loop's condition holds. */
typedef struct Filtered {
    LvJIterator iterator;
    const LvJNode *node;
    LvJScope *scope;
} Filtered;

static bool next_filtered(LvJ *j, LvJIterator *iterator, LvJValue *out, bool *done)
{
    Filtered *filtered = (Filtered *)iterator;
    for (;;) {
        LvJValue holds;
        if (!lv_jinja_next(j, iterator->inner, out, done))
            return false;
        if (*done)
            return true;
        LvJScope *scope = lv_jinja_scope(j, filtered->scope);
        if (!scope || !assign(j, scope, filtered->node->a, *out) ||
            !lv_jinja_eval(j, scope, filtered->node->c, &holds))
            return false;
        if (lv_jinja_truth(holds))
            return true;
    }
}

static bool filtered_loop(
    LvJ *j, LvJScope *scope, const LvJNode *node, LvJIterator *inner, LvJIterator **out)
{
    Filtered *filtered = lv_jinja_alloc(j, 1, sizeof *filtered);
    if (!filtered)
        return false;
    *filtered = (Filtered){
        .iterator = {.next = next_filtered, .inner = inner}, .node = node, .scope = scope};
    *out = &filtered->iterator;
    return true;
}

static bool name_loop(LvJ *j, LvJScope *scope, LvJLoop *loop)
{
    static const LvJString name = {.text = "loop", .bytes = 4, .chars = 4};
    return lv_jinja_assign(j, scope, &name, (LvJValue){.type = LVJ_LOOP, .loop = loop});
}

static Flow run_for(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue iterable, int64_t depth0,
    LvJBuild *output)
{
    LvJIterator *iterator;
    LvJLoop *loop;
    bool any = false;
    if (!lv_jinja_iterate(j, iterable, &iterator))
        return FAILED;
    if (node->c) {
        if (!filtered_loop(j, scope, node, iterator, &iterator))
            return FAILED;
        iterable = (LvJValue){.type = LVJ_ITERATOR, .iterator = iterator};
    }
    if (!lv_jinja_loop_new(j, iterable, iterator, &loop))
        return FAILED;
    loop->depth0 = depth0;
    loop->recursive = node->recursive ? node : NULL;
    loop->scope = scope;
    for (;;) {
        LvJValue item;
        bool done;
        if (!lv_jinja_loop_next(j, loop, &item, &done))
            return FAILED;
        if (done)
            break;
        LvJScope *inner = lv_jinja_open_scope(j, scope, node->hidden);
        if (!inner || !name_loop(j, inner, loop) || !assign(j, inner, node->a, item))
            return FAILED;
        Flow after = run_list(j, inner, node->list, output);
        if (after == FAILED)
            return FAILED;
        if (after == BREAK)
            break;
        any |= after == NEXT; /* jinja2 does not count iterations ended by `continue` or `break` */
    }
    if (any || !node->other)
        return NEXT;
    LvJScope *inner = lv_jinja_open_scope(j, scope, node->hidden_else);
    return inner ? run_list(j, inner, node->other, output) : FAILED;
}

static Flow run_if(LvJ *j, LvJScope *scope, const LvJNode *node, LvJBuild *output)
{
    for (;; node = node->c) {
        LvJValue test;
        if (!lv_jinja_eval(j, scope, node->a, &test))
            return FAILED;
        if (lv_jinja_truth(test))
            return run_list(j, scope, node->list, output);
        if (!node->c)
            return run_list(j, scope, node->other, output);
    }
}

static bool run_with(LvJ *j, LvJScope *scope, const LvJNode *node, LvJScope **out)
{
    LvJScope *inner = lv_jinja_open_scope(j, scope, node->hidden);
    for (const LvJNode *set = node->other; inner && set; set = set->next) {
        LvJValue value;
        if (!lv_jinja_eval(j, scope, set->b, &value) || !assign(j, inner, set->a, value))
            return false;
    }
    *out = inner;
    return inner != NULL;
}

static bool new_macro(LvJ *j, LvJScope *scope, const LvJNode *node, LvJValue *out)
{
    LvJMacro *macro = lv_jinja_alloc(j, 1, sizeof *macro);
    if (!macro)
        return false;
    *macro = (LvJMacro){.node = node, .scope = scope};
    *out = (LvJValue){.type = LVJ_MACRO, .macro = macro};
    return true;
}

static bool run_call_block(LvJ *j, LvJScope *scope, const LvJNode *node, LvJBuild *output)
{
    static const LvJString name = {.text = "caller", .bytes = 6, .chars = 6};
    LvJValue function, result;
    LvJArgs args;
    if (!lv_jinja_eval(j, scope, node->a->a, &function) ||
        !lv_jinja_eval_arguments(j, scope, node->a, &args))
        return false;
    LvJKeyword *keywords = lv_jinja_alloc(j, args.n_keywords + 1, sizeof *keywords);
    if (!keywords)
        return false;
    for (size_t i = 0; i < args.n_keywords; i++) {
        keywords[i] = args.keywords[i];
        if (lv_jinja_same(keywords[i].name, &name))
            return lv_jinja_wrong(j, "the keyword argument 'caller' is given twice");
    }
    keywords[args.n_keywords].name = &name;
    if (!new_macro(j, scope, node->b, &keywords[args.n_keywords].value))
        return false;
    args.keywords = keywords;
    args.n_keywords++;
    return lv_jinja_call(j, function, &args, &result) && lv_jinja_put_str(output, result);
}

static bool run_set(LvJ *j, LvJScope *scope, const LvJNode *node)
{
    LvJValue value;
    if (node->kind == LVJ_SET)
        return lv_jinja_eval(j, scope, node->b, &value) && assign(j, scope, node->a, value);
    return capture(j, scope, node, &value) &&
           lv_jinja_eval_filters(j, scope, node->b, value, &value) &&
           assign(j, scope, node->a, value);
}

static Flow run_node(LvJ *j, LvJScope *scope, const LvJNode *node, LvJBuild *output)
{
    LvJValue value;
    LvJScope *inner;
    switch (node->kind) {
    case LVJ_DATA:
        return flow(lv_jinja_put_string(output, node->text));
    case LVJ_PRINT:
        return flow(lv_jinja_eval(j, scope, node->a, &value) && lv_jinja_put_str(output, value));
    case LVJ_IF:
        return run_if(j, scope, node, output);
    case LVJ_FOR:
        if (!lv_jinja_eval(j, scope, node->b, &value))
            return FAILED;
        return run_for(j, scope, node, value, 0, output);
    case LVJ_SET:
    case LVJ_SET_BLOCK:
        return flow(run_set(j, scope, node));
    case LVJ_WITH:
        return run_with(j, scope, node, &inner) ? run_list(j, inner, node->list, output) : FAILED;
    case LVJ_MACRO_DEF:
        return flow(
            new_macro(j, scope, node, &value) && lv_jinja_assign(j, scope, node->text, value));
    case LVJ_CALL_BLOCK:
        return flow(run_call_block(j, scope, node, output));
    case LVJ_FILTER_BLOCK:
        return flow(capture(j, scope, node, &value) &&
                    lv_jinja_eval_filters(j, scope, node->b, value, &value) &&
                    lv_jinja_put_str(output, value));
    case LVJ_GENERATION:
        inner = lv_jinja_open_scope(j, scope, node->hidden);
        return inner ? run_list(j, inner, node->list, output) : FAILED;
    case LVJ_BREAK:
        return BREAK;
    case LVJ_CONTINUE:
        return CONTINUE;
    default:
        return flow(lv_jinja_fail(j, LLAVAOV_ERROR_INTERNAL, "a statement of no kind"));
    }
}

static Flow run_list(LvJ *j, LvJScope *scope, const LvJNode *first, LvJBuild *output)
{
    Flow after = NEXT;
    if (!lv_jinja_enter(j))
        return FAILED;
    for (; first && after == NEXT; first = first->next) {
        j->line = first->line;
        after = lv_jinja_work(j, 1) ? run_node(j, scope, first, output) : FAILED;
    }
    lv_jinja_leave(j);
    return after;
}

bool lv_jinja_exec(LvJ *j, LvJScope *scope, const LvJNode *first, LvJBuild *output)
{
    return run_list(j, scope, first, output) != FAILED;
}

bool lv_jinja_run(LvJ *j, LvJValue function, const LvJArgs *args, LvJValue *out)
{
    LvJBuild build = {.j = j};
    if (function.type == LVJ_LOOP) {
        LvJLoop *loop = function.loop;
        if (!loop->recursive)
            return lv_jinja_wrong(
                j, "the loop must have the 'recursive' marker to be called recursively");
        if (args->n != 1 || args->n_keywords)
            return lv_jinja_wrong(j, "loop() takes one argument");
        return run_for(j, loop->scope, loop->recursive, args->values[0], loop->depth0 + 1,
                   &build) != FAILED &&
               lv_jinja_built(&build, out);
    }
    const LvJMacro *macro = function.macro;
    LvJScope *scope = lv_jinja_open_scope(j, macro->scope, macro->node->hidden);
    return scope && lv_jinja_bind_macro(j, scope, macro->node, args) &&
           run_list(j, scope, macro->node->list, &build) != FAILED && lv_jinja_built(&build, out);
}
