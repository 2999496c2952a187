/* SPDX-License-Identifier: Apache-2.0
 * Operands: literals, names, brackets, and targets of assignments. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "text/jinja/parser.h"
#include "text/jinja/text.h"

static bool is_operator(const LvJParser *p, const char *text)
{
    return lv_jinja_token_is(p->at, LVJ_TOKEN_OPERATOR, text);
}

static LvJNode *constant(LvJParser *p, LvJValue value)
{
    LvJNode *node = lv_jinja_node(p, LVJ_CONST, p->at->line);
    if (node)
        node->value = value;
    p->at++;
    return node;
}

static LvJNode *parse_name(LvJParser *p)
{
    static const struct {
        const char *name;
        int value; /* < 0: None */
    } constants[] = {
        {"true", 1}, {"True", 1}, {"false", 0}, {"False", 0}, {"none", -1}, {"None", -1}};
    static const char *const special[] = {"varargs", "kwargs", "caller"};
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, constants[i].name))
            return constant(
                p, constants[i].value < 0 ? lv_jinja_none() : lv_jinja_bool(constants[i].value));
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, special[i]))
            p->uses |= (uint8_t)(1u << i);
    LvJNode *node = lv_jinja_node(p, LVJ_NAME, p->at->line);
    if (!node || !(node->text = lv_jinja_take_name(p)))
        return NULL;
    return node;
}

/* Adjacent strings are one. */
static LvJNode *parse_strings(LvJParser *p)
{
    LvJBuild build = {.j = p->j};
    LvJNode *node = lv_jinja_node(p, LVJ_CONST, p->at->line);
    if (!node)
        return NULL;
    do {
        LvJValue piece;
        p->j->line = p->at->line;
        if (!lv_jinja_unescape(p->j, p->at->text + 1, p->at->bytes - 2, &piece) ||
            !lv_jinja_put_string(&build, piece.string))
            return NULL;
        p->at++;
    } while (p->at->kind == LVJ_TOKEN_STRING);
    return lv_jinja_built(&build, &node->value) ? node : NULL;
}

/* The token without its underscores, as a C string. */
static char *number_text(LvJParser *p)
{
    char *text = lv_jinja_alloc(p->j, p->at->bytes + 1, 1), *to = text;
    for (size_t i = 0; text && i < p->at->bytes; i++)
        if (p->at->text[i] != '_')
            *to++ = p->at->text[i];
    if (text)
        *to = '\0';
    return text;
}

static LvJNode *parse_number(LvJParser *p)
{
    char *text = number_text(p);
    if (!text)
        return NULL;
    if (p->at->kind == LVJ_TOKEN_FLOAT)
        return constant(p, lv_jinja_float(strtod(text, NULL)));
    int kind = text[0] == '0' ? text[1] | 0x20 : 0;
    int base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    errno = 0;
    long long value = strtoll(base == 10 ? text : text + 2, NULL, base);
    if (errno) {
        lv_jinja_cannot(p->j, "the integer %.40s does not fit 64 bits", text);
        return NULL;
    }
    return constant(p, lv_jinja_int(value));
}

/* [ ... ] and { ... }. */
static LvJNode *parse_display(LvJParser *p, bool dict)
{
    const char *close = dict ? "}" : "]";
    LvJNode *node = lv_jinja_node(p, dict ? LVJ_DICT_OF : LVJ_LIST_OF, p->at->line);
    LvJNode **last = node ? &node->list : NULL;
    p->at++;
    while (last && !is_operator(p, close)) {
        if (node->list && !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ","))
            return NULL;
        if (is_operator(p, close))
            break;
        LvJNode *item = p->expression(p, true);
        if (dict && item) {
            LvJNode *pair = lv_jinja_node(p, LVJ_PAIR, item->line);
            if (!pair || !lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ":"))
                return NULL;
            pair->a = item;
            pair->b = p->expression(p, true);
            if (!lv_jinja_child(p, pair, item) || !lv_jinja_child(p, pair, pair->b))
                return NULL;
            item = pair;
        }
        if (!lv_jinja_child(p, node, item))
            return NULL;
        *last = item;
        last = &item->next;
    }
    return node && lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, close) ? node : NULL;
}

