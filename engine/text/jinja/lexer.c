/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/lexer.h"

#include <string.h>

#include "base/limits.h"

#include "text/jinja/character.h"
#include "text/jinja/scan.h"
#include "text/utf8.h"

typedef struct Lexer {
    LvJ *j;
    LvJTokens *out;
    const char *at, *end;
    uint32_t line;
    bool line_starting; /* the last token ended with a line feed */
} Lexer;

static bool add(Lexer *lexer, LvJTokenKind kind, const char *text, size_t bytes)
{
    LvJTokens *out = lexer->out;
    if (out->n == out->room) {
        size_t room = out->room ? out->room * 2 : 64;
        LvJToken *tokens = lv_jinja_alloc(lexer->j, room, sizeof *tokens);
        if (!tokens)
            return false;
        if (out->n)
            memcpy(tokens, out->tokens, out->n * sizeof *tokens);
        out->tokens = tokens;
        out->room = room;
    }
    out->tokens[out->n++] =
        (LvJToken){.kind = kind, .line = lexer->line, .text = text, .bytes = bytes};
    return true;
}

/* Advances past what was read, counting lines. */
static void pass(Lexer *lexer, const char *to)
{
    for (const char *p = lexer->at; p < to; p++)
        lexer->line += *p == '\n';
    if (to > lexer->at)
        lexer->line_starting = to[-1] == '\n';
    lexer->at = to;
    lexer->j->line = lexer->line;
}

static const char *skip_space(const char *p, const char *end)
{
    while (p < end) {
        const unsigned char *next = (const unsigned char *)p;
        if (!lv_jinja_is_space(lv_utf8_next(&next)))
            break;
        p = (const char *)next;
    }
    return p;
}

static const char *rstrip(const char *first, const char *end)
{
    while (end > first) {
        const char *p = end - 1;
        while (p > first && ((unsigned char)*p & 0xC0) == 0x80)
            p--;
        const unsigned char *next = (const unsigned char *)p;
        if (!lv_jinja_is_space(lv_utf8_next(&next)))
            break;
        end = p;
    }
    return end;
}

static bool starts(const char *p, const char *end, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(end - p) >= n && !memcmp(p, text, n);
}

/* The position after the end of a tag at p: a closing - strips the white space after it, no sign
 * strips a line feed if `trim`, + strips nothing. NULL: no end here. */
static const char *tag_end(const char *p, const char *end, const char *close, bool plus, bool trim)
{
    bool minus = p < end && *p == '-';
    const char *q = p + (minus || (plus && p < end && *p == '+'));
    if (!starts(q, end, close))
        return NULL;
    if (minus)
        return skip_space(q + 2, end);
    return q + 2 + (trim && q == p && q + 2 < end && q[2] == '\n');
}

/* The text before a tag after white-space control. */
static bool add_data(Lexer *lexer, const char *first, const char *end, char sign, bool lstrip)
{
    if (sign == '-') {
        end = rstrip(first, end);
    } else if (sign != '+' && lstrip) {
        const char *line = end;
        while (line > first && line[-1] != '\n')
            line--;
        if ((line > first || lexer->line_starting) && skip_space(line, end) == end)
            end = line;
    }
    return end == first || add(lexer, LVJ_TOKEN_DATA, first, (size_t)(end - first));
}

/* The position after "{%" (with its sign) and WORD at p, or NULL. */
static const char *word_tag(const char *p, const char *end, const char *word)
{
    p += 2;
    p += p < end && (*p == '-' || *p == '+');
    p = skip_space(p, end);
    return starts(p, end, word) ? skip_space(p + strlen(word), end) : NULL;
}

/* raw ... endraw; `behind` is where the opening tag ends. */
static bool lex_raw(Lexer *lexer, const char *behind)
{
    pass(lexer, behind);
    for (const char *p = behind; p < lexer->end; p++) {
        const char *tag = starts(p, lexer->end, "{%") ? word_tag(p, lexer->end, "endraw") : NULL;
        const char *after = tag ? tag_end(tag, lexer->end, "%}", true, true) : NULL;
        if (!after)
            continue;
        if (!add_data(lexer, behind, p, p[2], true))
            return false;
        pass(lexer, after);
        return true;
    }
    return lv_jinja_wrong(lexer->j, "missing end of raw directive");
}

static bool lex_comment(Lexer *lexer, const char *behind)
{
    for (const char *p = behind; p < lexer->end; p++) {
        const char *after = tag_end(p, lexer->end, "#}", true, true);
        if (after) {
            pass(lexer, after);
            return true;
        }
    }
    return lv_jinja_wrong(lexer->j, "missing end of comment tag");
}

typedef struct Brackets {
    char open[LV_MAX_TEMPLATE_NESTING];
    size_t n;
} Brackets;

