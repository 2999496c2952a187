/* SPDX-License-Identifier: Apache-2.0
 * Attention.
 *
 * An attention tile is one register width of queries ("lanes") against blocks of keys. In
 * grouped-query attention lanes are (row, head of the group) pairs in that order, so that one pass
 * over a head's keys serves its whole group. Keys come in blocks, each of which gives a state of
 * its own; states are joined in pairs, pairs in fours and so on, as a tree over the numbers of the
 * blocks. So a sum goes through only a few joins (11 for a million keys) instead of one long chain.
 * Its bits do not depend on whether one thread processes all blocks or, where a sequence has few
 * queries (decoding), several do, nor on the other rows of its tile. */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

/* Sequences with at most this many tiles of queries per head have their keys split. */
#define SPLIT_TILES 2u

/* ---- states ---- */

/* The most states of a tile that wait for their pairs, for 2^20 keys. */
#define MAX_WAITING 12u
_Static_assert(
    LV_MAX_CONTEXT + LV_KEY_BLOCK <= (1u << (MAX_WAITING - 1)) * LV_KEY_BLOCK, "MAX_WAITING");

static size_t state_size(const LvKernels *kernels, uint32_t head_dim)
{
    return (size_t)kernels->lanes * (head_dim + 2);
}

static LvAttentionState state_at(const LvKernels *kernels, float *data)
{
    return (LvAttentionState){data, data + kernels->lanes, data + 2 * (size_t)kernels->lanes};
}

/* The states of blocks first .. block, joined as far as they are pairs: waiting[0 .. n - 1] become
 * waiting[0 .. result - 1]. The last is the block's own; where a pair's left half lies before the
 * first block, the right half stands for both. */
static size_t join_pairs(const LvKernels *kernels, const LvAttentionState *waiting, size_t n,
    size_t first, size_t block, uint32_t lanes, uint32_t head_dim)
{
    for (size_t level = 0; block >> level & 1 && block >> level << level > first; level++, n--)
        kernels->attention_join(&waiting[n - 2], &waiting[n - 1], lanes, head_dim);
    return n;
}

/* After the last block: all into waiting[0], as if the blocks up to the next power of two had no
 * keys. */
static void join_rest(const LvKernels *kernels, const LvAttentionState *waiting, size_t n,
    uint32_t lanes, uint32_t head_dim)
{
    for (; n > 1; n--)
        kernels->attention_join(&waiting[n - 2], &waiting[n - 1], lanes, head_dim);
}

/* ---- scratch of one worker ---- */

typedef struct TileScratch {
    float *queries, *scores;
    LvAttentionState states[MAX_WAITING];
    float *rest;
} TileScratch;

/* How many states may wait at once when processing so many blocks of keys. */
static size_t most_waiting(size_t blocks)
{
    size_t n = 1;
    for (; blocks > 1; blocks = (blocks + 1) / 2)
        n++;
    return n;
}

static size_t tile_scratch_size(const LvKernels *kernels, uint32_t head_dim, size_t blocks)
{
    return (size_t)kernels->lanes * (head_dim + LV_KEY_BLOCK) +
           (most_waiting(blocks) * state_size(kernels, head_dim) + 15) / 16 * 16;
}

/* lanes is a multiple of 16 or the block is only used by sets that ask for less alignment */
static TileScratch tile_scratch(
    const LvKernels *kernels, float *data, uint32_t head_dim, size_t blocks)
{
    TileScratch s = {0};
    size_t lanes = kernels->lanes;
    s.queries = data;
    s.scores = s.queries + lanes * head_dim;
    float *states = s.scores + lanes * LV_KEY_BLOCK;
    for (size_t i = 0; i < most_waiting(blocks); i++)
        s.states[i] = state_at(kernels, states + i * state_size(kernels, head_dim));
    s.rest = data + tile_scratch_size(kernels, head_dim, blocks);
    return s;
}

/* ---- where keys are ---- */

/* All keys of a head, in one or two places: a fork's base has the first n_first ones. Blocks begin
 * with each of the two, so that what a key's block is depends on the fork alone. */
typedef struct KeyPlace {
    const void *keys, *values;
    LvDtype held;
    size_t capacity;
} KeyPlace;

typedef struct Keys {
    KeyPlace first, rest; /* first: not read with n_first 0 */
    size_t n_first;
} Keys;

