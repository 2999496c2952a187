/* SPDX-License-Identifier: Apache-2.0
 * Expressions by precedence. */
#include "text/jinja/parse_parts.h"
#include "text/jinja/parser.h"

enum { OR, AND, NOT, COMPARE, SUM, CONCAT, PRODUCT, POWER, NO_OPERATOR = -1 };

/* The binary operator at hand and how tightly it binds. */
static int binary_operator(const LvJParser *p, LvJOperator *op)
{
    static const struct {
        const char *text;
        int level;
        LvJOperator op;
    } table[] = {{"+", SUM, LVJ_ADD}, {"-", SUM, LVJ_SUBTRACT}, {"~", CONCAT, LVJ_ADD},
        {"*", PRODUCT, LVJ_MULTIPLY}, {"/", PRODUCT, LVJ_DIVIDE}, {"//", PRODUCT, LVJ_FLOOR_DIVIDE},
        {"%", PRODUCT, LVJ_REMAINDER}, {"**", POWER, LVJ_POWER}, {"==", COMPARE, LVJ_EQUAL},
        {"!=", COMPARE, LVJ_NOT_EQUAL}, {"<", COMPARE, LVJ_LESS}, {"<=", COMPARE, LVJ_LESS_EQUAL},
        {">", COMPARE, LVJ_GREATER}, {">=", COMPARE, LVJ_GREATER_EQUAL}, {"or", OR, LVJ_ADD},
        {"and", AND, LVJ_ADD}, {"in", COMPARE, LVJ_IN}};
    LvJTokenKind kind = p->at->kind;
    if (kind != LVJ_TOKEN_NAME && kind != LVJ_TOKEN_OPERATOR)
        return NO_OPERATOR;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (lv_jinja_token_is(p->at, kind, table[i].text)) {
            *op = table[i].op;
            return table[i].level;
        }
    }
    *op = LVJ_NOT_IN;
    return lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, "not") &&
                   lv_jinja_token_is(p->at + 1, LVJ_TOKEN_NAME, "in")
               ? COMPARE
               : NO_OPERATOR;
}

static LvJNode *parse_unary(LvJParser *p, bool filters)
{
    uint32_t line = p->at->line;
    LvJNode *node, *inner;
    if (!lv_jinja_deeper(p))
        return NULL;
    bool minus = lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "-");
    if (minus || lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "+")) {
        inner = parse_unary(p, false);
        node = inner ? lv_jinja_node(p, minus ? LVJ_NEGATIVE : LVJ_POSITIVE, line) : NULL;
        if (!node || !lv_jinja_child(p, node, inner))
            return NULL;
        node->a = inner;
    } else {
        node = lv_jinja_parse_primary(p);
    }
    node = node ? lv_jinja_parse_postfix(p, node) : NULL;
    if (node && filters)
        node = lv_jinja_parse_filter_expression(p, node);
    p->nesting--;
    return node;
}

static LvJNode *parse_binary(LvJParser *p, int level);

/* left, followed by any number of `op right` of this level, as one node with a list. */
static LvJNode *parse_list(LvJParser *p, LvJNode *left, int level)
{
    LvJNode *node = lv_jinja_node(p, level == COMPARE ? LVJ_COMPARE : LVJ_CONCAT, p->at->line);
    LvJOperator op;
    if (!node || !lv_jinja_child(p, node, left))
        return NULL;
    LvJNode **last = &node->list;
    if (level == CONCAT) {
        *last = left;
        last = &left->next;
    } else {
        node->a = left;
    }
    while (binary_operator(p, &op) == level) {
        uint32_t line = p->at->line;
        p->at += op == LVJ_NOT_IN ? 2 : 1;
        LvJNode *right = parse_binary(p, level + 1);
        if (right && level == COMPARE) {
            LvJNode *operand = lv_jinja_node(p, LVJ_OPERAND, line);
            if (!operand || !lv_jinja_child(p, operand, right))
                return NULL;
            operand->op = op;
            operand->a = right;
            right = operand;
        }
        if (!lv_jinja_child(p, node, right))
            return NULL;
        *last = right;
        last = &right->next;
    }
    return node;
}

/* Operators that bind at least as tightly as level. */
static LvJNode *parse_binary(LvJParser *p, int level)
{
    LvJNode *left, *right;
    LvJOperator op;
    int at;
    uint32_t line = p->at->line;
    if (level <= NOT && lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, "not")) {
        if (!lv_jinja_deeper(p))
            return NULL;
        p->at++;
        right = parse_binary(p, NOT);
        p->nesting--;
        left = right ? lv_jinja_node(p, LVJ_NOT, line) : NULL;
        if (!left || !lv_jinja_child(p, left, right))
            return NULL;
        left->a = right;
    } else {
        left = parse_unary(p, true);
    }
    while (left && (at = binary_operator(p, &op)) >= level) {
        if (at == COMPARE || at == CONCAT) {
            left = parse_list(p, left, at);
            continue;
        }
        line = p->at->line;
        p->at++;
        right = at == POWER ? parse_unary(p, true) : parse_binary(p, at + 1);
        LvJNode *node = right ? lv_jinja_node(p,
                                    at == OR    ? LVJ_OR
                                    : at == AND ? LVJ_AND
                                                : LVJ_BINARY,
                                    line)
                              : NULL;
        if (!node || !lv_jinja_child(p, node, left) || !lv_jinja_child(p, node, right))
            return NULL;
        node->op = op;
        node->a = left;
        node->b = right;
        left = node;
    }
    return left;
}

LvJNode *lv_jinja_parse_expression(LvJParser *p, bool condition)
{
    LvJNode *node = NULL, *value;
    if (!lv_jinja_deeper(p))
        return NULL;
    value = parse_binary(p, OR);
    while (value && condition && lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, "if")) {
        node = lv_jinja_node(p, LVJ_CONDITION, p->at->line);
        p->at++;
        if (!node || !lv_jinja_child(p, node, value))
            return NULL;
        node->b = value;
        node->a = parse_binary(p, OR);
        if (!lv_jinja_child(p, node, node->a))
            return NULL;
        if (lv_jinja_accept(p, LVJ_TOKEN_NAME, "else")) {
            node->c = lv_jinja_parse_expression(p, true);
            if (!lv_jinja_child(p, node, node->c))
                return NULL;
        }
        value = node;
    }
    p->nesting--;
    return value;
}
