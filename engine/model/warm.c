/* SPDX-License-Identifier: Apache-2.0 */
#include "model/warm.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "model/next_token.h"
#include "model/decoder.h"
#include "model/scratch.h"
#include "model/try.h"
#include "model/visual.h"

#define MOST_SEQUENCES 64u
#define CONTEXT 8u   /* tokens of a sequence of the steps */
#define EACH_KIND 2u /* steps: whatever records a step does so on the second run */

typedef struct Warming {
    const LvModel *model;
    LvBackend *b;
    const LvWarm *asked;
    LlavaovError *error;
    uint64_t end; /* nanoseconds */
    uint32_t done, planned;
} Warming;

static bool has_time(const Warming *w)
{
    return lv_now_ns() < w->end;
}

static uint32_t largest_power(uint32_t most)
{
    uint32_t size = 1;
    while (size * 2 <= most)
        size *= 2;
    return size;
}

static uint32_t count_calls(const LvWarm *asked)
{
    uint32_t n = asked->tiles + (asked->rows > 0);
    for (uint32_t size = asked->sequences ? largest_power(asked->sequences) : 0; size; size /= 2)
        n += 2 * EACH_KIND;
    return n;
}

static LlavaovStatus report(const Warming *w, uint32_t done)
{
    const LvWarm *asked = w->asked;
    if (!asked->progress || asked->progress(asked->progress_data, done, w->planned))
        return LLAVAOV_OK;
    return lv_fail(w->error, LLAVAOV_ERROR_CANCELLED, NULL, "loading was cancelled");
}

/* One call has ended with this status. */
static LlavaovStatus one_done(Warming *w, LlavaovStatus status)
{
    if (status != LLAVAOV_OK)
        return status;
    w->done++;
    return report(w, w->done);
}

LvWarm lv_warm_of(const LvBackend *backend)
{
    const LvBackendInfo *info = &backend->info;
    const uint32_t most = info->preferred_sequences;
    return (LvWarm){.tiles = info->preferred_tiles,
        .rows = info->preferred_rows,
        .sequences = most < MOST_SEQUENCES ? most : MOST_SEQUENCES,
        .milliseconds = info->warm_ms};
}

static LlavaovStatus encode(Warming *w, const LvTile *tiles, uint32_t n)
{
    const LvConfig *config = w->model->config;
    const size_t pooled = lv_pooled_grid(config);
    const LvRun run = {.error = w->error};
    LvScratch scratch = lv_scratch(w->b, w->error);
    LvTensor out = lv_scratch_tensor(&scratch, n * pooled * pooled, config->text.hidden_size);
    LlavaovStatus status = scratch.status;
    if (status == LLAVAOV_OK)
        status = lv_visual_video(w->model, &run, out, tiles, n, LV_POOL_EARLY);
    if (status == LLAVAOV_OK)
        status = w->b->ops->synchronize(w->b, &run);
    lv_scratch_free(&scratch);
    return one_done(w, status);
}

