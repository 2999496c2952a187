/* SPDX-License-Identifier: Apache-2.0
 * How the attention kernels on tensor cores process one tile of 64 keys, after FlashAttention-2
 * (Dao, arXiv:2307.08691): scores, weights and results stay in a warp's registers.
 *
 * A warp works on M times 16 queries. Lane 4g + t has of each 16 the rows g and g + 8, and of every
 * 8 columns 2t and 2t + 1 (fragment.h). Depth goes in steps of 16; of head size 72 the last is of
 * 8.
 *
 * A query's result depends on its keys alone and on their places in their tiles, not on what else
 * its warp works on: a key behind the mask adds zero. */
#ifndef LV_CUDA_ATTENTION_TILE_H
#define LV_CUDA_ATTENTION_TILE_H

#include "arithmetic.h"
#include "attention_span.h"
#include "fragment.h"
#include "warp.h"

#define WARPS 4
#define THREADS (WARPS * 32u)
#define TILE_KEYS 64

/* Rows in shared memory are an odd number of 16 bytes apart, so that the 8 rows of a fragment meet
 * no bank twice. */
template <int D> struct TileRow {
    static const int steps = D / 16;
    static const bool half = D % 16 != 0; /* a step of 8 behind them */
    static const int stride = D / 8 % 2 ? D : D + 8;
    static const int tile = 2 * TILE_KEYS * stride; /* keys, then values */
};

/* ---- device memory to shared memory ---- */

/* A thread's part of a tile. The pieces of 16 bytes of a row go to neighbouring threads, a power of
 * two of them; of the one piece that head size 72 has beyond, half the threads take the keys' and
 * half the values'. */
template <int D, bool WHOLE>
LV_INLINE void copy_rows(
    LvBf16 *to, const LvBf16 *keys, const LvBf16 *values, size_t stride, uint32_t left)
{
    const unsigned across = D == 128 ? 16 : D == 32 ? 4 : 8, down = THREADS / across;
    const unsigned i = threadIdx.x, row = i / across, col = i % across * 8;
    LvBf16 *to_key = to + row * TileRow<D>::stride + col, *to_value = to_key + TileRow<D>::tile / 2;
    const LvBf16 *key = keys + row * stride + col, *value = values + row * stride + col;
    LV_UNROLL
    for (unsigned n = 0; n < TILE_KEYS; n += down, key += down * stride, value += down * stride) {
        const bool inside = WHOLE || row + n < left;
        lv_copy_async(to_key + n * TileRow<D>::stride, inside ? key : keys, inside);
        lv_copy_async(to_value + n * TileRow<D>::stride, inside ? value : values, inside);
    }
    if (D / 8 > across) {
        const unsigned own = i % TILE_KEYS;
        const bool inside = WHOLE || own < left;
        lv_copy_async(to + i * TileRow<D>::stride + across * 8,
            (i < TILE_KEYS ? keys : values) + (inside ? own * stride + across * 8 : 0), inside);
    }
}

/* Starts the copy of the keys and values from `first` on; zeros behind the last. */
template <int D>
LV_INLINE void copy_tile(LvBf16 *to, const Span<LvBf16> &s, size_t stride, uint32_t first)
{
    const LvBf16 *keys = s.keys + first * stride, *values = s.values + first * stride;
    const uint32_t left = s.end_key - first;
    if (left >= TILE_KEYS)
        copy_rows<D, true>(to, keys, values, stride, left);
    else
        copy_rows<D, false>(to, keys, values, stride, left);
}

/* Queries, zeros up to ROWS. */
template <int D, int ROWS> LV_INLINE void copy_queries(LvBf16 *to, const Span<LvBf16> &s)
{
    const uint32_t pieces = D / 8;
    for (uint32_t i = threadIdx.x; i < ROWS * pieces; i += THREADS) {
        uint32_t row = i / pieces, col = i % pieces * 8;
        bool inside = row < s.n_queries;
        lv_copy_async(to + row * TileRow<D>::stride + col,
            s.queries + (inside ? row * s.query_stride + col : 0), inside);
    }
}

/* ---- a warp's arithmetic ---- */

