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

LlavaovStatus lv_dtypes_known(const LvHostTensor *const *parts, size_t n_parts, unsigned user,
    const char *device, LlavaovError *error)
{
    for (size_t i = 0; i < n_parts; i++) {
        const LvDtypeTraits *traits = lv_dtype_traits(parts[i]->dtype);
        if (!(traits->users & user))
            return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_TENSOR,
                parts[i]->name, "%s: tensor %s is %s, with which %s does not compute",
                parts[i]->file, parts[i]->name, traits->name, device);
        if (traits->scaling != LV_UNSCALED && !parts[i]->scales)
            return lv_fail_about(error, LLAVAOV_ERROR_FORMAT, LLAVAOV_ABOUT_TENSOR, parts[i]->name,
                "%s: tensor %s is %s and has no scales", parts[i]->file, parts[i]->name,
                traits->name);
    }
    return LLAVAOV_OK;
}
