/* SPDX-License-Identifier: Apache-2.0
 * Weights: kept where the checkpoint mapped them, checked for NaN and Inf once, in parallel. */
#include "backend/cpu.h"

#include "backend/tensor_shape.h"
#include "base/limits.h"

#define CHECK_ELEMENTS 65536u /* per unit: large enough to stream, small enough to balance */

typedef struct FiniteCheck {
    const LvKernels *kernels;
    LvMatrix matrix;
    size_t unit; /* rows */
    atomic_bool bad;
} FiniteCheck;

static void check_units(void *data, size_t first, size_t n, unsigned worker)
{
    FiniteCheck *check = data;
    const size_t row = first * check->unit, left = check->matrix.rows - row;
    const LvMatrix rows =
        lv_matrix_rows(&check->matrix, row, n * check->unit < left ? n * check->unit : left);
    if (!check->kernels->all_finite(&rows))
        atomic_store_explicit(&check->bad, true, memory_order_relaxed);
}

static bool all_finite(LvCpu *cpu, const LvMatrix *matrix)
{
    if (!matrix || matrix->rows * matrix->cols == 0)
        return true;
    FiniteCheck check = {cpu->kernels, *matrix,
        matrix->cols < CHECK_ELEMENTS ? CHECK_ELEMENTS / matrix->cols : 1, false};
    lv_pool_run(cpu->pool, lv_ceil_div(matrix->rows, check.unit), 64, check_units, &check, NULL);
    return !atomic_load(&check.bad) && all_finite(cpu, matrix->scales) &&
           all_finite(cpu, matrix->minimums);
}

LlavaovStatus lv_cpu_weight_load(LvBackend *backend, const LvHostTensor *const *parts,
    size_t n_parts, unsigned use, LvWeight **weight_out, LlavaovError *error)
{
    LvCpu *cpu = lv_cpu(backend);
    *weight_out = NULL;
    size_t rows = 0, cols = 0, n_matrices = 0, bytes;
    LlavaovStatus status = lv_dtypes_known(parts, n_parts, LV_ON_CPU, "cpu", error);
    if (status == LLAVAOV_OK)
        status = lv_stacked_shape(parts, n_parts, &rows, &cols, error);
    if (status != LLAVAOV_OK)
        return status;
    for (size_t i = 0; i < n_parts; i++)
        n_matrices += lv_count_matrices(parts[i]);
    if (__builtin_mul_overflow(n_matrices, sizeof(LvMatrix), &bytes))
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "too many parts of a weight");
    LvWeight *weight = lv_calloc(1, sizeof *weight + bytes);
    if (!weight)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a weight");
    LvMatrix *next = weight->parts + n_parts;
    for (size_t i = 0; i < n_parts && status == LLAVAOV_OK; i++) {
        lv_matrix_of(&weight->parts[i], parts[i], &next);
        if (!all_finite(cpu, &weight->parts[i]))
            status = lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR,
                parts[i]->name, "%s: tensor %s holds NaN or Inf", parts[i]->file, parts[i]->name);
        weight->n_parts++;
    }
    weight->rows = rows;
    weight->cols = cols;
    if (status == LLAVAOV_OK && (use & LV_WEIGHT_VECTOR)) {
        weight->vector = lv_alloc_aligned(weight->rows * weight->cols, sizeof *weight->vector);
        if (!weight->vector)
            status = lv_fail_about(error, LLAVAOV_ERROR_MEMORY, LLAVAOV_ABOUT_TENSOR,
                parts[0]->name, "no memory for tensor %s", parts[0]->name);
        float *dst = weight->vector;
        for (size_t i = 0; weight->vector && i < n_parts; i++) {
            cpu->kernels->to_float(dst, &weight->parts[i]);
            dst += weight->parts[i].rows * weight->parts[i].cols;
        }
    }
    if (status != LLAVAOV_OK) {
        lv_cpu_weight_free(backend, weight);
        return status;
    }
    *weight_out = weight;
    return LLAVAOV_OK;
}

void lv_cpu_weight_free(LvBackend *backend, LvWeight *weight)
{
    if (!weight)
        return;
    lv_free(weight->vector);
    lv_free(weight);
}
