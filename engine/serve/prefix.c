/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/prefix.h"

#include <string.h>

#include "backend/rope.h"
#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"

LlavaovStatus lv_prefix_open(const LlavaovEngine *engine, const int32_t *ids, uint32_t n,
    uint32_t prompt_length, LvPrefix **prefix_out, LlavaovError *error)
{
    const LvTextConfig *text = &engine->model->config->text;
    *prefix_out = NULL;
    LvPrefix *prefix = lv_calloc(1, sizeof *prefix);
    if (!prefix)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    atomic_init(&prefix->refs, 1);
    prefix->backend = engine->backend;
    prefix->n = n;
    prefix->variant = lv_rope_variant(&text->rope, prompt_length);
    prefix->ids = lv_alloc(n, sizeof *prefix->ids);
    LlavaovStatus status = LLAVAOV_OK;
    if (prefix->ids) {
        memcpy(prefix->ids, ids, n * sizeof *ids);
        status = engine->backend->ops->kv_open(engine->backend, text->n_layers, text->n_kv_heads,
            text->head_dim, n, &prefix->cache, error);
    } else
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    if (status != LLAVAOV_OK) {
        lv_prefix_drop(prefix);
        return status;
    }
    *prefix_out = prefix;
    return LLAVAOV_OK;
}

LvPrefix *lv_prefix_adopt(
    const LlavaovEngine *engine, LvKvCache **cache, int32_t *ids, uint32_t n, uint32_t variant)
{
    LvPrefix *prefix = lv_calloc(1, sizeof *prefix);
    if (!prefix) {
        lv_free(ids);
        return NULL;
    }
    atomic_init(&prefix->refs, 1);
    prefix->backend = engine->backend;
    prefix->cache = *cache;
    prefix->ids = ids;
    prefix->n = prefix->n_cached = n;
    prefix->variant = variant;
    *cache = NULL;
    return prefix;
}

LvPrefix *lv_prefix_keep(LvPrefix *prefix)
{
    atomic_fetch_add(&prefix->refs, 1);
    return prefix;
}

void lv_prefix_drop(LvPrefix *prefix)
{
    if (!prefix || atomic_fetch_sub(&prefix->refs, 1) > 1)
        return;
    if (prefix->cache)
        prefix->backend->ops->kv_close(prefix->backend, prefix->cache);
    lv_free(prefix->ids);
    lv_free(prefix);
}

LlavaovStatus lv_prefix_run(const LlavaovEngine *engine, LvPrefix *prefix, const LvPrompt *prompt,
    size_t count, const LvRun *run)
{
    const LvModel *model = engine->model;
    const LvSequence sequence = {
        prefix->cache, 0, (uint32_t)count, prefix->n_cached, (uint32_t)prompt->n};
    const LvBatch batch = {&sequence, 1};
    LvScratch scratch = lv_scratch(engine->backend, run->error);
    LvTensor hidden = lv_scratch_tensor(&scratch, count, model->config->text.hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(lv_decoder_embed(model, run, hidden, prompt, prefix->n_cached));
    LV_TRY(lv_decoder_run(model, run, hidden, &batch, LV_LOGITS_NONE, NULL));
    prefix->n_cached += (uint32_t)count;
done:
    lv_scratch_free(&scratch);
    return status;
}

bool lv_prefix_fits(const LvPrefix *prefix, const LlavaovEngine *engine, const int32_t *ids,
    uint32_t n, uint32_t prompt_length)
{
    return prefix->n == n && memcmp(prefix->ids, ids, n * sizeof *ids) == 0 &&
           prefix->variant == lv_rope_variant(&engine->model->config->text.rope, prompt_length);
}
