/* SPDX-License-Identifier: Apache-2.0
 * Attention, the rotary embedding and the key-value cache.
 *
 * A tile of attention is one register width of queries ("lanes") against blocks of keys. Lanes of
 * grouped-query attention are (row, head of the group) pairs in that order, so that one pass over a
 * head's keys serves its whole group. When a sequence brings only few queries (decoding), its keys
 * are cut into blocks for the threads and the partial results are joined in order: the outcome
 * depends on lengths alone, never on the number of threads. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

#include "backend/parts.h"

/* Sequences with at most so many tiles of queries a head have their keys split. */
#define SPLIT_TILES 2u

/* ---- scratch of one worker ---- */

typedef struct TileScratch {
    float *queries, *scores, *max, *sum, *acc, *rest;
} TileScratch;

static size_t state_size(const LvKernels *kernels, uint32_t head_dim)
{
    return (size_t)kernels->lanes * (head_dim + 2);
}

static size_t tile_scratch_size(const LvKernels *kernels, uint32_t head_dim)
{
    return (size_t)kernels->lanes * (head_dim + LV_KEY_BLOCK) +
           (state_size(kernels, head_dim) + 15) / 16 * 16;
}

/* lanes is a multiple of 16 or the block is only used by sets that ask for less alignment */
static TileScratch tile_scratch(const LvKernels *kernels, float *data, uint32_t head_dim)
{
    TileScratch s;
    size_t lanes = kernels->lanes;
    s.queries = data;
    s.scores = s.queries + lanes * head_dim;
    s.max = s.scores + lanes * LV_KEY_BLOCK;
    s.sum = s.max + lanes;
    s.acc = s.sum + lanes;
    s.rest = data + tile_scratch_size(kernels, head_dim);
    return s;
}

static void run_tile(const LvKernels *kernels, LvAttentionTile *tile, const TileScratch *s)
{
    tile->queries = s->queries;
    tile->scores = s->scores;
    tile->max = s->max;
    tile->sum = s->sum;
    tile->acc = s->acc;
    lv_attention_begin(s->max, s->sum, s->acc, kernels->lanes, tile->head_dim);
    kernels->attention_tile(tile);
}

/* ---- full attention ---- */

typedef struct Full {
    LvCpu *cpu;
    const LvRun *run;
    LvTensor out, qkv;
    size_t n_tokens, capacity;
    uint32_t n_heads, head_dim;
    size_t splits; /* pieces of one head's queries */
    float scale;
} Full;

static void full_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Full *f = data;
    const LvKernels *kernels = f->cpu->kernels;
    TileScratch s = tile_scratch(kernels, f->cpu->workers[worker].data, f->head_dim);
    float *keys = s.rest, *values = keys + kernels->key_panel_size(f->capacity, f->head_dim);
    for (size_t unit = first; unit < first + n; unit++) {
        size_t split = unit % f->splits, head = unit / f->splits % f->n_heads,
               item = unit / f->splits / f->n_heads;
        const float *rows = lv_row(f->qkv, item * f->n_tokens) + head * f->head_dim;
        size_t width = (size_t)f->n_heads * f->head_dim, stride = f->qkv.stride;
        kernels->store_keys(keys, f->capacity, 0, rows + width, stride, f->n_tokens, f->head_dim);
        kernels->store_values(
            values, f->capacity, 0, rows + 2 * width, stride, f->n_tokens, f->head_dim);
        size_t tiles = lv_ceil_div(f->n_tokens, kernels->lanes);
        size_t end = tiles * (split + 1) / f->splits;
        for (size_t t = tiles * split / f->splits; t < end && !lv_cancelled(f->run->cancel); t++) {
            size_t token = t * kernels->lanes, lanes = f->n_tokens - token;
            lanes = lanes < kernels->lanes ? lanes : kernels->lanes;
            const float *sources[LV_MAX_LANES];
            float *destinations[LV_MAX_LANES];
            for (size_t lane = 0; lane < lanes; lane++) {
                sources[lane] = rows + (token + lane) * stride;
                destinations[lane] =
                    lv_row_out(f->out, item * f->n_tokens + token + lane) + head * f->head_dim;
            }
            kernels->pack_queries(s.queries, sources, (uint32_t)lanes, f->head_dim, f->scale);
            LvAttentionTile tile = {.keys = keys,
                .values = values,
                .capacity = f->capacity,
                .n_keys = f->n_tokens,
                .head_dim = f->head_dim,
                .n_lanes = (uint32_t)lanes};
            run_tile(kernels, &tile, &s);
            kernels->attention_store(destinations, s.acc, s.sum, (uint32_t)lanes, f->head_dim);
        }
    }
}

