/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "text/jinja/lexer.h"
#include "text/jinja/text.h"
#include "text/utf8.h"

/* Up to `most` digits of a base at text, at least `least`; their number, or -1. */
static int number(const char *text, const char *end, int base, int least, int most, uint32_t *out)
{
    int n = 0;
    *out = 0;
    for (; n < most && text + n < end; n++) {
        int c = text[n] | 0x20;
        int value = text[n] >= '0' && text[n] <= '9' ? text[n] - '0'
                    : c >= 'a' && c <= 'f'           ? c - 'a' + 10
                                                     : 99;
        if (value >= base)
            break;
        *out = *out * (uint32_t)base + (uint32_t)value;
    }
    return n >= least ? n : -1;
}

/* Python writes what is not ASCII as an escape first: after a backslash, that escape is text. */
static bool put_escaped_escape(LvJBuild *build, uint32_t code)
{
    char text[16];
    snprintf(text, sizeof text,
        code < 0x100     ? "\\x%02x"
        : code < 0x10000 ? "\\u%04x"
                         : "\\U%08x",
        (unsigned)code);
    return lv_jinja_put_ascii(build, text, false);
}

/* The escape at *at, after its backslash. */
static bool put_escape(LvJBuild *build, const char **at, const char *end)
{
    static const char names[] = "\\'\"abfnrtv", meanings[] = "\\'\"\a\b\f\n\r\t\v";
    char c = **at;
    const char *simple = c ? strchr(names, c) : NULL;
    if (simple) {
        ++*at;
        return lv_jinja_put(build, meanings + (simple - names), 1, false);
    }
    if (c == '\n') {
        ++*at;
        return true;
    }
    if ((unsigned char)c >= 0x80) {
        const unsigned char *next = (const unsigned char *)*at;
        uint32_t code = lv_utf8_next(&next);
        *at = (const char *)next;
        return put_escaped_escape(build, code);
    }
    if (c == 'N')
        return lv_jinja_cannot(build->j, "characters by name (\\N{...}) are not supported");
    uint32_t code;
    int n, want = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (want) {
        n = number(++*at, end, 16, want, want, &code);
        if (n < 0)
            return lv_jinja_wrong(build->j, "truncated \\%c escape in a string", c);
    } else if ((n = number(*at, end, 8, 1, 3, &code)) < 0) {
        return lv_jinja_put(build, "\\", 1, false); /* no escape: both characters stay */
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return lv_jinja_wrong(
            build->j, "a string escapes U+%04X, which is no character", (unsigned)code);
    *at += n;
    return lv_jinja_put_char(build, code, false);
}

bool lv_jinja_unescape(LvJ *j, const char *text, size_t bytes, LvJValue *out)
{
    LvJBuild build = {.j = j};
    const char *end = text + bytes;
    while (text < end) {
        const char *slash = memchr(text, '\\', (size_t)(end - text));
        const char *plain = slash ? slash : end;
        if (!lv_jinja_put(&build, text, (size_t)(plain - text), false))
            return false;
        text = plain;
        if (!slash)
            break;
        text++;
        if (text == end)
            return lv_jinja_wrong(j, "\\ at the end of a string");
        if (!put_escape(&build, &text, end))
            return false;
    }
    return lv_jinja_built(&build, out);
}
