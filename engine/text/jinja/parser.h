/* SPDX-License-Identifier: Apache-2.0
 * From tokens to a tree: jinja2's grammar without what a standalone template cannot use. */
#ifndef LV_JINJA_PARSER_H
#define LV_JINJA_PARSER_H

#include "text/jinja/lexer.h"
#include "text/jinja/node.h"

/* The state of a parse, shared by the parts of the grammar. */
typedef struct LvJParser {
    LvJ *j;
    const LvJToken *at;
    /* lv_jinja_parse_expression, for the parts of an expression that contain others in brackets. */
    struct LvJNode *(*expression)(struct LvJParser *p, bool condition);
    unsigned nesting;
    unsigned loops; /* enclosing for loops that break can reach */
    uint8_t uses;   /* special names seen */
} LvJParser;

/* The first statement of the template in *out (NULL: an empty one). */
bool lv_jinja_parse(LvJ *j, const LvJTokens *tokens, LvJNode **out);

/* ---- the parser's own parts: NULL on failure */

LvJNode *lv_jinja_node(LvJParser *p, LvJKind kind, uint32_t line);
/* Counts child towards the node's height; false when the tree is too high. */
bool lv_jinja_child(LvJParser *p, LvJNode *node, const LvJNode *child);
bool lv_jinja_deeper(LvJParser *p);
bool lv_jinja_token_is(const LvJToken *token, LvJTokenKind kind, const char *text);
bool lv_jinja_accept(LvJParser *p, LvJTokenKind kind, const char *text);
bool lv_jinja_expect(LvJParser *p, LvJTokenKind kind, const char *text);
/* Consumes a name and returns it as a string. */
const LvJString *lv_jinja_take_name(LvJParser *p);
/* Fails because of the current token. */
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
/* Any number of x[...], x.y, x(...). */
LvJNode *lv_jinja_parse_postfix(LvJParser *p, LvJNode *node);
LvJNode *lv_jinja_parse_primary(LvJParser *p);

#endif
