/* SPDX-License-Identifier: Apache-2.0
 * Products of few rows, bound by reading the weights. A warp works on OUTPUTS rows of the weight
 * for all rows of the input, 16 bytes a lane at a time, and adds up across its lanes at the end. */
#include "device.h"

#define THREADS 128u
#define OUTPUTS 2

/* Sums of one warp: [output][row], of the weight and of its partner for the gate. */
template <typename T, int ROWS>
LV_INLINE void multiply(const LvCudaFew &a, const void *weight, size_t first, float (*sums)[ROWS])
{
    const int width = 16 / (int)sizeof(T);
    LV_UNROLL
    for (int o = 0; o < OUTPUTS; o++) {
        LV_UNROLL
        for (int r = 0; r < ROWS; r++)
            sums[o][r] = 0;
    }
    for (size_t k = (size_t)lv_lane() * width; k < a.inner; k += LV_WARP * width) {
        float w[OUTPUTS][width], x[width], scale[width];
        LV_UNROLL
        for (int o = 0; o < OUTPUTS; o++)
            if (first + o < a.cols)
                lv_load<width>(w[o], (const T *)weight + (first + o) * a.weight_stride + k);
        LV_UNROLL
        for (int i = 0; i < width; i++)
            scale[i] = a.norm_scale ? a.norm_scale[k + i] : 1.0f;
        LV_UNROLL
        for (int r = 0; r < ROWS; r++)
            if ((size_t)r < a.rows) {
                lv_load<width>(x, (const T *)a.in + r * a.in_stride + k);
                LV_UNROLL
                for (int i = 0; i < width; i++)
                    x[i] *= scale[i];
                LV_UNROLL
                for (int o = 0; o < OUTPUTS; o++) {
                    LV_UNROLL
                    for (int i = 0; i < width; i++)
                        if (first + o < a.cols)
                            sums[o][r] += x[i] * w[o][i];
                }
            }
    }
    LV_UNROLL
    for (int o = 0; o < OUTPUTS; o++) {
        LV_UNROLL
        for (int r = 0; r < ROWS; r++)
            sums[o][r] = lv_warp_sum(sums[o][r]);
    }
}

/* 1 / sqrt(mean(x^2) + eps) of every row, by all warps alike: the rows are short and in cache. */
template <typename T, int ROWS> LV_INLINE void norm_factors(const LvCudaFew &a, float *factors)
{
    const int width = 16 / (int)sizeof(T);
    LV_UNROLL
    for (int r = 0; r < ROWS; r++) {
        float x[width], squares = 0;
        factors[r] = 1;
        if (!a.norm_scale || !a.inner || (size_t)r >= a.rows)
            continue;
        for (size_t k = (size_t)lv_lane() * width; k < a.inner; k += LV_WARP * width) {
            lv_load<width>(x, (const T *)a.in + r * a.in_stride + k);
            LV_UNROLL
            for (int i = 0; i < width; i++)
                squares += x[i] * x[i];
        }
        factors[r] = 1.0f / sqrtf(lv_warp_sum(squares) / (float)a.inner + a.norm_eps);
    }
}

template <typename T, typename TO, int ROWS, bool GATED>
__global__ void linear_few(const LvCudaFew a)
{
    size_t first = ((size_t)blockIdx.x * (THREADS / LV_WARP) + threadIdx.x / LV_WARP) * OUTPUTS;
    if (first >= a.cols)
        return;
    float sums[OUTPUTS][ROWS], ups[OUTPUTS][ROWS], factors[ROWS];
    multiply<T, ROWS>(a, a.weight, first, sums);
    if (GATED)
        multiply<T, ROWS>(a, a.up, first, ups);
    norm_factors<T, ROWS>(a, factors);
    LV_UNROLL
    for (int o = 0; o < OUTPUTS; o++) {
        LV_UNROLL
        for (int r = 0; r < ROWS; r++) {
            size_t col = first + o;
            /* Results are spread over the lanes so that each is written by one. */
            if (lv_lane() != (unsigned)(o * ROWS + r) || col >= a.cols || (size_t)r >= a.rows)
                continue;
            float x = sums[o][r] * factors[r];
            if (GATED) {
                x = lv_apply(a.function, x) * (ups[o][r] * factors[r]);
            } else {
                x = lv_apply(a.function, a.bias ? x + a.bias[col] : x);
                if (a.residual)
                    x += lv_widen(((const T *)a.residual)[r * a.residual_stride + col]);
            }
            ((TO *)a.out)[r * a.out_stride + col] = lv_narrow<TO>(x);
        }
    }
}

template <typename T, typename TO, int ROWS>
static int launch_few(LvCudaStream stream, const LvCudaFew &a)
{
    uint64_t of_block = THREADS / LV_WARP * OUTPUTS, blocks = (a.cols + of_block - 1) / of_block;
    return lv_launch(a.up ? linear_few<T, TO, ROWS, true> : linear_few<T, TO, ROWS, false>,
        a.rows ? blocks : 0, 1, 1, THREADS, 0, stream, a);
}

template <typename T, typename TO> static int few_of_types(LvCudaStream stream, const LvCudaFew &a)
{
    const int width = 16 / (int)sizeof(T);
    if (a.rows > LV_CUDA_FEW_ROWS || a.inner % width ||
        !lv_rows_aligned(a.in, a.in_stride, sizeof(T), width) ||
        !lv_rows_aligned(a.weight, a.weight_stride, sizeof(T), width) ||
        (a.up &&
            (!lv_rows_aligned(a.up, a.weight_stride, sizeof(T), width) || a.bias || a.residual)))
        return LV_CUDA_BAD_ARGUMENT;
    if (a.rows <= 1)
        return launch_few<T, TO, 1>(stream, a);
    if (a.rows <= 2)
        return launch_few<T, TO, 2>(stream, a);
    if (a.rows <= 4)
        return launch_few<T, TO, 4>(stream, a);
    return launch_few<T, TO, 8>(stream, a);
}

int lv_cuda_linear_few(LvCudaStream stream, const LvCudaFew *args)
{
    const LvCudaFew &a = *args;
    if (a.type == LV_CUDA_F32 && a.out_type == LV_CUDA_F32)
        return few_of_types<float, float>(stream, a);
    if (a.type == LV_CUDA_BF16 && a.out_type == LV_CUDA_BF16)
        return few_of_types<LvBf16, LvBf16>(stream, a);
    if (a.type == LV_CUDA_BF16 && a.out_type == LV_CUDA_F32)
        return few_of_types<LvBf16, float>(stream, a);
    return LV_CUDA_BAD_ARGUMENT;
}
