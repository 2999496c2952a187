/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/symbols.h"

#include <string.h>

#include "base/limits.h"
#include "text/jinja/text.h"

typedef struct Symbol {
    const LvJString *name;
    struct Symbol *next;
} Symbol;

/* A scope's names so far, and those it hides. */
typedef struct Frame {
    LvJ *j;
    const struct Frame *parent;
    Symbol *known;
    LvJNode **hidden; /* where the next one is added */
    uint64_t *looked; /* names compared, in all frames */
} Frame;

static bool knows(const Frame *frame, const LvJString *name)
{
    for (const Symbol *symbol = frame->known; symbol; symbol = symbol->next, ++*frame->looked)
        if (lv_jinja_same(symbol->name, name))
            return true;
    return false;
}

static bool learn(Frame *frame, const LvJString *name)
{
    Symbol *symbol = lv_jinja_alloc(frame->j, 1, sizeof *symbol);
    if (!symbol)
        return false;
    *symbol = (Symbol){.name = name, .next = frame->known};
    frame->known = symbol;
    return true;
}

static bool known_outside(const Frame *frame, const LvJString *name)
{
    for (frame = frame->parent; frame; frame = frame->parent)
        if (knows(frame, name))
            return true;
    return false;
}

static bool few(const Frame *frame)
{
    return *frame->looked <= LV_MAX_TEMPLATE_STEPS ||
           lv_jinja_fail(frame->j, LLAVAOV_ERROR_MEMORY, "the template has too many names");
}

static bool load(Frame *frame, const LvJString *name)
{
    if (!few(frame))
        return false;
    return knows(frame, name) || known_outside(frame, name) || learn(frame, name);
}

static bool store(Frame *frame, const LvJString *name, bool conditional)
{
    if (!few(frame))
        return false;
    if (knows(frame, name))
        return true;
    if (!conditional && !known_outside(frame, name)) {
        LvJNode *node = lv_jinja_alloc(frame->j, 1, sizeof *node);
        if (!node)
            return false;
        memset(node, 0, sizeof *node);
        node->kind = LVJ_NAME;
        node->text = name;
        *frame->hidden = node;
        frame->hidden = &node->next;
    }
    return learn(frame, name);
}

/* Every name that an expression reads. Not deeper than the parser's bound. */
static bool visit_expression(Frame *frame, const LvJNode *node)
{
    if (!node)
        return true;
    if (node->kind == LVJ_NAME)
        return load(frame, node->text);
    if (!visit_expression(frame, node->a) || !visit_expression(frame, node->b) ||
        !visit_expression(frame, node->c))
        return false;
    for (const LvJNode *item = node->list; item; item = item->next)
        if (!visit_expression(frame, item))
            return false;
    return true;
}

/* A target's names; `own`: they belong to the frame from its beginning. */
static bool visit_target(Frame *frame, const LvJNode *node, bool own, bool conditional)
{
    if (node->kind == LVJ_NAME)
        return own ? knows(frame, node->text) || learn(frame, node->text)
                   : store(frame, node->text, conditional);
    if (node->kind == LVJ_MEMBER)
        return load(frame, node->text);
    for (const LvJNode *item = node->list; item; item = item->next)
        if (!visit_target(frame, item, own, conditional))
            return false;
    return true;
}

static bool visit_statements(Frame *frame, const LvJNode *first, bool conditional);

/* The names that a statement reads and assigns in its scope. */
static bool visit_statement(Frame *frame, const LvJNode *node, bool conditional)
{
    switch (node->kind) {
    case LVJ_PRINT:
    case LVJ_CALL_BLOCK:
        return visit_expression(frame, node->a);
    case LVJ_IF:
        for (; node; node = node->c)
            if (!visit_expression(frame, node->a) || !visit_statements(frame, node->list, true) ||
                !visit_statements(frame, node->other, true))
                return false;
        return true;
    case LVJ_FOR:
        return visit_expression(frame, node->b);
    case LVJ_SET:
        return visit_expression(frame, node->b) && visit_target(frame, node->a, false, conditional);
    case LVJ_SET_BLOCK:
        return visit_target(frame, node->a, false, conditional);
    case LVJ_WITH:
        for (const LvJNode *set = node->other; set; set = set->next)
            if (!visit_expression(frame, set->b))
                return false;
        return true;
    case LVJ_MACRO_DEF:
        return store(frame, node->text, conditional);
    case LVJ_FILTER_BLOCK:
        return visit_expression(frame, node->b);
    default:
        return true;
    }
}

