/* SPDX-License-Identifier: Apache-2.0
 * Tokens to a tree: jinja2's grammar, less what a template that stands alone cannot use. */
#ifndef LV_JINJA_PARSER_H
#define LV_JINJA_PARSER_H

#include "text/jinja/lexer.h"
#include "text/jinja/node.h"

/* One parse under way; the parts of the grammar share it. */
typedef struct LvJParser {
    LvJ *j;
    const LvJToken *at;
    /* lv_jinja_parse_expression, for the parts of an expression that hold others in brackets. */
    struct LvJNode *(*expression)(struct LvJParser *p, bool condition);
    unsigned nesting;
    unsigned loops; /* for loops around, as far as break reaches */
    uint8_t uses;   /* special names seen */
} LvJParser;

/* The first statement of the template in *out (NULL: an empty one). */
bool lv_jinja_parse(LvJ *j, const LvJTokens *tokens, LvJNode **out);

/* ---- the parser's own parts: NULL after failing */

LvJNode *lv_jinja_node(LvJParser *p, LvJKind kind, uint32_t line);
/* Enters child as one of the node's: counts its height; false when the tree is too high. */
bool lv_jinja_child(LvJParser *p, LvJNode *node, const LvJNode *child);
bool lv_jinja_deeper(LvJParser *p);
bool lv_jinja_token_is(const LvJToken *token, LvJTokenKind kind, const char *text);
bool lv_jinja_accept(LvJParser *p, LvJTokenKind kind, const char *text);
bool lv_jinja_expect(LvJParser *p, LvJTokenKind kind, const char *text);
/* The name at hand as a string. */
const LvJString *lv_jinja_take_name(LvJParser *p);
/* Refuses the token at hand. */
bool lv_jinja_unexpected(LvJParser *p, const char *wanted);

/* An expression; with `condition` also x if y else z. */
LvJNode *lv_jinja_parse_expression(LvJParser *p, bool condition);
/* The same, or several with commas between them; `end` is a name that ends it (may be NULL). */
LvJNode *lv_jinja_parse_tuple(LvJParser *p, bool condition, bool parentheses, const char *end);
/* A target of for, set and with. */
LvJNode *lv_jinja_parse_target(LvJParser *p, bool member, const char *end);
/* | name(arguments)...; the innermost filter's a is `inner`, which may be NULL. inline: the first
 * stands without its |. NULL also where there is no filter. */
LvJNode *lv_jinja_parse_filters(LvJParser *p, LvJNode *inner, bool inline_first);
/* x[...], x.y, x(...) as often as they come. */
LvJNode *lv_jinja_parse_postfix(LvJParser *p, LvJNode *node);
LvJNode *lv_jinja_parse_primary(LvJParser *p);

#endif
