/* SPDX-License-Identifier: Apache-2.0
 * Tensors, their ways to and from the host, and operations on rows. */
#include "backend/cuda/cuda.h"

#include <string.h>

#define ALIGNMENT 64u /* bytes; a row of any tensor starts so */

static size_t element_bytes(LvTensor t)
{
    return lv_dtype_bytes(t.dtype);
}

LlavaovStatus lv_cuda_tensor_alloc(
    LvBackend *backend, size_t rows, size_t cols, LvTensor *tensor, LlavaovError *error)
{
    LvCuda *cuda = lv_cuda(backend);
    const size_t size = lv_dtype_bytes(cuda->type), step = ALIGNMENT / size;
    size_t stride, total;
    *tensor = (LvTensor){0};
    if (__builtin_add_overflow(cols, step - 1, &stride) ||
        __builtin_mul_overflow(stride / step * step, size, &total) ||
        __builtin_mul_overflow(total, rows, &total))
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "a tensor of %zu x %zu is too large", rows, cols);
    void *data;
    int code = lv_memory_take(cuda->memory, total, false, &data);
    if (code != 0)
        return lv_cuda_no_memory(cuda, error, "activations", code);
    *tensor = (LvTensor){data, backend->info.activation_dtype, rows, cols, stride / step * step};
    return LLAVAOV_OK;
}

void lv_cuda_tensor_free(LvBackend *backend, LvTensor *tensor)
{
    lv_memory_give(lv_cuda(backend)->memory, tensor->data);
    *tensor = (LvTensor){0};
}

static size_t rows_a_piece(size_t row_bytes)
{
    size_t rows = row_bytes ? LV_STAGING_HALF / row_bytes : SIZE_MAX;
    return rows ? rows : 1;
}

LlavaovStatus lv_cuda_upload(LvBackend *backend, const LvRun *run, LvTensor dst, const float *src)
{
    LvCuda *cuda = lv_cuda(backend);
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const size_t piece = rows_a_piece(dst.cols * sizeof *src);
    int code = 0;
    for (size_t row = 0; row < dst.rows && dst.cols && code == 0; row += piece) {
        const LvTensor part =
            lv_tensor_rows(dst, row, dst.rows - row < piece ? dst.rows - row : piece);
        void *device;
        code = lv_staging_send(
            cuda, src + row * dst.cols, part.rows * dst.cols * sizeof *src, &device);
        if (code == 0)
            code =
                lv_cuda_enqueue_convert(cuda, &(LvCudaConvert){part.data, part.stride, part.dtype,
                                                  device, dst.cols, LV_F32, part.rows, part.cols});
    }
    return lv_cuda_end(cuda, run, "upload", code);
}

LlavaovStatus lv_cuda_download(LvBackend *backend, const LvRun *run, float *dst, LvTensor src)
{
    LvCuda *cuda = lv_cuda(backend);
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const size_t piece = rows_a_piece(src.cols * sizeof *dst);
    int code = 0;
    for (size_t row = 0; row < src.rows && src.cols && code == 0; row += piece) {
        const LvTensor part =
            lv_tensor_rows(src, row, src.rows - row < piece ? src.rows - row : piece);
        const size_t bytes = part.rows * src.cols * sizeof *dst;
        void *host, *device;
        code = lv_staging_take(cuda, bytes, &host, &device);
        if (code == 0)
            code =
                lv_cuda_enqueue_convert(cuda, &(LvCudaConvert){device, src.cols, LV_F32, part.data,
                                                  part.stride, part.dtype, part.rows, part.cols});
        if (code == 0)
            code = lv_runtime_to_host(cuda->runtime, host, device, bytes);
        if (code == 0)
            code = lv_runtime_synchronize(cuda->runtime);
        if (code == 0)
            memcpy(dst + row * src.cols, host, bytes);
    }
    return lv_cuda_end(cuda, run, "download", code);
}

LlavaovStatus lv_cuda_synchronize(LvBackend *backend, const LvRun *run)
{
    LvCuda *cuda = lv_cuda(backend);
    const LvRun uncancelled = {.error = run->error}; /* what was enqueued runs anyway */
    LlavaovStatus status = lv_cuda_begin(cuda, &uncancelled);
    if (status != LLAVAOV_OK)
        return status;
    return lv_cuda_end(cuda, run, "waiting for the device", lv_runtime_synchronize(cuda->runtime));
}

/* ---- norms, pooling ---- */

static bool is_vector(const LvWeight *weight, size_t n)
{
    return weight->vector && weight->rows * weight->cols == n;
}

static LlavaovStatus norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, const LvWeight *bias, double eps, bool layer)
{
    const char *name = layer ? "layer_norm" : "rms_norm";
    LvCuda *cuda = lv_cuda(backend);
    if (out.rows != in.rows || out.cols != in.cols || !is_vector(scale, in.cols) ||
        (bias && !is_vector(bias, in.cols)))
        return lv_cuda_shape_error(run, name);
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const LvCudaNorm args = {out.data, out.stride, in.data, in.stride, cuda->type, in.rows, in.cols,
        scale->vector, bias ? bias->vector : NULL, (float)eps, lv_encoder_overlap(cuda)};
    LvCudaStream stream = lv_runtime_stream(cuda->runtime);
    int code = layer ? lv_cuda_layer_norm(stream, &args) : lv_cuda_rms_norm(stream, &args);
    return lv_cuda_end(cuda, run, name, lv_cuda_launched(cuda, code));
}

LlavaovStatus lv_cuda_op_layer_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, const LvWeight *bias, double eps)
{
    return norm(backend, run, out, in, scale, bias, eps, true);
}

