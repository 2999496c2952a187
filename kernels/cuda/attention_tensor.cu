/* SPDX-License-Identifier: Apache-2.0
 * Attention of bf16 on tensor cores (attention_tile.h has the arithmetic): tiles of 64 keys are
 * copied while the tile before is worked on. The warps of a block take different queries and the
 * same keys; decoding has kernels of its own (attention_decode.cu). */
#include "attention_tile.h"

/* The header of shared memory. In registers, which scores and results use up, every thread would
 * hold a copy. */
struct Block {
    Span<LvBf16> span;
    uint32_t whole[WARPS], end[WARPS]; /* a warp sees whole the keys before, and none from .. on */
};
#define BLOCK_BYTES 144
static_assert(sizeof(Block) <= BLOCK_BYTES, "fragments begin at multiples of 16 bytes");

LV_INLINE LvBf16 *behind_block()
{
    return (LvBf16 *)lv_shared() + BLOCK_BYTES / sizeof(LvBf16);
}

/* The place of the tile from key `first` on: every other tile has the same. */
template <int D> LV_INLINE LvBf16 *tile_at(LvBf16 *tiles, uint32_t first)
{
    return tiles + first / TILE_KEYS % 2 * TileRow<D>::tile;
}

/* ---- different queries a warp ---- */

/* M times 16 queries a warp: of the two, 32 read every key from shared memory half as often, and 16
 * make twice as many blocks. */
template <int D, int M> struct Many {
    static const int queries = WARPS * 16 * M;
    static const size_t shared =
        BLOCK_BYTES +
        ((size_t)queries * TileRow<D>::stride + 2 * TileRow<D>::tile) * sizeof(LvBf16) +
        Parked<D, M>::bytes;
};

/* A warp's results: through shared memory, its own rows of the queries, to whole rows. */
template <int D, int M>
LV_INLINE void write_rows(const Span<LvBf16> &s, const TileState<D, M> &state, LvBf16 *queries)
{
    const unsigned lane = lv_lane();
    const uint32_t first = threadIdx.x / 32 * 16 * M;
    LvBf16 *rows = queries + first * TileRow<D>::stride;
    lv_sync_warp();
    LV_UNROLL
    for (int m = 0; m < M; m++) {
        LV_UNROLL
        for (int r = 0; r < 2; r++) {
            float scale = lv_reciprocal(sum_of_row(state, m, r));
            LvBf16 *to = rows + (m * 16 + 8 * r + lane / 4) * TileRow<D>::stride + lane % 4 * 2;
            LV_UNROLL
            for (int n = 0; n < D / 8; n++)
                *(uint32_t *)(to + n * 8) = lv_pack_bf16(
                    state.acc[m][n][2 * r] * scale, state.acc[m][n][2 * r + 1] * scale);
        }
    }
    lv_sync_warp();
    const uint32_t pieces = D / 8;
    for (uint32_t i = lane; i < 16 * M * pieces; i += 32) {
        uint32_t row = i / pieces, col = i % pieces * 8;
        if (first + row < s.n_queries)
            *(LvVector<LvBf16, 8> *)(s.out + (first + row) * s.out_stride + col) =
                *(const LvVector<LvBf16, 8> *)(rows + row * TileRow<D>::stride + col);
    }
}

/* The keys that a warp's queries, from `row` on, see whole and in part. */
template <int M> LV_INLINE void find_ends(Block *block, uint32_t row)
{
    const Span<LvBf16> &s = block->span;
    const unsigned warp = threadIdx.x / 32;
    const bool idle = row >= s.n_queries;
    const uint32_t last = row + 16 * M < s.n_queries ? row + 16 * M : s.n_queries;
    if (lv_lane() == 0) {
        block->whole[warp] = idle ? 0 : visible_end(s, row);
        block->end[warp] = idle ? 0 : visible_end(s, last - 1);
    }
}

template <int D, int M> LV_INLINE void attend_many(Block *block, size_t stride, float factor)
{
    LvBf16 *queries = behind_block(), *tiles = queries + Many<D, M>::queries * TileRow<D>::stride;
    const Span<LvBf16> &s = block->span;
    const unsigned warp = threadIdx.x / 32;
    const uint32_t row = warp * 16 * M;

    copy_queries<D, Many<D, M>::queries>(queries, s);
    lv_copy_commit();
    copy_tile<D>(tile_at<D>(tiles, s.first_key), s, stride, s.first_key);
    lv_copy_commit();
    find_ends<M>(block, row);
    lv_copy_wait<1>();
    __syncthreads();
    Queries<D, M> query = load_queries<D, M>(queries);
    TileState<D, M> state;
    clear(state);
    float *place = (float *)(tiles + 2 * TileRow<D>::tile);
    if (Parked<D, M>::maxima)
        park(place, threadIdx.x, state);
    for (uint32_t first = s.first_key; first < s.end_key; first += TILE_KEYS) {
        const LvBf16 *keys = tile_at<D>(tiles, first), *values = keys + TileRow<D>::tile / 2;
        lv_copy_wait<0>();
        __syncthreads();
        if (first + TILE_KEYS < s.end_key)
            copy_tile<D>(tile_at<D>(tiles, first + TILE_KEYS), s, stride, first + TILE_KEYS);
        lv_copy_commit();
        if (lv_uniform(first + TILE_KEYS <= block->whole[warp]))
            attend_tile<D, M, TILE_KEYS, false>(
                state, query, keys, values, factor, s, row, first, 0, place);
        else if (lv_uniform(first < block->end[warp]))
            attend_tile<D, M, TILE_KEYS, true>(state, query, keys, values, factor, s, row, first,
                (int)((block->end[warp] - first + 15) / 16), place);
    }
    write_rows<D, M>(s, state, queries);
}

