/* SPDX-License-Identifier: Apache-2.0
 * The merges of a vocabulary, in the order of their ranks 0, 1, ...: tokenizer.json's model.merges,
 * or the lines of merges.txt. Not thread-safe. */
#ifndef LV_MERGES_H
#define LV_MERGES_H

#include "text/bpe.h"
#include "text/vocabulary.h"

/* Reads the array of "a b" or ["a", "b"] at scan into *merges (lv_free). */
LlavaovStatus lv_merges_read(const LvVocabulary *vocabulary, LvScan *scan, const char *name,
    LvMerge **merges, size_t *n_merges, LlavaovError *error);

/* Reads lines of two words, split as Python splits them; empty lines and a first one that begins
 * with "#version:" are skipped. text must be UTF-8. */
LlavaovStatus lv_merges_read_text(const LvVocabulary *vocabulary, const char *text, size_t bytes,
    const char *name, LvMerge **merges, size_t *n_merges, LlavaovError *error);

#endif
