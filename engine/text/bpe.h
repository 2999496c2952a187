/* SPDX-License-Identifier: Apache-2.0
 * Byte-pair merging: the table of merges and the merging of one piece. */
#ifndef LV_BPE_H
#define LV_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

/* left right -> id. The merge of the lowest rank is applied first. */
typedef struct LvMerge {
    uint32_t left, right;
    uint32_t rank, id;
} LvMerge;

/* Immutable once built: the merges sorted by (left, right), with an index by left. */
typedef struct LvMergeTable {
    uint32_t *first; /* [n_tokens + 1] */
    LvMerge *merges;
    size_t n_merges;
    uint32_t n_tokens;
    uint32_t byte_ids[256];
    bool in_rounds; /* see lv_bpe_encode */
} LvMergeTable;

/* Takes ownership of merges, an lv_alloc block, also on failure; their ids must be below n_tokens.
 * Of equal pairs the last one, that with the highest rank, stays. The caller fills byte_ids. */
LlavaovStatus lv_merge_table_build(
    LvMergeTable *table, LvMerge *merges, size_t n_merges, uint32_t n_tokens, LlavaovError *error);
void lv_merge_table_free(LvMergeTable *table);

/* Scratch memory for merging, reused from piece to piece; zero-initialise, free with
 * lv_bpe_scratch_free. */
typedef struct LvBpeSymbol LvBpeSymbol;
typedef struct LvBpeScratch {
    LvBpeSymbol *symbols;
    size_t symbol_capacity;
    uint64_t *heap;
    size_t heap_capacity;
    uint64_t *later;
    size_t later_capacity;
} LvBpeScratch;
void lv_bpe_scratch_free(LvBpeScratch *scratch);

/* Merges bytes 0..n-1 (0 < n < 2^31) and writes the ids to ids (room for n); *n_ids is their
 * number. Applies the merge of the lowest rank, the leftmost of equals, until none is left; O(n log
 * n). in_rounds: the merge of the lowest rank is applied everywhere before the next one is chosen,
 * as in transformers' slow tokenizers; the order differs only where a token takes part in a merge
 * of lower rank than one that produces it. */
LlavaovStatus lv_bpe_encode(const LvMergeTable *table, const unsigned char *bytes, size_t n,
    LvBpeScratch *scratch, int32_t *ids, size_t *n_ids, LlavaovError *error);

#endif
