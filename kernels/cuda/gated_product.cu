/* SPDX-License-Identifier: Apache-2.0
 * The product of gate and up with what follows it: of both only what they become together is
 * written. On tensor cores, for bf16; a block has ROWS rows and COLS columns of the result, its
 * warps lie 4 x 2 in it, and each works on the same 32 columns of gate and of up. Depth goes in
 * steps of DEPTH, which are copied STAGES - 1 ahead. */
#include "arithmetic.h"
#include "fragment.h"
#include "launcher.h"

#define ROWS 128u
#define COLS 64u
#define DEPTH 32u
#define STAGES 3u
#define THREADS 256u
#define STRIDE (DEPTH + 8) /* an odd number of 16 bytes: no bank is met twice */
#define OUT_STRIDE (COLS + 8)
#define PIECES (DEPTH / 8) /* of 16 bytes, in a row of a stage */

/* Rows of the input, then those of gate, then those of up. */
struct Stage {
    LvBf16 in[ROWS * STRIDE], gate[COLS * STRIDE], up[COLS * STRIDE];
};
static_assert(sizeof(Stage) * STAGES >= ROWS * OUT_STRIDE * sizeof(LvBf16), "the result fits");

/* Where the block is. */
struct Corner {
    size_t row, col;
};

LV_INLINE Corner corner_of(const LvCudaGatedProduct &a)
{
    const size_t down = (a.rows + ROWS - 1) / ROWS;
    return {blockIdx.x % down * ROWS, blockIdx.x / down * COLS};
}

/* [first, first + n) of an operand from depth k on, zeros outside. */
LV_INLINE void copy_operand(LvBf16 *to, const void *from, size_t stride, size_t first, size_t end,
    uint32_t n, size_t k, size_t inner)
{
    for (uint32_t i = threadIdx.x; i < n * PIECES; i += THREADS) {
        const uint32_t row = i / PIECES, col = i % PIECES * 8;
        const bool inside = first + row < end && k + col < inner;
        lv_copy_async(to + row * STRIDE + col,
            (const LvBf16 *)from + (inside ? (first + row) * stride + k + col : 0), inside);
    }
}

/* Committed in any case, so that waits can count. */
LV_INLINE void copy_stage(Stage *to, const LvCudaGatedProduct &a, const Corner &c, size_t k)
{
    if (k < a.inner) {
        copy_operand(to->in, a.in, a.in_stride, c.row, a.rows, ROWS, k, a.inner);
        copy_operand(to->gate, a.gate, a.weight_stride, c.col, a.cols, COLS, k, a.inner);
        copy_operand(to->up, a.up, a.weight_stride, c.col, a.cols, COLS, k, a.inner);
    }
    lv_copy_commit();
}

/* Of a warp: [16 rows of two][8 columns of four]. */
struct Sums {
    float gate[2][4][4], up[2][4][4];
};

/* Four times 8 columns of a weight against 32 rows. */
LV_INLINE void multiply_columns(
    float (*sums)[4][4], const uint32_t (*rows)[4], const LvBf16 *weight, uint32_t k)
{
    const unsigned lane = lv_lane();
    LV_UNROLL
    for (int n = 0; n < 2; n++) {
        uint32_t w[4]; /* columns 0 to 7 in two parts of depth, then 8 to 15 */
        lv_load_tiles(
            w, weight + (n * 16 + lane / 16 * 8 + lane % 8) * STRIDE + k + lane / 8 % 2 * 8);
        LV_UNROLL
        for (int m = 0; m < 2; m++) {
            lv_multiply_add(sums[m][2 * n], rows[m], w);
            lv_multiply_add(sums[m][2 * n + 1], rows[m], w + 2);
        }
    }
}

