/* SPDX-License-Identifier: Apache-2.0
 * What may follow an operand: attributes, items, calls, filters and tests. */
#include <string.h>

#include "text/jinja/builtin_tables.h"
#include "text/jinja/parse_parts.h"
#include "text/jinja/text.h"

static bool is_operator(const LvJParser *p, const char *text)
{
    return lv_jinja_token_is(p->at, LVJ_TOKEN_OPERATOR, text);
}

/* (arguments) into node->list. */
static bool parse_arguments(LvJParser *p, LvJNode *node)
{
    LvJNode **last = &node->list;
    LvJKind before = LVJ_ARGUMENT;
    if (!lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, "("))
        return false;
    while (!is_operator(p, ")")) {
        if (node->list && !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ","))
            return false;
        if (is_operator(p, ")"))
            break;
        LvJNode *argument = lv_jinja_node(p, LVJ_ARGUMENT, p->at->line);
        if (!argument)
            return false;
        if (lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "*")) {
            argument->kind = LVJ_STAR;
        } else if (lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "**")) {
            argument->kind = LVJ_STARS;
        } else if (p->at->kind == LVJ_TOKEN_NAME &&
                   lv_jinja_token_is(p->at + 1, LVJ_TOKEN_OPERATOR, "=")) {
            argument->kind = LVJ_KEYWORD;
            if (!(argument->text = lv_jinja_take_name(p)))
                return false;
            p->at++;
        }
        /* Arguments, keywords, at most one *list, one **dict at the end. */
        bool right = argument->kind == LVJ_ARGUMENT ? before == LVJ_ARGUMENT
                     : argument->kind == LVJ_STAR   ? before < LVJ_STAR
                                                    : before != LVJ_STARS;
        if (!right)
            return lv_jinja_wrong(p->j, "arguments in a wrong order");
        if (argument->kind > before || argument->kind == LVJ_STAR)
            before = argument->kind;
        argument->a = p->expression(p, true);
        if (!lv_jinja_child(p, argument, argument->a) || !lv_jinja_child(p, node, argument))
            return false;
        *last = argument;
        last = &argument->next;
    }
    return lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ")");
}

static LvJNode *parse_call(LvJParser *p, LvJNode *function)
{
    LvJNode *node = lv_jinja_node(p, LVJ_CALL, p->at->line);
    if (!node || !lv_jinja_child(p, node, function) || !parse_arguments(p, node))
        return NULL;
    node->a = function;
    return node;
}

/* One index or slice. */
static LvJNode *parse_subscript(LvJParser *p)
{
    uint32_t line = p->at->line;
    LvJNode *parts[3] = {NULL, NULL, NULL};
    if (!is_operator(p, ":")) {
        parts[0] = p->expression(p, true);
        if (!parts[0] || !is_operator(p, ":"))
            return parts[0];
    }
    LvJNode *node = lv_jinja_node(p, LVJ_SLICE, line);
    for (int i = 1; node && i < 3 && lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, ":"); i++) {
        if (is_operator(p, ":") || is_operator(p, "]") || is_operator(p, ","))
            continue;
        if (!(parts[i] = p->expression(p, true)))
            return NULL;
    }
    for (int i = 0; node && i < 3; i++)
        if (parts[i] && !lv_jinja_child(p, node, parts[i]))
            return NULL;
    if (node) {
        node->a = parts[0];
        node->b = parts[1];
        node->c = parts[2];
    }
    return node;
}

static LvJNode *parse_brackets(LvJParser *p, LvJNode *node)
{
    uint32_t line = p->at->line;
    LvJNode *first = NULL, **last = &first;
    p->at++;
    while (!is_operator(p, "]")) {
        if (first && !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ","))
            return NULL;
        LvJNode *item = parse_subscript(p);
        if (!item || !lv_jinja_child(p, node, item))
            return NULL;
        *last = item;
        last = &item->next;
    }
    p->at++;
    if (first && !first->next)
        return first;
    LvJNode *tuple = lv_jinja_node(p, LVJ_TUPLE_OF, line);
    for (LvJNode *item = first; item && tuple; item = item->next) {
        if (item->kind == LVJ_SLICE) {
            lv_jinja_wrong(p->j, "a slice beside other indices");
            return NULL;
        }
        if (!lv_jinja_child(p, tuple, item))
            return NULL;
    }
    if (tuple)
        tuple->list = first;
    return tuple;
}