LlavaovStatus lv_cpu_attention_full(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, size_t n_items, size_t n_tokens, uint32_t n_heads, uint32_t head_dim)
{
    LvCpu *cpu = lv_cpu(backend);
    const LvKernels *kernels = cpu->kernels;
    size_t width = (size_t)n_heads * head_dim;
    if (!width || head_dim > LV_MAX_KERNEL_HEAD_DIM || qkv.cols != 3 * width || out.cols != width ||
        qkv.rows != n_items * n_tokens || out.rows != qkv.rows)
        return lv_shape_error(run, "attention_full");
    if (out.rows == 0)
        return LLAVAOV_OK;
    Full full = {cpu, run, out, qkv, n_tokens,
        lv_ceil_div(n_tokens, kernels->tile_rows) * kernels->tile_rows, n_heads, head_dim, 1,
        (float)(1.0 / sqrt((double)head_dim))};
    size_t heads = n_items * n_heads, wanted = 4 * (size_t)lv_pool_threads(cpu->pool);
    size_t tiles = lv_ceil_div(n_tokens, kernels->lanes);
    if (lv_pool_threads(cpu->pool) > 1 && heads < wanted)
        full.splits = lv_ceil_div(wanted, heads) < tiles ? lv_ceil_div(wanted, heads) : tiles;
    LlavaovStatus status = lv_workers_reserve(cpu,
        tile_scratch_size(kernels, head_dim) + kernels->key_panel_size(full.capacity, head_dim) +
            kernels->value_panel_size(full.capacity, head_dim),
        run->error);
    return status == LLAVAOV_OK ? lv_cpu_run(cpu, run, heads * full.splits, 1, full_units, &full)
                                : status;
}

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

/* Makes the table reach `positions`. */
static LlavaovStatus reserve_rope(
    LvCpu *cpu, uint32_t positions, uint32_t head_dim, double theta, LlavaovError *error)
{
    if (cpu->rope_positions >= positions && cpu->rope_head_dim == head_dim &&
        cpu->rope_theta == theta)
        return LLAVAOV_OK;
    uint32_t n = (positions + 1023) / 1024 * 1024;
    cpu->rope_positions = 0;
    LlavaovStatus status = lv_scratch_reserve(&cpu->rope, (size_t)n * head_dim, error);
    if (status != LLAVAOV_OK)
        return status;
    lv_rope_table(cpu->rope.data, n, head_dim, theta);
    cpu->rope_positions = n;
    cpu->rope_head_dim = head_dim;
    cpu->rope_theta = theta;
    return LLAVAOV_OK;
}

typedef struct Rows {
    LvCpu *cpu;
    const LvRun *run;
    LvTensor out, qkv;
    const LvSequence *sequence;
    uint32_t layer, n_heads, n_kv_heads, head_dim;
    float scale;
    /* attention of one sequence */
    size_t pairs, tiles,
        blocks; /* query-head pairs of a kv head, tiles of them, key blocks of a split sequence */
} Rows;

static void rope_rows(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    const LvSequence *q = r->sequence;
    size_t stride = r->qkv.stride;
    float *rows = lv_row_out(r->qkv, q->first_row + first);
    for (size_t i = 0; i < n; i++) {
        const float *table = r->cpu->rope.data + (q->position + first + i) * r->head_dim;
        kernels->rope(rows + i * stride, r->n_heads + r->n_kv_heads, r->head_dim, table,
            table + r->head_dim / 2);
    }
    for (uint32_t head = 0; head < r->n_kv_heads; head++) {
        const float *keys = rows + (size_t)(r->n_heads + head) * r->head_dim;
        const float *values = keys + (size_t)r->n_kv_heads * r->head_dim;
        kernels->store_keys(lv_kv_keys(q->cache, r->layer, head), q->cache->capacity,
            q->position + first, keys, stride, n, r->head_dim);
        kernels->store_values(lv_kv_values(q->cache, r->layer, head), q->cache->capacity,
            q->position + first, values, stride, n, r->head_dim);
    }
}