/* The block that a key belongs to. */
static size_t block_of(size_t n_first, size_t key)
{
    return key < n_first ? key / LV_KEY_BLOCK
                         : lv_ceil_div(n_first, LV_KEY_BLOCK) + (key - n_first) / LV_KEY_BLOCK;
}

/* Of n keys. */
static size_t count_blocks(size_t n_first, size_t n)
{
    return n ? block_of(n_first, n - 1) + 1 : 0;
}

/* One tile: what all of its blocks have in common, and what the lanes see of the second place. */
typedef struct Tile {
    LvAttentionTile base;
    Keys keys;
    uint32_t visible[LV_MAX_LANES], visible_rest[LV_MAX_LANES];
} Tile;

/* Keys of the block before `end`. */
static void run_block(const LvKernels *kernels, const Tile *tile, const TileScratch *s,
    size_t block, size_t end, LvAttentionState state)
{
    const Keys *keys = &tile->keys;
    const size_t first_blocks = lv_ceil_div(keys->n_first, LV_KEY_BLOCK);
    const bool rest = block >= first_blocks;
    const KeyPlace *place = rest ? &keys->rest : &keys->first;
    const size_t limit = rest ? end - keys->n_first : end < keys->n_first ? end : keys->n_first;
    LvAttentionTile t = tile->base;
    t.keys = place->keys;
    t.values = place->values;
    t.held = place->held;
    t.capacity = place->capacity;
    t.visible = !t.visible ? NULL : rest ? tile->visible_rest : tile->visible;
    t.queries = s->queries;
    t.scores = s->scores;
    t.state = state;
    t.first_key = (rest ? block - first_blocks : block) * LV_KEY_BLOCK;
    t.n_keys = limit > t.first_key ? limit - t.first_key : 0;
    if (t.n_keys > LV_KEY_BLOCK)
        t.n_keys = LV_KEY_BLOCK;
    kernels->attention_tile(&t);
}