/* ---- launching ---- */

LV_INLINE Block *share_span(const Span<LvBf16> &own)
{
    Block *block = (Block *)lv_shared();
    if (threadIdx.x == 0)
        block->span = own;
    __syncthreads();
    return block;
}

/* Known to the compiler where it can be: rows of a cache, whose head_dim is D, follow each other.
 */
template <int D> LV_INLINE size_t key_stride(const LvCudaAttentionFull &a)
{
    return a.qkv_stride;
}

template <int D> LV_INLINE size_t key_stride(const LvCudaPrefill &)
{
    return D;
}

template <int D, int M, typename A> LV_KERNEL(THREADS) attention_many(const A a)
{
    Span<LvBf16> own;
    lv_wait_previous();
    if (find_span(a, Many<D, M>::queries, &own))
        attend_many<D, M>(share_span(own), key_stride<D>(a), a.scale * LOG2_E);
}

/* A prefill in tiles of 128 rows, of which the third with the fewest keys, which comes last, is
 * split in halves, so that the last block, for which the device waits alone, is short. */
template <int D> LV_KERNEL(THREADS) attention_mixed(const LvCudaPrefill a)
{
    const uint32_t rows = Many<D, 2>::queries,
                   halves = 2 * (gridDim.y - (a.max_rows - 1) / rows - 1);
    const uint32_t i = gridDim.y - 1 - blockIdx.y;
    const bool half = i < halves;
    Span<LvBf16> own;
    if (!find_rows(
            a, half ? i * (rows / 2) : (i - halves / 2) * rows, half ? rows / 2 : rows, &own))
        return;
    Block *block = share_span(own);
    if (half)
        attend_many<D, 1>(block, D, a.scale * LOG2_E);
    else
        attend_many<D, 2>(block, D, a.scale * LOG2_E);
}

template <int D, int M, typename A> static int launch_rows(LvCudaStream stream, const A &a)
{
    return launch_spans(
        attention_many<D, M, A>, Many<D, M>::queries, THREADS, Many<D, M>::shared, stream, a);
}

template <int D> static int launch_wide(LvCudaStream stream, const LvCudaAttentionFull &a)
{
    return launch_rows<D, 2>(stream, a);
}

template <int D> static int launch_wide(LvCudaStream stream, const LvCudaPrefill &a)
{
    if (D > 64) /* no registers are left for it, and such models have more heads */
        return launch_rows<D, 2>(stream, a);
    const uint64_t tiles = count_tiles(a.max_rows, Many<64, 2>::queries);
    return lv_launch(attention_mixed<64>, a.batch.n_heads, tiles + tiles / 3, a.batch.n_sequences,
        THREADS, Many<64, 2>::shared, stream, a);
}

/* 32 queries a warp where blocks of them come in more than one round: a processor has room for two
 * at a time. */
template <int D, typename A> static int launch_many(LvCudaStream stream, const A &a)
{
    int processors, shared;
    int result = lv_device_limits(&processors, &shared);
    if (result)
        return result;
    const bool wanted = a.warp_queries
                            ? a.warp_queries == 32
                            : count_spans(a, Many<D, 2>::queries) >= 3 * (uint64_t)processors;
    if (wanted && Many<D, 2>::shared <= (size_t)shared)
        return launch_wide<D>(stream, a);
    return launch_rows<D, 1>(stream, a);
}

static bool aligned(const void *rows, size_t stride)
{
    return lv_rows_aligned(rows, stride, sizeof(LvBf16), 8);
}

int lv_attention_tensor(LvCudaStream stream, const LvCudaAttentionFull &a)
{
    if (a.type != LV_BF16 || !aligned(a.qkv, a.qkv_stride) || !aligned(a.out, a.out_stride))
        return LV_CUDA_BAD_ARGUMENT;
    switch (a.head_dim) {
    case 32:
        return launch_rows<32, 1>(stream, a);
    case 64:
        return launch_many<64>(stream, a);
    case 72:
        return launch_many<72>(stream, a);
    case 128:
        return launch_rows<128, 1>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

int lv_attention_tensor(LvCudaStream stream, const LvCudaPrefill &a)
{
    if (a.batch.type != LV_BF16 || !aligned(a.qkv, a.qkv_stride) || !aligned(a.out, a.out_stride))
        return LV_CUDA_BAD_ARGUMENT;
    switch (a.batch.head_dim) {
    case 32:
        return launch_rows<32, 1>(stream, a);
    case 64:
        return launch_many<64>(stream, a);
    case 128:
        return launch_many<128>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}
