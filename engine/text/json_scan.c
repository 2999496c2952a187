/* SPDX-License-Identifier: Apache-2.0 */
#include "text/json_scan.h"

#include <string.h>

#include "text/utf8.h"

#define MAX_DEPTH 128

LvScan lv_scan(char *begin, char *end)
{
    return (LvScan){.at = begin, .end = end};
}

bool lv_scan_fail(LvScan *scan, const char *problem)
{
    if (!scan->problem)
        scan->problem = problem;
    return false;
}

char lv_scan_peek(LvScan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
    return scan->at < scan->end && !scan->problem ? *scan->at : '\0';
}

bool lv_scan_take(LvScan *scan, char c)
{
    if (lv_scan_peek(scan) != c)
        return lv_scan_fail(scan, "is not JSON");
    scan->at++;
    return true;
}

bool lv_scan_more(LvScan *scan, char close, bool *first)
{
    char c = lv_scan_peek(scan);
    bool was_first = *first;
    *first = false;
    if (c == close) {
        scan->at++;
        return false;
    }
    return was_first ? c != '\0' || lv_scan_fail(scan, "is cut short") : lv_scan_take(scan, ',');
}

static int hex4(const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = p[i];
        int digit = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* The escape at at[0] = '\\', written to out; the length of its spelling, 0 when it is none. */
static size_t unescape(const char *at, const char *end, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (end - at < 2)
        return 0;
    const char *name = at[1] ? strchr(names, at[1]) : NULL;
    if (name) {
        *(*out)++ = values[name - names];
        return 2;
    }
    int code = at[1] == 'u' && end - at >= 6 ? hex4(at + 2) : -1;
    size_t length = 6;
    if (code >= 0xD800 && code < 0xDC00 && end - at >= 12 && at[6] == '\\' && at[7] == 'u') {
        int low = hex4(at + 8);
        if (low < 0xDC00 || low > 0xDFFF)
            return 0;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        length = 12;
    }
    if (code <= 0 || (code >= 0xD800 && code < 0xE000))
        return 0;
    *out += lv_utf8_put((uint32_t)code, *out);
    return length;
}

bool lv_scan_string(LvScan *scan, const char **text, size_t *bytes)
{
    if (lv_scan_peek(scan) != '"')
        return lv_scan_fail(scan, "has something else where a string belongs");
    char *p = scan->at + 1, *out = p;
    *text = p;
    while (p < scan->end && *p != '"') {
        if ((unsigned char)*p < 0x20)
            return lv_scan_fail(scan, "has a control character in a string");
        if (*p != '\\') {
            *out++ = *p++;
            continue;
        }
        size_t length = unescape(p, scan->end, &out);
        if (!length)
            return lv_scan_fail(scan, "has a broken escape in a string");
        p += length;
    }
    if (p == scan->end)
        return lv_scan_fail(scan, "has a string that does not end");
    *bytes = (size_t)(out - *text);
    scan->at = p + 1;
    return true;
}

bool lv_scan_uint(LvScan *scan, uint32_t *value)
{
    lv_scan_peek(scan);
    const char *first = scan->at;
    uint64_t number = 0;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && number <= INT32_MAX)
        number = number * 10 + (uint64_t)(*scan->at++ - '0');
    char next = scan->at < scan->end ? *scan->at : '\0';
    bool leading_zero = scan->at - first > 1 && *first == '0';
    if (scan->at == first || leading_zero || number > INT32_MAX || next == '.' || next == 'e' ||
        next == 'E')
        return lv_scan_fail(scan, "has an id that is not a whole number from 0 to 2147483647");
    *value = (uint32_t)number;
    return !scan->problem;
}

static bool skip_string(LvScan *scan)
{
    char *p = scan->at + 1;
    while (p < scan->end && *p != '"') {
        if ((unsigned char)*p < 0x20)
            return lv_scan_fail(scan, "has a control character in a string");
        p += *p == '\\' ? 2 : 1;
    }
    if (p >= scan->end)
        return lv_scan_fail(scan, "has a string that does not end");
    scan->at = p + 1;
    return true;
}

/* A number or a literal, by its characters. */
static bool word_character(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '+' ||
           c == '.';
}

static bool skip_word(LvScan *scan)
{
    const char *first = scan->at;
    while (scan->at < scan->end && word_character(*scan->at))
        scan->at++;
    return scan->at > first || lv_scan_fail(scan, "is not JSON");
}

static bool skip(LvScan *scan, unsigned depth)
{
    char c = lv_scan_peek(scan);
    if (c == '"')
        return skip_string(scan);
    if (c != '{' && c != '[')
        return skip_word(scan);
    if (depth == MAX_DEPTH)
        return lv_scan_fail(scan, "is nested too deeply");
    scan->at++;
    bool first = true;
    while (lv_scan_more(scan, c == '{' ? '}' : ']', &first)) {
        if (c == '{') {
            if (lv_scan_peek(scan) != '"')
                return lv_scan_fail(scan, "has a key that is not a string");
            if (!skip_string(scan) || !lv_scan_take(scan, ':'))
                return false;
        }
        if (!skip(scan, depth + 1))
            return false;
    }
    return !scan->problem;
}

bool lv_scan_skip(LvScan *scan)
{
    return skip(scan, 0);
}
