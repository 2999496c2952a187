/* SPDX-License-Identifier: Apache-2.0
 * The key-value cache, and the rotary embedding on the way into it. */
#include "backend/cpu.h"

/* ---- cache ---- */

/* Room for `capacity` tokens of its own; shape and base are those of `like`. */
static LlavaovStatus open_like(const LvKernels *kernels, const LvKvCache *like, size_t capacity,
    LvKvCache **out, LlavaovError *error)
{
    LvKvCache *cache = lv_calloc(1, sizeof *cache);
    if (cache) {
        *cache = (LvKvCache){.base = like->base,
            .n_base = like->n_base,
            .n_layers = like->n_layers,
            .n_kv_heads = like->n_kv_heads,
            .head_dim = like->head_dim,
            .held = like->held};
        atomic_init(&cache->refs, 1);
        cache->capacity =
            lv_ceil_div(capacity ? capacity : 1, kernels->tile_rows) * kernels->tile_rows;
        cache->key_size = kernels->key_panel_size(cache->capacity, cache->head_dim);
        cache->value_size = kernels->value_panel_size(cache->capacity, cache->head_dim);
        /* Fresh pages of a large block are taken from the system only when they are written. */
        cache->data = lv_alloc_aligned(
            (size_t)cache->n_layers * cache->n_kv_heads * (cache->key_size + cache->value_size),
            lv_dtype_bytes(cache->held));
    }
    *out = NULL;
    if (!cache || !cache->data) {
        lv_free(cache);
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a cache of %zu tokens", capacity);
    }
    if (cache->base)
        atomic_fetch_add(&cache->base->refs, 1);
    *out = cache;
    return LLAVAOV_OK;
}

LlavaovStatus lv_cpu_kv_open(LvBackend *backend, uint32_t n_layers, uint32_t n_kv_heads,
    uint32_t head_dim, uint32_t capacity, LvKvCache **cache, LlavaovError *error)
{
    *cache = NULL;
    if (!n_layers || n_layers > LV_MAX_LAYERS || !n_kv_heads || n_kv_heads > LV_MAX_HEADS ||
        !head_dim || head_dim > LV_MAX_KERNEL_HEAD_DIM || capacity > LV_MAX_CONTEXT)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL,
            "a cache of %u layers, %u heads of %u, %u tokens", n_layers, n_kv_heads, head_dim,
            capacity);
    const LvKvCache like = {.n_layers = n_layers,
        .n_kv_heads = n_kv_heads,
        .head_dim = head_dim,
        .held = lv_cpu(backend)->kv};
    return open_like(lv_cpu(backend)->kernels, &like, capacity, cache, error);
}

/* The first n of another cache's own tokens. */
static void copy_tokens(const LvKernels *kernels, LvKvCache *to, const LvKvCache *from, size_t n)
{
    for (uint32_t layer = 0; layer < to->n_layers; layer++)
        for (uint32_t head = 0; head < to->n_kv_heads; head++) {
            kernels->copy_keys(lv_kv_keys(to, layer, head), to->capacity,
                lv_kv_keys(from, layer, head), to->held, from->capacity, n, to->head_dim);
            kernels->copy_values(lv_kv_values(to, layer, head), to->capacity,
                lv_kv_values(from, layer, head), to->held, from->capacity, n, to->head_dim);
        }
}

/* A cache without a base lends its tokens; a fork's own are few, and are copied, so that no chain of
 * caches comes about. */
LlavaovStatus lv_cpu_kv_fork(LvBackend *backend, const LvRun *run, LvKvCache *base, uint32_t n,
    uint32_t capacity, LvKvCache **cache)
{
    const LvKernels *kernels = lv_cpu(backend)->kernels;
    const bool copies = base->base && n > base->n_base;
    const LvKvCache like = {.base = base->base ? base->base : base,
        .n_base = copies ? base->n_base : n,
        .n_layers = base->n_layers,
        .n_kv_heads = base->n_kv_heads,
        .head_dim = base->head_dim,
        .held = base->held};
    *cache = NULL;
    if (n > capacity || capacity > LV_MAX_CONTEXT || n > base->n_base + base->capacity)
        return lv_shape_error(run, "kv_fork");
    LlavaovStatus status = open_like(kernels, &like, capacity - like.n_base, cache, run->error);
    if (status == LLAVAOV_OK && copies)
        copy_tokens(kernels, *cache, base, n - like.n_base);
    return status;
}

void lv_cpu_kv_close(LvBackend *backend, LvKvCache *cache)
{
    while (cache && atomic_fetch_sub(&cache->refs, 1) == 1) {
        LvKvCache *base = cache->base;
        lv_free(cache->data);
        lv_free(cache);
        cache = base;
    }
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
    const size_t stride = r->qkv.stride, key = q->position + first - q->cache->n_base;
    const float *rows = lv_row(r->qkv, q->first_row + first);
    for (uint32_t head = 0; head < r->n_kv_heads; head++) {
        const float *keys = rows + (size_t)(r->n_heads + head) * r->head_dim;
        const float *values = keys + (size_t)r->n_kv_heads * r->head_dim;
        kernels->store_keys(lv_kv_keys(q->cache, r->layer, head), q->cache->held,
            q->cache->capacity, key, keys, stride, n, r->head_dim);
        kernels->store_values(lv_kv_values(q->cache, r->layer, head), q->cache->held,
            q->cache->capacity, key, values, stride, n, r->head_dim);
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
            cache->head_dim != text->head_dim || q->position < cache->n_base ||
            (size_t)q->position + q->n_rows > cache->n_base + cache->capacity ||
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
