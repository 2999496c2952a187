/* SPDX-License-Identifier: Apache-2.0
 * Products with weights and what follows them. */
#include "backend/cuda/cuda.h"

static LvCudaFunction function_of(LvActivation activation)
{
    switch (activation) {
    case LV_ACTIVATION_NONE:
        break;
    case LV_ACTIVATION_GELU_TANH:
        return LV_CUDA_GELU_TANH;
    case LV_ACTIVATION_GELU_ERF:
        return LV_CUDA_GELU_ERF;
    case LV_ACTIVATION_SILU:
        return LV_CUDA_SILU;
    case LV_ACTIVATION_RELU:
        return LV_CUDA_RELU;
    case LV_ACTIVATION_QUICK_GELU:
        return LV_CUDA_QUICK_GELU;
    }
    return LV_CUDA_NONE;
}

static LvMatmul product(LvCuda *cuda, LvTensor out, LvTensor in, const LvWeight *weight)
{
    return (LvMatmul){.out = out.data,
        .in = in.data,
        .weight = weight->matrix,
        .rows = out.rows,
        .cols = weight->rows,
        .inner = in.cols,
        .out_stride = out.stride,
        .in_stride = in.stride,
        .weight_stride = weight->stride,
        .type = cuda->type,
        .out_type = cuda->type};
}

static bool is_bias(const LvWeight *bias, size_t n)
{
    return !bias || (bias->bias && bias->rows * bias->cols == n);
}

static bool aligned(const void *data, size_t stride, size_t size)
{
    return (uintptr_t)data % 16 == 0 && stride * size % 16 == 0;
}

/* Few rows, as decoding has them, go through a kernel that reads each weight once and does all that
 * follows as well. */
static bool are_few(const LvCuda *cuda, LvTensor in, const LvWeight *weight)
{
    const size_t size = lv_cuda_type_bytes(cuda->type);
    return in.rows <= LV_CUDA_FEW_ROWS && in.cols * size % 16 == 0 &&
           aligned(in.data, in.stride, size) && aligned(weight->matrix, weight->stride, size);
}

static LvCudaFew few(const LvCuda *cuda, LvTensor out, LvTensor in, const LvWeight *weight)
{
    return (LvCudaFew){.out = out.data,
        .out_stride = out.stride,
        .out_type = cuda->type,
        .in = in.data,
        .in_stride = in.stride,
        .type = cuda->type,
        .rows = in.rows,
        .cols = out.cols,
        .inner = in.cols,
        .weight = weight->matrix,
        .weight_stride = weight->stride};
}

static int linear_few(LvCuda *cuda, LvTensor out, LvTensor in, const LvWeight *weight,
    const LvWeight *bias, LvActivation activation, const LvTensor *residual)
{
    LvCudaFew args = few(cuda, out, in, weight);
    args.bias = bias ? bias->vector : NULL;
    args.residual = residual ? residual->data : NULL;
    args.residual_stride = residual ? residual->stride : 0;
    args.function = function_of(activation);
    return lv_cuda_launched(cuda, lv_cuda_linear_few(lv_runtime_stream(cuda->runtime), &args));
}

static int linear_gated_few(
    LvCuda *cuda, LvTensor out, LvTensor in, const LvWeight *gate_up, LvActivation activation)
{
    LvCudaFew args = few(cuda, out, in, gate_up);
    args.up =
        (const char *)gate_up->matrix + out.cols * gate_up->stride * lv_cuda_type_bytes(cuda->type);
    args.function = function_of(activation);
    return lv_cuda_launched(cuda, lv_cuda_linear_few(lv_runtime_stream(cuda->runtime), &args));
}

/* Bias, GELU in its tanh form and the addition of a tensor that lies as the result does are part of
 * the product; every other function is a pass of its own over the result. */
LlavaovStatus lv_cuda_op_linear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *weight, const LvWeight *bias, LvActivation activation, const LvTensor *residual)
{
    LvCuda *cuda = lv_cuda(backend);
    if (in.rows != out.rows || in.cols != weight->cols || out.cols != weight->rows ||
        !weight->matrix || !is_bias(bias, out.cols) ||
        (residual && (residual->rows != out.rows || residual->cols != out.cols)))
        return lv_cuda_shape_error(run, "linear");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    if (are_few(cuda, in, weight))
        return lv_cuda_end(
            cuda, run, "linear", linear_few(cuda, out, in, weight, bias, activation, residual));
    LvMatmul matmul = product(cuda, out, in, weight);
    const LvCudaFunction function = function_of(activation);
    const bool fused_add = residual && function == LV_CUDA_NONE && residual->stride == out.stride;
    const bool fused_gelu = function == LV_CUDA_GELU_TANH && !residual;
    matmul.bias = bias ? bias->bias : NULL;
    matmul.addend = fused_add ? residual->data : NULL;
    matmul.tail = fused_gelu ? LV_TAIL_GELU_TANH : LV_TAIL_NONE;
    const bool second = (residual && !fused_add) || (function != LV_CUDA_NONE && !fused_gelu);
    void *scratch = NULL;
    int code = 0;
    /* The second pass reads the residual, which may lie where the product would go. */
    if (second && residual && residual->data == out.data) {
        code =
            lv_cuda_scratch(cuda, out.rows * out.stride * lv_cuda_type_bytes(cuda->type), &scratch);
        matmul.out = scratch;
    }
    if (code == 0)
        code = lv_runtime_matmul(cuda->runtime, &matmul);
    if (code == 0 && second) {
        const LvCudaEpilogue args = {.out = out.data,
            .out_stride = out.stride,
            .out_type = cuda->type,
            .in = matmul.out,
            .in_stride = out.stride,
            .in_type = cuda->type,
            .rows = out.rows,
            .cols = out.cols,
            .residual = residual ? residual->data : NULL,
            .residual_stride = residual ? residual->stride : 0,
            .residual_type = cuda->type,
            .residual_rows = residual ? residual->rows : 0,
            .function = function};
        code = lv_cuda_launched(cuda, lv_cuda_epilogue(lv_runtime_stream(cuda->runtime), &args));
    }
    lv_cuda_scratch_free(cuda, scratch);
    return lv_cuda_end(cuda, run, "linear", code);
}

LlavaovStatus lv_cuda_op_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, const LvWeight *gate_up, LvActivation activation)
{
    LvCuda *cuda = lv_cuda(backend);
    if (in.rows != out.rows || in.cols != gate_up->cols || gate_up->rows != 2 * out.cols ||
        !gate_up->matrix)
        return lv_cuda_shape_error(run, "linear_gated");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    if (are_few(cuda, in, gate_up))
        return lv_cuda_end(
            cuda, run, "linear_gated", linear_gated_few(cuda, out, in, gate_up, activation));
    void *scratch;
    const size_t stride = lv_round_up(gate_up->rows, 32);
    int code = lv_cuda_scratch(cuda, out.rows * stride * lv_cuda_type_bytes(cuda->type), &scratch);
    if (code == 0) {
        const LvTensor both = {scratch, out.dtype, out.rows, gate_up->rows, stride};
        const LvMatmul matmul = product(cuda, both, in, gate_up);
        code = lv_runtime_matmul(cuda->runtime, &matmul);
    }
    if (code == 0)
        code = lv_cuda_launched(
            cuda, lv_cuda_gated(lv_runtime_stream(cuda->runtime),
                      &(LvCudaGated){out.data, out.stride, scratch, stride, cuda->type, out.rows,
                          out.cols, function_of(activation)}));
    lv_cuda_scratch_free(cuda, scratch);
    return lv_cuda_end(cuda, run, "linear_gated", code);
}
