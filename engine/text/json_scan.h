/* SPDX-License-Identifier: Apache-2.0
 * A cursor over JSON text, for the two values of tokenizer.json (vocabulary and merges) that are
 * too large to build a tree of. Strict (RFC 8259), except that in skipped values only the
 * characters of numbers are checked. */
#ifndef LV_JSON_SCAN_H
#define LV_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* text..end must be UTF-8. The first problem is kept, and every later call fails. */
typedef struct LvScan {
    char *at, *end;
    const char *problem; /* NULL, or a clause such as "has a string that does not end" */
} LvScan;

LvScan lv_scan(char *begin, char *end);

/* Records the problem; always false. */
bool lv_scan_fail(LvScan *scan, const char *problem);

/* The next character after white space, without consuming it; NUL at the end. */
char lv_scan_peek(LvScan *scan);

/* Consumes c, which must be next. */
bool lv_scan_take(LvScan *scan, char c);

/* Steps through an object or array whose opening character has been taken: true while an element
 * follows (its comma, if any, is taken); false after the closing character, or after a problem.
 * *first begins as true. */
bool lv_scan_more(LvScan *scan, char close, bool *first);

/* A string, unescaped in place: *text (not NUL-terminated, without NUL) lives as long as the JSON
 * text, in which it overwrites the escaped form. */
bool lv_scan_string(LvScan *scan, const char **text, size_t *bytes);

/* A non-negative integer below 2^31. */
bool lv_scan_uint(LvScan *scan, uint32_t *value);

/* Steps over one value of any kind and leaves the text as it is. */
bool lv_scan_skip(LvScan *scan);

#endif
