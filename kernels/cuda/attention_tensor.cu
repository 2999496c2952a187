/* SPDX-License-Identifier: Apache-2.0
 * Attention of bf16 on tensor cores, after FlashAttention-2 (Dao, arXiv:2307.08691): scores never
 * leave registers, keys and values come in tiles of 64 while the tile before is worked on.
 *
 * A warp works on 16 queries. With many queries the warps of a block take different queries and
 * the same keys; with few (decoding: the heads of a group) they take the same queries and a share
 * of every tile's keys, and join their results at the end. Head size 72 is worked on as 80 for
 * scores (k in steps of 16; the columns between are zeros) and as 72 for results. */
#include "attention.h"
#include "fragment.h"

#define WARPS 4
#define THREADS (WARPS * 32u)
#define TILE_KEYS 64

template <int D, bool SHARE_KEYS> struct Shape {
    static const int depth = (D + 15) / 16 * 16; /* of the scores' products */
    static const int stride = depth + 8;         /* of a row in shared memory: an odd number of
                                                    16 bytes, so that 8 rows meet no bank twice */
    static const int queries = SHARE_KEYS ? WARPS * 16 : 16;
    static const int keys = SHARE_KEYS ? TILE_KEYS : TILE_KEYS / WARPS; /* of a warp in a tile */
    static const int tile = TILE_KEYS * stride;
    static const size_t shared = ((size_t)queries * stride + 4 * tile) * sizeof(LvBf16);
};

/* Rows [first, end) of D elements, zeros up to ROWS. */
template <int D, int ROWS, int STRIDE>
LV_INLINE void copy_rows(
    LvBf16 *to, const LvBf16 *from, size_t stride, uint32_t first, uint32_t end)
{
    const uint32_t pieces = D / 8;
    for (uint32_t i = threadIdx.x; i < ROWS * pieces; i += THREADS) {
        uint32_t row = i / pieces, col = i % pieces * 8;
        bool inside = first + row < end;
        lv_copy_async(to + row * STRIDE + col,
            from + (inside ? (size_t)(first + row) * stride + col : 0), inside);
    }
}

/* The columns that scores read and no copy fills. */
template <int D, int ROWS, int STRIDE> LV_INLINE void clear_columns(LvBf16 *to)
{
    const int columns = (D + 15) / 16 * 16 - D, width = columns ? columns : 1;
    for (int i = (int)threadIdx.x; i < ROWS * columns; i += (int)THREADS)
        to[i / width * STRIDE + D + i % width].bits = 0;
}

/* A query's lanes are four; lane t has columns 2t and 2t + 1 of every 8. */
LV_INLINE float greatest_of_row(float x)
{
    x = fmaxf(x, lv_shuffle_xor(x, 1));
    return fmaxf(x, lv_shuffle_xor(x, 2));
}

LV_INLINE float sum_of_row(float x)
{
    x += lv_shuffle_xor(x, 1);
    return x + lv_shuffle_xor(x, 2);
}

/* What a warp knows of its 16 queries so far: rows g and g + 8 of each lane. */
template <int D> struct State {
    float acc[D / 8][4];
    float best[2], sum[2]; /* the greatest score, not yet scaled */
};

/* scores = q . keys^T of KEYS keys. */
template <int DEPTH, int STRIDE, int KEYS>
LV_INLINE void multiply_keys(float (*scores)[4], const uint32_t (*query)[4], const LvBf16 *keys)
{
    unsigned lane = lv_lane();
    const LvBf16 *row = keys + (lane / 16 * 8 + lane % 8) * STRIDE + lane / 8 % 2 * 8;
    LV_UNROLL
    for (int n = 0; n < KEYS / 16; n++) {
        LV_UNROLL
        for (int i = 0; i < 4; i++)
            scores[2 * n][i] = scores[2 * n + 1][i] = 0;
        LV_UNROLL
        for (int k = 0; k < DEPTH / 16; k++) {
            uint32_t b[4];
            lv_load_tiles(b, row + n * 16 * STRIDE + k * 16);
            lv_multiply_add(scores[2 * n], query[k], b);
            lv_multiply_add(scores[2 * n + 1], query[k], b + 2);
        }
    }
}

/* acc += weights . values of KEYS keys. */
template <int D, int STRIDE, int KEYS>
LV_INLINE void multiply_values(State<D> &state, float (*weights)[4], const LvBf16 *values)
{
    unsigned lane = lv_lane();
    const LvBf16 *row = values + lane % 16 * STRIDE + lane / 16 * 8;
    LV_UNROLL
    for (int k = 0; k < KEYS / 16; k++) {
        uint32_t a[4];
        LV_UNROLL
        for (int i = 0; i < 4; i++)
            a[i] = lv_pack_bf16(
                weights[2 * k + i / 2][i % 2 * 2], weights[2 * k + i / 2][i % 2 * 2 + 1]);
        LV_UNROLL
        for (int n = 0; n < D / 8; n += 2) {
            uint32_t b[4];
            lv_load_tiles_transposed(b, row + k * 16 * STRIDE + n * 8);
            lv_multiply_add(state.acc[n], a, b);
            if (n + 1 < D / 8)
                lv_multiply_add(state.acc[n + 1], a, b + 2);
        }
    }
}

