/* SPDX-License-Identifier: Apache-2.0 */
#include "backend/tensor_shape.h"

#include <stdbool.h>

#include "base/status.h"

LlavaovStatus lv_matrix_shape(
    const LvHostTensor *part, size_t *rows, size_t *cols, LlavaovError *error)
{
    uint64_t elements = 1, bits, bytes;
    bool wrong = part->n_dims < 1 || part->n_dims > LV_MAX_DIMS;
    for (uint32_t i = 0; !wrong && i < part->n_dims; i++)
        wrong = part->shape[i] == 0 || __builtin_mul_overflow(elements, part->shape[i], &elements);
    *rows = *cols = 0;
    if (wrong ||
        __builtin_mul_overflow(
            elements / part->shape[0], (uint64_t)lv_dtype_traits(part->dtype)->bits, &bits) ||
        __builtin_mul_overflow(bits / 8 + (bits % 8 != 0), part->shape[0], &bytes) ||
        bytes != part->bytes)
        return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, part->name,
            "%s: tensor %s has an impossible shape", part->file, part->name);
    *rows = part->shape[0];
    *cols = elements / part->shape[0];
    return LLAVAOV_OK;
}

LlavaovStatus lv_stacked_shape(const LvHostTensor *const *parts, size_t n_parts, size_t *rows,
    size_t *cols, LlavaovError *error)
{
    *rows = *cols = 0;
    for (size_t i = 0; i < n_parts; i++) {
        size_t n, width;
        LlavaovStatus status = lv_matrix_shape(parts[i], &n, &width, error);
        if (status != LLAVAOV_OK)
            return status;
        if (i && width != *cols)
            return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, parts[i]->name,
                "%s: tensor %s and tensor %s differ in width", parts[i]->file, parts[0]->name,
                parts[i]->name);
        *rows += n;
        *cols = width;
    }
    return LLAVAOV_OK;
}

/* Scales or minimums of a tensor of this shape: of the right type, as many as there have to be, and
 * with all that belongs to them. */
static LlavaovStatus check_scales(const LvHostTensor *part, const LvHostTensor *scales,
    LvScaling scaling, const char *what, LlavaovError *error)
{
    const LvDtypeTraits *traits = lv_dtype_traits(part->dtype);
    if (!scales && scaling == LV_UNSCALED)
        return LLAVAOV_OK;
    if (!scales || scaling == LV_UNSCALED)
        return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, part->name,
            "%s: tensor %s is %s and has %s %s", part->file, part->name, traits->name,
            scales ? "no use for" : "no", what);
    size_t rows, cols, n, width;
    LlavaovStatus status = lv_matrix_shape(part, &rows, &cols, error);
    if (status == LLAVAOV_OK)
        status = lv_matrix_shape(scales, &n, &width, error);
    if (status != LLAVAOV_OK)
        return status;
    const LvExtent extent = lv_scales_extent(scaling, traits->block, rows, cols);
    if (scales->dtype != traits->scale_dtype || n != extent.row || width != extent.col)
        return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, scales->name,
            "%s: tensor %s is %s %zu x %zu; the %s of tensor %s are %s %zu x %zu", scales->file,
            scales->name, lv_dtype_name(scales->dtype), n, width, what, part->name,
            lv_dtype_name(traits->scale_dtype), extent.row, extent.col);
    return lv_scales_known(scales, error);
}

LlavaovStatus lv_scales_known(const LvHostTensor *part, LlavaovError *error)
{
    const LvDtypeTraits *traits = lv_dtype_traits(part->dtype);
    LlavaovStatus status = check_scales(part, part->scales, traits->scaling, "scales", error);
    return status == LLAVAOV_OK
               ? check_scales(part, part->minimums, traits->minimums, "minimums", error)
               : status;
}

LlavaovStatus lv_dtypes_known(const LvHostTensor *const *parts, size_t n_parts, unsigned user,
    const char *device, LlavaovError *error)
{
    for (size_t i = 0; i < n_parts; i++) {
        const LvDtypeTraits *traits = lv_dtype_traits(parts[i]->dtype);
        if (!(traits->users & user))
            return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_TENSOR,
                parts[i]->name, "%s: tensor %s is %s, with which %s does not compute",
                parts[i]->file, parts[i]->name, traits->name, device);
        LlavaovStatus status = lv_scales_known(parts[i], error);
        if (status != LLAVAOV_OK)
            return status;
    }
    return LLAVAOV_OK;
}

size_t lv_count_matrices(const LvHostTensor *tensor)
{
    return tensor ? 1 + lv_count_matrices(tensor->scales) + lv_count_matrices(tensor->minimums) : 0;
}

static const LvMatrix *next_matrix(const LvHostTensor *tensor, LvMatrix **next)
{
    LvMatrix *matrix = tensor ? (*next)++ : NULL;
    if (matrix)
        lv_matrix_of(matrix, tensor, next);
    return matrix;
}

void lv_matrix_of(LvMatrix *matrix, const LvHostTensor *tensor, LvMatrix **next)
{
    *matrix =
        (LvMatrix){.data = tensor->data, .dtype = tensor->dtype, .rounded_to = tensor->rounded_to};
    lv_matrix_shape(tensor, &matrix->rows, &matrix->cols, NULL);
    matrix->scales = next_matrix(tensor->scales, next);
    matrix->minimums = next_matrix(tensor->minimums, next);
}
