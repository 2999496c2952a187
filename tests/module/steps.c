/* SPDX-License-Identifier: Apache-2.0 */
#include "generation.h"
#include "steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

Watch watch;
const LlavaovGeneration greedy = GENERATION(12, 0, 0, 1, 1, 0, NULL);

/* ---- the model ---- */

/* Small, with tokens that vary. */
int write_step_model(void **state)
{
    LvWriterSpec spec;
    if (!lv_writer_preset("mini", &spec))
        return -1;
    spec.text.head_dim = 32;
    spec.text.embed_gain = 0.3;
    spec.text.attention_gain = 3;
    return write_random_model(&spec);
}

/* Behind the operations of a step that were called, and still a part of it. */
static LlavaovStatus disturb(const LvRun *run, const LvDecodeStep *step)
{
    float one[VOCAB];
    LlavaovStatus status = LLAVAOV_OK;
    if (!step->greedy)
        status = watch.real->copy(
            watch.b, run, lv_tensor_rows(watch.scores, 0, step->scores.rows), step->scores);
    if (status == LLAVAOV_OK && watch.mischief == WAIT)
        status = watch.real->synchronize(watch.b, run);
    if (status == LLAVAOV_OK && watch.mischief == DOWNLOAD)
        status = watch.real->download(watch.b, run, one, lv_tensor_rows(watch.scores, 0, 1));
    if (watch.mischief == CANCEL) {
        lv_cancel_request(&watch.cancel);
        status = watch.real->copy(
            watch.b, run, lv_tensor_rows(watch.scores, 0, 1), lv_tensor_rows(watch.scores, 1, 1));
    }
    return status;
}

static LlavaovStatus step_end(
    LvBackend *b, const LvRun *run, LvDecodeStep *step, LlavaovStatus computed, int32_t *tokens)
{
    watch.computed += !step->replayed;
    if (!step->replayed && computed == LLAVAOV_OK)
        computed = disturb(run, step);
    return watch.real->step_end(b, run, step, computed, tokens);
}

void must(LlavaovStatus status, const LlavaovError *error)
{
    if (status != LLAVAOV_OK)
        fail_msg("%s", error->message);
}

void open_model(LlavaovPrecision precision, const char *options, const char *wishes)
{
    LlavaovError error = {0};
    memset(&watch, 0, sizeof watch);
    setenv("LLAVAOV_STANDIN", wishes, 1);
    char device[64];
    snprintf(device, sizeof device, "cuda%s", options);
    const LvBackendOptions backend = {.device = device, .precision = precision};
    must(lv_checkpoint_open(random_model, &watch.checkpoint, &error), &error);
    must(lv_backend_open(&backend, &watch.b, &error), &error);
    watch.real = watch.b->ops;
    watch.ops = *watch.real;
    watch.ops.step_end = step_end;
    must(lv_model_open(watch.checkpoint, watch.b, NULL, NULL, &watch.model, &error), &error);
    watch.b->ops = &watch.ops;
    must(watch.real->tensor_alloc(watch.b, LV_STEP_MOST, VOCAB, &watch.scores, &error), &error);
}

void close_model(void)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        watch.real->kv_close(watch.b, watch.members[i].cache);
        lv_sampler_close(&watch.members[i].sampler);
    }
    watch.real->tensor_free(watch.b, &watch.scores);
    watch.b->ops = watch.real;
    lv_model_close(watch.model);
    watch.real->close(watch.b);
    lv_checkpoint_close(watch.checkpoint);
    assert_int_equal(count().graphs, 0);
    assert_int_equal(count().live, 0);
}

size_t cache_bytes(const LvKvCache *cache)
{
    return lv_cuda_kv_elements(
               cache->n_layers, cache->n_kv_heads, cache->head_dim, cache->capacity) *
           lv_dtype_bytes(lv_cuda(watch.b)->type);
}

/* ---- its sequences ---- */

LvKvCache *new_cache(uint32_t position, uint32_t seed)
{
    const LvTextConfig *text = &watch.model->config->text;
    LlavaovError error = {0};
    LvKvCache *cache;
    must(watch.real->kv_open(watch.b, text->n_layers, text->n_kv_heads, text->head_dim,
             position + SPARE, &cache, &error),
        &error);
    memset(cache->data, 0xFF, cache_bytes(cache));
    const size_t panels = (size_t)cache->n_layers * 2 * cache->n_kv_heads;
    for (size_t i = 0; i < panels * position * cache->head_dim; i++) {
        seed = seed * 1664525u + 1013904223u;
        const float x = (float)(seed >> 8) / (1 << 24) - 0.5f;
        const size_t in_panel = (size_t)position * cache->head_dim;
        const size_t at = i / in_panel * cache->capacity * cache->head_dim + i % in_panel;
        uint32_t bits;
        memcpy(&bits, &x, sizeof bits);
        if (lv_cuda(watch.b)->type == LV_F32)
            ((float *)cache->data)[at] = x;
        else
            ((uint16_t *)cache->data)[at] = (uint16_t)(bits >> 16);
    }
    return cache;
}

void open_member(size_t i, uint32_t position, const LlavaovGeneration *generation)
{
    Member *m = &watch.members[i];
    LlavaovError error = {0};
    m->cache = new_cache(position, (uint32_t)i + 1);
    m->position = position;
    m->token = 100 + (int32_t)i;
    must(lv_sampler_open(&m->sampler, generation, VOCAB, &error), &error);
    lv_sampler_see(&m->sampler, &m->token, 1);
}

LlavaovStatus step(const size_t *who, size_t n, float *scores, LlavaovError *error)
{
    LvSequence sequences[MEMBERS];
    LvNextToken choices[MEMBERS];
    int32_t ids[MEMBERS] = {0};
    LlavaovError errors[MEMBERS] = {0};
    for (size_t i = 0; i < n; i++) {
        Member *m = &watch.members[who[i]];
        sequences[i] = (LvSequence){m->cache, (uint32_t)i, 1, m->position, 0};
        choices[i] = (LvNextToken){&m->sampler, &errors[i], LLAVAOV_OK, 0};
        ids[i] = m->token;
    }
    const LvBatch batch = {sequences, n};
    const LvRun run = {.cancel = &watch.cancel, .error = error}, reading = {.error = error};
    *error = (LlavaovError){0};
    LlavaovStatus status =
        lv_decoder_step(watch.model, &run, ids, &batch, watch.ahead, choices, NULL);
    if (status != LLAVAOV_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        Member *m = &watch.members[who[i]];
        must(choices[i].status, &errors[i]);
        m->token = choices[i].token;
        m->position++;
    }
    if (scores)
        must(watch.real->download(watch.b, &reading, scores, lv_tensor_rows(watch.scores, 0, n)),
            error);
    return LLAVAOV_OK;
}

void must_step(const size_t *who, size_t n, float *scores)
{
    LlavaovError error;
    must(step(who, n, scores, &error), &error);
}

void open_three(void)
{
    for (size_t i = 0; i < 3; i++)
        open_member(i, 20 + (uint32_t)i, &greedy);
}

void few_steps(int32_t tokens[FEW])
{
    static const size_t who[] = {0, 1, 2};
    open_three();
    for (size_t s = 0; s < FEW; s++) {
        must_step(who, 3, NULL);
        tokens[s] = watch.members[s % 3].token;
    }
}
