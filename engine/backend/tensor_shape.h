/* SPDX-License-Identifier: Apache-2.0
 * Stored tensors as the matrices that every backend makes of them. Pure functions. */
#ifndef LV_TENSOR_SHAPE_H
#define LV_TENSOR_SHAPE_H

#include "base/tensor.h"
#include "llavaov.h"
#include "ops.h"

/* The tensor as a matrix: its first dimension by the product of the others. An impossible shape is
 * LLAVAOV_ERROR_FORMAT. */
LlavaovStatus lv_matrix_shape(
    const LvHostTensor *part, size_t *rows, size_t *cols, LlavaovError *error);

/* All parts stacked; LLAVAOV_ERROR_FORMAT names the first one whose width differs. */
LlavaovStatus lv_stacked_shape(const LvHostTensor *const *parts, size_t n_parts, size_t *rows,
    size_t *cols, LlavaovError *error);

/* The tensor has the scales and minimums of its type, and so have these; otherwise FORMAT, naming
 * the tensor. */
LlavaovStatus lv_scales_known(const LvHostTensor *part, LlavaovError *error);

/* How many matrices a tensor is, with its scales and minimums, and theirs. */
size_t lv_count_matrices(const LvHostTensor *tensor);
/* Describes them; all but the first are taken from *next on, which moves behind them. */
void lv_matrix_of(LvMatrix *matrix, const LvHostTensor *tensor, LvMatrix **next);

/* Every part is of a type with which the user (LV_ON_CPU, LV_ON_CUDA) computes, and has the scales
 * and minimums of that type. Error: UNSUPPORTED or FORMAT, naming the tensor. */
LlavaovStatus lv_dtypes_known(const LvHostTensor *const *parts, size_t n_parts, unsigned user,
    const char *device, LlavaovError *error);

#endif
