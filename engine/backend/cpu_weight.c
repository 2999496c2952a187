/* SPDX-License-Identifier: Apache-2.0
 * Weights: kept where the checkpoint mapped them or quantised, checked for NaN and Inf once, in parallel. */
#include "backend/cpu_int4.h"
#include "backend/cpu_int8.h"
#include "backend/cpu_quantise.h"

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
    if (matrix->rows * matrix->cols == 0)
        return true;
    FiniteCheck check = {cpu->kernels, *matrix,
        matrix->cols < CHECK_ELEMENTS ? CHECK_ELEMENTS / matrix->cols : 1, false};
    lv_pool_run(cpu->pool, lv_ceil_div(matrix->rows, check.unit), 64, check_units, &check, NULL);
    return !atomic_load(&check.bad);
}

/* The first of a tensor and what belongs to it that holds NaN or Inf, or NULL. */
static const LvHostTensor *not_finite(
    LvCpu *cpu, const LvMatrix *matrix, const LvHostTensor *tensor)
{
    if (!tensor)
        return NULL;
    if (!all_finite(cpu, matrix))
        return tensor;
    const LvHostTensor *bad = not_finite(cpu, matrix->scales, tensor->scales);
    return bad ? bad : not_finite(cpu, matrix->minimums, tensor->minimums);
}

static bool is_quantisable(unsigned use)
{
    return (use & LV_WEIGHT_LINEAR) && !(use & (LV_WEIGHT_TABLE | LV_WEIGHT_EXEMPT));
}

/* The weights of layers, whose errors are added to what goes around them. Around the projector nothing goes, and it
 * is a 200th of a picture's work: it stays as it is stored. With int4 the head, too, is the largest weight that a step
 * reads; where it is the table as well, rows of that are read where they are stored. */
static bool becomes_int8(const LvCpu *cpu, unsigned use)
{
    return cpu->quantised.int8 && ((is_quantisable(use) && (use & LV_WEIGHT_LAYER)) ||
                                      (cpu->quantised.int4 && (use & LV_WEIGHT_HEAD)));
}

/* Whether the part is to be quantised; *status: why it cannot be. */
static bool to_quantise(const LvCpu *cpu, const LvHostTensor *part, unsigned use,
    LlavaovStatus *status, LlavaovError *error)
{
    const LvDtype type = cpu->quantised.type;
    if (!is_quantisable(use) || type == LV_F32 || part->dtype == type)
        return false;
    if (!lv_traits_float(lv_dtype_traits(part->dtype)))
        *status = lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "precision",
            "%s: tensor %s is %s, and cannot become %s; use precision \"auto\"", part->file,
            part->name, lv_dtype_name(part->dtype), lv_dtype_name(type));
    return *status == LLAVAOV_OK;
}

static LlavaovStatus load_part(LvCpu *cpu, LvWeight *weight, const LvHostTensor *tensor,
    unsigned use, LvMatrix **next, LlavaovError *error)
{
    LvMatrix *part = &weight->parts[weight->n_parts];
    LlavaovStatus status = LLAVAOV_OK;
    lv_matrix_of(part, tensor, next);
    const LvHostTensor *bad = not_finite(cpu, part, tensor);
    if (bad)
        return lv_fail_about(error, LLAVAOV_ERROR_NUMERIC, LLAVAOV_ABOUT_TENSOR, bad->name,
            "%s: tensor %s holds NaN or Inf", bad->file, bad->name);
    if (!to_quantise(cpu, tensor, use, &status, error))
        return status;
    status = lv_cpu_quantise(cpu, cpu->quantised, tensor, part, (*next)++, error);
    if (status == LLAVAOV_OK)
        weight->owned |= UINT64_C(1) << weight->n_parts;
    lv_cpu_release_pages(tensor);
    return status;
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
        n_matrices += lv_count_matrices(parts[i]) + 1; /* and the scales of a quantised one */
    if (n_parts > 64 || __builtin_mul_overflow(n_matrices, sizeof(LvMatrix), &bytes))
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "too many parts of a weight");
    LvWeight *weight = lv_calloc(1, sizeof *weight + bytes);
    if (!weight)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a weight");
    LvMatrix *next = weight->parts + n_parts;
    for (size_t i = 0; i < n_parts && status == LLAVAOV_OK; i++) {
        status = load_part(cpu, weight, parts[i], use, &next, error);
        weight->n_parts++;
    }
    weight->rows = rows;
    weight->cols = cols;
    if (status == LLAVAOV_OK && cpu->quantised.int4 && (use & LV_WEIGHT_DECODER))
        status = lv_cpu_int4_load(cpu, weight, parts, error);
    if (status == LLAVAOV_OK && !weight->int4 && becomes_int8(cpu, use))
        status = lv_cpu_int8_load(cpu, weight, parts, error);
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
    for (size_t i = 0; i < weight->n_parts; i++)
        if (weight->owned >> i & 1) {
            lv_free((void *)weight->parts[i].data);
            lv_free((void *)weight->parts[i].scales->data);
        }
    lv_cpu_int8_free(weight);
    lv_cpu_int4_free(weight);
    lv_free(weight->vector);
    lv_free(weight);
}
