/* SPDX-License-Identifier: Apache-2.0
 * Products with weights and what follows them. */
#include "backend/cuda/cuda.h"

#include <string.h>

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

/* The patches of some tiles, sent through the staging memory, into `patches`. */
static int send_patches(LvCuda *cuda, const uint8_t *const *tiles, size_t n_tiles,
    const LvVisionConfig *vision, size_t inner, void *patches)
{
    const size_t tile_bytes = (size_t)vision->image_size * vision->image_size * 3;
    const size_t tokens = (size_t)vision->grid * vision->grid;
    const size_t most = LV_STAGING_HALF / tile_bytes;
    if (most == 0)
        return LV_CUDA_BAD_ARGUMENT;
    int code = 0;
    for (size_t first = 0; first < n_tiles && code == 0; first += most) {
        const size_t n = n_tiles - first < most ? n_tiles - first : most;
        void *host, *device;
        code = lv_staging_take(cuda, n * tile_bytes, &host, &device);
        for (size_t i = 0; i < n && code == 0; i++)
            memcpy((char *)host + i * tile_bytes, tiles[first + i], tile_bytes);
        if (code == 0)
            code = lv_runtime_to_device(cuda->runtime, device, host, n * tile_bytes);
        if (code != 0)
            return code;
        const LvCudaPatches args = {.rgb = device,
            .n_tiles = n,
            .tile_size = vision->image_size,
            .patch = vision->patch_size,
            .patch_cols = (uint32_t)inner,
            .patches = (char *)patches + first * tokens * inner * lv_cuda_type_bytes(cuda->type),
            .patch_stride = inner,
            .type = cuda->type};
        code = lv_cuda_launched(cuda, lv_cuda_patches(lv_runtime_stream(cuda->runtime), &args));
    }
    return code;
}

/* The sum stays float32 until bias and position are added. */
static int embed_patches(LvCuda *cuda, LvTensor out, const uint8_t *const *tiles, size_t n_tiles,
    const LvVisionConfig *vision, const LvWeight *weight, const LvWeight *bias,
    const LvWeight *position)
{
    const size_t inner = weight->stride; /* the weight's padding and the patches' are zeros */
    void *patches = NULL, *sums = NULL;
    int code = lv_cuda_scratch(cuda, out.rows * inner * lv_cuda_type_bytes(cuda->type), &patches);
    if (code == 0)
        code = lv_cuda_scratch(cuda, out.rows * out.stride * sizeof(float), &sums);
    if (code == 0)
        code = send_patches(cuda, tiles, n_tiles, vision, inner, patches);
    if (code == 0) {
        LvMatmul matmul =
            product(cuda, out, (LvTensor){patches, out.dtype, out.rows, inner, inner}, weight);
        matmul.out = sums;
        matmul.out_type = LV_CUDA_F32;
        code = lv_runtime_matmul(cuda->runtime, &matmul);
    }
    if (code == 0) {
        const LvCudaEpilogue args = {.out = out.data,
            .out_stride = out.stride,
            .out_type = cuda->type,
            .in = sums,
            .in_stride = out.stride,
            .in_type = LV_CUDA_F32,
            .rows = out.rows,
            .cols = out.cols,
            .bias = bias ? bias->vector : NULL,
            .residual = position->vector,
            .residual_stride = out.cols,
            .residual_type = LV_CUDA_F32,
            .residual_rows = (size_t)vision->grid * vision->grid};
        code = lv_cuda_launched(cuda, lv_cuda_epilogue(lv_runtime_stream(cuda->runtime), &args));
    }
    lv_cuda_scratch_free(cuda, sums);
    lv_cuda_scratch_free(cuda, patches);
    return code;
}

LlavaovStatus lv_cuda_op_patch_embedding(LvBackend *backend, const LvRun *run, LvTensor out,
    const uint8_t *const *tiles, size_t n_tiles, const LvVisionConfig *vision,
    const LvWeight *weight, const LvWeight *bias, const LvWeight *position)
{
    LvCuda *cuda = lv_cuda(backend);
    const size_t tokens = (size_t)vision->grid * vision->grid;
    if (vision->n_channels != 3 || (size_t)vision->grid * vision->patch_size > vision->image_size ||
        out.rows != n_tiles * tokens || out.cols != weight->rows || !weight->matrix ||
        weight->cols != (size_t)3 * vision->patch_size * vision->patch_size || !position->vector ||
        position->rows * position->cols != tokens * out.cols || !is_bias(bias, out.cols))
        return lv_cuda_shape_error(run, "patch_embedding");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    int code =
        out.rows ? embed_patches(cuda, out, tiles, n_tiles, vision, weight, bias, position) : 0;
    return lv_cuda_end(cuda, run, "patch_embedding", code);
}
