/* SPDX-License-Identifier: Apache-2.0
 * Shared by the two kernels for products of few rows: plain sums (few.cu) and tensor cores
 * (few_tensor.cu). */
#ifndef LV_CUDA_FEW_OUTPUT_H
#define LV_CUDA_FEW_OUTPUT_H

#include "arithmetic.h"
#include "best.h"

/* What is added to one result. */
struct LvFewAddends {
    float bias, residual;
};

/* Constant, may be asked for before lv_wait_previous. */
LV_INLINE float lv_few_bias(const LvCudaFew &a, size_t col)
{
    return a.bias ? a.bias[col] : 0.0f;
}

template <typename T> LV_INLINE float lv_few_residual(const LvCudaFew &a, size_t row, size_t col)
{
    return a.residual ? lv_widen(((const T *)a.residual)[row * a.residual_stride + col]) : 0.0f;
}

/* From a row's product with output `col`, and with its partner of a gate, to the result. */
template <typename TO, bool GATED>
LV_INLINE void lv_few_write(
    const LvCudaFew &a, size_t row, size_t col, float x, float up, const LvFewAddends &addends)
{
    if (GATED)
        x = lv_apply(a.function, x) * up;
    else
        x = lv_apply(a.function, x + addends.bias) + addends.residual;
    ((TO *)a.out)[row * a.out_stride + col] = lv_narrow<TO>(x);
}

/* The same for the best of a row: the score is what would have been written as T. */
template <typename T> LV_INLINE LvCudaBest lv_few_score(float x, size_t col)
{
    return lv_best_of_one(lv_widen(lv_narrow<T>(x)), (uint32_t)col);
}

/* What a product is multiplied with where its input is normed; squares: their sum. */
LV_INLINE float lv_few_factor(const LvCudaFew &a, float squares)
{
    return a.norm_scale && a.inner ? 1.0f / sqrtf(squares / (float)a.inner + a.norm_eps) : 1.0f;
}

/* few_tensor.cu: bf16 alone, operands aligned as launch.h wants them; at most 16 rows. */
int lv_few_tensor(LvCudaStream stream, const LvCudaFew &a);
int lv_few_tensor_best(LvCudaStream stream, const LvCudaFew &a);

#endif
