/* SPDX-License-Identifier: Apache-2.0
 * Shared by the parts of the grammar. */
#include "text/jinja/parser.h"

#include <string.h>

#include "base/limits.h"
#include "text/jinja/text.h"

LvJNode *lv_jinja_node(LvJParser *p, LvJKind kind, uint32_t line)
{
    LvJNode *node = lv_jinja_alloc(p->j, 1, sizeof *node);
    if (node) {
        memset(node, 0, sizeof *node);
        node->kind = kind;
        node->line = line;
        node->height = 1;
    }
    return node;
}

bool lv_jinja_child(LvJParser *p, LvJNode *node, const LvJNode *child)
{
    if (!child)
        return false;
    if (child->height >= node->height)
        node->height = child->height + 1;
    if (node->height <= LV_MAX_TEMPLATE_NESTING)
        return true;
    p->j->line = node->line;
    return lv_jinja_fail(p->j, LLAVAOV_ERROR_MEMORY,
        "an expression or block nests deeper than %u levels, the most that it may",
        LV_MAX_TEMPLATE_NESTING);
}

bool lv_jinja_deeper(LvJParser *p)
{
    if (p->nesting < LV_MAX_TEMPLATE_NESTING) {
        p->nesting++;
        return true;
    }
    return lv_jinja_fail(p->j, LLAVAOV_ERROR_MEMORY,
        "an expression or block nests deeper than %u levels, the most that it may",
        LV_MAX_TEMPLATE_NESTING);
}

bool lv_jinja_token_is(const LvJToken *token, LvJTokenKind kind, const char *text)
{
    return token->kind == kind &&
           (!text || (strlen(text) == token->bytes && !memcmp(text, token->text, token->bytes)));
}

bool lv_jinja_accept(LvJParser *p, LvJTokenKind kind, const char *text)
{
    if (!lv_jinja_token_is(p->at, kind, text))
        return false;
    p->at += p->at->kind != LVJ_TOKEN_END;
    p->j->line = p->at->line;
    return true;
}

bool lv_jinja_unexpected(LvJParser *p, const char *wanted)
{
    const LvJToken *token = p->at;
    p->j->line = token->line;
    if (token->kind == LVJ_TOKEN_END)
        return lv_jinja_wrong(p->j, "the template ends where %s is expected", wanted);
    bool data = token->kind == LVJ_TOKEN_DATA;
    return lv_jinja_wrong(p->j, "%s%.*s where %s is expected", data ? "text " : "",
        (int)(token->bytes < 80 ? token->bytes : 80), token->text, wanted);
}

bool lv_jinja_expect(LvJParser *p, LvJTokenKind kind, const char *text)
{
    static const char *const names[] = {[LVJ_TOKEN_END] = "the end",
        [LVJ_TOKEN_DATA] = "text",
        [LVJ_TOKEN_BLOCK_BEGIN] = "{%",
        [LVJ_TOKEN_BLOCK_END] = "%}",
        [LVJ_TOKEN_PRINT_BEGIN] = "{{",
        [LVJ_TOKEN_PRINT_END] = "}}",
        [LVJ_TOKEN_NAME] = "a name",
        [LVJ_TOKEN_STRING] = "a string",
        [LVJ_TOKEN_INTEGER] = "a number",
        [LVJ_TOKEN_FLOAT] = "a number",
        [LVJ_TOKEN_OPERATOR] = "an operator"};
    return lv_jinja_accept(p, kind, text) || lv_jinja_unexpected(p, text ? text : names[kind]);
}

const LvJString *lv_jinja_take_name(LvJParser *p)
{
    LvJValue name;
    const LvJToken *token = p->at;
    if (token->kind != LVJ_TOKEN_NAME) {
        lv_jinja_unexpected(p, "a name");
        return NULL;
    }
    p->at++;
    return lv_jinja_string(p->j, token->text, token->bytes, false, &name) ? name.string : NULL;
}