static bool visit_statements(Frame *frame, const LvJNode *first, bool conditional)
{
    for (; first; first = first->next)
        if (!visit_statement(frame, first, conditional))
            return false;
    return true;
}

static bool find_in(Frame *frame, LvJNode *first);

static bool find_body(Frame *frame, LvJNode *first)
{
    return visit_statements(frame, first, false) && find_in(frame, first);
}

static Frame inside(const Frame *frame, LvJNode **hidden)
{
    return (Frame){.j = frame->j, .parent = frame, .hidden = hidden, .looked = frame->looked};
}

static bool find_for(Frame *frame, LvJNode *node)
{
    static const LvJString loop = {.text = "loop", .bytes = 4, .chars = 4};
    Frame body = inside(frame, &node->hidden), other = inside(frame, &node->hidden_else);
    return learn(&body, &loop) && visit_target(&body, node->a, true, false) &&
           find_body(&body, node->list) && find_body(&other, node->other);
}

static bool find_macro(Frame *frame, LvJNode *node)
{
    static const LvJString special[] = {{.text = "varargs", .bytes = 7, .chars = 7},
        {.text = "kwargs", .bytes = 6, .chars = 6}, {.text = "caller", .bytes = 6, .chars = 6}};
    Frame body = inside(frame, &node->hidden);
    for (int i = 0; i < 3; i++)
        if (node->uses & (1 << i) && !learn(&body, &special[i]))
            return false;
    for (const LvJNode *parameter = node->other; parameter; parameter = parameter->next)
        if (!learn(&body, parameter->text))
            return false;
    for (const LvJNode *parameter = node->other; parameter; parameter = parameter->next)
        if (!visit_expression(&body, parameter->a))
            return false;
    return find_body(&body, node->list);
}

static bool find_with(Frame *frame, LvJNode *node)
{
    Frame body = inside(frame, &node->hidden);
    for (const LvJNode *set = node->other; set; set = set->next)
        if (!visit_target(&body, set->a, true, false))
            return false;
    return find_body(&body, node->list);
}

static bool find_block(Frame *frame, LvJNode *node)
{
    Frame body = inside(frame, &node->hidden);
    return visit_expression(&body, node->b) && find_body(&body, node->list);
}

/* Processes the scopes that these statements open; their own scope is already known. */
static bool find_in(Frame *frame, LvJNode *first)
{
    for (LvJNode *node = first; node; node = node->next) {
        bool done = true;
        if (node->kind == LVJ_FOR)
            done = find_for(frame, node);
        else if (node->kind == LVJ_MACRO_DEF)
            done = find_macro(frame, node);
        else if (node->kind == LVJ_CALL_BLOCK)
            done = find_macro(frame, node->b);
        else if (node->kind == LVJ_WITH)
            done = find_with(frame, node);
        else if (node->kind == LVJ_SET_BLOCK || node->kind == LVJ_FILTER_BLOCK ||
                 node->kind == LVJ_GENERATION)
            done = find_block(frame, node);
        for (LvJNode *branch = node; done && node->kind == LVJ_IF && branch; branch = branch->c)
            done = find_in(frame, branch->list) && find_in(frame, branch->other);
        if (!done)
            return false;
    }
    return true;
}

bool lv_jinja_find_hidden(LvJ *j, LvJNode *first, LvJNode **hidden)
{
    uint64_t looked = 0;
    Frame frame = {.j = j, .hidden = hidden, .looked = &looked};
    *hidden = NULL;
    return find_body(&frame, first);
}
