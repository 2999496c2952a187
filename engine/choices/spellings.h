/* SPDX-License-Identifier: Apache-2.0
 * How labels may be spelled, as token sequences. */
#ifndef LV_SPELLINGS_H
#define LV_SPELLINGS_H

#include "base/limits.h"
#include "choices/labels.h"
#include "text/tokenizer.h"

typedef struct LvLabelSpelling {
    uint32_t label; /* of LvLabels.labels */
    bool written;   /* as the label is, no variant */
    uint32_t n;     /* 1 to LV_MAX_SPELLING_TOKENS */
    int32_t tokens[LV_MAX_SPELLING_TOKENS];
} LvLabelSpelling;

/* Sorted by their tokens; each sequence is there once. */
typedef struct LvSpellings {
    LvLabelSpelling *list; /* owned */
    size_t n;
} LvSpellings;

/* The ids of each label alone, which are those that follow a prompt whose template ends in a line
 * or a space, and those of its variants (a set of LlavaovVariant). A variant that another label
 * spells itself is that label's; one that two labels would share counts for neither. Errors: ARGUMENT
 * about "choices" (too many tokens, ids outside the vocabulary of n_vocab, two labels that are one
 * to the tokenizer), MEMORY. *spellings is empty after a failure. */
LlavaovStatus lv_spellings_make(const LvLabels *labels, unsigned variants,
    const LvTokenizer *tokenizer, uint32_t n_vocab, LvSpellings *spellings, LlavaovError *error);
/* By their tokens. False: two are the same. */
bool lv_spellings_sort(LvSpellings *spellings);
void lv_spellings_free(LvSpellings *spellings);

#endif