/* A query's lanes are four. */
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

/* A warp's state for its queries; [..][r] is row g + 8 r of 16. The sum of a row's weights lies in
 * its lanes in parts, or where these additions would keep too many weights in registers, is the
 * weights' product with ones. */
template <int D, int M> struct TileState {
    static const bool ones = D >= 128;
    float acc[M][D / 8][4];
    float best[M][2]; /* the greatest score, not yet scaled */
    float sum[M][ones ? 4 : 2];
};

template <int D, int M> LV_INLINE float sum_of_row(const TileState<D, M> &state, int m, int r)
{
    return state.ones ? state.sum[m][state.ones ? 2 * r : 0] : sum_of_row(state.sum[m][r]);
}

template <int D, int M> LV_INLINE void clear(TileState<D, M> &state)
{
    LV_UNROLL
    for (int m = 0; m < M; m++) {
        LV_UNROLL
        for (int n = 0; n < D / 8; n++) {
            LV_UNROLL
            for (int i = 0; i < 4; i++)
                state.acc[m][n][i] = 0;
        }
        LV_UNROLL
        for (int r = 0; r < 2; r++)
            state.best[m][r] = -INFINITY;
        LV_UNROLL
        for (int i = 0; i < (state.ones ? 4 : 2); i++)
            state.sum[m][i] = 0;
    }
}

/* A warp's queries: in registers, or read again for every tile where they would not fit. */
template <int D, int M> struct Queries {
    static const bool kept = D * M <= 160;
    uint32_t at[kept ? TileRow<D>::steps : 1][M][4];
    uint32_t half[4];   /* the step of 8 of both */
    const LvBf16 *rows; /* of the block */
};

/* Where queries are not kept there is no register for what follows from it either. */
template <int D, int M> LV_INLINE unsigned thread_of(const Queries<D, M> &q)
{
    return q.kept ? threadIdx.x : lv_thread_again();
}

/* The lane's row of the first fragment of the warp's queries. */
template <int D, int M> LV_INLINE const LvBf16 *fragment_row(const LvBf16 *rows, unsigned thread)
{
    return rows + (thread / 32 * 16 * M + thread % 16) * TileRow<D>::stride + thread % 32 / 16 * 8;
}

template <int D, int M> LV_INLINE void load_step(uint32_t (*to)[4], const LvBf16 *from, int k)
{
    LV_UNROLL
    for (int m = 0; m < M; m++)
        lv_load_tiles(to[m], from + m * 16 * TileRow<D>::stride + k * 16);
}

/* rows: of the block. */
template <int D, int M> LV_INLINE Queries<D, M> load_queries(const LvBf16 *rows)
{
    static_assert(
        M <= 2 && !(TileRow<D>::half && D * M > 160), "half a step is kept, of two at most");
    const unsigned thread = threadIdx.x;
    Queries<D, M> q;
    q.rows = rows;
    if (q.kept) {
        LV_UNROLL
        for (int k = 0; k < TileRow<D>::steps; k++)
            load_step<D, M>(q.at[q.kept ? k : 0], fragment_row<D, M>(rows, thread), k);
    }
    if (TileRow<D>::half)
        lv_load_tiles(q.half, rows +
                                  (thread / 32 * 16 * M + thread % (16 * M)) * TileRow<D>::stride +
                                  TileRow<D>::steps * 16);
    return q;
}

