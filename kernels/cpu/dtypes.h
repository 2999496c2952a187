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
#ifdef LV_CPU_ONLY_FLOATS /* a test's table of types has no others */
#define LV_CPU_DTYPES(ROW) ROW(F32) ROW(F16) ROW(BF16)
#else
#define LV_CPU_DTYPES(ROW) ROW(F32) ROW(F16) ROW(BF16) ROW(NF4) ROW(FP4)
#endif
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

/* ---- four bits ---- */

#ifndef LV_CPU_ONLY_FLOATS

static inline vf vf_rounded(LvDtype dtype, vf x)
{
    return dtype == LV_F16 ? vf_round_f16(x) : dtype == LV_BF16 ? vf_round_bf16(x) : x;
}

/* VEC elements have one scale where no row cuts a block elsewhere. */
static inline __attribute__((always_inline)) vf load_codes(
    const float codes[16], WeightRow row, size_t k)
{
    const LvMatrix *m = row.matrix;
    if (m->cols % VEC != 0)
        return load_any(row, k, VEC);
    const size_t block = ((m->first + row.row) * m->cols + k) / 64;
    float scale;
    memcpy(&scale, (const char *)m->scales->data + block * sizeof scale, sizeof scale);
    const vf x = vf_load_codes(codes, (const uint8_t *)row.data + k / 2);
    return vf_rounded(m->rounded_to, vf_mul(x, vf_set1(scale)));
}

#define LOAD_CODES(T, codes)                                                                       \
    static inline vf load_##T(WeightRow row, size_t k)                                             \
    {                                                                                              \
        return load_codes(codes, row, k);                                                          \
    }                                                                                              \
    static inline vf load_some_##T(WeightRow row, size_t k, size_t n)                              \
    {                                                                                              \
        return load_any(row, k, n);                                                                \
    }                                                                                              \
    static inline int any_not_finite_##T(const void *p)                                            \
    {                                                                                              \
        return 0;                                                                                  \
    }
LOAD_CODES(NF4, lv_nf4_codes)
LOAD_CODES(FP4, lv_fp4_codes)

#endif

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
