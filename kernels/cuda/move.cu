/* SPDX-License-Identifier: Apache-2.0
 * Rows from here to there: conversion, gathering, and the check for NaN and Inf. */
#include "element.h"
#include "launcher.h"

#define THREADS 256u

/* A copy keeps every bit, NaN's included. */
template <typename TO, typename TI> LV_INLINE TO converted(TI x)
{
    return lv_narrow<TO>(lv_widen(x));
}

template <> LV_SPECIAL LvHalf converted<LvHalf, LvHalf>(LvHalf x)
{
    return x;
}

template <> LV_SPECIAL LvBf16 converted<LvBf16, LvBf16>(LvBf16 x)
{
    return x;
}

/* Pieces of WIDTH columns, numbered row by row. Without an index row r comes from row r. */
template <typename TO, typename TI, int WIDTH> LV_KERNEL(THREADS) gather(const LvCudaGather a)
{
    uint64_t piece = (uint64_t)blockIdx.x * THREADS + threadIdx.x;
    size_t pieces = a.cols / WIDTH, row = (size_t)(piece / pieces);
    size_t col = (size_t)(piece % pieces) * WIDTH;
    if (row >= a.rows)
        return;
    TO out[WIDTH];
    size_t from = a.index ? (size_t)(int64_t)a.index[row] : row;
    if (from < a.in_rows) {
        LvVector<TI, WIDTH> in =
            *(const LvVector<TI, WIDTH> *)((const TI *)a.in + from * a.in_stride + col);
        LV_UNROLL
        for (int i = 0; i < WIDTH; i++)
            out[i] = converted<TO, TI>(in.at[i]);
    } else {
        LV_UNROLL
        for (int i = 0; i < WIDTH; i++)
            out[i] = lv_narrow<TO>(lv_bits_float(0x7FC00000u));
    }
    lv_put<WIDTH>((TO *)a.out + row * a.out_stride + col, out);
}

template <typename TO, typename TI>
static int launch_gather(LvCudaStream stream, const LvCudaGather &a)
{
    if (a.cols == 0)
        return 0;
    const int width = 16 / (int)(sizeof(TO) > sizeof(TI) ? sizeof(TO) : sizeof(TI));
    if (a.cols % width == 0 && lv_rows_aligned(a.out, a.out_stride, sizeof(TO), width) &&
        lv_rows_aligned(a.in, a.in_stride, sizeof(TI), width)) {
        uint64_t pieces = (uint64_t)a.rows * (a.cols / width);
        return lv_launch(
            gather<TO, TI, width>, (pieces + THREADS - 1) / THREADS, 1, 1, THREADS, 0, stream, a);
    }
    uint64_t pieces = (uint64_t)a.rows * a.cols;
    return lv_launch(
        gather<TO, TI, 1>, (pieces + THREADS - 1) / THREADS, 1, 1, THREADS, 0, stream, a);
}

template <typename TO> static int gather_to(LvCudaStream stream, const LvCudaGather &a)
{
    switch (a.in_type) {
    case LV_F32:
        return launch_gather<TO, float>(stream, a);
    case LV_F16:
        return launch_gather<TO, LvHalf>(stream, a);
    case LV_BF16:
        return launch_gather<TO, LvBf16>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

static int gather_rows(LvCudaStream stream, const LvCudaGather &a)
{
    switch (a.out_type) {
    case LV_F32:
        return gather_to<float>(stream, a);
    case LV_F16:
        return gather_to<LvHalf>(stream, a);
    case LV_BF16:
        return gather_to<LvBf16>(stream, a);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}

int lv_cuda_gather(LvCudaStream stream, const LvCudaGather *args)
{
    if (!args->index && args->rows)
        return LV_CUDA_BAD_ARGUMENT;
    return gather_rows(stream, *args);
}

int lv_cuda_convert(LvCudaStream stream, const LvCudaConvert *args)
{
    LvCudaGather a = {};
    a.out = args->out;
    a.out_stride = args->out_stride;
    a.out_type = args->out_type;
    a.in = args->in;
    a.in_stride = args->in_stride;
    a.in_type = args->in_type;
    a.in_rows = a.rows = args->rows;
    a.cols = args->cols;
    return gather_rows(stream, a);
}

/* ---- NaN and Inf ---- */

template <typename T> LV_KERNEL(THREADS) find_not_finite(const LvCudaFinite a)
{
    const T *in = (const T *)a.in;
    bool found = false;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < a.n;
         i += (size_t)gridDim.x * THREADS) {
        float x = lv_widen(in[i]);
        found = found || (lv_float_bits(x) & 0x7F800000u) == 0x7F800000u;
    }
    /* Whoever finds one writes the same value. */
    if (found)
        *(volatile int32_t *)a.found = 1;
}

int lv_cuda_find_not_finite(LvCudaStream stream, const LvCudaFinite *args)
{
    uint64_t blocks = (args->n + THREADS - 1) / THREADS;
    blocks = blocks > 1024 ? 1024 : blocks;
    switch (args->type) {
    case LV_F32:
        return lv_launch(find_not_finite<float>, blocks, 1, 1, THREADS, 0, stream, *args);
    case LV_F16:
        return lv_launch(find_not_finite<LvHalf>, blocks, 1, 1, THREADS, 0, stream, *args);
    case LV_BF16:
        return lv_launch(find_not_finite<LvBf16>, blocks, 1, 1, THREADS, 0, stream, *args);
    default:
        return LV_CUDA_BAD_ARGUMENT;
    }
}
