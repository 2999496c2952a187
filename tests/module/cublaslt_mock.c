/* SPDX-License-Identifier: Apache-2.0
 * As much of cuBLASLt as cublaslt.c calls, on the host and in float32, as its manual describes it:
 * column by column, D = epilogue(op(A) . B + beta C). It does exactly what it is told: an
 * attribute of the wrong size, a bias that is not known when the algorithm is chosen, or an
 * algorithm of another product fails. Products with an inner size of 13 have no algorithm; those
 * of 17 fail when they are asked for. Of e4m3 it takes what the manual allows: sizes and strides of
 * whole 16 bytes, scales that are known when the algorithm is chosen and of the same kind on both
 * sides, results and bias in bf16, sums that keep their digits. */
#include <cublasLt.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cublaslt_mock.h"
#include "e4m3.h"

/* At most so many algorithms are proposed, of which one cannot be used and one fails. */
enum { MOST_PROPOSED = 6, UNUSABLE = 2, FAILING = 3 };

#define EXPORTED __attribute__((visibility("default")))

typedef struct Operation {
    cublasOperation_t transposed;
    cublasLtEpilogue_t epilogue;
    int32_t bias_type;
    const void *bias;
    int32_t scale_mode[2];
    const float *scale[2]; /* of A and B */
} Operation;

typedef struct Layout {
    cudaDataType type;
    uint64_t rows, cols;
    int64_t stride;
} Layout;

typedef struct Preference {
    uint64_t workspace;
    uint32_t reduction, alignment[4];
} Preference;

static LvLtMockCounts counts;

EXPORTED LvLtMockCounts lv_lt_mock_counts(void)
{
    return counts;
}