/* The most frequent sizes first: one camera frame, and a full call. */
static LlavaovStatus encoder_calls(Warming *w, uint32_t first, uint32_t last)
{
    const size_t size = w->model->config->vision.image_size;
    uint8_t *rgb = lv_calloc(size * size, 3);
    LvTile *tiles = lv_calloc(last, sizeof *tiles);
    LlavaovStatus status = LLAVAOV_OK;
    if (!rgb || !tiles)
        status = lv_fail(w->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for tiles");
    for (uint32_t i = 0; i < last && status == LLAVAOV_OK; i++)
        tiles[i].rgb = rgb;
    for (uint32_t n = last; n >= first && n > 0 && status == LLAVAOV_OK && has_time(w); n--)
        status = encode(w, tiles, n);
    lv_free(tiles);
    lv_free(rgb);
    return status;
}

static LlavaovStatus prefill(Warming *w, uint32_t rows)
{
    const LvTextConfig *text = &w->model->config->text;
    const LvRun run = {.error = w->error};
    LvScratch scratch = lv_scratch(w->b, w->error);
    LvTensor hidden = lv_scratch_tensor(&scratch, rows, text->hidden_size);
    int32_t *ids = lv_calloc(rows, sizeof *ids);
    LvKvCache *cache = NULL;
    LlavaovStatus status = scratch.status;
    if (status == LLAVAOV_OK && !ids)
        status = lv_fail(w->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for ids");
    if (status == LLAVAOV_OK)
        status = w->b->ops->kv_open(
            w->b, text->n_layers, text->n_kv_heads, text->head_dim, rows, &cache, w->error);
    const LvPrompt prompt = {.ids = ids, .n = rows, .image_token = -1, .video_token = -1};
    const LvSequence sequence = {cache, 0, rows, 0, 0};
    const LvBatch batch = {&sequence, 1};
    if (status == LLAVAOV_OK)
        status = lv_decoder_embed(w->model, &run, hidden, &prompt, 0);
    if (status == LLAVAOV_OK)
        status = lv_decoder_run(w->model, &run, hidden, &batch, LV_LOGITS_NONE, NULL);
    if (status == LLAVAOV_OK)
        status = w->b->ops->synchronize(w->b, &run);
    if (cache)
        w->b->ops->kv_close(w->b, cache);
    lv_free(ids);
    lv_scratch_free(&scratch);
    return one_done(w, status);
}

/* Runs one kind of step as often as needed. Its scores are meaningless and may not be finite. */
static LlavaovStatus step(
    Warming *w, LvKvCache *const *caches, uint32_t n, LvSampler *sampler, float *logits)
{
    const LvRun run = {.error = w->error};
    LlavaovStatus status = LLAVAOV_OK;
    for (uint32_t s = 0; s < EACH_KIND && status == LLAVAOV_OK; s++) {
        LvSequence sequences[MOST_SEQUENCES];
        LvNextToken choices[MOST_SEQUENCES];
        LlavaovError ignored = {0};
        int32_t ids[MOST_SEQUENCES] = {0};
        for (uint32_t i = 0; i < n; i++) {
            sequences[i] = (LvSequence){caches[i], i, 1, s, 0};
            choices[i] = (LvNextToken){sampler, &ignored, LLAVAOV_OK, 0};
        }
        const LvBatch batch = {sequences, n};
        status = one_done(w, lv_decoder_step(w->model, &run, ids, &batch, false, choices, logits));
    }
    return status;
}

/* The largest first, so that shared buffers are large enough for all. */
static LlavaovStatus steps(Warming *w, LvKvCache *const *caches, uint32_t most)
{
    const uint32_t n_vocab = w->model->config->text.vocab_size;
    LlavaovGeneration ways[2] = {llavaov_generation_default(), llavaov_generation_default()};
    LvSampler samplers[2];
    ways[0].temperature = 1; /* drawn; then greedy */
    ways[0].top_k = 50;
    ways[0].top_p = 0.9;
    float *logits = lv_alloc(n_vocab, sizeof *logits);
    LlavaovStatus status = LLAVAOV_OK;
    uint32_t opened = 0;
    if (!logits)
        status = lv_fail(w->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits");
    while (opened < 2 && status == LLAVAOV_OK) {
        status = lv_sampler_open(&samplers[opened], &ways[opened], n_vocab, w->error);
        opened += status == LLAVAOV_OK;
    }
    for (uint32_t size = largest_power(most); size > 0 && status == LLAVAOV_OK; size /= 2)
        for (uint32_t way = 0; way < 2 && status == LLAVAOV_OK && has_time(w); way++)
            status = step(w, caches, size, &samplers[way], logits);
    while (opened > 0)
        lv_sampler_close(&samplers[--opened]);
    lv_free(logits);
    return status;
}

static LlavaovStatus decoding_steps(Warming *w, uint32_t most)
{
    const LvTextConfig *text = &w->model->config->text;
    LvKvCache *caches[MOST_SEQUENCES] = {0};
    LlavaovStatus status = LLAVAOV_OK;
    uint32_t n = 0;
    for (; n < most && status == LLAVAOV_OK; n++)
        status = w->b->ops->kv_open(
            w->b, text->n_layers, text->n_kv_heads, text->head_dim, CONTEXT, &caches[n], w->error);
    if (status == LLAVAOV_OK)
        status = steps(w, caches, most);
    while (n > 0)
        if (caches[--n])
            w->b->ops->kv_close(w->b, caches[n]);
    return status;
}

LlavaovStatus lv_model_warm(
    const LvModel *model, const LvWarm *warm, uint32_t *done, LlavaovError *error)
{
    Warming w = {.model = model,
        .b = model->backend,
        .asked = warm,
        .planned = count_calls(warm),
        .error = error,
        .end = lv_now_ns() + (uint64_t)warm->milliseconds * 1000000u};
    LlavaovStatus status = LLAVAOV_OK;
    if (warm->milliseconds && warm->tiles)
        status = encoder_calls(&w, 1, 1);
    if (status == LLAVAOV_OK && warm->sequences && has_time(&w))
        status = decoding_steps(&w, warm->sequences);
    if (status == LLAVAOV_OK && warm->rows && has_time(&w))
        status = prefill(&w, warm->rows);
    if (status == LLAVAOV_OK && warm->tiles > 1 && has_time(&w))
        status = encoder_calls(&w, 2, warm->tiles);
    if (done)
        *done = w.done;
    if (status == LLAVAOV_ERROR_MEMORY || status == LLAVAOV_ERROR_NUMERIC) {
        lv_error_clear(error); /* a request of that size will report it */
        status = LLAVAOV_OK;
    }
    return status == LLAVAOV_OK ? report(&w, w.planned) : status;
}
