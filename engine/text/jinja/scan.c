/* SPDX-License-Identifier: Apache-2.0 */
#include "text/jinja/scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text/unicode.h"
#include "text/utf8.h"

static bool digit(const char *p, const char *end, int base)
{
    if (p >= end)
        return false;
    int c = *p | 0x20;
    int value = *p >= '0' && *p <= '9' ? *p - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
    return value < base;
}

/* Digits with single underscores between them, at least one; p itself where there is none. */
static const char *digits(const char *p, const char *end, int base)
{
    if (!digit(p, end, base))
        return p;
    while (digit(p, end, base) || (p < end && *p == '_' && digit(p + 1, end, base)))
        p++;
    return p;
}

const char *lv_jinja_float_end(const char *p, const char *end)
{
    const char *whole = digits(p, end, 10), *fraction = whole;
    if (whole == p || p[-1] == '.')
        return NULL;
    if (whole < end && *whole == '.' && digit(whole + 1, end, 10))
        fraction = digits(whole + 1, end, 10);
    if (fraction < end && (*fraction | 0x20) == 'e') {
        const char *q = fraction + 1;
        q += q < end && (*q == '+' || *q == '-');
        if (digit(q, end, 10))
            return digits(q, end, 10);
    }
    return fraction > whole ? fraction : NULL;
}

const char *lv_jinja_integer_end(const char *p, const char *end)
{
    if (*p == '0' && p + 1 < end) {
        int kind = p[1] | 0x20, base = kind == 'b' ? 2 : kind == 'o' ? 8 : kind == 'x' ? 16 : 0;
        const char *q = p + 2 + (p + 2 < end && p[2] == '_');
        if (base && digit(q, end, base))
            return digits(q, end, base);
    }
    if (*p != '0')
        return digits(p, end, 10);
    do
        p++;
    while (p < end && (*p == '0' || (*p == '_' && p + 1 < end && p[1] == '0')));
    return p;
}

const char *lv_jinja_name_end(const char *p, const char *end)
{
    while (p < end) {
        const unsigned char *next = (const unsigned char *)p;
        uint32_t c = lv_utf8_next(&next);
        LvUnicodeClass class = lv_unicode_class(c);
        if (c != '_' && class != LV_CLASS_LETTER && class != LV_CLASS_NUMBER)
            break;
        p = (const char *)next;
    }
    return p;
}

const char *lv_jinja_string_end(const char *p, const char *end)
{
    char quote = *p++;
    while (p < end && *p != quote)
        p += *p == '\\' ? 2 : 1;
    return p < end ? p + 1 : NULL;
}

size_t lv_jinja_operator_bytes(const char *p, const char *end)
{
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if ((size_t)(end - p) >= 2 && !memcmp(p, two[i], 2))
            return 2;
    return *p && strchr("+-/*%~[](){}><=.:|,;", *p) ? 1 : 0;
}