static LvJNode *parse_member(LvJParser *p, LvJNode *object)
{
    LvJNode *node = lv_jinja_node(p, LVJ_ITEM, p->at->line);
    if (!node || !lv_jinja_child(p, node, object))
        return NULL;
    node->a = object;
    if (is_operator(p, "[")) {
        node->b = parse_brackets(p, node);
        return lv_jinja_child(p, node, node->b) ? node : NULL;
    }
    p->at++;
    if (p->at->kind == LVJ_TOKEN_INTEGER) {
        node->b = lv_jinja_parse_primary(p);
        return lv_jinja_child(p, node, node->b) ? node : NULL;
    }
    node->kind = LVJ_ATTRIBUTE;
    node->text = lv_jinja_take_name(p);
    return node->text ? node : NULL;
}

LvJNode *lv_jinja_parse_postfix(LvJParser *p, LvJNode *node)
{
    while (node) {
        if (is_operator(p, ".") || is_operator(p, "["))
            node = parse_member(p, node);
        else if (is_operator(p, "("))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* Names with dots belong to extensions. */
static bool known(LvJParser *p, const LvJNode *node, const char *kind)
{
    if (node->builtin && !is_operator(p, "."))
        return true;
    return lv_jinja_cannot(p->j, "the %s '%.80s%s' is not supported", kind,
        lv_jinja_shown(p->j, node->text), is_operator(p, ".") ? "." : "");
}

LvJNode *lv_jinja_parse_filters(LvJParser *p, LvJNode *inner, bool inline_first)
{
    while (inline_first || lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "|")) {
        LvJNode *node = lv_jinja_node(p, LVJ_FILTER, p->at->line);
        if (!node || (inner && !lv_jinja_child(p, node, inner)) ||
            !(node->text = lv_jinja_take_name(p)))
            return NULL;
        node->a = inner;
        node->builtin = lv_jinja_find_filter(node->text);
        if (!known(p, node, "filter"))
            return NULL;
        if (is_operator(p, "(") && !parse_arguments(p, node))
            return NULL;
        inner = node;
        inline_first = false;
    }
    return inner;
}

/* A test's name may be followed by one argument without parentheses. */
static bool bare_argument(const LvJParser *p)
{
    static const char *const not_one[] = {"else", "or", "and"};
    LvJTokenKind kind = p->at->kind;
    for (size_t i = 0; i < sizeof not_one / sizeof *not_one; i++)
        if (lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, not_one[i]))
            return false;
    return kind == LVJ_TOKEN_NAME || kind == LVJ_TOKEN_STRING || kind == LVJ_TOKEN_INTEGER ||
           kind == LVJ_TOKEN_FLOAT || is_operator(p, "[") || is_operator(p, "{");
}

static LvJNode *parse_test(LvJParser *p, LvJNode *value)
{
    uint32_t line = p->at->line;
    LvJNode *node = lv_jinja_node(p, LVJ_TEST, line);
    p->at++;
    bool negated = lv_jinja_accept(p, LVJ_TOKEN_NAME, "not");
    if (!node || !lv_jinja_child(p, node, value) || !(node->text = lv_jinja_take_name(p)))
        return NULL;
    node->a = value;
    node->builtin = lv_jinja_find_test(node->text);
    if (!known(p, node, "test"))
        return NULL;
    if (is_operator(p, "(")) {
        if (!parse_arguments(p, node))
            return NULL;
    } else if (bare_argument(p)) {
        if (lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, "is")) {
            lv_jinja_wrong(p->j, "tests with 'is' cannot be chained");
            return NULL;
        }
        LvJNode *argument = lv_jinja_node(p, LVJ_ARGUMENT, p->at->line);
        LvJNode *operand = lv_jinja_parse_primary(p);
        operand = operand ? lv_jinja_parse_postfix(p, operand) : NULL;
        if (!argument || !lv_jinja_child(p, argument, operand) ||
            !lv_jinja_child(p, node, argument))
            return NULL;
        argument->a = operand;
        node->list = argument;
    }
    if (!negated)
        return node;
    LvJNode *negation = lv_jinja_node(p, LVJ_NOT, line);
    if (!negation || !lv_jinja_child(p, negation, node))
        return NULL;
    negation->a = node;
    return negation;
}

LvJNode *lv_jinja_parse_filter_expression(LvJParser *p, LvJNode *node)
{
    while (node) {
        if (is_operator(p, "|"))
            node = lv_jinja_parse_filters(p, node, false);
        else if (lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, "is"))
            node = parse_test(p, node);
        else if (is_operator(p, "("))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}