/* scores = q . keys^T of KEYS keys, of which only the first 16 * `steps` are wanted. */
template <int D, int M, int KEYS, bool CUT>
LV_INLINE void multiply_keys(
    float (*scores)[KEYS / 8][4], Queries<D, M> &q, const LvBf16 *keys, int steps)
{
    static_assert(!TileRow<D>::half || KEYS % 32 == 0, "half a step is read of 32 keys at once");
    const unsigned thread = thread_of(q), lane = thread % 32;
    const LvBf16 *row = keys + (lane / 16 * 8 + lane % 8) * TileRow<D>::stride + lane / 8 % 2 * 8;
    LV_UNROLL
    for (int m = 0; m < M; m++) {
        LV_UNROLL
        for (int n = 0; n < KEYS / 8; n++) {
            LV_UNROLL
            for (int i = 0; i < 4; i++)
                scores[m][n][i] = 0;
        }
    }
    LV_UNROLL
    for (int k = 0; k < TileRow<D>::steps; k++) {
        if (!q.kept)
            load_step<D, M>(q.at[0], fragment_row<D, M>(q.rows, thread), k);
        LV_UNROLL
        for (int n = 0; n < KEYS / 16; n++) {
            if (CUT && n >= steps)
                continue;
            uint32_t b[4];
            lv_load_tiles(b, row + n * 16 * TileRow<D>::stride + k * 16);
            LV_UNROLL
            for (int m = 0; m < M; m++) {
                lv_multiply_add(scores[m][2 * n], q.at[q.kept ? k : 0][m], b);
                lv_multiply_add(scores[m][2 * n + 1], q.at[q.kept ? k : 0][m], b + 2);
            }
        }
    }
    if (TileRow<D>::half) {
        LV_UNROLL
        for (int n = 0; n < KEYS / 32; n++) {
            if (CUT && 2 * n >= steps)
                continue;
            uint32_t b[4];
            lv_load_tiles(b, keys + (n * 32 + lane) * TileRow<D>::stride + TileRow<D>::steps * 16);
            LV_UNROLL
            for (int i = 0; i < 4; i++) {
                LV_UNROLL
                for (int m = 0; m < M; m++)
                    lv_multiply_add_half(scores[m][4 * n + i], q.half + 2 * m, b + i);
            }
        }
    }
}

/* The masks and the new maxima of a tile's scores, with the state rescaled to them. With CUT, query
 * q of the span sees of these keys, whose first is key `first` of the span, those below
 * visible_end(s, q); `row` is the warp's first query. centre: what is taken off a scaled score. */
template <int D, int M, int KEYS, bool CUT>
LV_INLINE void raise_maxima(TileState<D, M> &state, float (*centre)[2],
    float (*scores)[KEYS / 8][4], float factor, const Span<LvBf16> &s, uint32_t row, uint32_t first)
{
    const unsigned lane = lv_lane();
    LV_UNROLL
    for (int m = 0; m < M; m++) {
        LV_UNROLL
        for (int r = 0; r < 2; r++) {
            /* Of the columns from the lane's first on. */
            const int seen =
                CUT ? (int)(visible_end(s, row + 16 * m + 8 * r + lane / 4) - first - lane % 4 * 2)
                    : 0;
            float best = state.best[m][r];
            LV_UNROLL
            for (int n = 0; n < KEYS / 8; n++) {
                LV_UNROLL
                for (int i = 2 * r; i < 2 * r + 2; i++) {
                    if (CUT && n * 8 + i % 2 >= seen)
                        scores[m][n][i] = -INFINITY;
                    best = fmaxf(best, scores[m][n][i]);
                }
            }
            best = greatest_of_row(best);
            /* Rounded alike, so that an unchanged maximum rescales by 1 exactly. */
            centre[m][r] = best == -INFINITY ? 0 : lv_mul(best, factor);
            float rescale = lv_exp2(lv_add(lv_mul(state.best[m][r], factor), -centre[m][r]));
            state.best[m][r] = best;
            LV_UNROLL
            for (int i = 0; i < (state.ones ? 2 : 1); i++) {
                float &sum = state.sum[m][state.ones ? 2 * r + i : r];
                sum = lv_mul(sum, rescale); /* alike with CUT and without */
            }
            LV_UNROLL
            for (int n = 0; n < D / 8; n++) {
                state.acc[m][n][2 * r] *= rescale;
                state.acc[m][n][2 * r + 1] *= rescale;
            }
        }
    }
}

/* acc += weights . values of KEYS keys, of which only the first 16 * `steps` weigh anything; the
 * weights are 2^(factor score - centre), made 16 keys at a time so that few of them are alive. */
