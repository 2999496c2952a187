/* SPDX-License-Identifier: Apache-2.0
 * transformers' Trie.split, step by step. */
#ifndef LV_SLOW_TRIE_H
#define LV_SLOW_TRIE_H

#include "text/added_tokens.h"

typedef struct LvCuts {
    size_t *at;
    size_t n, capacity;
} LvCuts;

bool lv_cuts_add(LvCuts *cuts, size_t at);

/* Appends where text begin .. end, UTF-8, is cut: in pairs; the text between the two positions of a
 * pair is a token. False without memory. */
bool lv_slow_trie_cut(
    const LvAddedTokens *added, const unsigned char *text, size_t begin, size_t end, LvCuts *cuts);

#endif