/* All keys before `end` from the block `first` on; the result is states[0]. */
static void run_tile(
    const LvKernels *kernels, const Tile *tile, const TileScratch *s, size_t first, size_t end)
{
    const uint32_t lanes = tile->base.n_lanes, head_dim = tile->base.head_dim;
    const size_t blocks = count_blocks(tile->keys.n_first, end);
    size_t n = 0;
    for (size_t block = first; block == first || block < blocks; block++) {
        run_block(kernels, tile, s, block, end, s->states[n]);
        n = join_pairs(kernels, s->states, n + 1, first, block, lanes, head_dim);
    }
    join_rest(kernels, s->states, n, lanes, head_dim);
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
    TileScratch s = tile_scratch(
        kernels, f->cpu->workers[worker].data, f->head_dim, count_blocks(0, f->n_tokens));
    float *keys = s.rest, *values = keys + kernels->key_panel_size(f->capacity, f->head_dim);
    for (size_t unit = first; unit < first + n; unit++) {
        size_t split = unit % f->splits, head = unit / f->splits % f->n_heads,
               item = unit / f->splits / f->n_heads;
        const float *rows = lv_row(f->qkv, item * f->n_tokens) + head * f->head_dim;
        size_t width = (size_t)f->n_heads * f->head_dim, stride = f->qkv.stride;
        kernels->store_keys(
            keys, LV_F32, f->capacity, 0, rows + width, stride, f->n_tokens, f->head_dim);
        kernels->store_values(
            values, LV_F32, f->capacity, 0, rows + 2 * width, stride, f->n_tokens, f->head_dim);
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
            const Tile tile = {.base = {.head_dim = f->head_dim, .n_lanes = (uint32_t)lanes},
                .keys = {.rest = {keys, values, LV_F32, f->capacity}}};
            run_tile(kernels, &tile, &s, 0, f->n_tokens);
            kernels->attention_store(
                destinations, s.states[0].acc, s.states[0].sum, (uint32_t)lanes, f->head_dim);
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
    LlavaovStatus status = lv_cpu_workers_reserve(cpu,
        tile_scratch_size(kernels, head_dim, count_blocks(0, n_tokens)) +
            kernels->key_panel_size(full.capacity, head_dim) +
            kernels->value_panel_size(full.capacity, head_dim),
        run->error);
    return status == LLAVAOV_OK ? lv_cpu_run(cpu, run, heads * full.splits, 1, full_units, &full)
                                : status;
}

/* ---- causal attention ---- */

typedef struct Rows {
    LvCpu *cpu;
    const LvRun *run;
    LvTensor out, qkv;
    const LvSequence *sequence;
    uint32_t window; /* keys that a row sees; 0: all before it */
    uint32_t layer, n_heads, n_kv_heads, head_dim;
    float scale;
    /* attention of one sequence */
    size_t pairs, tiles;        /* query-head pairs of a kv head, tiles of them */
    size_t first_block, blocks; /* key blocks of a split sequence */
} Rows;

/* After this batch's rows. */
static size_t sequence_keys(const Rows *r)
{
    return (size_t)r->sequence->position + r->sequence->n_rows;
}

/* The first block of keys that a row attends to, given how many it would see from key 0 on without
 * a window. */
static size_t first_block(const Rows *r, size_t visible)
{
    return r->window && visible > r->window
               ? block_of(r->sequence->cache->n_base, visible - r->window)
               : 0;
}

/* Loads the lanes of one tile of a head: their sources and destinations, and what they see. */
static void load_lanes(const Rows *r, uint32_t kv_head, size_t index, Tile *tile,
    const float **sources, float **destinations)
{
    size_t group = r->n_heads / r->n_kv_heads, lanes = r->cpu->kernels->lanes,
           n = r->pairs - index * lanes;
    n = n < lanes ? n : lanes;
    for (size_t lane = 0; lane < n; lane++) {
        size_t pair = index * lanes + lane, row = r->sequence->first_row + pair / group;
        size_t head = kv_head * group + pair % group;
        sources[lane] = lv_row(r->qkv, row) + head * r->head_dim;
        destinations[lane] = lv_row_out(r->out, row) + head * r->head_dim;
        tile->visible[lane] = r->sequence->position + (uint32_t)(pair / group) + 1;
        tile->visible_rest[lane] = tile->visible[lane] - (uint32_t)r->sequence->cache->n_base;
    }
    tile->base = (LvAttentionTile){.head_dim = r->head_dim,
        .n_lanes = (uint32_t)n,
        .visible = tile->visible,
        .window = r->window};
}

static KeyPlace place_of(const LvKvCache *cache, uint32_t layer, uint32_t kv_head)
{
    return (KeyPlace){lv_kv_keys(cache, layer, kv_head), lv_kv_values(cache, layer, kv_head),
        cache->held, cache->capacity};
}

static void load_tile(
    const Rows *r, uint32_t kv_head, size_t index, Tile *tile, float *queries, float **destinations)
{
    const LvKvCache *cache = r->sequence->cache;
    const float *sources[LV_MAX_LANES];
    load_lanes(r, kv_head, index, tile, sources, destinations);
    tile->keys.rest = place_of(cache, r->layer, kv_head);
    tile->keys.n_first = cache->n_base;
    if (cache->base)
        tile->keys.first = place_of(cache->base, r->layer, kv_head);
    r->cpu->kernels->pack_queries(queries, sources, tile->base.n_lanes, r->head_dim, r->scale);
}

/* A unit is a tile of a head; the last ones, which see most keys, go first. */
static void causal_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    TileScratch s = tile_scratch(kernels, r->cpu->workers[worker].data, r->head_dim,
        count_blocks(r->sequence->cache->n_base, sequence_keys(r)));
    for (size_t unit = first; unit < first + n; unit++) {
        size_t index = r->tiles * r->n_kv_heads - 1 - unit;
        float *destinations[LV_MAX_LANES];
        Tile tile;
        load_tile(r, (uint32_t)(index % r->n_kv_heads), index / r->n_kv_heads, &tile, s.queries,
            destinations);
        run_tile(kernels, &tile, &s, first_block(r, tile.visible[0]),
            tile.visible[tile.base.n_lanes - 1]);
        kernels->attention_store(
            destinations, s.states[0].acc, s.states[0].sum, tile.base.n_lanes, r->head_dim);
    }
}

/* A unit is a block of keys of a tile of a head; its state goes to `packed`. */
static void block_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    TileScratch s = tile_scratch(kernels, r->cpu->workers[worker].data, r->head_dim, 0);
    for (size_t unit = first; unit < first + n; unit++) {
        size_t block = unit % r->blocks, index = unit / r->blocks;
        float *destinations[LV_MAX_LANES];
        Tile tile;
        load_tile(r, (uint32_t)(index % r->n_kv_heads), index / r->n_kv_heads, &tile, s.queries,
            destinations);
        run_block(kernels, &tile, &s, r->first_block + block, tile.visible[tile.base.n_lanes - 1],
            state_at(kernels, r->cpu->packed.data + unit * state_size(kernels, r->head_dim)));
    }
}

