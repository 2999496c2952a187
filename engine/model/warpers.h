/* SPDX-License-Identifier: Apache-2.0
 * What narrows the choice where tokens are drawn: HF transformers' logits warpers, in the order in
 * which generate() applies them. What is excluded becomes -infinity; the likeliest id stays. */
#ifndef LV_WARPERS_H
#define LV_WARPERS_H

#include "llavaov.h"

typedef struct LvWarping {
    uint32_t n;      /* scores */
    uint32_t *order; /* [n] scratch */
    float *scratch;  /* [n]; NULL where lv_needs_scratch says that nobody wants it */
} LvWarping;

bool lv_needs_scratch(const LlavaovRules *rules);

/* top-h, top-k, top-p, min-p, typical, epsilon, eta: those that are on. Not all of scores are
 * -infinity; none is NaN or infinity. */
void lv_warp_scores(const LvWarping *warping, const LlavaovGeneration *generation, float *scores);

/* Scores to log-probabilities. */
void lv_normalise_scores(float *scores, uint32_t n);

/* Scores to probabilities. */
void lv_softmax(float *scores, uint32_t n);

#endif
