/* SPDX-License-Identifier: Apache-2.0
 * Weights: sent as the file has them, converted to the type of activations and checked for NaN and
 * Inf on the device. Those of types that are no floats: weight_narrow.c. */
#include "backend/cuda/cuda.h"

#include <string.h>

#include "backend/tensor_shape.h"

/* One weight on its way. */
typedef struct Load {
    LvCuda *cuda;
    LvWeight *weight;
    int32_t *found; /* device: 1 once a value was not finite */
    bool stays;     /* its bits are copied */
} Load;

/* Whole numbers always are. */
static int check_finite(const Load *load, const void *data, LvDtype type, size_t n)
{
    const LvCoding coding = lv_dtype_traits(type)->coding;
    if (coding == LV_SIGNED || coding == LV_UNSIGNED)
        return 0;
    return lv_cuda_launched(
        load->cuda, lv_cuda_find_not_finite(lv_runtime_stream(load->cuda->runtime),
                        &(LvCudaFinite){load->found, data, type, n}));
}

/* Writes rows [first, first + rows) of the weight, packed at `data` on the device, to wherever
 * they are wanted. */
static int spread(const Load *load, const void *data, LvDtype type, size_t first, size_t rows)
{
    const LvWeight *w = load->weight;
    LvCuda *cuda = load->cuda;
    const size_t span = lv_dtype_span(type, w->cols);
    int code = check_finite(load, data, type, lv_dtype_count(type, rows * span));
    if (load->stays) {
        const size_t pitch = lv_dtype_span(type, w->matrix.stride);
        lv_cuda_not_kernel(cuda);
        return code != 0
                   ? code
                   : lv_runtime_copy_rows(cuda->runtime, (char *)w->matrix.data + first * pitch,
                         pitch, data, span, span, rows);
    }
    const struct {
        const void *base;
        size_t stride;
        LvDtype type;
    } copies[] = {
        {w->matrix.data, w->matrix.stride, w->matrix.type},
        {w->vector, w->cols, LV_F32},
        {w->bias != w->vector ? w->bias : NULL, w->cols, cuda->type},
    };
    for (size_t i = 0; i < sizeof copies / sizeof *copies && code == 0; i++)
        if (copies[i].base) {
            const size_t offset = first * copies[i].stride * lv_dtype_bytes(copies[i].type);
            code = lv_cuda_enqueue_convert(
                cuda, &(LvCudaConvert){(char *)copies[i].base + offset, copies[i].stride,
                          copies[i].type, data, w->cols, type, rows, w->cols});
        }
    return code;
}

/* Rows of a part are sent as they are stored, or as float32 where they have to be widened. */
static int send_part(const Load *load, const LvHostTensor *part, size_t first, size_t rows)
{
    const bool widen = !load->stays && !lv_traits_float(lv_dtype_traits(part->dtype));
    const LvDtype type = widen ? LV_F32 : part->dtype;
    const size_t row_bytes = lv_dtype_span(type, load->weight->cols);
    const size_t piece = LV_STAGING_HALF / row_bytes;
    if (piece == 0)
        return LV_CUDA_BAD_ARGUMENT;
    int code = 0;
    for (size_t row = 0; row < rows && code == 0; row += piece) {
        const size_t n = rows - row < piece ? rows - row : piece;
        void *host, *device;
        code = lv_staging_take(load->cuda, n * row_bytes, &host, &device);
        if (code == 0 && widen)
            code = lv_weight_widen(host, part, row, n);
        else if (code == 0)
            memcpy(host, (const char *)part->data + row * row_bytes, n * row_bytes);
        if (code == 0)
            code = lv_runtime_to_device(load->cuda->runtime, device, host, n * row_bytes);
        if (code == 0)
            code = spread(load, device, type, first + row, n);
    }
    return code == 0 && load->stays
               ? lv_weight_send_scales(load->cuda, load->weight, load->found, part, first)
               : code;
}

/* *finite = false when a value of the part is not. Waits for the device. */
static int check_part(const Load *load, bool *finite)
{
    void *host, *device;
    int code = lv_staging_take(load->cuda, sizeof(int32_t), &host, &device);
    if (code == 0)
        code = lv_runtime_to_host(load->cuda->runtime, host, load->found, sizeof(int32_t));
    if (code == 0)
        code = lv_runtime_synchronize(load->cuda->runtime);
    if (code == 0)
        *finite = *(const int32_t *)host == 0;
    return code;
}

