/* SPDX-License-Identifier: Apache-2.0
 * From logits to the next token, in the order of HF transformers' generate(): repetition penalty,
 * temperature, top-k, top-p, softmax, draw (model.md 5.7). One sampler belongs to one request; not
 * thread-safe. */
#ifndef LV_SAMPLER_H
#define LV_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

typedef struct LvSampler {
    LlavaovGeneration generation;
    uint32_t n_vocab;
    uint8_t *seen;   /* n_vocab flags: ids of the prompt and of the answer so far */
    uint32_t *order; /* n_vocab: scratch of top-p */
    uint64_t draws;  /* made so far */
} LvSampler;

/* Values out of range are an ARGUMENT error that names the option. */
LlavaovStatus lv_generation_check(const LlavaovGeneration *generation, LlavaovError *error);

LlavaovStatus lv_sampler_open(
    LvSampler *sampler, const LlavaovGeneration *generation, uint32_t n_vocab, LlavaovError *error);
void lv_sampler_close(LvSampler *sampler);

/* Notes ids for the repetition penalty: the whole prompt, placeholders included, as the reference
 * counts them. Ids outside the vocabulary are passed over. */
void lv_sampler_see(LvSampler *sampler, const int32_t *ids, size_t n);

/* Turns logits [n_vocab] in place into what is drawn from: probabilities (temperature > 0) or
 * penalised logits (greedy). */
LlavaovStatus lv_sampler_process(LvSampler *sampler, float *logits, LlavaovError *error);

/* Chooses a token and notes it. logits are overwritten. NaN or Inf among them is
 * LLAVAOV_ERROR_NUMERIC. */
LlavaovStatus lv_sampler_next(
    LvSampler *sampler, float *logits, int32_t *token, LlavaovError *error);

/* The same for a token that was chosen elsewhere (LvBackendOps.sample): notes it and counts the
 * draw. */
void lv_sampler_note(LvSampler *sampler, int32_t token);

/* Draw number `index` of the stream that belongs to `seed`, uniform in [0, 1) with 53 bits: the
 * counter-based generator Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011), key = seed, counter = index. */
double lv_random(uint64_t seed, uint64_t index);

#endif
