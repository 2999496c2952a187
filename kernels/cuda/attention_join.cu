/* SPDX-License-Identifier: Apache-2.0
 * Joins what attention of decoding steps has found in the spans of each cache. */
#include "arithmetic.h"
#include "attention_span.h"
#include "warp.h"

#define AT_ONCE 8    /* splits that a warp loads at once */
#define JOIN_WARPS 8 /* of a block; two where there are few splits */

/* A block a head of a sequence. Warps take splits in turn, a lane COLUMNS columns: 32, 64 ... from
 * each other. Splits behind the sequence's end were not written and are not read. */
template <typename T, int COLUMNS> LV_KERNEL(JOIN_WARPS *LV_WARP) join_splits(const LvCudaDecode a)
{
    const LvCudaBatch &b = a.batch;
    const uint32_t n_warps = blockDim.x / LV_WARP, warp = threadIdx.x / LV_WARP;
    const uint32_t width = b.head_dim + 2;
    /* A split's weight each; what the warps' reductions share; the warps' sums of each column. */
    float *weights = (float *)lv_shared(), *scratch = weights + (a.n_splits + 31) / 32 * 32;
    float *sums = scratch + 64;
    lv_let_next_start();
    const LvCudaSequence sequence = lv_load_fresh(b.sequences + blockIdx.y);
    const uint32_t n = sequence.n_rows ? sequence.position / split_keys(a) + 1 : 0;
    lv_wait_previous();
    if (n == 0)
        return;
    const float *parts =
        a.workspace + ((size_t)blockIdx.y * b.n_heads + blockIdx.x) * a.n_splits * width;
    float part[AT_ONCE][COLUMNS], acc[COLUMNS], best = -INFINITY, sum = 0;
    LV_UNROLL
    for (int c = 0; c < COLUMNS; c++)
        acc[c] = 0;
    for (uint32_t i = threadIdx.x; i < n; i += blockDim.x)
        best = fmaxf(best, parts[(size_t)i * width + b.head_dim]);
    for (uint32_t first = warp; first < n || first == warp; first += n_warps * AT_ONCE) {
        LV_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            const uint32_t i = first + u * n_warps;
            LV_UNROLL
            for (int c = 0; c < COLUMNS; c++) {
                const uint32_t col = lv_lane() + LV_WARP * c;
                part[u][c] = i < n && col < b.head_dim ? parts[(size_t)i * width + col] : 0.0f;
            }
        }
        if (first == warp) { /* the weights, while the parts are being loaded */
            LV_UNROLL
            for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
                best = fmaxf(best, lv_shuffle_xor(best, mask));
            if (lv_lane() == 0)
                scratch[warp] = best;
            __syncthreads();
            for (uint32_t w = 0; w < n_warps; w++)
                best = fmaxf(best, scratch[w]);
            for (uint32_t i = threadIdx.x; i < n; i += blockDim.x) {
                const float *end = parts + (size_t)i * width + b.head_dim;
                weights[i] = lv_exp2(end[0] - best);
                sum += end[1] * weights[i];
            }
            lv_block_sums<1>(&sum, scratch + 32);
        }
        LV_UNROLL
        for (int u = 0; u < AT_ONCE; u++) {
            const uint32_t i = first + u * n_warps;
            const float weight = i < n ? weights[i] : 0.0f;
            LV_UNROLL
            for (int c = 0; c < COLUMNS; c++)
                acc[c] += weight == 0 ? 0.0f : part[u][c] * weight;
        }
    }
    LV_UNROLL
    for (int c = 0; c < COLUMNS; c++)
        sums[(warp * COLUMNS + c) * LV_WARP + lv_lane()] = acc[c];
    __syncthreads();
    T *out = (T *)a.out + sequence.first_row * a.out_stride + (size_t)blockIdx.x * b.head_dim;
    for (uint32_t col = threadIdx.x; col < b.head_dim; col += blockDim.x) {
        float total = 0;
        for (uint32_t w = 0; w < n_warps; w++)
            total += sums[w * COLUMNS * LV_WARP + col];
        out[col] = lv_narrow<T>(total / sum);
    }
}

template <typename T, int COLUMNS>
static int launch_join(LvCudaStream stream, const LvCudaDecode &a)
{
    const bool overlapped = a.overlap || a.join_overlap;
    const unsigned warps = a.n_splits > 4 ? JOIN_WARPS : 2;
    const size_t shared =
        ((a.n_splits + 31) / 32 * 32 + 64 + (size_t)warps * COLUMNS * LV_WARP) * sizeof(float);
    return lv_launch_as(overlapped, join_splits<T, COLUMNS>, a.n_splits ? a.batch.n_heads : 0,
        a.batch.n_sequences, 1, warps * LV_WARP, shared, stream, a);
}

template <typename T> static int join(LvCudaStream stream, const LvCudaDecode &a)
{
    if (a.batch.head_dim <= 64)
        return launch_join<T, 2>(stream, a);
    if (a.batch.head_dim <= 128)
        return launch_join<T, 4>(stream, a);
    return launch_join<T, 8>(stream, a);
}
int lv_attention_join(LvCudaStream stream, const LvCudaDecode &a)
{
    return a.batch.type == LV_F32 ? join<float>(stream, a) : join<LvBf16>(stream, a);
}
