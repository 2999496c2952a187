/* SPDX-License-Identifier: Apache-2.0
 * Qwen2's pre-tokenizer pattern (docs/model.md 7.2), matched by hand. Thread-safe. */
#ifndef LV_PRETOKENIZE_H
#define LV_PRETOKENIZE_H

#include <stddef.h>

/* The one pattern that lv_piece_length knows, as tokenizer.json spells it. */
extern const char lv_piece_pattern[];

/* Bytes of the piece that starts at text; text..end is the rest of the segment, UTF-8, not empty.
 * Pieces cover all. */
size_t lv_piece_length(const unsigned char *text, const unsigned char *end);

#endif
