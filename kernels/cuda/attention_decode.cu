/* SPDX-License-Identifier: Apache-2.0
 * Attention of decoding steps: one query row a sequence, bound by reading the cache. Each cache is
 * cut into spans of keys, a block a span and kv head (flash decoding), and the spans' results are
 * joined by a second kernel (attention_join.cu).
 *
 * For bf16 the heads of a group, which share every key and value, are the rows of one tensor-core
 * fragment. Every warp processes 16 of each 64 keys by itself, with two or three such tiles in
 * flight. Where the kernel rotates (LvCudaDecode.rope), all but the newest key were in the cache
 * before the step began: they are requested before the product that computes queries, key and value
 * is done. */
#include "arithmetic.h"
#include "attention_decode_load.h"
#include "warp.h"

/* A warp's state for its queries; rows g and g + 8 of each lane. */
template <int D> struct DecodeState {
    float acc[D / 8][4];
    float best[2], sum[2]; /* the greatest score, not yet scaled */
};

LV_INLINE float over_row(float x, bool greatest)
{
    LV_UNROLL
    for (unsigned mask = 1; mask <= 2; mask *= 2) {
        const float other = lv_shuffle_xor(x, mask);
        x = greatest ? fmaxf(x, other) : x + other;
    }
    return x;
}

/* One tile: 16 keys from `first` on, of which those behind `end` are not seen. Rows g + 8 are
 * worked on where there are any. */
template <int D>
LV_INLINE void attend(DecodeState<D> &state, const uint32_t (*query)[4], const LvBf16 *keys,
    float factor, uint32_t first, uint32_t end, bool all_rows)
{
    const unsigned lane = lv_lane();
    const int stride = Size<D>::stride;
    const LvBf16 *key = keys + (lane / 16 * 8 + lane % 8) * stride + lane / 8 % 2 * 8;
    const LvBf16 *value = keys + (KEYS + lane % 16) * stride + lane / 16 * 8;
    float scores[2][4] = {};
    uint32_t weights[4] = {};
    LV_UNROLL
    for (int k = 0; k < D / 16; k++) {
        uint32_t b[4];
        lv_load_tiles(b, key + k * 16);
        lv_multiply_add(scores[0], query[k], b);
        lv_multiply_add(scores[1], query[k], b + 2);
    }
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        if (r && !all_rows)
            continue;
        float best = state.best[r], w[2][2];
        LV_UNROLL
        for (int n = 0; n < 2; n++) {
            LV_UNROLL
            for (int i = 0; i < 2; i++) {
                float &score = scores[n][2 * r + i];
                if (first + n * 8 + lane % 4 * 2 + i >= end)
                    score = -INFINITY;
                best = fmaxf(best, score);
            }
        }
        best = over_row(best, true);
        const float centre = best == -INFINITY ? 0 : best * factor;
        const float rescale = lv_exp2(fmaf(state.best[r], factor, -centre));
        state.best[r] = best;
        state.sum[r] *= rescale;
        LV_UNROLL
        for (int n = 0; n < 2; n++) {
            LV_UNROLL
            for (int i = 0; i < 2; i++) {
                w[n][i] = lv_exp2(fmaf(scores[n][2 * r + i], factor, -centre));
                state.sum[r] += w[n][i];
            }
            weights[2 * n + r] = lv_pack_bf16(w[n][0], w[n][1]);
        }
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            state.acc[n][2 * r] *= rescale;
            state.acc[n][2 * r + 1] *= rescale;
        }
    }
    LV_UNROLL
    for (int n = 0; n < D / 8; n += 2) {
        uint32_t b[4];
        lv_load_tiles_transposed(b, value + n * 8);
        lv_multiply_add(state.acc[n], weights, b);
        lv_multiply_add(state.acc[n + 1], weights, b + 2);
    }
}

