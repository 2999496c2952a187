/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sampler.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/processors.h"
#include "model/warpers.h"

LlavaovStatus lv_sampler_open(
    LvSampler *sampler, const LlavaovGeneration *generation, uint32_t n_vocab, LlavaovError *error)
{
    memset(sampler, 0, sizeof *sampler);
    LlavaovStatus status = lv_generation_check(generation, error);
    if (status != LLAVAOV_OK)
        return status;
    sampler->generation = *generation;
    sampler->n_vocab = n_vocab;
    if (generation->rules)
        sampler->stop = generation->rules->stop_tokens;
    sampler->seen = lv_calloc(n_vocab, sizeof *sampler->seen);
    sampler->order = lv_alloc(n_vocab, sizeof *sampler->order);
    const bool scratch = lv_needs_scratch(generation->rules);
    sampler->scratch = scratch ? lv_alloc(n_vocab, sizeof *sampler->scratch) : NULL;
    if (!sampler->seen || !sampler->order || (scratch && !sampler->scratch)) {
        lv_sampler_close(sampler);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the sampler");
    }
    return LLAVAOV_OK;
}

void lv_sampler_close(LvSampler *sampler)
{
    lv_free(sampler->seen);
    lv_free(sampler->order);
    lv_free(sampler->scratch);
    lv_free(sampler->ids);
    lv_free(sampler->unruled);
    memset(sampler, 0, sizeof *sampler);
}

LlavaovStatus lv_sampler_filter(LvSampler *sampler, LvTokenFilter *filter, LlavaovError *error)
{
    if ((sampler->generation.rules || filter->wants_logits) && !sampler->unruled) {
        sampler->unruled = lv_alloc(sampler->n_vocab, sizeof *sampler->unruled);
        if (!sampler->unruled)
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the sampler");
    }
    sampler->filter = filter;
    return LLAVAOV_OK;
}

/* Appends to the ids, if a rule needs them. */
static void keep_ids(LvSampler *sampler, const int32_t *ids, size_t n)
{
    if (!lv_needs_ids(sampler->generation.rules) || sampler->forgot)
        return;
    if (sampler->n_ids + n > sampler->ids_capacity) {
        const size_t wanted = sampler->n_ids + n + sampler->ids_capacity / 2 + 64;
        int32_t *grown = lv_realloc(sampler->ids, wanted, sizeof *grown);
        sampler->forgot = !grown;
        if (!grown)
            return;
        sampler->ids = grown;
        sampler->ids_capacity = wanted;
    }
    if (n)
        memcpy(sampler->ids + sampler->n_ids, ids, n * sizeof *ids);
}

static void note(LvSampler *sampler, const int32_t *ids, size_t n, uint8_t flags)
{
    keep_ids(sampler, ids, n);
    sampler->n_ids += n;
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= 0 && (uint32_t)ids[i] < sampler->n_vocab)
            sampler->seen[ids[i]] |= flags;
}

void lv_sampler_see(LvSampler *sampler, const int32_t *ids, size_t n)
{
    note(sampler, ids, n, LV_SEEN | LV_SEEN_IN_PROMPT);
    sampler->n_prompt += n;
}

static LlavaovStatus check_finite(const float *logits, uint32_t n, LlavaovError *error)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, "logits",
                "the model gave %s for token %u", isnan(logits[i]) ? "NaN" : "infinity", i);
    return LLAVAOV_OK;
}

/* A tiny temperature may turn finite scores infinite. */
static LlavaovStatus divide(float *scores, uint32_t n, float temperature, LlavaovError *error)
{
    for (uint32_t i = 0; i < n; i++) {
        /* -FLT_MAX counts as excluded as well (processors.c). */
        const bool finite = isfinite(scores[i]) && scores[i] > -FLT_MAX;
        scores[i] /= temperature;
        if (finite && !isfinite(scores[i]))
            return lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, "logits",
                "the model gave infinity for token %u, divided by the temperature", i);
    }
    return LLAVAOV_OK;
}

/* Whether a token can be drawn: at least one is left, and none is infinite (which the length decay
 * can cause). */
static LlavaovStatus check_drawable(const float *scores, uint32_t n, LlavaovError *error)
{
    bool left = false;
    for (uint32_t i = 0; i < n; i++) {
        left |= scores[i] > -INFINITY;
        if (isnan(scores[i]) || scores[i] == INFINITY)
            return lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, "logits",
                "the generation settings make the score of token %u infinite", i);
    }
    return left ? LLAVAOV_OK
                : lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, "logits",
                      "the generation settings exclude every token");
}

/* Penalty and rules. */
static LlavaovStatus process(LvSampler *sampler, float *logits, LlavaovError *error)
{
    const LlavaovGeneration *g = &sampler->generation;
    const uint32_t n = sampler->n_vocab;
    LlavaovStatus status = check_finite(logits, n, error);
    if (status != LLAVAOV_OK)
        return status;
    if (sampler->forgot)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the ids of an answer");
    if (sampler->unruled)
        memcpy(sampler->unruled, logits, n * sizeof *logits);
    const LvScoring scoring = {.rules = g->rules,
        .repetition_penalty = g->repetition_penalty,
        .n_vocab = n,
        .seen = sampler->seen,
        .ids = sampler->ids,
        .n = sampler->n_ids,
        .n_prompt = sampler->n_prompt,
        .max_length =
            sampler->max_length ? sampler->max_length : sampler->n_prompt + g->max_new_tokens,
        .stop = sampler->stop};
    lv_process_scores(&scoring, logits);
    return LLAVAOV_OK;
}

