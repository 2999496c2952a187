/* SPDX-License-Identifier: Apache-2.0
 * Elementwise operations: what follows a product, and the gate of the feed-forward. */
#include "arithmetic.h"
#include "element.h"
#include "launcher.h"

#define THREADS 256u

/* Work is numbered row by row in pieces of WIDTH columns; the last piece of a row may be short
 * only where WIDTH is 1. */
template <int WIDTH> static uint64_t blocks_of(size_t rows, size_t cols)
{
    uint64_t pieces = (uint64_t)rows * (cols / WIDTH);
    return (pieces + THREADS - 1) / THREADS;
}

struct Place {
    size_t row, col;
    bool inside;
};

template <int WIDTH> LV_INLINE Place place_of(size_t rows, size_t cols)
{
    uint64_t piece = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    size_t pieces = cols / WIDTH;
    Place p = {(size_t)(piece / pieces), (size_t)(piece % pieces) * WIDTH, true};
    p.inside = p.row < rows;
    return p;
}

template <typename TO, typename TI, int WIDTH, int FUNCTION>
LV_KERNEL(THREADS)
epilogue(const LvCudaEpilogue a)
{
    Place p = place_of<WIDTH>(a.rows, a.cols);
    if (!p.inside)
        return;
    float x[WIDTH], r[WIDTH];
    lv_load<WIDTH>(x, (const TI *)a.in + p.row * a.in_stride + p.col);
    LV_UNROLL
    for (int i = 0; i < WIDTH; i++)
        x[i] = lv_apply_as<FUNCTION, TO>(a.function, a.bias ? x[i] + a.bias[p.col + i] : x[i]);
    if (a.residual) {
        size_t at = p.row % a.residual_rows * a.residual_stride + p.col;
        if (a.residual_type == LV_F32)
            lv_load<WIDTH>(r, (const float *)a.residual + at);
        else
            lv_load<WIDTH>(r, (const LvBf16 *)a.residual + at);
        LV_UNROLL
        for (int i = 0; i < WIDTH; i++)
            x[i] += r[i];
    }
    lv_store<WIDTH>((TO *)a.out + p.row * a.out_stride + p.col, x);
}

template <typename TO, typename TI, int WIDTH>
static int launch_width(LvCudaStream stream, const LvCudaEpilogue &a)
{
    void (*kernel)(const LvCudaEpilogue) = epilogue<TO, TI, WIDTH, LV_ANY_FUNCTION>;
    if (WIDTH > 1 && a.function == LV_CUDA_NONE)
        kernel = epilogue<TO, TI, WIDTH, LV_CUDA_NONE>;
    if (WIDTH > 1 && a.function == LV_CUDA_GELU_TANH)
        kernel = epilogue<TO, TI, WIDTH, LV_CUDA_GELU_TANH>;
    return lv_launch(kernel, blocks_of<WIDTH>(a.rows, a.cols), 1, 1, THREADS, 0, stream, a);
}

template <typename TO, typename TI>
static int launch_epilogue(LvCudaStream stream, const LvCudaEpilogue &a)
{
    const int width = 16 / (int)(sizeof(TO) > sizeof(TI) ? sizeof(TO) : sizeof(TI));
    if (a.cols == 0)
        return 0;
    if (a.cols % width == 0 && lv_rows_aligned(a.out, a.out_stride, sizeof(TO), width) &&
        lv_rows_aligned(a.in, a.in_stride, sizeof(TI), width) &&
        (!a.residual ||
            lv_rows_aligned(a.residual, a.residual_stride, lv_dtype_bytes(a.residual_type), width)))
        return launch_width<TO, TI, width>(stream, a);
    return launch_width<TO, TI, 1>(stream, a);
}

int lv_cuda_epilogue(LvCudaStream stream, const LvCudaEpilogue *args)
{
    const LvCudaEpilogue &a = *args;
    if (a.out_type == LV_F16 || a.in_type == LV_F16 ||
        (a.residual && (a.residual_type == LV_F16 || (a.residual_rows == 0 && a.rows))))
        return LV_CUDA_BAD_ARGUMENT;
    if (a.out_type == LV_F32)
        return a.in_type == LV_F32 ? launch_epilogue<float, float>(stream, a)
                                   : launch_epilogue<float, LvBf16>(stream, a);
    return a.in_type == LV_F32 ? launch_epilogue<LvBf16, float>(stream, a)
                               : launch_epilogue<LvBf16, LvBf16>(stream, a);
}

template <typename T, int WIDTH, int FUNCTION> LV_KERNEL(THREADS) gated(const LvCudaGated a)
{
    Place p = place_of<WIDTH>(a.rows, a.cols);
    if (!p.inside)
        return;
    float gate[WIDTH], up[WIDTH];
    const T *in = (const T *)a.in + p.row * a.in_stride + p.col;
    lv_load<WIDTH>(gate, in);
    lv_load<WIDTH>(up, in + a.cols);
    LV_UNROLL
    for (int i = 0; i < WIDTH; i++)
        gate[i] = lv_apply_as<FUNCTION, T>(a.function, gate[i]) * up[i];
    lv_store<WIDTH>((T *)a.out + p.row * a.out_stride + p.col, gate);
}

template <typename T> static int launch_gated(LvCudaStream stream, const LvCudaGated &a)
{
    const int width = 16 / (int)sizeof(T);
    if (a.cols == 0)
        return 0;
    if (a.cols % width || !lv_rows_aligned(a.out, a.out_stride, sizeof(T), width) ||
        !lv_rows_aligned(a.in, a.in_stride, sizeof(T), width))
        return lv_launch(gated<T, 1, LV_ANY_FUNCTION>, blocks_of<1>(a.rows, a.cols), 1, 1, THREADS,
            0, stream, a);
    return lv_launch(a.function == LV_CUDA_SILU ? gated<T, width, LV_CUDA_SILU>
                                                : gated<T, width, LV_ANY_FUNCTION>,
        blocks_of<width>(a.rows, a.cols), 1, 1, THREADS, 0, stream, a);
}

int lv_cuda_gated(LvCudaStream stream, const LvCudaGated *args)
{
    if (args->type == LV_F32)
        return launch_gated<float>(stream, *args);
    if (args->type == LV_BF16)
        return launch_gated<LvBf16>(stream, *args);
    return LV_CUDA_BAD_ARGUMENT;
}