/* The warps' results, joined through shared memory, go to the workspace. */
template <int D>
LV_INLINE void join_warps(const DecodeWork &w, const DecodeState<D> &state, float factor)
{
    const uint32_t width = Size<D>::result;
    float *all = (float *)lv_shared();
    const unsigned lane = lv_lane();
    __syncthreads();
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        const uint32_t row = lane / 4 + 8 * (uint32_t)r;
        float *own = all + (threadIdx.x / LV_WARP * ROWS + row) * width;
        const float sum = over_row(state.sum[r], false);
        if (row >= w.n_queries)
            continue;
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            own[n * 8 + lane % 4 * 2] = state.acc[n][2 * r];
            own[n * 8 + lane % 4 * 2 + 1] = state.acc[n][2 * r + 1];
        }
        if (lane % 4 == 0) {
            own[D] = state.best[r] * factor;
            own[D + 1] = sum;
        }
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < w.n_queries * width; i += DECODE_THREADS) {
        const uint32_t row = i / width, col = i % width;
        float best = -INFINITY, total = 0;
        LV_UNROLL
        for (uint32_t v = 0; v < DECODE_WARPS; v++)
            best = fmaxf(best, all[(v * ROWS + row) * width + D]);
        LV_UNROLL
        for (uint32_t v = 0; v < DECODE_WARPS; v++) {
            const float *from = all + (v * ROWS + row) * width;
            total += from[D] == -INFINITY ? 0.0f : from[col] * lv_exp2(from[D] - best);
        }
        w.results[row * w.result_stride + col] = col == D ? best : total;
    }
}

template <int D> LV_KERNEL(DECODE_THREADS) attention_decode(const LvCudaDecode a)
{
    LvBf16 *queries = (LvBf16 *)lv_shared();
    const uint32_t warp = threadIdx.x / LV_WARP, lane = lv_lane();
    LvBf16 *tiles = queries + ROWS * Size<D>::stride + warp * Size<D>::stages * Size<D>::tile;
    const float factor = a.scale * LOG2_E;
    DecodeWork w;
    Angles angles = {};
    lv_let_next_start();
    if (!a.rope)
        lv_wait_previous();
    const bool here = find_work<D>(a, &w);
    const uint32_t n_tiles =
        here ? (w.end_key - w.first_key + DECODE_TILE_KEYS - 1) / DECODE_TILE_KEYS : 0;
    LV_UNROLL
    for (uint32_t t = 0; t < Size<D>::stages; t++) {
        if (t < n_tiles)
            copy_cache_tile<D>(tiles, w, t);
        lv_copy_commit();
    }
    if (a.rope) {
        if (here)
            angles = load_angles<D>(a.rope, w.position);
        lv_wait_previous();
    }
    if (!here)
        return;

    load_step_queries<D>(queries, w, a.rope, angles);
    /* The newest key is the last of the span that has not come from the cache. */
    const uint32_t newest_at = w.end_key - 1 - w.first_key;
    const bool has_newest = w.cached_end < w.end_key && newest_at % DECODE_TILE_KEYS / KEYS == warp;
    Newest newest;
    if (has_newest) {
        newest = load_newest<D>(w, angles);
        if (w.stores)
            put_newest<D>(
                w.keys + (size_t)w.position * D, w.values + (size_t)w.position * D, newest);
    }
    __syncthreads();

    DecodeState<D> state = {};
    state.best[0] = state.best[1] = -INFINITY;
    uint32_t query[D / 16][4];
    LV_UNROLL
    for (int k = 0; k < D / 16; k++)
        lv_load_tiles(query[k], queries + lane % 16 * Size<D>::stride + lane / 16 * 8 + k * 16);
    for (uint32_t t = 0; t < n_tiles; t++) {
        LvBf16 *tile = tiles + t % Size<D>::stages * Size<D>::tile;
        const uint32_t first = w.first_key + t * DECODE_TILE_KEYS + warp * KEYS;
        lv_copy_wait<Size<D>::stages - 1>();
        lv_sync_warp();
        if (has_newest && t == newest_at / DECODE_TILE_KEYS) {
            LvBf16 *row = tile + newest_at % KEYS * Size<D>::stride;
            put_newest<D>(row, row + KEYS * Size<D>::stride, newest);
            lv_sync_warp();
        }
        if (first < w.end_key)
            attend<D>(state, query, tile, factor, first, w.end_key, w.n_queries > 8);
        lv_sync_warp();
        if (t + Size<D>::stages < n_tiles)
            copy_cache_tile<D>(tiles, w, t + Size<D>::stages);
        lv_copy_commit();
    }
    join_warps<D>(w, state, factor);
}