/* From scores to weights 2^(factor (score - maximum)), with the state rescaled to the new maximum.
 * Query g + 8 r of the warp sees the keys below end[r]; column 0 is key `first`. */
template <int D, int KEYS>
LV_INLINE void soften(State<D> &state, float (*scores)[4], float factor, uint32_t first,
    const uint32_t *end, bool cut)
{
    uint32_t column = first + lv_lane() % 4 * 2;
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        float best = state.best[r];
        LV_UNROLL
        for (int n = 0; n < KEYS / 8; n++) {
            LV_UNROLL
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                if (cut && column + (uint32_t)(n * 8 + i % 2) >= end[r])
                    scores[n][i] = -INFINITY;
                best = fmaxf(best, scores[n][i]);
            }
        }
        best = greatest_of_row(best);
        float centre = best == -INFINITY ? 0 : best * factor;
        float rescale = lv_exp2(fmaf(state.best[r], factor, -centre));
        state.best[r] = best;
        state.sum[r] *= rescale;
        LV_UNROLL
        for (int n = 0; n < KEYS / 8; n++) {
            LV_UNROLL
            for (int i = 2 * r; i < 2 * r + 2; i++) {
                scores[n][i] = lv_exp2(fmaf(scores[n][i], factor, -centre));
                state.sum[r] += scores[n][i];
            }
        }
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            state.acc[n][2 * r] *= rescale;
            state.acc[n][2 * r + 1] *= rescale;
        }
    }
}

/* Different queries a warp: results straight from registers. */
template <int D> LV_INLINE void write_rows(const Span<LvBf16> &s, const State<D> &state)
{
    unsigned lane = lv_lane();
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        uint32_t row = threadIdx.x / 32 * 16 + lane / 4 + 8 * (uint32_t)r;
        if (row >= s.n_queries)
            continue;
        LvBf16 *out = s.out + row * s.out_stride + lane % 4 * 2;
        LV_UNROLL
        for (int n = 0; n < D / 8; n++)
            *(uint32_t *)(out + n * 8) = lv_pack_bf16(
                state.acc[n][2 * r] / state.sum[r], state.acc[n][2 * r + 1] / state.sum[r]);
    }
}

/* The same queries in every warp: joined through shared memory, [WARPS][16][D + 2] floats. */
template <int D>
LV_INLINE void join_warps(const Span<LvBf16> &s, const State<D> &state, float factor)
{
    float *all = (float *)lv_shared();
    unsigned lane = lv_lane();
    __syncthreads();
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        float *own =
            all + ((threadIdx.x / 32) * 16 + lane / 4 + 8 * (uint32_t)r) * (uint32_t)(D + 2);
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            own[n * 8 + lane % 4 * 2] = state.acc[n][2 * r];
            own[n * 8 + lane % 4 * 2 + 1] = state.acc[n][2 * r + 1];
        }
        if (lane % 4 == 0) {
            own[D] = state.best[r] * factor;
            own[D + 1] = state.sum[r];
        }
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < s.n_queries * (uint32_t)(D + 2); i += THREADS) {
        uint32_t row = i / (D + 2), col = i % (D + 2);
        float best = -INFINITY, total = 0;
        LV_UNROLL
        for (uint32_t w = 0; w < WARPS; w++)
            best = fmaxf(best, all[(w * 16 + row) * (D + 2) + D]);
        LV_UNROLL
        for (uint32_t w = 0; w < WARPS; w++) {
            const float *from = all + (w * 16 + row) * (D + 2);
            total += from[col] * lv_exp2(from[D] - best);
        }
        s.partial[row * s.partial_stride + col] = col == D ? best : total;
    }
}

