/* SPDX-License-Identifier: Apache-2.0
 * The key-value cache, and the rotary embedding on the way into it. */
#include "backend/cpu.h"

/* ---- cache ---- */

LlavaovStatus lv_cpu_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache_out, LlavaovError *error)
{
    const LvKernels *kernels = lv_cpu(backend)->kernels;
    *cache_out = NULL;
    if (!n_layers || n_layers > LV_MAX_LAYERS || !n_kv_heads || n_kv_heads > LV_MAX_HEADS ||
        !head_dim || head_dim > LV_MAX_KERNEL_HEAD_DIM || capacity > LV_MAX_CONTEXT)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL,
            "a cache of %u layers, %u heads of %u, %u tokens", n_layers, n_kv_heads, head_dim,
            capacity);
    LvKvCache *cache = lv_calloc(1, sizeof *cache);
    if (cache) {
        cache->n_layers = n_layers;
        cache->n_kv_heads = n_kv_heads;
        cache->head_dim = head_dim;
        cache->capacity =
            lv_ceil_div(capacity ? capacity : 1, kernels->tile_rows) * kernels->tile_rows;
        cache->key_size = kernels->key_panel_size(cache->capacity, head_dim);
        cache->value_size = kernels->value_panel_size(cache->capacity, head_dim);
        /* Fresh pages of a large block are taken from the system only when they are written. */
        cache->data = lv_alloc_aligned(
            (size_t)n_layers * n_kv_heads * (cache->key_size + cache->value_size), sizeof(float));
    }
    if (!cache || !cache->data) {
        lv_free(cache);
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a cache of %u tokens", capacity);
    }
    *cache_out = cache;
    return LLAVAOV_OK;
}

void lv_cpu_kv_close(LvBackend *backend, LvKvCache *cache)
{
    if (!cache)
        return;
    lv_free(cache->data);
    lv_free(cache);
}

/* ---- rotary embedding ---- */

/* The rows from `position` on, of a table that reaches `n` further; kept for the next layer. */
static LlavaovStatus rope_table(LvCpu *cpu, const LvTextConfig *text, const LvSequence *sequence,
    const float **table, LlavaovError *error)
{
    const uint32_t end = sequence->position + sequence->n_rows;
    const uint32_t variant =
        lv_rope_variant(&text->rope, sequence->pass_end ? sequence->pass_end : end);
    LvCpuRope *rope = variant ? &cpu->rope_pass : &cpu->rope;
    if (rope->variant != variant || rope->head_dim != text->head_dim ||
        sequence->position < rope->first || end > rope->first + rope->n ||
        !lv_rope_equal(&rope->made_for, &text->rope)) {
        const uint32_t first = variant ? sequence->position : 0,
                       n = variant ? sequence->n_rows : (end + 1023) / 1024 * 1024;
        rope->n = 0;
        LlavaovStatus status =
            lv_cpu_scratch_reserve(&rope->table, (size_t)n * text->head_dim, error);
        if (status != LLAVAOV_OK)
            return status;
        lv_rope_rows(rope->table.data, &text->rope, text->head_dim, variant, first, n);
        rope->made_for = text->rope;
        rope->head_dim = text->head_dim;
        rope->variant = variant;
        rope->first = first;
        rope->n = n;
    }
    *table = rope->table.data + (size_t)(sequence->position - rope->first) * text->head_dim;
    return LLAVAOV_OK;
}

/* What one sequence's rows need. */
typedef struct RopeRows {
    const LvCpu *cpu;
    LvTensor qkv;
    const LvSequence *sequence;
    const float *rope; /* of the sequence's first row */
    uint32_t layer, n_heads, n_kv_heads, head_dim;
} RopeRows;

/* Rows [first, first + n) of the sequence, rotated. */
static void store_rows(const RopeRows *r, size_t first, size_t n)
{
    const LvKernels *kernels = r->cpu->kernels;
    const LvSequence *q = r->sequence;
    const size_t stride = r->qkv.stride;
    const float *rows = lv_row(r->qkv, q->first_row + first);
    for (uint32_t head = 0; head < r->n_kv_heads; head++) {
        const float *keys = rows + (size_t)(r->n_heads + head) * r->head_dim;
        const float *values = keys + (size_t)r->n_kv_heads * r->head_dim;
        kernels->store_keys(lv_kv_keys(q->cache, r->layer, head), q->cache->capacity,
            q->position + first, keys, stride, n, r->head_dim);
        kernels->store_values(lv_kv_values(q->cache, r->layer, head), q->cache->capacity,
            q->position + first, values, stride, n, r->head_dim);
    }
}

static void rope_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const RopeRows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    size_t stride = r->qkv.stride;
    float *rows = lv_row_out(r->qkv, r->sequence->first_row + first);
    for (size_t i = 0; i < n; i++) {
        const float *table = r->rope + (first + i) * r->head_dim;
        kernels->rope(rows + i * stride, r->n_heads + r->n_kv_heads, r->head_dim, table,
            table + r->head_dim / 2);
    }
    store_rows(r, first, n);
}

static void store_units(void *data, size_t first, size_t n, unsigned worker)
{
    store_rows(data, first, n);
}

LlavaovStatus lv_cpu_store_again(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvSequence *sequence, uint32_t layer, const LvTextConfig *text)
{
    RopeRows rows = {.cpu = lv_cpu(backend),
        .qkv = qkv,
        .sequence = sequence,
        .layer = layer,
        .n_heads = text->n_heads,
        .n_kv_heads = text->n_kv_heads,
        .head_dim = text->head_dim};
    return lv_cpu_run(lv_cpu(backend), run, sequence->n_rows, 64, store_units, &rows);
}

bool lv_cpu_batch_fits(LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    if (!text->n_kv_heads || text->n_heads % text->n_kv_heads || !text->head_dim ||
        text->head_dim % 2 || text->head_dim > LV_MAX_KERNEL_HEAD_DIM ||
        qkv.cols != (size_t)(text->n_heads + 2 * text->n_kv_heads) * text->head_dim)
        return false;
    for (size_t i = 0; i < batch->n_sequences; i++) {
        const LvSequence *q = &batch->sequences[i];
        const LvKvCache *cache = q->cache;
        if (layer >= cache->n_layers || cache->n_kv_heads != text->n_kv_heads ||
            cache->head_dim != text->head_dim ||
            (size_t)q->position + q->n_rows > cache->capacity ||
            (size_t)q->first_row + q->n_rows > qkv.rows)
            return false;
    }
    return true;
}

LlavaovStatus lv_cpu_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    LvCpu *cpu = lv_cpu(backend);
    RopeRows rows = {.cpu = cpu,
        .qkv = qkv,
        .layer = layer,
        .n_heads = text->n_heads,
        .n_kv_heads = text->n_kv_heads,
        .head_dim = text->head_dim};
    if (!lv_cpu_batch_fits(qkv, batch, layer, text))
        return lv_shape_error(run, "rope_store");
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < batch->n_sequences && status == LLAVAOV_OK; i++) {
        rows.sequence = &batch->sequences[i];
        status = rope_table(cpu, text, rows.sequence, &rows.rope, run->error);
        if (status == LLAVAOV_OK)
            status = lv_cpu_run(cpu, run, rows.sequence->n_rows, 64, rope_rows, &rows);
    }
    return status;
}
