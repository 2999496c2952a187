/* SPDX-License-Identifier: Apache-2.0
 * Rows become fp8 (../e4m3.h): a block a row, which reads it twice, the second time from the first
 * cache. */
#define LV_OWN_SPLIT
#include "launcher.h"
#include "warp.h"

#include "../e4m3.h"

#define THREADS 128u
#define WIDTH 8 /* elements of one load, codes of one store */

LV_INLINE bool is_finite(float x)
{
    return (lv_float_bits(x) & 0x7F800000u) != 0x7F800000u;
}

/* Two codes, the first in the low byte. */
LV_INLINE uint32_t codes_of(float first, float second)
{
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 890
    uint16_t pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(second), "f"(first));
    return pair;
#else
    return (uint32_t)lv_e4m3_from_float(second) << 8 | lv_e4m3_from_float(first);
#endif
}

/* What is not finite stays none: the greatest number would hide it. */
LV_INLINE float scaled(float x, float inverse)
{
    return is_finite(x) ? x * inverse : lv_bits_float(0x7FC00000u);
}

LV_INLINE const LvBf16 *row_of(const LvCudaQuantise &a)
{
    return (const LvBf16 *)a.in + blockIdx.x * a.in_stride;
}

/* The greatest of a block's values, given to every thread. */
LV_INLINE float block_greatest(float x)
{
    float *scratch = (float *)lv_shared();
    LV_UNROLL
    for (unsigned mask = LV_WARP / 2; mask; mask /= 2)
        x = fmaxf(x, lv_shuffle_xor(x, mask));
    if (lv_lane() == 0)
        scratch[threadIdx.x / LV_WARP] = x;
    __syncthreads();
    LV_UNROLL
    for (unsigned w = 0; w < THREADS / LV_WARP; w++)
        x = fmaxf(x, scratch[w]);
    return x;
}

/* The greatest finite element of the block's row, by its size. */
LV_INLINE float row_greatest(const LvCudaQuantise &a)
{
    float greatest = 0;
    for (size_t at = threadIdx.x * WIDTH; at < a.cols; at += THREADS * WIDTH) {
        float x[WIDTH];
        lv_load<WIDTH>(x, row_of(a) + at);
        LV_UNROLL
        for (int i = 0; i < WIDTH; i++)
            greatest = is_finite(x[i]) ? fmaxf(greatest, fabsf(x[i])) : greatest;
    }
    return block_greatest(greatest);
}

LV_INLINE void write_row(const LvCudaQuantise &a, float scale)
{
    const float inverse = 1.0f / scale;
    uint8_t *out = (uint8_t *)a.out + blockIdx.x * a.out_stride;
    for (size_t at = threadIdx.x * WIDTH; at < a.cols; at += THREADS * WIDTH) {
        float x[WIDTH];
        uint32_t words[WIDTH / 4];
        lv_load<WIDTH>(x, row_of(a) + at);
        LV_UNROLL
        for (int i = 0; i < WIDTH / 4; i++)
            words[i] = codes_of(scaled(x[4 * i], inverse), scaled(x[4 * i + 1], inverse)) |
                       codes_of(scaled(x[4 * i + 2], inverse), scaled(x[4 * i + 3], inverse)) << 16;
        lv_put_words<WIDTH / 4>(out + at, words);
    }
}

LV_KERNEL(THREADS) quantise_row(const LvCudaQuantise a)
{
    const float scale = lv_e4m3_scale(row_greatest(a));
    if (threadIdx.x == 0)
        a.scales[blockIdx.x] = scale;
    write_row(a, scale);
}

/* ---- one scale for all ---- */

LV_KERNEL(THREADS) find_greatest(const LvCudaQuantise a)
{
    const float greatest = row_greatest(a);
    if (threadIdx.x == 0)
        a.greatest[blockIdx.x] = greatest;
}

LV_KERNEL(THREADS) join_greatest(const LvCudaQuantise a)
{
    float greatest = 0;
    for (size_t row = threadIdx.x; row < a.rows; row += THREADS)
        greatest = fmaxf(greatest, a.greatest[row]);
    greatest = block_greatest(greatest);
    if (threadIdx.x == 0)
        a.scales[0] = lv_e4m3_scale(greatest);
}

LV_KERNEL(THREADS) quantise_by_one(const LvCudaQuantise a)
{
    write_row(a, a.scales[0]);
}

int lv_cuda_quantise(LvCudaStream stream, const LvCudaQuantise *args)
{
    const LvCudaQuantise &a = *args;
    const size_t shared = THREADS / LV_WARP * sizeof(float);
    if (a.cols % WIDTH || !lv_rows_aligned(a.in, a.in_stride, sizeof(LvBf16), WIDTH) ||
        !lv_rows_aligned(a.out, a.out_stride, 1, WIDTH) ||
        (a.scaling != LV_SCALE_ROW && a.scaling != LV_SCALE_TENSOR))
        return LV_CUDA_BAD_ARGUMENT;
    if (a.scaling == LV_SCALE_ROW)
        return lv_launch(quantise_row, a.rows, 1, 1, THREADS, shared, stream, a);
    int result = lv_launch(find_greatest, a.rows, 1, 1, THREADS, shared, stream, a);
    if (result == 0)
        result = lv_launch(join_greatest, a.rows != 0, 1, 1, THREADS, shared, stream, a);
    return result ? result : lv_launch(quantise_by_one, a.rows, 1, 1, THREADS, 0, stream, a);
}