LV_INLINE void multiply_stage(Sums &sums, const Stage *s, uint32_t row, uint32_t col)
{
    const unsigned lane = lv_lane();
    LV_UNROLL
    for (uint32_t k = 0; k < DEPTH; k += 16) {
        uint32_t rows[2][4];
        LV_UNROLL
        for (int m = 0; m < 2; m++)
            lv_load_tiles(rows[m], s->in + (row + m * 16 + lane % 16) * STRIDE + k + lane / 16 * 8);
        multiply_columns(sums.gate, rows, s->gate + col * STRIDE, k);
        multiply_columns(sums.up, rows, s->up + col * STRIDE, k);
    }
}

/* Through shared memory, to whole vectors. */
template <int FUNCTION>
LV_INLINE void write_result(const LvCudaGatedProduct &a, const Corner &c, const Sums &sums,
    LvBf16 *to, uint32_t row, uint32_t col)
{
    const unsigned lane = lv_lane();
    LV_UNROLL
    for (int m = 0; m < 2; m++) {
        LV_UNROLL
        for (int n = 0; n < 4; n++) {
            float x[4];
            LV_UNROLL
            for (int i = 0; i < 4; i++)
                x[i] = lv_apply_as<FUNCTION, LvBf16>(a.function, sums.gate[m][n][i]) *
                       sums.up[m][n][i];
            LvBf16 *at = to + (row + m * 16 + lane / 4) * OUT_STRIDE + col + n * 8 + lane % 4 * 2;
            *(uint32_t *)at = lv_pack_bf16(x[0], x[1]);
            *(uint32_t *)(at + 8 * OUT_STRIDE) = lv_pack_bf16(x[2], x[3]);
        }
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < ROWS * (COLS / 8); i += THREADS) {
        const uint32_t r = i / (COLS / 8), k = i % (COLS / 8) * 8;
        if (c.row + r < a.rows && c.col + k < a.cols)
            lv_put<8>(
                (LvBf16 *)a.out + (c.row + r) * a.out_stride + c.col + k, to + r * OUT_STRIDE + k);
    }
}

template <int FUNCTION> LV_KERNEL(THREADS) gated_product(const LvCudaGatedProduct a)
{
    Stage *stages = (Stage *)lv_shared();
    const Corner c = corner_of(a);
    const unsigned warp = threadIdx.x / LV_WARP;
    const uint32_t row = warp / 2 * 32, col = warp % 2 * 32;
    Sums sums = {};
    LV_UNROLL
    for (uint32_t s = 0; s + 1 < STAGES; s++)
        copy_stage(stages + s, a, c, s * DEPTH);
    uint32_t at = 0;
    for (size_t k = 0; k < a.inner; k += DEPTH) {
        lv_copy_wait<STAGES - 2>();
        __syncthreads(); /* all have copied theirs, and nobody reads the stage before any more */
        copy_stage(stages + (at + STAGES - 1) % STAGES, a, c, k + (STAGES - 1) * DEPTH);
        multiply_stage(sums, stages + at, row, col);
        at = (at + 1) % STAGES;
    }
    lv_copy_wait<0>();
    __syncthreads();
    write_result<FUNCTION>(a, c, sums, (LvBf16 *)stages, row, col);
}

int lv_cuda_gated_product(LvCudaStream stream, const LvCudaGatedProduct *args)
{
    const LvCudaGatedProduct &a = *args;
    const uint64_t down = ((uint64_t)a.rows + ROWS - 1) / ROWS;
    const uint64_t across = ((uint64_t)a.cols + COLS - 1) / COLS;
    if (a.inner % 8 || a.cols % 8 || !lv_rows_aligned(a.out, a.out_stride, 2, 8) ||
        !lv_rows_aligned(a.in, a.in_stride, 2, 8) ||
        !lv_rows_aligned(a.gate, a.weight_stride, 2, 8) ||
        !lv_rows_aligned(a.up, a.weight_stride, 2, 8) || down > INT32_MAX || across > INT32_MAX)
        return LV_CUDA_BAD_ARGUMENT;
    return lv_launch(
        a.function == LV_CUDA_SILU ? gated_product<LV_CUDA_SILU> : gated_product<LV_ANY_FUNCTION>,
        down * across, 1, 1, THREADS, sizeof(Stage) * STAGES, stream, a);
}
