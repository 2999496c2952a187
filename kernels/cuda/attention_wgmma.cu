/* SPDX-License-Identifier: Apache-2.0
 * Attention of bf16 by warp groups (wgmma.h), for sm_90a: two of them share the keys of a block, 64
 * queries each, and every key is read from shared memory once for 64 queries instead of 32. Tiles
 * of 64 keys are copied while the tile before is worked on. Head size 72 is 80 with zeros. */
#include "attention_tile.h"
#include "wgmma.h"

#define GROUPS 2u
#define GROUP_QUERIES 64u
#define BLOCK_QUERIES (GROUPS * GROUP_QUERIES)
#define BLOCK_THREADS (GROUPS * LV_WGMMA_THREADS)
#define CORE 64u                      /* elements */
#define COLUMN (TILE_KEYS / 8 * CORE) /* elements from 8 columns to the next 8, of 64 rows */

/* For head size HEAD, of which products see D columns. */
template <int HEAD> struct Wide {
    static const int D = HEAD == 72 ? 80 : HEAD;
    static const int matrix = TILE_KEYS * D; /* 64 rows in cores */
    /* A warp's results on their way out, 16 rows of which lie where its queries were. */
    static const int stride = D + 8;
    static const int queries = GROUP_QUERIES * stride;
    static const size_t shared = (GROUPS * queries + 4 * matrix) * sizeof(LvBf16);
};

/* 64 rows, zeros behind `left` of them, into cores; by all threads of the block. Two neighbours take
 * 32 bytes of a row. */
template <int HEAD>
LV_INLINE void copy_cores(LvBf16 *to, const LvBf16 *rows, size_t stride, uint32_t left)
{
    for (uint32_t i = threadIdx.x; i < TILE_KEYS * Wide<HEAD>::D / 8; i += BLOCK_THREADS) {
        const uint32_t row = i / 2 % TILE_KEYS, col = i % 2 + i / (2 * TILE_KEYS) * 2;
        const bool inside = row < left && col * 8 < HEAD;
        lv_copy_async(
            to + col * COLUMN + row * 8, rows + (inside ? row * stride + col * 8 : 0), inside);
    }
}

template <int HEAD> LV_INLINE void copy_keys(LvBf16 *to, const Span<LvBf16> &s, uint32_t first)
{
    const uint32_t left = s.end_key - first;
    copy_cores<HEAD>(to, s.keys + first * s.key_stride, s.key_stride, left);
    copy_cores<HEAD>(to + Wide<HEAD>::matrix, s.values + first * s.key_stride, s.key_stride, left);
}

/* scores = queries . keys^T */
template <int HEAD>
LV_INLINE void group_scores(float *scores, const LvBf16 *queries, const LvBf16 *keys)
{
    const uint32_t column = COLUMN * sizeof(LvBf16), core = CORE * sizeof(LvBf16);
    lv_wgmma_begin();
    LV_UNROLL
    for (int k = 0; k < Wide<HEAD>::D / 16; k++)
        lv_wgmma_64(scores, LvCores{queries + k * 2 * COLUMN, column, core},
            LvCores{keys + k * 2 * COLUMN, column, core}, k > 0);
    lv_wgmma_end<TILE_KEYS>(scores);
}

/* results += weights . values, the weights being 2^(factor score - centre). */
template <int HEAD>
LV_INLINE void group_values(TileState<Wide<HEAD>::D, 1> &state, const float (*scores)[4],
    float factor, const float *centre, const LvBf16 *values)
{
    const uint32_t column = COLUMN * sizeof(LvBf16), core = CORE * sizeof(LvBf16);
    uint32_t weights[TILE_KEYS / 16][4];
    LV_UNROLL
    for (int k = 0; k < TILE_KEYS / 16; k++) {
        LV_UNROLL
        for (int i = 0; i < 4; i++) {
            const float *pair = &scores[2 * k + i / 2][i % 2 * 2];
            const float x = lv_exp2(fmaf(pair[0], factor, -centre[i % 2]));
            const float y = lv_exp2(fmaf(pair[1], factor, -centre[i % 2]));
            state.sum[0][state.ones ? i % 2 * 2 : i % 2] += x + y;
            weights[k][i] = lv_pack_bf16(x, y);
        }
    }
    lv_wgmma_begin();
    LV_UNROLL
    for (int k = 0; k < TILE_KEYS / 16; k++)
        lv_wgmma_add<Wide<HEAD>::D>(
            &state.acc[0][0][0], weights[k], LvCores{values + k * 2 * CORE, core, column});
    lv_wgmma_end<Wide<HEAD>::D>(&state.acc[0][0][0]);
}

/* A group works on a tile alike: the products are its four warps' together. */
template <int HEAD, bool CUT>
LV_INLINE void group_tile(TileState<Wide<HEAD>::D, 1> &state, const LvBf16 *queries,
    const LvBf16 *keys, float factor, const Span<LvBf16> &s, uint32_t row, uint32_t first)
{
    float scores[1][TILE_KEYS / 8][4], centre[1][2];
    group_scores<HEAD>(&scores[0][0][0], queries, keys);
    raise_maxima<Wide<HEAD>::D, 1, TILE_KEYS, CUT>(state, centre, scores, factor, s, row, first);
    group_values<HEAD>(state, scores[0], factor, centre[0], keys + Wide<HEAD>::matrix);
}