/* Checks what both operations on a batch promise each other. */
static bool batch_fits(const Rows *r, const LvBatch *batch, size_t group)
{
    if (!r->n_kv_heads || r->n_heads % r->n_kv_heads || !r->head_dim || r->head_dim % 2 ||
        r->head_dim > LV_MAX_KERNEL_HEAD_DIM || group > LV_MAX_HEADS ||
        r->qkv.cols != (size_t)(r->n_heads + 2 * r->n_kv_heads) * r->head_dim)
        return false;
    for (size_t i = 0; i < batch->n_sequences; i++) {
        const LvSequence *q = &batch->sequences[i];
        const LvKvCache *cache = q->cache;
        if (r->layer >= cache->n_layers || cache->n_kv_heads != r->n_kv_heads ||
            cache->head_dim != r->head_dim || (size_t)q->position + q->n_rows > cache->capacity ||
            (size_t)q->first_row + q->n_rows > r->qkv.rows)
            return false;
    }
    return true;
}

LlavaovStatus lv_cpu_rope_store(LvBackend *backend, const LvRun *run, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    LvCpu *cpu = lv_cpu(backend);
    Rows rows = {.cpu = cpu,
        .qkv = qkv,
        .layer = layer,
        .n_heads = text->n_heads,
        .n_kv_heads = text->n_kv_heads,
        .head_dim = text->head_dim};
    if (!batch_fits(&rows, batch, 1))
        return lv_shape_error(run, "rope_store");
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < batch->n_sequences && status == LLAVAOV_OK; i++) {
        rows.sequence = &batch->sequences[i];
        status = reserve_rope(cpu, rows.sequence->position + rows.sequence->n_rows, text->head_dim,
            text->rope_theta, run->error);
        if (status == LLAVAOV_OK)
            status = lv_cpu_run(cpu, run, rows.sequence->n_rows, 64, rope_rows, &rows);
    }
    return status;
}

/* ---- causal attention ---- */

/* Loads the lanes of one tile: sources, destinations and how many keys each lane sees. */
static uint32_t tile_lanes(const Rows *r, uint32_t kv_head, size_t tile, const float **sources,
    float **destinations, uint32_t *visible)
{
    size_t group = r->n_heads / r->n_kv_heads, lanes = r->cpu->kernels->lanes,
           n = r->pairs - tile * lanes;
    n = n < lanes ? n : lanes;
    for (size_t lane = 0; lane < n; lane++) {
        size_t pair = tile * lanes + lane, row = r->sequence->first_row + pair / group;
        size_t head = kv_head * group + pair % group;
        sources[lane] = lv_row(r->qkv, row) + head * r->head_dim;
        destinations[lane] = lv_row_out(r->out, row) + head * r->head_dim;
        visible[lane] = r->sequence->position + (uint32_t)(pair / group) + 1;
    }
    return (uint32_t)n;
}

static void load_tile(
    const Rows *r, LvAttentionTile *tile, uint32_t kv_head, const float **sources, float *queries)
{
    const LvKvCache *cache = r->sequence->cache;
    tile->keys = lv_kv_keys(cache, r->layer, kv_head);
    tile->values = lv_kv_values(cache, r->layer, kv_head);
    tile->capacity = cache->capacity;
    tile->head_dim = r->head_dim;
    r->cpu->kernels->pack_queries(queries, sources, tile->n_lanes, r->head_dim, r->scale);
}

/* A unit is a tile of a head; the last ones, which see most keys, go first. */
static void causal_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    TileScratch s = tile_scratch(kernels, r->cpu->workers[worker].data, r->head_dim);
    for (size_t unit = first; unit < first + n; unit++) {
        size_t index = r->tiles * r->n_kv_heads - 1 - unit;
        uint32_t kv_head = (uint32_t)(index % r->n_kv_heads);
        const float *sources[LV_MAX_LANES];
        float *destinations[LV_MAX_LANES];
        uint32_t visible[LV_MAX_LANES];
        LvAttentionTile tile = {.visible = visible};
        tile.n_lanes =
            tile_lanes(r, kv_head, index / r->n_kv_heads, sources, destinations, visible);
        load_tile(r, &tile, kv_head, sources, s.queries);
        tile.n_keys = visible[tile.n_lanes - 1];
        run_tile(kernels, &tile, &s);
        kernels->attention_store(destinations, s.acc, s.sum, tile.n_lanes, r->head_dim);
    }
}

