/* SPDX-License-Identifier: Apache-2.0
 * UTF-8 as Unicode defines it: no surrogates, no over-long forms, nothing above U+10FFFF.
 * Thread-safe. */
#ifndef LV_UTF8_H
#define LV_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the valid sequence at text, 1..4; 0 when there is none. *cut: the bytes up to the
 * end are a valid prefix of a longer sequence. *bad: the number of bytes (>= 1) that one U+FFFD
 * stands for when 0 is returned: the longest valid prefix, or one byte. cut and bad may be NULL.
 * Nothing is read at or after end; text < end. */
size_t lv_utf8_length(const unsigned char *text, const unsigned char *end, bool *cut, size_t *bad);

/* The bytes before the first invalid sequence: n when all of text is UTF-8. */
size_t lv_utf8_valid_prefix(const char *text, size_t n);

/* The code point at *text, which must be valid; advances *text past it. */
static inline uint32_t lv_utf8_next(const unsigned char **text)
{
    const unsigned char *p = *text;
    if (p[0] < 0x80) {
        *text = p + 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *text = p + 2;
        return (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
    }
    if (p[0] < 0xF0) {
        *text = p + 3;
        return (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
    }
    *text = p + 4;
    return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
           (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F);
}

/* Writes code, a Unicode scalar value, to out (room for 4); returns the number of bytes. */
size_t lv_utf8_put(uint32_t code, char *out);

#endif
