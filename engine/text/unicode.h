/* SPDX-License-Identifier: Apache-2.0
 * Character classes and NFC exactly as the reference tokenizer has them (two versions of Unicode,
 * see make_unicode_tables.py). Thread-safe. */
#ifndef LV_UNICODE_H
#define LV_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

typedef enum LvUnicodeClass {
    LV_CLASS_OTHER,
    LV_CLASS_LETTER, /* \p{L} */
    LV_CLASS_NUMBER, /* \p{N} */
    LV_CLASS_SPACE   /* \s */
} LvUnicodeClass;

LvUnicodeClass lv_unicode_class(uint32_t code);

/* What Python's str.strip() and str.split() treat as white space: \\s and U+001C to U+001F. */
bool lv_python_space(uint32_t code);

/* Normalises text, which must be UTF-8, to NFC. *out is a new block (lv_free) of *out_bytes, or
 * NULL when text holds no character that could change, which means that it is already normalised.
 * Time grows linearly with the text, also for one long run of combining marks. */
LlavaovStatus lv_nfc(
    const char *text, size_t bytes, char **out, size_t *out_bytes, LlavaovError *error);

/* Whether text, which is UTF-8 and not at its end, may be cut before this byte: whatever precedes
 * it, both parts normalise as they would together. May be false where that is not obvious. */
bool lv_nfc_cuts(const unsigned char *text);

#endif
