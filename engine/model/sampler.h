/* SPDX-License-Identifier: Apache-2.0
 * From logits to the next token, in the order of HF transformers' generate(): processors.h,
 * temperature, warpers.h, softmax, draw (docs/model.md 5.7). One sampler belongs to one request;
 * not thread-safe. */
#ifndef LV_SAMPLER_H
#define LV_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "model/rules.h"
#include "model/token_filter.h"

typedef struct LvSampler {
    LlavaovGeneration generation;
    uint32_t n_vocab;
    uint8_t *seen;   /* n_vocab flags: ids of the prompt and of the answer so far */
    uint32_t *order; /* n_vocab: scratch of top-p */
    float *scratch;  /* n_vocab, or NULL */
    uint64_t draws;  /* made so far */
    int32_t *ids;    /* prompt and answer so far, if the rules need them */
    size_t n_ids, ids_capacity, n_prompt;
    bool forgot; /* memory for ids ran out: the next lv_sampler_process fails */
    /* Set by the owner where they differ from the rules: the stop tokens, and the length of prompt
     * and answer (0: n_prompt + max_new_tokens). */
    LlavaovIds stop;
    size_t max_length;
    LvTokenFilter *filter; /* lv_sampler_filter */
    float *unruled;        /* n_vocab: scores before rules, where a filter needs them */
} LvSampler;

/* No setting of `generation` may still be left to the checkpoint; its rules must outlive the
 * sampler. */
LlavaovStatus lv_sampler_open(
    LvSampler *sampler, const LlavaovGeneration *generation, uint32_t n_vocab, LlavaovError *error);
void lv_sampler_close(LvSampler *sampler);

/* Chooses from what `filter` allows; it must outlive the sampler. It is applied after penalty and
 * rules; where these leave none of its tokens, they do not count for that token. */
LlavaovStatus lv_sampler_filter(LvSampler *sampler, LvTokenFilter *filter, LlavaovError *error);

/* Records the whole prompt, placeholders included, as the reference does. Ids outside the
 * vocabulary have no score. */
void lv_sampler_see(LvSampler *sampler, const int32_t *ids, size_t n);

/* Turns logits [n_vocab] in place into probabilities (temperature > 0) or penalised logits
 * (greedy). */
LlavaovStatus lv_sampler_process(LvSampler *sampler, float *logits, LlavaovError *error);

/* Chooses a token and records it. logits are overwritten. NaN or Inf among them is
 * LLAVAOV_ERROR_NUMERIC. */
LlavaovStatus lv_sampler_next(
    LvSampler *sampler, float *logits, int32_t *token, LlavaovError *error);

/* Records a token that was chosen elsewhere (LvBackendOps.sample) and counts the draw. */
void lv_sampler_note(LvSampler *sampler, int32_t token);

/* Draw number `index` of the stream that belongs to `seed`, uniform in [0, 1) with 53 bits: the
 * counter-based generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011), key = seed, counter = index. */
double lv_random(uint64_t seed, uint64_t index);

#endif