template <int D, bool SHARE_KEYS> LV_INLINE void attend(const Span<LvBf16> &s, float scale)
{
    typedef Shape<D, SHARE_KEYS> Z;
    LvBf16 *queries = (LvBf16 *)lv_shared(), *tiles = queries + Z::queries * Z::stride;
    const unsigned lane = lv_lane(), warp = threadIdx.x / 32;
    const uint32_t own_keys = SHARE_KEYS ? 0 : warp * Z::keys;
    const uint32_t n_tiles = (s.end_key - s.first_key + TILE_KEYS - 1) / TILE_KEYS;

    clear_columns<D, Z::queries, Z::stride>(queries);
    clear_columns<D, 4 * TILE_KEYS, Z::stride>(tiles);
    copy_rows<D, Z::queries, Z::stride>(queries, s.queries, s.query_stride, 0, s.n_queries);
    copy_rows<D, TILE_KEYS, Z::stride>(tiles, s.keys, s.key_stride, s.first_key, s.end_key);
    copy_rows<D, TILE_KEYS, Z::stride>(
        tiles + Z::tile, s.values, s.key_stride, s.first_key, s.end_key);
    lv_copy_commit();

    State<D> state;
    uint32_t query[Z::depth / 16][4], end[2];
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        uint32_t row = (SHARE_KEYS ? warp * 16 : 0) + lane / 4 + 8 * (uint32_t)r;
        end[r] = visible_end(s, row < s.n_queries ? row : s.n_queries - 1);
        state.best[r] = -INFINITY;
        state.sum[r] = 0;
        LV_UNROLL
        for (int n = 0; n < D / 8; n++)
            state.acc[n][2 * r] = state.acc[n][2 * r + 1] = 0;
    }
    const uint32_t all_see = visible_end(s, 0);

    for (uint32_t t = 0; t < n_tiles; t++) {
        const LvBf16 *keys = tiles + t % 2 * 2 * Z::tile, *values = keys + Z::tile;
        uint32_t first = s.first_key + t * TILE_KEYS;
        if (t + 1 < n_tiles) {
            LvBf16 *next = tiles + (t + 1) % 2 * 2 * Z::tile;
            copy_rows<D, TILE_KEYS, Z::stride>(
                next, s.keys, s.key_stride, first + TILE_KEYS, s.end_key);
            copy_rows<D, TILE_KEYS, Z::stride>(
                next + Z::tile, s.values, s.key_stride, first + TILE_KEYS, s.end_key);
        }
        lv_copy_commit();
        lv_copy_wait<1>();
        __syncthreads();
        if (t == 0) {
            const LvBf16 *row =
                queries + ((SHARE_KEYS ? warp * 16 : 0) + lane % 16) * Z::stride + lane / 16 * 8;
            LV_UNROLL
            for (int k = 0; k < Z::depth / 16; k++)
                lv_load_tiles(query[k], row + k * 16);
        }
        float scores[Z::keys / 8][4];
        multiply_keys<Z::depth, Z::stride, Z::keys>(scores, query, keys + own_keys * Z::stride);
        soften<D, Z::keys>(
            state, scores, scale * LOG2_E, first + own_keys, end, first + TILE_KEYS > all_see);
        multiply_values<D, Z::stride, Z::keys>(state, scores, values + own_keys * Z::stride);
        __syncthreads();
    }

    LV_UNROLL
    for (int r = 0; r < 2; r++)
        state.sum[r] = sum_of_row(state.sum[r]);
    if (SHARE_KEYS)
        write_rows<D>(s, state);
    else
        join_warps<D>(s, state, scale * LOG2_E);
}

template <int D, bool SHARE_KEYS, typename A> __global__ void attention_tensor(const A a)
{
    Span<LvBf16> s;
    if (find_span(a, Shape<D, SHARE_KEYS>::queries, &s))
        attend<D, SHARE_KEYS>(s, a.scale);
}

template <int D, bool SHARE_KEYS, typename A>
static int launch_size(LvCudaStream stream, const A &a)
{
    typedef Shape<D, SHARE_KEYS> Z;
    size_t join = SHARE_KEYS ? 0 : (size_t)WARPS * 16 * (D + 2) * sizeof(float);
    return launch_spans(attention_tensor<D, SHARE_KEYS, A>, Z::queries, THREADS,
        Z::shared > join ? Z::shared : join, stream, a);
}

static bool aligned(const void *rows, size_t stride)
{
    return lv_rows_aligned(rows, stride, sizeof(LvBf16), 8);
}

int lv_attention_tensor(LvCudaStream stream, const LvCudaAttentionFull &a)
{
    if (a.type != LV_CUDA_BF16 || !aligned(a.qkv, a.qkv_stride) || !aligned(a.out, a.out_stride))
        return LV_CUDA_BAD_ARGUMENT;
    switch (a.head_dim) {
    case 32:
        return launch_size<32, true>(stream, a);
    case 64:
        return launch_size<64, true>(stream, a);
    case 72:
        return launch_size<72, true>(stream, a);
    case 128:
        return launch_size<128, true>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

template <bool SHARE_KEYS, typename A> static int launch_batch(LvCudaStream stream, const A &a)
{
    if (a.batch.type != LV_CUDA_BF16 || !aligned(a.qkv, a.qkv_stride) ||
        !aligned(a.out, a.out_stride))
        return LV_CUDA_BAD_ARGUMENT;
    switch (a.batch.head_dim) {
    case 32:
        return launch_size<32, SHARE_KEYS>(stream, a);
    case 64:
        return launch_size<64, SHARE_KEYS>(stream, a);
    case 128:
        return launch_size<128, SHARE_KEYS>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

int lv_attention_tensor(LvCudaStream stream, const LvCudaPrefill &a)
{
    return launch_batch<true>(stream, a);
}

int lv_attention_tensor(LvCudaStream stream, const LvCudaDecode &a)
{
    return launch_batch<false>(stream, a);
}
