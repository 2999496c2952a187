/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/number.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text/jinja/character.h"
#include "text/jinja/strings.h"
#include "text/utf8.h"

/* The text without white space around it, its digits as ASCII ones; NULL after failing. */
static char *plain(LvJ *j, const LvJString *text)
{
    LvJValue inner;
    if (!lv_jinja_strip(j, text, NULL, LV_JINJA_LEFT | LV_JINJA_RIGHT, &inner))
        return NULL;
    char *copy = lv_jinja_alloc(j, inner.string->bytes + 1, 1), *to = copy;
    const unsigned char *p = (const unsigned char *)inner.string->text;
    const unsigned char *end = p + inner.string->bytes;
    while (copy && p < end) {
        uint32_t c = lv_utf8_next(&p);
        int digit = lv_jinja_digit_value(c);
        *to++ = digit >= 0 ? (char)('0' + digit) : c && c < 0x80 ? (char)c : '?';
    }
    if (copy)
        *to = '\0';
    return copy;
}

static int digit_of(char c)
{
    int lower = c | 0x20;
    return c >= '0' && c <= '9' ? c - '0' : lower >= 'a' && lower <= 'z' ? lower - 'a' + 10 : 99;
}

bool lv_jinja_parse_int(LvJ *j, const LvJString *text, int base, int64_t *out, bool *valid)
{
    char *p = plain(j, text);
    if (!p)
        return false;
    bool negative = *p == '-', over = false, digit = false;
    p += *p == '-' || *p == '+';
    int prefix = p[0] == '0' ? p[1] | 0x20 : 0;
    int own = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
    *out = 0;
    *valid = false;
    if (own && (base == own || base == 0)) {
        base = own;
        p += 2 + (p[2] == '_');
    } else if (base == 0) {
        base = 10;
        if (*p == '0' && strspn(p, "0_") != strlen(p))
            return true; /* no leading zeros */
    }
    for (; *p; p++) {
        if (*p == '_' && digit && digit_of(p[1]) < base)
            continue;
        if (digit_of(*p) >= base)
            return true;
        digit = true;
        over = over || __builtin_mul_overflow(*out, (int64_t)base, out) ||
               __builtin_sub_overflow(*out, (int64_t)digit_of(*p), out);
    }
    *valid = digit;
    over = over || (digit && !negative && __builtin_sub_overflow((int64_t)0, *out, out));
    return !(digit && over) || lv_jinja_cannot(j, "an integer outside of 64 bits");
}

bool lv_jinja_parse_float(LvJ *j, const LvJString *text, double *out, bool *valid)
{
    char *p = plain(j, text), *to, *end;
    *valid = false;
    if (!p)
        return false;
    const char *word = p + (*p == '-' || *p == '+');
    bool named =
        !strcasecmp(word, "inf") || !strcasecmp(word, "infinity") || !strcasecmp(word, "nan");
    if (!named && word[strspn(word, "0123456789_.eE+-")])
        return true;
    to = p;
    for (char *from = p; *from; from++) {
        bool between = from > p && digit_of(from[-1]) < 10 && digit_of(from[1]) < 10;
        if (*from == '_' && !between)
            return true;
        if (*from != '_')
            *to++ = *from;
    }
    *to = '\0';
    *out = strtod(p, &end);
    *valid = *p && !*end;
    return true;
}