template <int D> static int launch_tensor(LvCudaStream stream, const LvCudaDecode &a)
{
    const uint64_t group = a.batch.n_heads / a.batch.n_kv_heads;
    const uint64_t tiles = (group + ROWS - 1) / ROWS * a.batch.n_kv_heads;
    return lv_launch_overlapped(attention_decode<D>, a.n_splits, tiles, a.batch.n_sequences,
        DECODE_THREADS, Size<D>::shared, stream, a);
}

/* LV_CUDA_BAD_ARGUMENT where tensor cores cannot. */
static int attend_tensor(LvCudaStream stream, const LvCudaDecode &a)
{
    if (a.batch.type != LV_BF16 || !lv_rows_aligned(a.qkv, a.qkv_stride, sizeof(LvBf16), 8) ||
        (uintptr_t)a.rope % 16)
        return LV_CUDA_BAD_ARGUMENT;
    switch (a.batch.head_dim) {
    case 32:
        return launch_tensor<32>(stream, a);
    case 64:
        return launch_tensor<64>(stream, a);
    case 128:
        return launch_tensor<128>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

/* ---- all of it ---- */

/* Without tensor cores the rotation is a kernel of its own. */
static int attend_plain(LvCudaStream stream, const LvCudaDecode &a)
{
    LvCudaRope rope = {};
    rope.batch = a.batch;
    rope.qkv = a.qkv;
    rope.qkv_stride = a.qkv_stride;
    rope.rows = a.rows;
    rope.table = a.rope;
    int result = a.rope ? lv_cuda_rope_store(stream, &rope) : 0;
    return result ? result : lv_attention_plain(stream, a);
}

int lv_cuda_attention_decode(LvCudaStream stream, const LvCudaDecode *args)
{
    const LvCudaDecode &a = *args;
    const LvCudaBatch &b = a.batch;
    if (!b.n_kv_heads || !b.n_heads || b.n_heads % b.n_kv_heads || !b.head_dim || b.head_dim % 2 ||
        b.head_dim > LV_CUDA_MAX_HEAD_DIM || (b.type != LV_F32 && b.type != LV_BF16) ||
        (!a.keys_at && (a.keys_per_split == 0 || a.keys_per_split % 64)))
        return LV_CUDA_BAD_ARGUMENT;
    int result = attend_tensor(stream, a);
    if (result == LV_CUDA_BAD_ARGUMENT)
        result = attend_plain(stream, a);
    return result ? result : lv_attention_join(stream, a);
}

uint32_t lv_cuda_splits(uint32_t n_sequences, uint32_t n_kv_heads, uint32_t n_processors)
{
    /* Two blocks per multiprocessor hide each other's latency. */
    uint64_t blocks = (uint64_t)n_sequences * n_kv_heads, wanted = 2 * (uint64_t)n_processors;
    uint64_t splits = blocks ? (wanted + blocks - 1) / blocks : 1;
    return splits ? (uint32_t)splits : 1;
}

uint32_t lv_cuda_keys_per_split(
    uint32_t n_sequences, uint32_t n_kv_heads, uint32_t max_keys, uint32_t n_processors)
{
    uint64_t splits = lv_cuda_splits(n_sequences, n_kv_heads, n_processors);
    uint64_t keys = (max_keys + splits - 1) / splits;
    keys = (keys + DECODE_TILE_KEYS - 1) / DECODE_TILE_KEYS * DECODE_TILE_KEYS;
    return (uint32_t)(keys < DECODE_TILE_KEYS ? DECODE_TILE_KEYS : keys);
}
