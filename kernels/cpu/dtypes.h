/* SPDX-License-Identifier: Apache-2.0
 * How a kernel set reads weights of each type: for every type T of LV_CPU_DTYPES
 *
 *     vf load_T(WeightRow row, size_t k)               elements k .. k + VEC - 1 of a row
 *     vf load_some_T(WeightRow row, size_t k, size_t n)   n < VEC of them, zeros behind
 *     int any_not_finite_T(const void *p)        among VEC_CHECK_BYTES bytes of elements
 *
 * k is a multiple of VEC. Types that are not listed are read element by element. Everything else is
 * made of these (linear.h). Weights need no alignment. */
#ifndef LV_CPU_DTYPES_H
#define LV_CPU_DTYPES_H

#include "ops.h"

/* clang-format off */
#define LV_CPU_DTYPES(ROW) ROW(F32) ROW(F16) ROW(BF16)
/* clang-format on */

/* In place of a type: any that LV_CPU_DTYPES does not list. */
#define ANY_DTYPE ((LvDtype)LV_N_DTYPES)

/* A row of a weight. Its scales are those of row matrix->first + row of what is stored. */
typedef struct WeightRow {
    const char *data; /* not of ANY_DTYPE */
    const LvMatrix *matrix;
    size_t row;
} WeightRow;

static inline __attribute__((always_inline)) WeightRow row_of(
    LvDtype dtype, const LvMatrix *m, size_t row)
{
    return (WeightRow){dtype == ANY_DTYPE ? m->data : lv_matrix_row(m, row), m, row};
}

/* Bytes to prefetch for VEC elements. */
static inline size_t vec_span(LvDtype dtype)
{
    return dtype == ANY_DTYPE ? VEC : lv_dtype_span(dtype, VEC);
}

static __attribute__((noinline, cold)) vf load_any(WeightRow row, size_t k, size_t n)
{
    float each[VEC] = {0};
    for (size_t i = 0; i < n; i++)
        each[i] = lv_matrix_element(row.matrix, row.row, k + i);
    return vf_load(each);
}

/* ---- float32 ---- */

static inline vf load_F32(WeightRow row, size_t k)
{
    return vf_load((const float *)(const void *)(row.data + k * sizeof(float)));
}
static inline vf load_some_F32(WeightRow row, size_t k, size_t n)
{
    return vf_load_n(row.data + k * sizeof(float), n);
}
static inline int any_not_finite_F32(const void *p)
{
    return vf_any_not_finite_f32(p);
}

/* ---- float16, bfloat16 ---- */

typedef struct Halves {
    uint16_t data[VEC];
} Halves;

static inline Halves some_halves(WeightRow row, size_t k, size_t n)
{
    Halves halves = {{0}};
    memcpy(halves.data, row.data + k * sizeof(uint16_t), n * sizeof(uint16_t));
    return halves;
}

static inline vf load_F16(WeightRow row, size_t k)
{
    return vf_load_f16((const void *)(row.data + k * sizeof(uint16_t)));
}
static inline vf load_some_F16(WeightRow row, size_t k, size_t n)
{
    const Halves halves = some_halves(row, k, n);
    return vf_load_f16(halves.data);
}
static inline int any_not_finite_F16(const void *p)
{
    return vf_any_not_finite_16(p, 0x7C00);
}

static inline vf load_BF16(WeightRow row, size_t k)
{
    return vf_load_bf16((const void *)(row.data + k * sizeof(uint16_t)));
}
static inline vf load_some_BF16(WeightRow row, size_t k, size_t n)
{
    const Halves halves = some_halves(row, k, n);
    return vf_load_bf16(halves.data);
}
static inline int any_not_finite_BF16(const void *p)
{
    return vf_any_not_finite_16(p, 0x7F80);
}

/* ---- by the type, which is known where these are compiled ---- */

#define LOAD_CASE(T)                                                                               \
    case LV_##T:                                                                                   \
        return load_##T(row, k);
static inline __attribute__((always_inline)) vf load_weights(LvDtype dtype, WeightRow row, size_t k)
{
    switch (dtype) {
        LV_CPU_DTYPES(LOAD_CASE)
    default:
        return load_any(row, k, VEC);
    }
}

#define LOAD_SOME_CASE(T)                                                                          \
    case LV_##T:                                                                                   \
        return load_some_##T(row, k, n);
static inline __attribute__((always_inline)) vf load_some_weights(
    LvDtype dtype, WeightRow row, size_t k, size_t n)
{
    switch (dtype) {
        LV_CPU_DTYPES(LOAD_SOME_CASE)
    default:
        return load_any(row, k, n);
    }
}

#define FINITE_CASE(T)                                                                             \
    case LV_##T:                                                                                   \
        return any_not_finite_##T(p);
static inline __attribute__((always_inline)) int any_not_finite(LvDtype dtype, const void *p)
{
    switch (dtype) {
        LV_CPU_DTYPES(FINITE_CASE)
    default:
        return 1;
    }
}

#endif