LvJNode *lv_jinja_parse_primary(LvJParser *p)
{
    p->j->line = p->at->line;
    switch (p->at->kind) {
    case LVJ_TOKEN_NAME:
        return parse_name(p);
    case LVJ_TOKEN_STRING:
        return parse_strings(p);
    case LVJ_TOKEN_INTEGER:
    case LVJ_TOKEN_FLOAT:
        return parse_number(p);
    default:
        break;
    }
    if (lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, "(")) {
        LvJNode *node = lv_jinja_parse_tuple(p, true, true, NULL);
        return node && lv_jinja_expect(p, LVJ_TOKEN_OPERATOR, ")") ? node : NULL;
    }
    if (is_operator(p, "[") || is_operator(p, "{"))
        return parse_display(p, is_operator(p, "{"));
    lv_jinja_unexpected(p, "an expression");
    return NULL;
}

static bool tuple_ends(const LvJParser *p, const char *end)
{
    return p->at->kind == LVJ_TOKEN_PRINT_END || p->at->kind == LVJ_TOKEN_BLOCK_END ||
           is_operator(p, ")") || (end && lv_jinja_token_is(p->at, LVJ_TOKEN_NAME, end));
}

static LvJNode *target_item(LvJParser *p, bool member)
{
    if (member && p->at->kind == LVJ_TOKEN_NAME &&
        lv_jinja_token_is(p->at + 1, LVJ_TOKEN_OPERATOR, ".")) {
        LvJNode *node = lv_jinja_node(p, LVJ_MEMBER, p->at->line);
        if (!node || !(node->text = lv_jinja_take_name(p)))
            return NULL;
        p->at++;
        node->attribute = lv_jinja_take_name(p);
        return node->attribute ? node : NULL;
    }
    return lv_jinja_parse_primary(p);
}

typedef enum ItemKind { EXPRESSIONS, CONDITIONS, TARGETS, MEMBERS } ItemKind;

static LvJNode *parse_items(LvJParser *p, ItemKind items, bool parentheses, const char *end)
{
    uint32_t line = p->at->line;
    LvJNode *first = NULL, **last = &first, *tuple = NULL;
    for (;;) {
        if (tuple_ends(p, end))
            break;
        LvJNode *item = items == TARGETS || items == MEMBERS
                            ? target_item(p, items == MEMBERS)
                            : p->expression(p, items == CONDITIONS);
        if (!item || (tuple && !lv_jinja_child(p, tuple, item)))
            return NULL;
        *last = item;
        last = &item->next;
        if (!lv_jinja_accept(p, LVJ_TOKEN_OPERATOR, ","))
            break;
        if (!tuple &&
            (!(tuple = lv_jinja_node(p, LVJ_TUPLE_OF, line)) || !lv_jinja_child(p, tuple, item)))
            return NULL;
    }
    if (!tuple && first)
        return first;
    if (!tuple && parentheses)
        return lv_jinja_node(p, LVJ_TUPLE_OF, line);
    if (!tuple) {
        lv_jinja_unexpected(p, "an expression");
        return NULL;
    }
    tuple->list = first;
    return tuple;
}

LvJNode *lv_jinja_parse_tuple(LvJParser *p, bool condition, bool parentheses, const char *end)
{
    return parse_items(p, condition ? CONDITIONS : EXPRESSIONS, parentheses, end);
}

static bool can_assign(LvJParser *p, const LvJNode *node)
{
    if (node->kind == LVJ_NAME || node->kind == LVJ_MEMBER)
        return true;
    p->j->line = node->line;
    if (node->kind != LVJ_TUPLE_OF)
        return lv_jinja_wrong(p->j, "something is assigned to what is no name");
    for (const LvJNode *item = node->list; item; item = item->next)
        if (!can_assign(p, item))
            return false;
    return true;
}

LvJNode *lv_jinja_parse_target(LvJParser *p, bool member, const char *end)
{
    LvJNode *node = parse_items(p, member ? MEMBERS : TARGETS, false, end);
    return node && can_assign(p, node) ? node : NULL;
}
