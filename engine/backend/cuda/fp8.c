/* SPDX-License-Identifier: Apache-2.0
 * Products in fp8 (e4m3.h): of the layers' weights, which are kept a second time as
 * e4m3, with activations that become e4m3 just before. cuBLASLt has them alone; where it has none
 * for a product, that one is computed in bf16. Decoding steps, which read each weight once, and
 * products of few rows stay with bf16. */
#include "backend/cuda/cuda.h"

/* What the library wants of pointers, strides and all sizes but the rows. */
#define FP8_MULTIPLE 16u

static LvCudaQuantise quantise(const LvCuda *cuda, const void *in, size_t in_stride, size_t rows,
    size_t cols, void *out, size_t out_stride, float *scales, float *greatest)
{
    return (LvCudaQuantise){.out = out,
        .out_stride = out_stride,
        .in = in,
        .in_stride = in_stride,
        .rows = rows,
        .cols = cols,
        .scaling = cuda->fp8,
        .scales = scales,
        .greatest = greatest};
}

static size_t n_scales(const LvCuda *cuda, size_t rows)
{
    return cuda->fp8 == LV_SCALE_ROW ? rows : 1;
}

int lv_fp8_narrow(LvCuda *cuda, LvWeight *w, unsigned use)
{
    const LvCudaWeight *from = &w->matrix;
    if (cuda->fp8 == LV_UNSCALED || !(use & LV_WEIGHT_LAYER) || from->type != LV_BF16 ||
        w->rows % FP8_MULTIPLE || w->cols % FP8_MULTIPLE)
        return 0;
    void *data = NULL, *scales = NULL, *greatest = NULL;
    int code = lv_memory_take(cuda->memory, w->rows * w->cols, true, &data);
    w->narrow = (LvCudaWeight){.data = data, .stride = w->cols, .type = LV_E4M3};
    if (code == 0)
        code = lv_memory_take(cuda->memory, n_scales(cuda, w->rows) * sizeof(float), true, &scales);
    w->narrow.scales = (LvCudaScales){scales, LV_F32, cuda->fp8};
    if (code == 0)
        code = lv_cuda_scratch(cuda, w->rows * sizeof(float), &greatest);
    if (code == 0) {
        const LvCudaQuantise args = quantise(
            cuda, from->data, from->stride, w->rows, w->cols, data, w->cols, scales, greatest);
        code = lv_cuda_launched(cuda, lv_cuda_quantise(lv_runtime_stream(cuda->runtime), &args));
    }
    lv_cuda_scratch_free(cuda, greatest);
    return code;
}

static int multiply_narrow(LvCuda *cuda, const LvMatmul *m, const LvWeight *weight)
{
    const size_t codes = lv_round_up(m->rows * m->inner, 256),
                 floats = lv_round_up(m->rows * sizeof(float), 256);
    void *scratch = NULL;
    int code = lv_cuda_scratch(cuda, codes + 2 * floats, &scratch);
    if (code != 0)
        return code;
    char *at = scratch;
    float *scales = (float *)(void *)(at + codes),
          *greatest = (float *)(void *)(at + codes + floats);
    const LvCudaQuantise args =
        quantise(cuda, m->in, m->in_stride, m->rows, m->inner, scratch, m->inner, scales, greatest);
    code = lv_cuda_quantise(lv_runtime_stream(cuda->runtime), &args);
    if (code == LV_CUDA_BAD_ARGUMENT) /* rows that are not aligned */
        code = LV_RUNTIME_REFUSED;
    else
        code = lv_cuda_launched(cuda, code);
    if (code == 0) {
        LvMatmul narrow = *m;
        narrow.in = scratch;
        narrow.in_stride = m->inner;
        narrow.in_scales = scales;
        narrow.type = LV_E4M3;
        narrow.weight = weight->narrow;
        lv_cuda_not_kernel(cuda);
        code = lv_runtime_matmul(cuda->runtime, &narrow);
    }
    lv_cuda_scratch_free(cuda, scratch);
    return code;
}

int lv_fp8_multiply(LvCuda *cuda, const LvMatmul *m, const LvWeight *weight)
{
    const bool narrow = weight->narrow.data && !cuda->steps.active && m->rows;
    return narrow ? multiply_narrow(cuda, m, weight) : LV_RUNTIME_REFUSED;
}
