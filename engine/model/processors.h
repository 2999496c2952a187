/* SPDX-License-Identifier: Apache-2.0
 * HF transformers' logits processors, which apply to sampling and greedy decoding alike, in the
 * order in which generate() applies them. */
#ifndef LV_PROCESSORS_H
#define LV_PROCESSORS_H

#include "llavaov.h"

/* LvScoring.seen */
enum { LV_SEEN = 1, LV_SEEN_IN_PROMPT = 2 };

/* What the scores of a next token depend on besides themselves. */
typedef struct LvScoring {
    const LlavaovRules *rules; /* NULL: none */
    double repetition_penalty;
    uint32_t n_vocab;
    const uint8_t *seen; /* [n_vocab] flags of the ids so far */
    /* Prompt and answer so far; NULL where lv_needs_ids is false. */
    const int32_t *ids;
    size_t n, n_prompt;
    size_t max_length; /* of prompt and answer; forced_eos is forced there */
    LlavaovIds stop;   /* suppressed by min_length, favoured by the length decay */
} LvScoring;

bool lv_needs_ids(const LlavaovRules *rules);

/* scores [n_vocab] in place; excluded ids get -infinity. */
void lv_process_scores(const LvScoring *scoring, float *scores);

#endif
