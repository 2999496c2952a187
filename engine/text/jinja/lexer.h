/* SPDX-License-Identifier: Apache-2.0
 * A template as tokens: jinja2's lexer with trim_blocks and lstrip_blocks. */
#ifndef LV_JINJA_LEXER_H
#define LV_JINJA_LEXER_H

#include "text/jinja/machine.h"

typedef enum LvJTokenKind {
    LVJ_TOKEN_END, /* of the template */
    LVJ_TOKEN_DATA,
    LVJ_TOKEN_BLOCK_BEGIN,
    LVJ_TOKEN_BLOCK_END,
    LVJ_TOKEN_PRINT_BEGIN,
    LVJ_TOKEN_PRINT_END,
    LVJ_TOKEN_NAME,
    LVJ_TOKEN_STRING, /* its text still contains escapes */
    LVJ_TOKEN_INTEGER,
    LVJ_TOKEN_FLOAT,
    LVJ_TOKEN_OPERATOR
} LvJTokenKind;

typedef struct LvJToken {
    LvJTokenKind kind;
    uint32_t line;
    const char *text; /* in the tokens' source */
    size_t bytes;
} LvJToken;

typedef struct LvJTokens {
    LvJToken *tokens; /* the last is LVJ_TOKEN_END */
    size_t n, room;
} LvJTokens;

/* Everything is allocated in j's arena. */
bool lv_jinja_lex(LvJ *j, const char *source, size_t bytes, LvJTokens *out);
/* A string literal's content without its quotes, as Python's unicode-escape reads it. */
bool lv_jinja_unescape(LvJ *j, const char *text, size_t bytes, LvJValue *out);

#endif
