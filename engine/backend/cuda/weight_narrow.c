/* SPDX-License-Identifier: Apache-2.0
 * Weights of types that are no floats. Products read them as they are stored, if the type's row of
 * dtype.h says that CUDA has kernels for it; for every other use they are widened on the host. */
#include "backend/cuda/cuda.h"

#include <string.h>

#include "backend/tensor_shape.h"

bool lv_weight_stays(const LvHostTensor *const *parts, size_t n_parts, unsigned use)
{
    if ((use & ~(unsigned)(LV_WEIGHT_LAYER | LV_WEIGHT_DECODER)) != LV_WEIGHT_LINEAR)
        return false;
    for (size_t i = 0; i < n_parts; i++)
        if (lv_traits_float(lv_dtype_traits(parts[i]->dtype)) || parts[i]->dtype != parts[0]->dtype)
            return false;
    return true;
}

/* Blocks that go on from row to row stand as those of rows do where rows end with them. */
static LvScaling scaling_of(LvScaling stored, size_t block, size_t cols)
{
    if (stored == LV_SCALE_TENSOR)
        return LV_SCALE_ROW;
    return stored == LV_SCALE_RUN && cols % block == 0 ? LV_SCALE_BLOCK : stored;
}

/* As they are stored, or as float32 where they have scales themselves or are to be repeated. */
static bool are_copied(const LvDtypeTraits *traits, LvScaling stored)
{
    const LvDtypeTraits *own = lv_dtype_traits(traits->scale_dtype);
    return lv_traits_float(own) && own->scaling == LV_UNSCALED && stored != LV_SCALE_TENSOR;
}

static int take(LvCuda *cuda, const LvWeight *w, LvScaling stored, LvCudaScales *scales)
{
    const LvDtypeTraits *traits = lv_dtype_traits(w->matrix.type);
    if (stored == LV_UNSCALED)
        return 0;
    scales->scaling = scaling_of(stored, traits->block, w->cols);
    scales->type = are_copied(traits, stored) ? traits->scale_dtype : LV_F32;
    if (scales->scaling == LV_SCALE_RUN)
        return LV_CUDA_BAD_ARGUMENT;
    const LvExtent extent = lv_scales_extent(scales->scaling, traits->block, w->rows, w->cols);
    void *data = NULL;
    const int code = lv_memory_take(
        cuda->memory, extent.row * lv_dtype_span(scales->type, extent.col), true, &data);
    scales->data = data;
    return code;
}

int lv_weight_take_scales(LvCuda *cuda, LvWeight *w)
{
    const LvDtypeTraits *traits = lv_dtype_traits(w->matrix.type);
    const int code = take(cuda, w, traits->scaling, &w->matrix.scales);
    return code == 0 ? take(cuda, w, traits->minimums, &w->matrix.minimums) : code;
}

/* Those of rows [first, first + rows) of a matrix, as they are to stand on the device. */
static void fill(void *to, const LvMatrix *m, const LvMatrix *stored, LvScaling scaling,
    const LvCudaScales *scales, size_t first, size_t rows)
{
    const LvDtypeTraits *traits = lv_dtype_traits(m->dtype);
    const size_t n = lv_scales_extent(scales->scaling, traits->block, 1, m->cols).col;
    const size_t row_bytes = lv_dtype_span(scales->type, n);
    if (are_copied(traits, scaling)) {
        memcpy(to, (const char *)stored->data + first * row_bytes, rows * row_bytes);
        return;
    }
    float *value = to;
    for (size_t row = first; row < first + rows; row++)
        for (size_t i = 0; i < n; i++) {
            const LvExtent place =
                lv_scale_place(scaling, traits->block, m->cols, row, i * traits->block);
            *value++ = lv_matrix_element(stored, place.row, place.col);
        }
}

static int send(LvCuda *cuda, int32_t *found, const LvMatrix *m, const LvMatrix *stored,
    LvScaling scaling, const LvCudaScales *scales, size_t at)
{
    if (!stored)
        return 0;
    const size_t n =
        lv_scales_extent(scales->scaling, lv_dtype_traits(m->dtype)->block, 1, m->cols).col;
    const size_t row_bytes = lv_dtype_span(scales->type, n), most = LV_STAGING_HALF / row_bytes;
    if (most == 0)
        return LV_CUDA_BAD_ARGUMENT;
    int code = 0;
    for (size_t row = 0, rows; row < m->rows && code == 0; row += rows) {
        void *host, *device;
        rows = m->rows - row < most ? m->rows - row : most;
        code = lv_staging_take(cuda, rows * row_bytes, &host, &device);
        if (code != 0)
            break;
        fill(host, m, stored, scaling, scales, row, rows);
        code = lv_runtime_to_device(cuda->runtime, device, host, rows * row_bytes);
        if (code == 0)
            code =
                lv_cuda_launched(cuda, lv_cuda_find_not_finite(lv_runtime_stream(cuda->runtime),
                                           &(LvCudaFinite){found, device, scales->type, rows * n}));
        if (code == 0)
            code =
                lv_runtime_copy_rows(cuda->runtime, (char *)scales->data + (at + row) * row_bytes,
                    row_bytes, device, row_bytes, row_bytes, rows);
    }
    return code;
}

/* The tensor with all that belongs to it; lv_free(). */
static LvMatrix *matrices_of(const LvHostTensor *tensor)
{
    LvMatrix *matrices = lv_calloc(lv_count_matrices(tensor), sizeof *matrices);
    LvMatrix *next = matrices + 1;
    if (matrices)
        lv_matrix_of(matrices, tensor, &next);
    return matrices;
}

int lv_weight_send_scales(
    LvCuda *cuda, const LvWeight *w, int32_t *found, const LvHostTensor *part, size_t first)
{
    const LvDtypeTraits *traits = lv_dtype_traits(part->dtype);
    LvMatrix *m = matrices_of(part);
    if (!m)
        return LV_RUNTIME_OUT_OF_MEMORY;
    int code = send(cuda, found, m, m->scales, traits->scaling, &w->matrix.scales, first);
    if (code == 0)
        code = send(cuda, found, m, m->minimums, traits->minimums, &w->matrix.minimums, first);
    lv_free(m);
    return code;
}

int lv_weight_widen(float *to, const LvHostTensor *part, size_t first, size_t n)
{
    LvMatrix *m = matrices_of(part);
    if (!m)
        return LV_RUNTIME_OUT_OF_MEMORY;
    for (size_t row = first; row < first + n; row++)
        for (size_t k = 0; k < m->cols; k++)
            *to++ = lv_matrix_element(m, row, k);
    lv_free(m);
    return 0;
}

static LvCudaScales scales_from(
    const LvCudaWeight *w, LvCudaScales scales, size_t cols, size_t first)
{
    if (scales.data) {
        const size_t block = lv_dtype_traits(w->type)->block,
                     n = lv_scales_extent(scales.scaling, block, 1, cols).col;
        scales.data = (const char *)scales.data + first * lv_dtype_span(scales.type, n);
    }
    return scales;
}

LvCudaWeight lv_weight_rows(const LvWeight *weight, size_t first)
{
    LvCudaWeight part = weight->matrix;
    part.data = (const char *)part.data + first * lv_dtype_span(part.type, part.stride);
    part.scales = scales_from(&part, part.scales, weight->cols, first);
    part.minimums = scales_from(&part, part.minimums, weight->cols, first);
    return part;
}