static void join_units(void *data, size_t first, size_t n, unsigned worker)
{
    const Rows *r = data;
    const LvKernels *kernels = r->cpu->kernels;
    size_t size = state_size(kernels, r->head_dim);
    for (size_t index = first; index < first + n; index++) {
        const float *sources[LV_MAX_LANES];
        float *destinations[LV_MAX_LANES];
        Tile tile;
        load_lanes(r, (uint32_t)(index % r->n_kv_heads), index / r->n_kv_heads, &tile, sources,
            destinations);
        const uint32_t n_lanes = tile.base.n_lanes;
        float *state = r->cpu->packed.data + index * r->blocks * size;
        LvAttentionState waiting[MAX_WAITING];
        size_t n_waiting = 0;
        for (size_t block = 0; block < r->blocks; block++) {
            waiting[n_waiting] = state_at(kernels, state + block * size);
            n_waiting = join_pairs(kernels, waiting, n_waiting + 1, r->first_block,
                r->first_block + block, n_lanes, r->head_dim);
        }
        join_rest(kernels, waiting, n_waiting, n_lanes, r->head_dim);
        kernels->attention_store(
            destinations, waiting[0].acc, waiting[0].sum, n_lanes, r->head_dim);
    }
}

static LlavaovStatus attend(Rows *r, const LvRun *run)
{
    LvCpu *cpu = r->cpu;
    const LvKernels *kernels = cpu->kernels;
    const size_t n_base = r->sequence->cache->n_base,
                 blocks = count_blocks(n_base, sequence_keys(r));
    r->pairs = (size_t)r->sequence->n_rows * (r->n_heads / r->n_kv_heads);
    r->tiles = lv_ceil_div(r->pairs, kernels->lanes);
    LlavaovStatus status =
        lv_cpu_workers_reserve(cpu, tile_scratch_size(kernels, r->head_dim, blocks), run->error);
    if (status != LLAVAOV_OK)
        return status;
    r->first_block = first_block(r, (size_t)r->sequence->position + 1);
    r->blocks = blocks - r->first_block;
    if (r->tiles > SPLIT_TILES || r->blocks == 1)
        return lv_cpu_run(cpu, run, r->tiles * r->n_kv_heads, 4, causal_units, r);
    size_t heads = r->tiles * r->n_kv_heads;
    status = lv_cpu_scratch_reserve(
        &cpu->packed, heads * r->blocks * state_size(kernels, r->head_dim), run->error);
    if (status == LLAVAOV_OK)
        status = lv_cpu_run(cpu, run, heads * r->blocks, 1, block_units, r);
    if (status == LLAVAOV_OK)
        status = lv_cpu_run(cpu, run, heads, 1, join_units, r);
    return status;
}

/* Another sequence of the batch stands on the same cache. */
static bool shares_cache(const LvBatch *batch, size_t index)
{
    for (size_t i = 0; i < batch->n_sequences; i++)
        if (i != index && batch->sequences[i].cache == batch->sequences[index].cache)
            return true;
    return false;
}

LlavaovStatus lv_cpu_attention_causal(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor qkv, const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    LvCpu *cpu = lv_cpu(backend);
    Rows rows = {.cpu = cpu,
        .run = run,
        .out = out,
        .qkv = qkv,
        .window = lv_text_window(text, layer),
        .layer = layer,
        .n_heads = text->n_heads,
        .n_kv_heads = text->n_kv_heads,
        .head_dim = text->head_dim,
        .scale = (float)(1.0 / sqrt((double)text->head_dim))};
    if (!lv_cpu_batch_fits(qkv, batch, layer, text) || out.rows != qkv.rows ||
        out.cols != (size_t)text->n_heads * text->head_dim)
        return lv_shape_error(run, "attention_causal");
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < batch->n_sequences && status == LLAVAOV_OK; i++) {
        rows.sequence = &batch->sequences[i];
        if (shares_cache(batch, i))
            status = lv_cpu_store_again(backend, run, qkv, rows.sequence, layer, text);
        if (rows.sequence->n_rows && status == LLAVAOV_OK)
            status = attend(&rows, run);
    }
    return status;
}