/* A unit is a block of keys of a tile of a head; its state goes to `packed`. */
static void block_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    TileScratch s = tile_scratch(kernels, r->cpu->workers[worker].data, r->head_dim);
    for (size_t unit = first; unit < first + n; unit++) {
        size_t block = unit % r->blocks, index = unit / r->blocks;
        uint32_t kv_head = (uint32_t)(index % r->n_kv_heads);
        const float *sources[LV_MAX_LANES];
        float *destinations[LV_MAX_LANES];
        uint32_t visible[LV_MAX_LANES];
        LvAttentionTile tile = {.visible = visible, .first_key = block * LV_KEY_BLOCK};
        tile.n_lanes =
            tile_lanes(r, kv_head, index / r->n_kv_heads, sources, destinations, visible);
        load_tile(r, &tile, kv_head, sources, s.queries);
        size_t end = visible[tile.n_lanes - 1];
        end = end < tile.first_key + LV_KEY_BLOCK ? end : tile.first_key + LV_KEY_BLOCK;
        tile.n_keys = end > tile.first_key ? end - tile.first_key : 0;
        TileScratch state = s;
        state.max = r->cpu->packed.data + unit * state_size(kernels, r->head_dim);
        state.sum = state.max + kernels->lanes;
        state.acc = state.sum + kernels->lanes;
        run_tile(kernels, &tile, &state);
    }
}

static void join_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    size_t lanes = kernels->lanes, size = state_size(kernels, r->head_dim);
    for (size_t index = first; index < first + n; index++) {
        const float *sources[LV_MAX_LANES];
        float *destinations[LV_MAX_LANES];
        uint32_t visible[LV_MAX_LANES];
        uint32_t n_lanes = tile_lanes(r, (uint32_t)(index % r->n_kv_heads), index / r->n_kv_heads,
            sources, destinations, visible);
        float *state = r->cpu->packed.data + index * r->blocks * size;
        for (size_t block = 1; block < r->blocks; block++) {
            const float *other = state + block * size;
            lv_attention_merge(state, state + lanes, state + 2 * lanes, other, other + lanes,
                other + 2 * lanes, (uint32_t)lanes, r->head_dim);
        }
        kernels->attention_store(
            destinations, state + 2 * lanes, state + lanes, n_lanes, r->head_dim);
    }
}

static LlavaovStatus attend(Rows *r, const LvRun *run)
{
    const LvKernels *kernels = r->cpu->kernels;
    size_t keys = (size_t)r->sequence->position + r->sequence->n_rows;
    r->pairs = (size_t)r->sequence->n_rows * (r->n_heads / r->n_kv_heads);
    r->tiles = lv_ceil_div(r->pairs, kernels->lanes);
    if (r->tiles > SPLIT_TILES || keys <= LV_KEY_BLOCK)
        return lv_cpu_run(r->cpu, run, r->tiles * r->n_kv_heads, 4, causal_units, r);
    r->blocks = lv_ceil_div(keys, LV_KEY_BLOCK);
    size_t heads = r->tiles * r->n_kv_heads;
    LlavaovStatus status = lv_scratch_reserve(
        &r->cpu->packed, heads * r->blocks * state_size(kernels, r->head_dim), run->error);
    if (status == LLAVAOV_OK)
        status = lv_cpu_run(r->cpu, run, heads * r->blocks, 1, block_units, r);
    if (status == LLAVAOV_OK)
        status = lv_cpu_run(r->cpu, run, heads, 1, join_units, r);
    return status;
}

LlavaovStatus lv_cpu_attention_causal(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    LvCpu *cpu = lv_cpu(backend);
    Rows rows = {.cpu = cpu,
        .run = run,
        .out = out,
        .qkv = qkv,
        .layer = layer,
        .n_heads = text->n_heads,
        .n_kv_heads = text->n_kv_heads,
        .head_dim = text->head_dim,
        .scale = (float)(1.0 / sqrt((double)text->head_dim))};
    if (!batch_fits(&rows, batch, 1) || out.rows != qkv.rows ||
        out.cols != (size_t)text->n_heads * text->head_dim)
        return lv_shape_error(run, "attention_causal");
    LlavaovStatus status =
        lv_workers_reserve(cpu, tile_scratch_size(cpu->kernels, text->head_dim), run->error);
    for (size_t i = 0; i < batch->n_sequences && status == LLAVAOV_OK; i++) {
        rows.sequence = &batch->sequences[i];
        if (rows.sequence->n_rows)
            status = attend(&rows, run);
    }
    return status;
}