/* Temperature and the warpers. */
static LlavaovStatus warp(LvSampler *sampler, float *logits, LlavaovError *error)
{
    const LlavaovGeneration *g = &sampler->generation;
    const uint32_t n = sampler->n_vocab;
    if (g->temperature > 0) {
        LlavaovStatus status = check_drawable(logits, n, error);
        if (status == LLAVAOV_OK && (float)g->temperature != 1)
            status = divide(logits, n, (float)g->temperature, error);
        if (status != LLAVAOV_OK)
            return status;
        const LvWarping warping = {n, sampler->order, sampler->scratch};
        lv_warp_scores(&warping, g, logits);
    }
    if (g->rules && g->rules->renormalize_logits)
        lv_normalise_scores(logits, n);
    if (g->temperature > 0)
        lv_softmax(logits, n);
    return LLAVAOV_OK;
}

LlavaovStatus lv_sampler_process(LvSampler *sampler, float *logits, LlavaovError *error)
{
    LlavaovStatus status = process(sampler, logits, error);
    return status == LLAVAOV_OK ? warp(sampler, logits, error) : status;
}

static int32_t first_maximum(const float *scores, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (scores[i] > scores[best])
            best = i;
    return (int32_t)best;
}

static int32_t draw(LvSampler *sampler, const float *probabilities)
{
    double sum = 0;
    for (uint32_t i = 0; i < sampler->n_vocab; i++)
        sum += probabilities[i];
    const double point = lv_random(sampler->generation.seed, sampler->draws++) * sum;
    double below = 0;
    int32_t token = 0;
    for (uint32_t i = 0; i < sampler->n_vocab; i++) {
        if (probabilities[i] <= 0)
            continue;
        token = (int32_t)i;
        below += probabilities[i];
        if (below > point)
            break;
    }
    return token;
}

static bool none_left(const float *scores, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (scores[i] > -INFINITY)
            return false;
    return true;
}

/* The scores without rules; false: no rule has changed them. */
static bool take_back_rules(LvSampler *sampler, float *scores)
{
    if (sampler->unruled)
        memcpy(scores, sampler->unruled, sampler->n_vocab * sizeof *scores);
    return sampler->unruled;
}

/* Of the tokens that the filter allows. */
static LlavaovStatus choose_filtered(
    LvSampler *sampler, float *scores, int32_t *token, LlavaovError *error)
{
    LvTokenFilter *filter = sampler->filter;
    const uint32_t n = sampler->n_vocab;
    LlavaovStatus status = LLAVAOV_OK;
    if (sampler->generation.temperature > 0) {
        filter->mask(filter, scores, n);
        if (none_left(scores, n) && take_back_rules(sampler, scores))
            filter->mask(filter, scores, n);
        status = warp(sampler, scores, error);
        *token = status == LLAVAOV_OK ? draw(sampler, scores) : -1;
    } else {
        *token = lv_filter_first(filter, scores, n);
        if (*token < 0 && take_back_rules(sampler, scores))
            *token = lv_filter_first(filter, scores, n);
        if (*token < 0)
            status = lv_fail(
                error, LLAVAOV_ERROR_INTERNAL, NULL, "no token of the vocabulary is allowed");
    }
    filter->logits = sampler->unruled;
    if (status == LLAVAOV_OK)
        filter->take(filter, *token);
    return status;
}

LlavaovStatus lv_sampler_next(
    LvSampler *sampler, float *logits, int32_t *token, LlavaovError *error)
{
    LlavaovStatus status = process(sampler, logits, error);
    if (status == LLAVAOV_OK && sampler->filter) {
        status = choose_filtered(sampler, logits, token, error);
    } else if (status == LLAVAOV_OK) {
        status = warp(sampler, logits, error);
        if (status == LLAVAOV_OK)
            *token = sampler->generation.temperature > 0 ? draw(sampler, logits)
                                                         : first_maximum(logits, sampler->n_vocab);
    }
    if (status == LLAVAOV_OK)
        note(sampler, token, 1, LV_SEEN);
    return status;
}

void lv_sampler_note(LvSampler *sampler, int32_t token)
{
    sampler->draws += sampler->generation.temperature > 0;
    note(sampler, &token, 1, LV_SEEN);
}

double lv_random(uint64_t seed, uint64_t index)
{
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), 0, 0};
    uint32_t k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int round = 0; round < 10; round++) {
        const uint64_t a = UINT64_C(0xD2511F53) * c[0];
        const uint64_t b = UINT64_C(0xCD9E8D57) * c[2];
        const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
            (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    const uint64_t bits = ((uint64_t)c[1] << 32 | c[0]) >> 11;
    return (double)bits * 0x1p-53;
}