static int allocate(LvCuda *cuda, LvWeight *w, unsigned use)
{
    const size_t size = lv_dtype_bytes(cuda->type);
    int code = 0;
    if (use & (LV_WEIGHT_LINEAR | LV_WEIGHT_TABLE)) {
        const size_t bytes = w->rows * lv_dtype_span(w->matrix.type, w->matrix.stride);
        void *matrix = NULL;
        code = lv_memory_take(cuda->memory, bytes, true, &matrix);
        w->matrix.data = matrix;
        if (code == 0 && w->matrix.stride != w->cols)
            code = lv_runtime_zero(cuda->runtime, matrix, bytes);
        if (code == 0)
            code = lv_weight_take_scales(cuda, w);
    }
    if (code == 0 && (use & LV_WEIGHT_VECTOR)) {
        void *vector = NULL;
        code = lv_memory_take(cuda->memory, w->rows * w->cols * sizeof(float), true, &vector);
        w->vector = vector;
        w->bias = vector;
        if (code == 0 && cuda->type != LV_F32) {
            w->bias = NULL;
            code = lv_memory_take(cuda->memory, w->rows * w->cols * size, true, &w->bias);
        }
    }
    return code;
}

LlavaovStatus lv_cuda_weight_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight_out, LlavaovError *error)
{
    LvCuda *cuda = lv_cuda(backend);
    const LvRun run = {.error = error};
    Load load = {.cuda = cuda};
    void *found = NULL;
    *weight_out = NULL;
    LvWeight *w = load.weight = lv_calloc(1, sizeof *w);
    if (!w)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a weight");
    LlavaovStatus status = lv_dtypes_known(parts, n_parts, LV_ON_CUDA, cuda->device, error);
    if (status == LLAVAOV_OK)
        status = lv_stacked_shape(parts, n_parts, &w->rows, &w->cols, error);
    if (status == LLAVAOV_OK)
        status = lv_cuda_begin(cuda, &run);
    if (status != LLAVAOV_OK) {
        lv_free(w);
        return status;
    }
    load.stays = lv_weight_stays(parts, n_parts, use);
    w->matrix.type = load.stays ? parts[0]->dtype : cuda->type;
    w->matrix.stride = lv_round_up(w->cols, lv_dtype_count(w->matrix.type, 16));
    int code = allocate(cuda, w, use);
    if (code == 0)
        code = lv_cuda_scratch(cuda, sizeof(int32_t), &found);
    load.found = found;
    if (code == 0)
        code = lv_runtime_zero(cuda->runtime, found, sizeof(int32_t));
    size_t row = 0, bad = n_parts;
    for (size_t i = 0; i < n_parts && code == 0 && bad == n_parts; i++) {
        bool finite = true;
        size_t n, cols;
        lv_matrix_shape(parts[i], &n, &cols, NULL);
        code = send_part(&load, parts[i], row, n);
        if (code == 0)
            code = check_part(&load, &finite);
        if (!finite)
            bad = i;
        row += n;
    }
    if (code == 0 && bad == n_parts)
        code = lv_fp8_narrow(cuda, w, use);
    lv_cuda_scratch_free(cuda, found);
    status = lv_cuda_end(
        cuda, &run, code == LV_RUNTIME_OUT_OF_MEMORY ? parts[0]->name : "loading a weight", code);
    if (status == LLAVAOV_OK && bad < n_parts)
        status = lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, parts[bad]->name,
            "%s: tensor %s holds NaN or Inf", parts[bad]->file, parts[bad]->name);
    if (status != LLAVAOV_OK) {
        lv_cuda_weight_free(backend, w);
        return status;
    }
    *weight_out = w;
    return LLAVAOV_OK;
}

void lv_cuda_weight_free(LvBackend *backend, LvWeight *weight)
{
    if (!weight)
        return;
    LvCuda *cuda = lv_cuda(backend);
    LvMemory *memory = cuda->memory;
    pthread_mutex_lock(&cuda->lock);
    lv_steps_forget_model(cuda);
    lv_encoder_forget(cuda);
    pthread_mutex_unlock(&cuda->lock);
    lv_memory_give(memory, (void *)weight->matrix.data);
    lv_memory_give(memory, (void *)weight->matrix.scales.data);
    lv_memory_give(memory, (void *)weight->matrix.minimums.data);
    lv_memory_give(memory, (void *)weight->narrow.data);
    lv_memory_give(memory, (void *)weight->narrow.scales.data);
    if (weight->bias != weight->vector)
        lv_memory_give(memory, weight->bias);
    lv_memory_give(memory, weight->vector);
    lv_free(weight);
}