template <int D, int M, int KEYS, bool CUT>
LV_INLINE void multiply_values(TileState<D, M> &state, float (*scores)[KEYS / 8][4], float factor,
    const float (*centre)[2], const LvBf16 *values, unsigned lane, int steps)
{
    static_assert(D % 16 == 0 || KEYS % 32 == 0, "the last 8 columns are read of 32 keys at once");
    const LvBf16 *row = values + lane % 16 * TileRow<D>::stride + lane / 16 * 8;
    const LvBf16 *last = values + lane * TileRow<D>::stride + D - 8;
    uint32_t odd[4];
    LV_UNROLL
    for (int k = 0; k < KEYS / 16; k++) {
        if (CUT && k >= steps)
            continue;
        uint32_t a[M][4];
        LV_UNROLL
        for (int m = 0; m < M; m++) {
            LV_UNROLL
            for (int i = 0; i < 4; i++) {
                const float *pair = &scores[m][2 * k + i / 2][i % 2 * 2];
                const float x = lv_exp2(fmaf(pair[0], factor, -centre[m][i % 2]));
                const float y = lv_exp2(fmaf(pair[1], factor, -centre[m][i % 2]));
                if (!state.ones)
                    state.sum[m][i % 2] += x + y;
                a[m][i] = lv_pack_bf16(x, y);
            }
            if (state.ones) {
                const uint32_t ones[2] = {0x3F803F80u, 0x3F803F80u};
                lv_multiply_add(state.sum[m], a[m], ones);
            }
        }
        LV_UNROLL
        for (int n = 0; n + 1 < D / 8; n += 2) {
            uint32_t b[4];
            lv_load_tiles_transposed(b, row + k * 16 * TileRow<D>::stride + n * 8);
            LV_UNROLL
            for (int m = 0; m < M; m++) {
                lv_multiply_add(state.acc[m][n], a[m], b);
                lv_multiply_add(state.acc[m][n + 1], a[m], b + 2);
            }
        }
        if (D / 8 % 2) {
            if (k % 2 == 0)
                lv_load_tiles_transposed(odd, last + k * 16 * TileRow<D>::stride);
            LV_UNROLL
            for (int m = 0; m < M; m++)
                lv_multiply_add(state.acc[m][D / 8 - 1], a[m], odd + k % 2 * 2);
        }
    }
}

/* Where registers are scarcest, the maxima are kept in shared memory, [THREADS][4], while scores
 * are made and while weights are used: the compiler would take scores out of registers instead. */
template <int D, int M> struct Parked {
    static const bool maxima = !Queries<D, M>::kept;
    static const size_t bytes = maxima ? THREADS * 4 * sizeof(float) : 0;
};

template <int D, int M>
LV_INLINE void park(float *place, unsigned thread, const TileState<D, M> &state)
{
    LvVector<float, 4> own;
    LV_UNROLL
    for (int i = 0; i < 4; i++)
        own.at[i] = i / 2 < M ? state.best[i / 2 < M ? i / 2 : 0][i % 2] : 0;
    *(LvVector<float, 4> *)(place + thread * 4) = own;
}

template <int D, int M>
LV_INLINE void fetch(const float *place, unsigned thread, TileState<D, M> &state)
{
    const LvVector<float, 4> own = *(const LvVector<float, 4> *)(place + thread * 4);
    LV_UNROLL
    for (int i = 0; i < 2 * M; i++)
        state.best[i / 2][i % 2] = own.at[i];
}

/* All of the above: one tile of keys and its values; `place` is where the maxima are parked. */
template <int D, int M, int KEYS, bool CUT>
LV_INLINE void attend_tile(TileState<D, M> &state, Queries<D, M> &query, const LvBf16 *keys,
    const LvBf16 *values, float factor, const Span<LvBf16> &s, uint32_t row, uint32_t first,
    int steps, float *place)
{
    float scores[M][KEYS / 8][4], centre[M][2];
    multiply_keys<D, M, KEYS, CUT>(scores, query, keys, steps);
    if (Parked<D, M>::maxima)
        fetch(place, thread_of(query), state);
    raise_maxima<D, M, KEYS, CUT>(state, centre, scores, factor, s, row, first);
    if (Parked<D, M>::maxima)
        park(place, thread_of(query), state);
    multiply_values<D, M, KEYS, CUT>(
        state, scores, factor, centre, values, thread_of(query) % 32, steps);
}

#endif
