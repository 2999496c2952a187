/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sampler.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "model/order.h"

LlavaovStatus lv_generation_check(const LlavaovGeneration *g, LlavaovError *error)
{
    if (g->max_new_tokens == 0 || g->max_new_tokens > LV_MAX_NEW_TOKENS)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "max-new-tokens",
            "max-new-tokens is %u, must be 1 to %u", g->max_new_tokens, LV_MAX_NEW_TOKENS);
    if (!(g->temperature >= 0 && g->temperature <= 1e6))
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "temperature",
            "temperature is %g, must be 0 (greedy) or positive", g->temperature);
    if (!(g->top_p >= 0 && g->top_p <= 1))
        return lv_fail(
            error, LLAVAOV_ERROR_ARGUMENT, "top-p", "top-p is %g, must be 0 to 1", g->top_p);
    if (!(g->repetition_penalty > 0 && g->repetition_penalty <= 1e6))
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, "repetition-penalty",
            "repetition-penalty is %g, must be positive", g->repetition_penalty);
    return LLAVAOV_OK;
}

LlavaovStatus lv_sampler_open(
    LvSampler *sampler, const LlavaovGeneration *generation, uint32_t n_vocab, LlavaovError *error)
{
    memset(sampler, 0, sizeof *sampler);
    LlavaovStatus status = lv_generation_check(generation, error);
    if (status != LLAVAOV_OK)
        return status;
    sampler->generation = *generation;
    sampler->n_vocab = n_vocab;
    sampler->seen = lv_calloc(n_vocab, sizeof *sampler->seen);
    sampler->order = lv_alloc(n_vocab, sizeof *sampler->order);
    if (!sampler->seen || !sampler->order) {
        lv_sampler_close(sampler);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for the sampler");
    }
    return LLAVAOV_OK;
}

void lv_sampler_close(LvSampler *sampler)
{
    lv_free(sampler->seen);
    lv_free(sampler->order);
    memset(sampler, 0, sizeof *sampler);
}

void lv_sampler_see(LvSampler *sampler, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= 0 && (uint32_t)ids[i] < sampler->n_vocab)
            sampler->seen[ids[i]] = 1;
}

static LlavaovStatus check_finite(const float *logits, uint32_t n, LlavaovError *error)
{
    for (uint32_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return lv_fail(error, LLAVAOV_ERROR_NUMERIC, "logits", "the model gave %s for token %u",
                isnan(logits[i]) ? "NaN" : "infinity", i);
    return LLAVAOV_OK;
}

static void penalise(const LvSampler *sampler, float *logits)
{
    const float penalty = (float)sampler->generation.repetition_penalty;
    if (penalty == 1)
        return;
    for (uint32_t i = 0; i < sampler->n_vocab; i++)
        if (sampler->seen[i])
            logits[i] = logits[i] < 0 ? logits[i] * penalty : logits[i] / penalty;
}

/* Keeps every score not below the k-th largest: ties at the border all stay. */
static void keep_top_k(LvSampler *sampler, float *scores)
{
    const uint32_t k = sampler->generation.top_k;
    if (k == 0 || k >= sampler->n_vocab)
        return;
    const float least = lv_kth_largest(scores, sampler->n_vocab, k);
    for (uint32_t i = 0; i < sampler->n_vocab; i++)
        if (scores[i] < least)
            scores[i] = -INFINITY;
}

/* Drops the least likely candidates whose probabilities add up to no more than 1 - p; the likeliest
 * one always stays. Among equal scores the reference's order decides, so what top-k excluded is
 * ordered with the rest. */
static void keep_top_p(LvSampler *sampler, float *scores)
{
    if (!(sampler->generation.top_p < 1))
        return;
    const uint32_t n = sampler->n_vocab, *order = sampler->order;
    const float drop = (float)(1 - sampler->generation.top_p);
    lv_order_ascending(scores, sampler->order, n);
    const float largest = scores[order[n - 1]];
    double sum = 0, below = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += expf(scores[order[i]] - largest);
    for (uint32_t i = 0; i + 1 < n; i++) {
        const uint32_t id = order[i];
        below += (float)(expf(scores[id] - largest) / sum);
        if ((float)below > drop)
            break;
        scores[id] = -INFINITY;
    }
}

static void softmax(float *scores, uint32_t n)
{
    float largest = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        if (scores[i] > largest)
            largest = scores[i];
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = scores[i] == -INFINITY ? 0 : expf(scores[i] - largest);
        sum += scores[i];
    }
    for (uint32_t i = 0; i < n; i++)
        scores[i] = (float)(scores[i] / sum);
}

LlavaovStatus lv_sampler_process(LvSampler *sampler, float *logits, LlavaovError *error)
{
    LlavaovStatus status = check_finite(logits, sampler->n_vocab, error);
    if (status != LLAVAOV_OK)
        return status;
    penalise(sampler, logits);
    const float temperature = (float)sampler->generation.temperature;
    if (temperature <= 0)
        return LLAVAOV_OK;
    if (temperature != 1)
        for (uint32_t i = 0; i < sampler->n_vocab; i++)
            logits[i] /= temperature;
    /* A tiny temperature may carry finite logits to infinity. */
    status = check_finite(logits, sampler->n_vocab, error);
    if (status != LLAVAOV_OK)
        return status;
    keep_top_k(sampler, logits);
    keep_top_p(sampler, logits);
    softmax(logits, sampler->n_vocab);
    return LLAVAOV_OK;
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

LlavaovStatus lv_sampler_next(
    LvSampler *sampler, float *logits, int32_t *token, LlavaovError *error)
{
    LlavaovStatus status = lv_sampler_process(sampler, logits, error);
    if (status != LLAVAOV_OK)
        return status;
    *token = sampler->generation.temperature > 0 ? draw(sampler, logits)
                                                 : first_maximum(logits, sampler->n_vocab);
    lv_sampler_see(sampler, token, 1);
    return LLAVAOV_OK;
}

void lv_sampler_note(LvSampler *sampler, int32_t token)
{
    sampler->draws += sampler->generation.temperature > 0;
    lv_sampler_see(sampler, &token, 1);
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