EXPORTED cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    *handle = malloc(1);
    counts.live++;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    free(handle);
    counts.live--;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t take(void *to, size_t size, const void *from, size_t bytes)
{
    if (size != bytes)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, from, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulDescCreate(
    cublasLtMatmulDesc_t *operation, cublasComputeType_t compute, cudaDataType_t scale)
{
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    Operation *own = calloc(1, sizeof *own);
    own->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    own->bias_type = -1;
    *operation = (cublasLtMatmulDesc_t)own;
    counts.live++;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation)
{
    free(operation);
    counts.live--;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
    cublasLtMatmulDescAttributes_t attribute, const void *value, size_t bytes)
{
    Operation *own = (Operation *)operation;
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return take(&own->transposed, sizeof own->transposed, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return take(&own->epilogue, sizeof own->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return take(&own->bias_type, sizeof own->bias_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return take(&own->bias, sizeof own->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_A_SCALE_MODE:
    case CUBLASLT_MATMUL_DESC_B_SCALE_MODE:
        return take(&own->scale_mode[attribute - CUBLASLT_MATMUL_DESC_A_SCALE_MODE],
            sizeof *own->scale_mode, value, bytes);
    case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER:
    case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER:
        return take(&own->scale[attribute - CUBLASLT_MATMUL_DESC_A_SCALE_POINTER],
            sizeof *own->scale, value, bytes);
    default:
        return CUBLAS_STATUS_INVALID_VALUE;
    }
}

EXPORTED cublasStatus_t cublasLtMatrixLayoutCreate(
    cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows, uint64_t cols, int64_t stride)
{
    Layout *own = malloc(sizeof *own);
    *own = (Layout){type, rows, cols, stride};
    *layout = (cublasLtMatrixLayout_t)own;
    counts.live++;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    free(layout);
    counts.live--;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference)
{
    Preference *own = calloc(1, sizeof *own);
    *preference = (cublasLtMatmulPreference_t)own;
    counts.live++;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    free(preference);
    counts.live--;
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
    cublasLtMatmulPreferenceAttributes_t attribute, const void *value, size_t bytes)
{
    Preference *own = (Preference *)preference;
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return take(&own->workspace, sizeof own->workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return take(&own->reduction, sizeof own->reduction, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return take(&own->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES],
            sizeof *own->alignment, value, bytes);
    default:
        return CUBLAS_STATUS_INVALID_VALUE;
    }
}

static bool has_bias(const Operation *own)
{
    return own->epilogue == CUBLASLT_EPILOGUE_BIAS || own->epilogue == CUBLASLT_EPILOGUE_GELU_BIAS;
}

/* Whether products of these types are to be had. */
static bool types_fit(
    const Operation *own, const Layout *a, const Layout *b, const Layout *c, const Layout *d)
{
    if (a->type != b->type || c->type != d->type)
        return false;
    if (a->type != CUDA_R_8F_E4M3)
        return a->type == CUDA_R_32F && d->type == CUDA_R_32F && !own->scale[0] && !own->scale[1];
    const int32_t mode = own->scale_mode[0];
    return d->type == CUDA_R_16BF && a->rows % 16 == 0 && a->cols % 16 == 0 &&
           a->stride % 16 == 0 && b->stride % 16 == 0 && d->stride % 8 == 0 && own->scale[0] &&
           own->scale[1] && (uintptr_t)own->scale[0] % 16 == 0 &&
           (uintptr_t)own->scale[1] % 16 == 0 && own->scale_mode[1] == mode &&
           (mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F ||
               mode == CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F);
}

static double load(const void *data, cudaDataType type, uint64_t i)
{
    if (type == CUDA_R_32F)
        return ((const float *)data)[i];
    if (type == CUDA_R_8F_E4M3)
        return (double)lv_e4m3_to_float(((const uint8_t *)data)[i]);
    const uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void store(void *data, cudaDataType type, uint64_t i, double value)
{
    const float x = (float)value;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (type == CUDA_R_32F)
        ((float *)data)[i] = x;
    else
        ((uint16_t *)data)[i] = (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static double scale_of(const Operation *own, int operand, uint64_t i)
{
    const bool each = own->scale_mode[operand] == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    return own->scale[operand] ? own->scale[operand][each ? i : 0] : 1;
}

/* What an algorithm is chosen for. */
typedef struct Choice {
    uint64_t m, n, k;
    uint32_t epilogue, alignment[4];
    uint32_t number; /* among what was proposed */
    int32_t cuts;    /* of the inner dimension, or 0 */
    uint32_t reduction;
} Choice;

_Static_assert(sizeof(Choice) <= sizeof(cublasLtMatmulAlgo_t), "fits");

EXPORTED cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle,
    cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
    cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t preference,
    int wanted, cublasLtMatmulHeuristicResult_t *results, int *found)
{
    const Operation *own = (const Operation *)operation;
    const Preference *wish = (const Preference *)preference;
    const Layout *left = (const Layout *)a, *right = (const Layout *)b, *out = (const Layout *)d;
    counts.choices++;
    *found = 0;
    if (wanted < 1 || wish->reduction != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE ||
        !wish->workspace || (has_bias(own) && (!own->bias || own->bias_type != (int)out->type)))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!types_fit(own, left, right, (const Layout *)c, out))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (left->rows == 13)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    Choice choice = {out->rows, out->cols, left->rows, own->epilogue, {0}, 0, 0, 0};
    memcpy(choice.alignment, wish->alignment, sizeof choice.alignment);
    const int proposed = wanted < MOST_PROPOSED ? wanted : MOST_PROPOSED;
    for (; *found < proposed; ++*found) {
        cublasLtMatmulHeuristicResult_t *result = &results[*found];
        choice.number = (uint32_t)*found;
        memset(result, 0, sizeof *result);
        memcpy(&result->algo, &choice, sizeof choice);
        result->state = *found == UNUSABLE ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
    }
    return CUBLAS_STATUS_SUCCESS;
}

EXPORTED cublasStatus_t cublasLtMatmulAlgoConfigSetAttribute(cublasLtMatmulAlgo_t *algorithm,
    cublasLtMatmulAlgoConfigAttributes_t attribute, const void *value, size_t bytes)
{
    Choice *choice = (Choice *)algorithm;
    if (attribute == CUBLASLT_ALGO_CONFIG_SPLITK_NUM)
        return take(&choice->cuts, sizeof choice->cuts, value, bytes);
    if (attribute == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME)
        return take(&choice->reduction, sizeof choice->reduction, value, bytes);
    return CUBLAS_STATUS_INVALID_VALUE;
}

/* Up to four parts, of eight at least; six would need too much room. */
EXPORTED cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t handle,
    cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
    cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t *algorithm,
    cublasLtMatmulHeuristicResult_t *result)
{
    const Choice *choice = (const Choice *)algorithm;
    const Layout *left = (const Layout *)a;
    if (choice->reduction != CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE)
        return CUBLAS_STATUS_INVALID_VALUE;
    if ((choice->cuts > 4 && choice->cuts != 6) || left->rows < 8 * (uint64_t)choice->cuts)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    memset(result, 0, sizeof *result);
    result->workspaceSize = choice->cuts == 6 ? (size_t)1 << 40 : 1 << 10;
    return CUBLAS_STATUS_SUCCESS;
}

static bool is_aligned(const void *data, uint32_t alignment)
{
    return alignment && (uintptr_t)data % alignment == 0;
}

EXPORTED cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
    const void *alpha, const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
    cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
    cublasLtMatrixLayout_t c_layout, void *d, cublasLtMatrixLayout_t d_layout,
    const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_bytes,
    cudaStream_t stream)
{
    const Operation *own = (const Operation *)operation;
    const Layout *la = (const Layout *)a_layout, *lb = (const Layout *)b_layout,
                 *ld = (const Layout *)d_layout;
    Choice choice;
    memcpy(&choice, algorithm, sizeof choice);
    const uint64_t m = ld->rows, n = ld->cols, k = la->rows;
    const void *operands[] = {a, b, c, d};
    bool fits = own->transposed == CUBLAS_OP_T && la->cols == m && lb->rows == k && lb->cols == n &&
                choice.m == m && choice.n == n && choice.k == k &&
                choice.epilogue == (uint32_t)own->epilogue && workspace &&
                types_fit(own, la, lb, (const Layout *)c_layout, ld);
    for (int i = 0; i < 4; i++)
        fits = fits && is_aligned(operands[i], choice.alignment[i]);
    if (!fits)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    if (k == 17)
        return CUBLAS_STATUS_INTERNAL_ERROR;
    counts.products++;
    counts.number = choice.number;
    counts.cuts = choice.cuts;
    if (choice.number == FAILING)
        return CUBLAS_STATUS_INTERNAL_ERROR;
    for (uint64_t col = 0; col < n; col++)
        for (uint64_t row = 0; row < m; row++) {
            double sum = 0;
            for (uint64_t i = 0; i < k; i++)
                sum += load(a, la->type, row * (uint64_t)la->stride + i) *
                       load(b, lb->type, col * (uint64_t)lb->stride + i);
            const uint64_t at = col * (uint64_t)ld->stride + row;
            sum *= *(const float *)alpha * scale_of(own, 0, row) * scale_of(own, 1, col);
            if (*(const float *)beta != 0)
                sum += *(const float *)beta * load(c, ld->type, at);
            if (has_bias(own))
                sum += load(own->bias, ld->type, row);
            if (own->epilogue == CUBLASLT_EPILOGUE_GELU ||
                own->epilogue == CUBLASLT_EPILOGUE_GELU_BIAS)
                sum = sum / (1 + exp(-1.5957691216057308 * (sum + 0.044715 * sum * sum * sum)));
            store(d, ld->type, at, sum);
        }
    return CUBLAS_STATUS_SUCCESS;
}