LlavaovStatus lv_cuda_op_rms_norm(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    const LvWeight *scale, double eps)
{
    return norm(backend, run, out, in, scale, NULL, eps, false);
}

LlavaovStatus lv_cuda_op_pool_bilinear(LvBackend *backend, const LvRun *run, LvTensor out,
    LvTensor in, size_t n_items, uint32_t in_h, uint32_t in_w, uint32_t out_h, uint32_t out_w)
{
    LvCuda *cuda = lv_cuda(backend);
    if (!in_h || !in_w || !out_h || !out_w || in.rows != n_items * in_h * in_w ||
        out.rows != n_items * out_h * out_w || in.cols != out.cols)
        return lv_cuda_shape_error(run, "pool_bilinear");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const LvCudaPool args = {out.data, out.stride, in.data, in.stride, cuda->type, n_items, in.cols,
        in_h, in_w, out_h, out_w};
    int code = lv_cuda_pool_bilinear(lv_runtime_stream(cuda->runtime), &args);
    return lv_cuda_end(cuda, run, "pool_bilinear", lv_cuda_launched(cuda, code));
}

LlavaovStatus lv_cuda_op_pool_max(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    size_t n_items, uint32_t in_h, uint32_t in_w)
{
    LvCuda *cuda = lv_cuda(backend);
    if (in_h < 2 || in_w < 2 || in.rows != n_items * in_h * in_w ||
        out.rows != n_items * (in_h / 2) * (in_w / 2) || in.cols != out.cols)
        return lv_cuda_shape_error(run, "pool_max");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const LvCudaPool args = {out.data, out.stride, in.data, in.stride, cuda->type, n_items, in.cols,
        in_h, in_w, in_h / 2, in_w / 2};
    int code = lv_cuda_pool_max(lv_runtime_stream(cuda->runtime), &args);
    return lv_cuda_end(cuda, run, "pool_max", lv_cuda_launched(cuda, code));
}

/* ---- moving rows ---- */

/* Indices are known to lie inside. */
static LlavaovStatus gather(LvCuda *cuda, const LvRun *run, const char *name, LvTensor out,
    const void *in, size_t in_rows, size_t in_stride, const int32_t *index)
{
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const size_t piece = LV_STAGING_HALF / sizeof *index;
    int code = 0;
    for (size_t row = 0; row < out.rows && code == 0; row += piece) {
        const LvTensor part =
            lv_tensor_rows(out, row, out.rows - row < piece ? out.rows - row : piece);
        void *device;
        code = lv_staging_send(cuda, index + row, part.rows * sizeof *index, &device);
        if (code != 0)
            break;
        const LvCudaGather args = {part.data, part.stride, part.dtype, in, in_stride, cuda->type,
            in_rows, device, part.rows, part.cols};
        code = lv_cuda_launched(cuda, lv_cuda_gather(lv_runtime_stream(cuda->runtime), &args));
    }
    return lv_cuda_end(cuda, run, name, code);
}

LlavaovStatus lv_cuda_op_gather_rows(
    LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in, const uint32_t *rows)
{
    if (out.cols != in.cols)
        return lv_cuda_shape_error(run, "gather_rows");
    for (size_t i = 0; i < out.rows; i++)
        if (rows[i] >= in.rows || rows[i] > INT32_MAX)
            return lv_cuda_shape_error(run, "gather_rows");
    return gather(lv_cuda(backend), run, "gather_rows", out, in.data, in.rows, in.stride,
        (const int32_t *)rows);
}

/* Of the step under way: its first kernel, which fetches what else differs from step to step. */
static LlavaovStatus embed_step(LvCuda *cuda, const LvRun *run, LvTensor out, const LvWeight *table)
{
    LvSteps *steps = &cuda->steps;
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const LvCudaStepRows args = {out.data, out.stride, table->matrix.data, table->matrix.stride,
        table->rows, cuda->type, out.rows, out.cols, steps->mail, steps->state, steps->tokens};
    int code = lv_cuda_launched(cuda, lv_cuda_step_rows(lv_runtime_stream(cuda->runtime), &args));
    lv_cuda_not_kernel(cuda); /* launch.h: none overlaps it */
    if (code == 0 && !steps->recording)
        lv_cuda_step_begun(cuda);
    return lv_cuda_end(cuda, run, "embed_tokens", code);
}

LlavaovStatus lv_cuda_op_embed_tokens(
    LvBackend *backend, const LvRun *run, LvTensor out, const int32_t *ids, const LvWeight *table)
{
    if (out.cols != table->cols || !table->matrix.data)
        return lv_cuda_shape_error(run, "embed_tokens");
    for (size_t i = 0; i < out.rows; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= table->rows)
            return lv_cuda_shape_error(run, "embed_tokens");
    if (run->step)
        return embed_step(lv_cuda(backend), run, out, table);
    return gather(lv_cuda(backend), run, "embed_tokens", out, table->matrix.data, table->rows,
        table->matrix.stride, ids);
}

LlavaovStatus lv_cuda_op_copy(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in)
{
    LvCuda *cuda = lv_cuda(backend);
    if (out.rows != in.rows || out.cols != in.cols)
        return lv_cuda_shape_error(run, "copy");
    LlavaovStatus status = lv_cuda_begin(cuda, run);
    if (status != LLAVAOV_OK)
        return status;
    const size_t size = element_bytes(in);
    lv_cuda_not_kernel(cuda);
    int code = lv_runtime_copy_rows(cuda->runtime, out.data, out.stride * size, in.data,
        in.stride * size, in.cols * size, in.rows);
    return lv_cuda_end(cuda, run, "copy", code);
}
