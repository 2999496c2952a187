/* SPDX-License-Identifier: Apache-2.0 */
#include "text/pretokenize.h"

#include <stdbool.h>

#include "text/unicode.h"
#include "text/utf8.h"

const char lv_piece_pattern[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
                                " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                                "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

static bool is_newline(unsigned char c)
{
    return c == '\n' || c == '\r';
}

/* The class of the character at p, and where the next one begins. */
static LvUnicodeClass class_at(const unsigned char *p, const unsigned char **next)
{
    *next = p;
    return lv_unicode_class(lv_utf8_next(next));
}

/* What follows the apostrophe of an English contraction, in bytes; 0 when nothing does. Case folds
 * as in Unicode: the long s, U+017F, is an s. */
static size_t contraction(const unsigned char *p, const unsigned char *end)
{
    if (end - p >= 2 && p[0] == 0xC5 && p[1] == 0xBF)
        return 2;
    unsigned char a = p < end ? p[0] | 32 : 0;
    unsigned char b = end - p >= 2 ? p[1] | 32 : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return 1;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return 2;
    return 0;
}

/* The end of the run of characters of that class. */
static const unsigned char *run_of(
    LvUnicodeClass wanted, const unsigned char *p, const unsigned char *end)
{
    const unsigned char *next;
    while (p < end && class_at(p, &next) == wanted)
        p = next;
    return p;
}

/* White space at p: up to the last newline of the run, or the run without its last character, which
 * belongs to the following piece. */
static const unsigned char *space(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *begin = p, *last = p, *after_newline = NULL, *next;
    while (p < end && class_at(p, &next) == LV_CLASS_SPACE) {
        if (is_newline(*p))
            after_newline = next;
        last = p;
        p = next;
    }
    if (after_newline)
        return after_newline;
    return p == end || last == begin ? p : last;
}

size_t lv_piece_length(const unsigned char *text, const unsigned char *end)
{
    const unsigned char *next, *after;
    if (*text == '\'') {
        size_t n = contraction(text + 1, end);
        if (n)
            return 1 + n;
    }
    LvUnicodeClass class = class_at(text, &next);
    if (class == LV_CLASS_LETTER)
        return (size_t)(run_of(LV_CLASS_LETTER, next, end) - text);
    if (class == LV_CLASS_NUMBER)
        return (size_t)(next - text);
    LvUnicodeClass following = next < end ? class_at(next, &after) : LV_CLASS_SPACE;
    if (following == LV_CLASS_LETTER && !is_newline(*text))
        return (size_t)(run_of(LV_CLASS_LETTER, after, end) - text);
    if (class == LV_CLASS_OTHER || (*text == ' ' && following == LV_CLASS_OTHER)) {
        const unsigned char *p = run_of(LV_CLASS_OTHER, next, end);
        while (p < end && is_newline(*p))
            p++;
        return (size_t)(p - text);
    }
    return (size_t)(space(text, end) - text);
}
