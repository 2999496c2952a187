/* SPDX-License-Identifier: Apache-2.0
 * HF transformers' logits warpers, which narrow the choice when sampling, in the order in which
 * generate() applies them. Excluded ids get -infinity; the likeliest id always stays. */
#ifndef LV_WARPERS_H
#define LV_WARPERS_H

#include "llavaov.h"

typedef struct LvWarping {
    uint32_t n;      /* scores */
    uint32_t *order; /* [n] scratch */
    float *scratch;  /* [n]; NULL where lv_needs_scratch is false */
} LvWarping;

bool lv_needs_scratch(const LlavaovRules *rules);

/* top-h, top-k, top-p, min-p, typical, epsilon, eta: those that are switched on. The scores are not
 * all -infinity, and none is NaN or +infinity. */
void lv_warp_scores(const LvWarping *warping, const LlavaovGeneration *generation, float *scores);

/* Scores to log-probabilities. */
void lv_normalise_scores(float *scores, uint32_t n);

/* Scores to probabilities. */
void lv_softmax(float *scores, uint32_t n);

#endif