static bool balance(Lexer *lexer, Brackets *brackets, char c)
{
    static const char opening[] = "([{", closing[] = ")]}";
    const char *kind = strchr(opening, c);
    if (kind) {
        if (brackets->n == LV_MAX_TEMPLATE_NESTING)
            return lv_jinja_fail(lexer->j, LLAVAOV_ERROR_MEMORY,
                "more than %u brackets inside each other", LV_MAX_TEMPLATE_NESTING);
        brackets->open[brackets->n++] = closing[kind - opening];
    } else if (strchr(closing, c)) {
        if (!brackets->n)
            return lv_jinja_wrong(lexer->j, "unexpected '%c'", c);
        char expected = brackets->open[--brackets->n];
        if (expected != c)
            return lv_jinja_wrong(lexer->j, "unexpected '%c', expected '%c'", c, expected);
    }
    return true;
}

static bool lex_token(Lexer *lexer, Brackets *brackets)
{
    const char *p = lexer->at, *end = lexer->end, *to;
    LvJTokenKind kind;
    if (*p >= '0' && *p <= '9') {
        to = lv_jinja_float_end(p, end);
        kind = to ? LVJ_TOKEN_FLOAT : LVJ_TOKEN_INTEGER;
        to = to ? to : lv_jinja_integer_end(p, end);
    } else if ((to = lv_jinja_name_end(p, end)) > p) {
        kind = LVJ_TOKEN_NAME;
    } else if ((*p == '\'' || *p == '"') && (to = lv_jinja_string_end(p, end))) {
        kind = LVJ_TOKEN_STRING;
    } else {
        to = p + lv_jinja_operator_bytes(p, end);
        kind = LVJ_TOKEN_OPERATOR;
        if (to == p)
            return lv_jinja_wrong(lexer->j, "unexpected character %.*s",
                (int)lv_utf8_length(
                    (const unsigned char *)p, (const unsigned char *)end, NULL, NULL),
                p);
        if (to == p + 1 && !balance(lexer, brackets, *p))
            return false;
    }
    if (!add(lexer, kind, p, (size_t)(to - p)))
        return false;
    pass(lexer, to);
    return true;
}

/* The content of {% %} or {{ }}, and its end. */
static bool lex_tag(Lexer *lexer, bool block)
{
    Brackets brackets = {.n = 0};
    while (lexer->at < lexer->end) {
        const char *after =
            brackets.n ? NULL : tag_end(lexer->at, lexer->end, block ? "%}" : "}}", block, block);
        if (after) {
            bool added =
                add(lexer, block ? LVJ_TOKEN_BLOCK_END : LVJ_TOKEN_PRINT_END, lexer->at, 2);
            pass(lexer, after);
            return added;
        }
        const char *space = skip_space(lexer->at, lexer->end);
        if (space > lexer->at)
            pass(lexer, space);
        else if (!lex_token(lexer, &brackets))
            return false;
    }
    return true; /* the parser reports what is missing */
}

static bool lex_from(Lexer *lexer)
{
    const char *p = lexer->at;
    while (p < lexer->end && !(starts(p, lexer->end, "{{") || starts(p, lexer->end, "{%") ||
                                 starts(p, lexer->end, "{#")))
        p++;
    if (p == lexer->end) {
        bool added = add(lexer, LVJ_TOKEN_DATA, lexer->at, (size_t)(p - lexer->at));
        pass(lexer, p);
        return added;
    }
    char sign = p + 2 < lexer->end ? p[2] : 0;
    const char *behind = p + 2 + (sign == '-' || sign == '+');
    if (!add_data(lexer, lexer->at, p, sign, p[1] != '{'))
        return false;
    const char *raw = p[1] == '%' ? word_tag(p, lexer->end, "raw") : NULL;
    if (raw)
        raw = tag_end(raw, lexer->end, "%}", false, false);
    if (raw)
        return lex_raw(lexer, raw);
    pass(lexer, behind);
    if (p[1] == '#')
        return lex_comment(lexer, behind);
    return add(lexer, p[1] == '%' ? LVJ_TOKEN_BLOCK_BEGIN : LVJ_TOKEN_PRINT_BEGIN, p, 2) &&
           lex_tag(lexer, p[1] == '%');
}

bool lv_jinja_lex(LvJ *j, const char *source, size_t bytes, LvJTokens *out)
{
    /* One extra byte in front, which float_end reads. */
    char *copy = lv_jinja_alloc(j, bytes + 1, 1);
    if (!copy)
        return false;
    size_t n = 0;
    *copy++ = '\n';
    for (size_t i = 0; i < bytes; i++) {
        if (source[i] == '\r') {
            copy[n++] = '\n';
            i += i + 1 < bytes && source[i + 1] == '\n';
        } else {
            copy[n++] = source[i];
        }
    }
    n -= n && copy[n - 1] == '\n'; /* keep_trailing_newline is off */
    Lexer lexer = {
        .j = j, .out = out, .at = copy, .end = copy + n, .line = 1, .line_starting = true};
    j->line = 1;
    while (lexer.at < lexer.end)
        if (!lex_from(&lexer))
            return false;
    return add(&lexer, LVJ_TOKEN_END, lexer.end, 0);
}
