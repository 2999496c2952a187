/* SPDX-License-Identifier: Apache-2.0
 * LayerNorm and RMSNorm: a block a row. The row is read once and kept in registers; the variance is
 * computed around the mean and corrected for the mean's rounding, so that a large mean costs no
 * digits. */
#include "launcher.h"
#include "warp.h"

#define THREADS 128u
#define WIDTH 4 /* elements of one load */

/* Sums of (x - centre) and (x - centre)^2. */
LV_INLINE void add_deviation(float *sums, float x, float centre)
{
    float d = x - centre;
    sums[0] += d;
    sums[1] += d * d;
}

/* What turns a row into its norm: (x - first - second) * factor. */
struct Moments {
    float first, second, factor;
};

LV_INLINE Moments moments_of(const float *sums, float centre, size_t cols, float eps, bool centred)
{
    Moments m = {0, 0, 0};
    float mean_square = sums[1] / (float)cols;
    if (centred) {
        m.first = centre;
        m.second = sums[0] / (float)cols;
        mean_square -= m.second * m.second;
    }
    m.factor = 1.0f / sqrtf(mean_square + eps);
    return m;
}

LV_INLINE float normalised(float x, const Moments &m, float scale, float bias)
{
    return ((x - m.first) - m.second) * m.factor * scale + bias;
}

/* CHUNKS loads a thread hold the whole row: cols is a multiple of WIDTH and at most CHUNKS *
 * THREADS * WIDTH; scale and bias are aligned as the rows are. */
template <typename T, int CHUNKS, bool CENTRED> LV_KERNEL(THREADS) norm_row(const LvCudaNorm a)
{
    float *scratch = (float *)lv_shared();
    lv_let_next_start();
    lv_wait_previous();
    const T *in = (const T *)a.in + blockIdx.x * a.in_stride;
    T *out = (T *)a.out + blockIdx.x * a.out_stride;
    float x[CHUNKS][WIDTH], centre = 0;
    LV_UNROLL
    for (int c = 0; c < CHUNKS; c++) {
        size_t at = ((size_t)c * THREADS + threadIdx.x) * WIDTH;
        if (at < a.cols) {
            lv_load<WIDTH>(x[c], in + at);
            LV_UNROLL
            for (int i = 0; i < WIDTH; i++)
                centre += x[c][i];
        }
    }
    if (CENTRED) {
        lv_block_sums<1>(&centre, scratch);
        centre /= (float)a.cols;
        scratch += 32;
    } else {
        centre = 0;
    }
    float sums[2] = {0, 0};
    LV_UNROLL
    for (int c = 0; c < CHUNKS; c++)
        if (((size_t)c * THREADS + threadIdx.x) * WIDTH < a.cols) {
            LV_UNROLL
            for (int i = 0; i < WIDTH; i++)
                add_deviation(sums, x[c][i], centre);
        }
    lv_block_sums<2>(sums, scratch);
    Moments m = moments_of(sums, centre, a.cols, a.eps, CENTRED);
    LV_UNROLL
    for (int c = 0; c < CHUNKS; c++) {
        size_t at = ((size_t)c * THREADS + threadIdx.x) * WIDTH;
        if (at < a.cols) {
            float scale[WIDTH], bias[WIDTH] = {};
            lv_load<WIDTH>(scale, a.scale + at);
            if (CENTRED && a.bias)
                lv_load<WIDTH>(bias, a.bias + at);
            LV_UNROLL
            for (int i = 0; i < WIDTH; i++)
                x[c][i] = normalised(x[c][i], m, scale[i], bias[i]);
            lv_store<WIDTH>(out + at, x[c]);
        }
    }
}

/* Any row. */
template <typename T, bool CENTRED> LV_KERNEL(THREADS) norm_any(const LvCudaNorm a)
{
    float *scratch = (float *)lv_shared();
    lv_let_next_start();
    lv_wait_previous();
    const T *in = (const T *)a.in + blockIdx.x * a.in_stride;
    T *out = (T *)a.out + blockIdx.x * a.out_stride;
    float centre = 0, sums[2] = {0, 0};
    if (CENTRED) {
        for (size_t i = threadIdx.x; i < a.cols; i += THREADS)
            centre += lv_widen(in[i]);
        lv_block_sums<1>(&centre, scratch);
        centre /= (float)a.cols;
        scratch += 32;
    }
    for (size_t i = threadIdx.x; i < a.cols; i += THREADS)
        add_deviation(sums, lv_widen(in[i]), centre);
    lv_block_sums<2>(sums, scratch);
    Moments m = moments_of(sums, centre, a.cols, a.eps, CENTRED);
    for (size_t i = threadIdx.x; i < a.cols; i += THREADS)
        out[i] = lv_narrow<T>(
            normalised(lv_widen(in[i]), m, a.scale[i], CENTRED && a.bias ? a.bias[i] : 0.0f));
}

template <typename T, bool CENTRED> static int launch_norm(LvCudaStream stream, const LvCudaNorm &a)
{
    static const size_t shared = 3 * 32 * sizeof(float);
    void (*kernel)(const LvCudaNorm) = norm_any<T, CENTRED>;
    if (a.cols % WIDTH == 0 && lv_rows_aligned(a.in, a.in_stride, sizeof(T), WIDTH) &&
        lv_rows_aligned(a.out, a.out_stride, sizeof(T), WIDTH) &&
        lv_rows_aligned(a.scale, 0, sizeof(float), WIDTH) &&
        (!CENTRED || lv_rows_aligned(a.bias, 0, sizeof(float), WIDTH))) {
        size_t chunks = (a.cols + THREADS * WIDTH - 1) / (THREADS * WIDTH);
        if (chunks <= 1)
            kernel = norm_row<T, 1, CENTRED>;
        else if (chunks <= 2)
            kernel = norm_row<T, 2, CENTRED>;
        else if (chunks <= 3)
            kernel = norm_row<T, 3, CENTRED>;
        else if (chunks <= 8)
            kernel = norm_row<T, 8, CENTRED>;
        else if (chunks <= 16)
            kernel = norm_row<T, 16, CENTRED>;
    }
    return lv_launch_overlapped(kernel, a.cols ? a.rows : 0, 1, 1, THREADS, shared, stream, a);
}

template <bool CENTRED> static int norm_of_type(LvCudaStream stream, const LvCudaNorm &a)
{
    if (a.type == LV_F32)
        return launch_norm<float, CENTRED>(stream, a);
    if (a.type == LV_BF16)
        return launch_norm<LvBf16, CENTRED>(stream, a);
    return LV_CUDA_BAD_ARGUMENT;
}

int lv_cuda_layer_norm(LvCudaStream stream, const LvCudaNorm *args)
{
    return norm_of_type<true>(stream, *args);
}

int lv_cuda_rms_norm(LvCudaStream stream, const LvCudaNorm *args)
{
    return norm_of_type<false>(stream, *args);
}