/* A warp's 16 rows, through shared memory to whole rows. */
template <int HEAD>
LV_INLINE void write_group(
    const Span<LvBf16> &s, const TileState<Wide<HEAD>::D, 1> &state, LvBf16 *own, uint32_t row)
{
    const unsigned lane = lv_lane();
    LV_UNROLL
    for (int r = 0; r < 2; r++) {
        const float scale = lv_reciprocal(sum_of_row(state.sum[0][state.ones ? 2 * r : r]));
        LvBf16 *to = own + (8 * r + lane / 4) * Wide<HEAD>::stride + lane % 4 * 2;
        LV_UNROLL
        for (int n = 0; n < HEAD / 8; n++)
            *(uint32_t *)(to + n * 8) =
                lv_pack_bf16(state.acc[0][n][2 * r] * scale, state.acc[0][n][2 * r + 1] * scale);
    }
    lv_sync_warp();
    for (uint32_t i = lane; i < 16 * (HEAD / 8); i += LV_WARP) {
        const uint32_t r = i / (HEAD / 8), col = i % (HEAD / 8) * 8;
        if (row + r < s.n_queries)
            lv_put<8>(s.out + (row + r) * s.out_stride + col, own + r * Wide<HEAD>::stride + col);
    }
}

template <int HEAD> LV_INLINE void attend_group(const Span<LvBf16> &s, float factor)
{
    const uint32_t group = threadIdx.x / LV_WGMMA_THREADS, first_query = group * GROUP_QUERIES;
    const uint32_t row = threadIdx.x / LV_WARP * 16;
    LvBf16 *all = (LvBf16 *)lv_shared(), *tiles = all + GROUPS * Wide<HEAD>::queries;
    LvBf16 *queries = all + group * Wide<HEAD>::queries;
    for (uint32_t g = 0; g < GROUPS; g++) {
        const uint32_t q = g * GROUP_QUERIES;
        const bool any = q < s.n_queries;
        copy_cores<HEAD>(all + g * Wide<HEAD>::queries, s.queries + (any ? q * s.query_stride : 0),
            s.query_stride, any ? s.n_queries - q : 0);
    }
    copy_keys<HEAD>(tiles, s, s.first_key);
    lv_copy_commit();
    const bool idle = first_query >= s.n_queries;
    const uint32_t last =
        first_query + GROUP_QUERIES < s.n_queries ? first_query + GROUP_QUERIES : s.n_queries;
    const uint32_t whole = idle ? 0 : visible_end(s, first_query);
    const uint32_t end = idle ? 0 : visible_end(s, last - 1);
    TileState<Wide<HEAD>::D, 1> state;
    clear(state);
    for (uint32_t first = s.first_key; first < s.end_key; first += TILE_KEYS) {
        const uint32_t odd = (first - s.first_key) / TILE_KEYS % 2;
        const LvBf16 *keys = tiles + odd * 2 * Wide<HEAD>::matrix;
        lv_copy_wait<0>();
        lv_wgmma_visible();
        __syncthreads();
        if (first + TILE_KEYS < s.end_key)
            copy_keys<HEAD>(tiles + (1 - odd) * 2 * Wide<HEAD>::matrix, s, first + TILE_KEYS);
        lv_copy_commit();
        if (lv_uniform(first + TILE_KEYS <= whole))
            group_tile<HEAD, false>(state, queries, keys, factor, s, row, first);
        else if (lv_uniform(first < end))
            group_tile<HEAD, true>(state, queries, keys, factor, s, row, first);
    }
    __syncthreads(); /* the group's queries are read no more */
    write_group<HEAD>(s, state, queries + row % GROUP_QUERIES * Wide<HEAD>::stride, row);
}

template <int HEAD, typename A> LV_KERNEL(BLOCK_THREADS) attention_wgmma(const A a)
{
#ifdef LV_HAS_WGMMA
    Span<LvBf16> own;
    lv_wait_previous();
    if (find_span(a, BLOCK_QUERIES, &own))
        attend_group<HEAD>(own, a.scale * LOG2_E);
#endif
}

/* ---- launching ---- */

static int has_wgmma(bool *has)
{
#ifdef __CUDACC__
    int device, major = 0;
    cudaError_t error = cudaGetDevice(&device);
    if (error == cudaSuccess)
        error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    *has = major == 9;
    return (int)error;
#else
    *has = true;
    return 0;
#endif
}

template <typename A>
static int launch_wgmma(LvCudaStream stream, const A &a, LvDtype type, uint32_t head_dim)
{
    bool has;
    const int result = has_wgmma(&has);
    if (result || !has || type != LV_BF16 || !lv_rows_aligned(a.qkv, a.qkv_stride, 2, 8) ||
        !lv_rows_aligned(a.out, a.out_stride, 2, 8))
        return result ? result : LV_CUDA_BAD_ARGUMENT;
    if (head_dim == 64)
        return launch_spans(
            attention_wgmma<64, A>, BLOCK_QUERIES, BLOCK_THREADS, Wide<64>::shared, stream, a);
    if (head_dim == 72)
        return launch_spans(
            attention_wgmma<72, A>, BLOCK_QUERIES, BLOCK_THREADS, Wide<72>::shared, stream, a);
    if (head_dim == 128)
        return launch_spans(
            attention_wgmma<128, A>, BLOCK_QUERIES, BLOCK_THREADS, Wide<128>::shared, stream, a);
    return LV_CUDA_BAD_ARGUMENT;
}

int lv_attention_wgmma(LvCudaStream stream, const LvCudaAttentionFull &a)
{
    return launch_wgmma(stream, a, a.type, a.head_dim);
}

int lv_attention_wgmma(LvCudaStream stream, const LvCudaPrefill &a)
{
    return launch_wgmma(stream, a, a.batch.type, a.batch.head_dim);
}
