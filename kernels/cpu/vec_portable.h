/* SPDX-License-Identifier: Apache-2.0
 * Four floats in the compiler's own vector type: SSE2 on x86-64, anything elsewhere. No FMA. The
 * same names as vec_avx512.h, where they are described. */
#ifndef LV_VEC_H
#define LV_VEC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC 4
#define TILE_R 6 /* 6 x 2 accumulators and 2 operands of sixteen registers */
#define TILE_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define FEW_R 2 /* 8 accumulators, 4 operands, products */
#define FEW_ROWS_LIST(M) M(0) M(1)

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));

static inline vf vf_set1(float x)
{
    return (vf){x, x, x, x};
}
static inline vf vf_load(const float *p)
{
    vf x;
    memcpy(&x, p, sizeof x);
    return x;
}
static inline void vf_store(float *p, vf x)
{
    memcpy(p, &x, sizeof x);
}
/* At any address: a tensor of a checkpoint may lie at an odd one. */
static inline vf vf_load_n(const void *p, size_t n)
{
    vf x = {0};
    memcpy(&x, p, n * sizeof(float));
    return x;
}
static inline void vf_store_n(float *p, vf x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = x[i];
}
static inline vf vf_select(vi mask, vf x, vf y)
{
    return (vf)(((vi)x & mask) | ((vi)y & ~mask));
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    uint16_t h[4];
    memcpy(h, p, sizeof h);
    return (vf)((vu){h[0], h[1], h[2], h[3]} << 16);
}
/* The fraction moves into place; a multiplication by 2^112 corrects the exponent, including
 * denormals. NaN and Inf cannot occur: weights are checked when they are loaded. */
static inline vf vf_load_f16(const uint16_t *p)
{
    uint16_t h[4];
    memcpy(h, p, sizeof h);
    vu bits = {h[0], h[1], h[2], h[3]};
    vf magnitude = (vf)((bits & 0x7FFF) << 13) * 0x1p112f;
    return (vf)((vu)magnitude | (bits & 0x8000) << 16);
}
/* Inf and NaN too: their exponent is the greatest of either type. */
static inline vf vf_load_any_f16(const uint16_t *p)
{
    const vf x = vf_load_f16(p);
    const vu bits = (vu)x;
    return (vf)(bits | ((vu)((bits & 0x7FFFFFFF) >= 0x47800000) & 0x7F800000));
}
/* codes[] of VEC places in four bits each, the first in the high half of a byte. */
static inline vf vf_load_codes(const float codes[16], const uint8_t *p)
{
    return (vf){codes[p[0] >> 4], codes[p[0] & 15], codes[p[1] >> 4], codes[p[1] & 15]};
}
/* To the nearest float16 (bfloat16), ties to even. Below 2^-14 the step is 2^-24, as that of floats
 * from 0.5 to 1. */
static inline vf vf_round_f16(vf x)
{
    const vu sign = (vu)x & 0x80000000u, bits = (vu)x & 0x7FFFFFFFu;
    const vu normal = (bits + 0xFFF + (bits >> 13 & 1)) & ~(vu){0x1FFF, 0x1FFF, 0x1FFF, 0x1FFF};
    const vf tiny = ((vf)bits + 0.5f) - 0.5f;
    const vi is_tiny = (vi)((vf)bits < 0x1p-14f), too_large = (vi)((vf)normal > 65504.0f);
    const vu infinity = {0x7F800000, 0x7F800000, 0x7F800000, 0x7F800000};
    return (
        vf)((vu)vf_select(is_tiny, tiny, vf_select(too_large, (vf)infinity, (vf)normal)) | sign);
}
static inline vf vf_round_bf16(vf x)
{
    const vu bits = (vu)x;
    return (vf)((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u);
}
static inline vf vf_add(vf a, vf b)
{
    return a + b;
}
static inline vf vf_sub(vf a, vf b)
{
    return a - b;
}
static inline vf vf_mul(vf a, vf b)
{
    return a * b;
}
static inline vf vf_div(vf a, vf b)
{
    return a / b;
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return a * b + c;
}
static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return vf_select(a < b, x, y);
}
static inline vf vf_max(vf a, vf b)
{
    return vf_select(a > b, a, b);
}
static inline vf vf_min(vf a, vf b)
{
    return vf_select(a < b, a, b);
}
static inline vf vf_abs(vf x)
{
    return (vf)((vi)x & 0x7FFFFFFF);
}
static inline vf vf_copysign(vf magnitude, vf sign)
{
    return (vf)(((vi)magnitude & 0x7FFFFFFF) | ((vi)sign & INT32_MIN));
}
/* |x| < 2^22: adding 1.5 * 2^23 leaves no room for a fraction. */
static inline vf vf_round(vf x)
{
    const vf shift = vf_set1(0x1.8p23f);
    return (x + shift) - shift;
}
static inline vf vf_power_of_two(vi n)
{
    return (vf)((n + 127) << 23);
}
static inline vf vf_scale(vf x, vf n)
{
    vi whole = __builtin_convertvector(n, vi), half = whole >> 1;
    return x * vf_power_of_two(half) * vf_power_of_two(whole - half);
}
static inline float vf_sum(vf x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}
static inline void vf_sum_four(float *sums, vf a, vf b, vf c, vf d)
{
    sums[0] = vf_sum(a), sums[1] = vf_sum(b), sums[2] = vf_sum(c), sums[3] = vf_sum(d);
}
static inline int vf_any_not_finite_bits(const void *p, vu exponent, int wide)
{
    vu bits;
    memcpy(&bits, p, sizeof bits);
    vu high = (vu)((bits & exponent) == exponent);
    if (!wide) { /* two halves a lane */
        high = (vu)((bits & exponent & 0xFFFF) == (exponent & 0xFFFF));
        high |= (vu)((bits & exponent & 0xFFFF0000u) == (exponent & 0xFFFF0000u));
    }
    return (high[0] | high[1] | high[2] | high[3]) != 0;
}
static inline int vf_any_not_finite_f32(const void *p)
{
    return vf_any_not_finite_bits(p, (vu){0x7F800000, 0x7F800000, 0x7F800000, 0x7F800000}, 1);
}
static inline int vf_any_not_finite_16(const void *p, uint16_t exponent_bits)
{
    uint32_t e = (uint32_t)exponent_bits << 16 | exponent_bits;
    return vf_any_not_finite_bits(p, (vu){e, e, e, e}, 0);
}
#define VEC_CHECK_BYTES 16

static inline void vf_transpose(vf r[VEC])
{
    vf a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5),
       b = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    vf c = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5),
       d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(b, d, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(b, d, 2, 3, 6, 7);
}

/* tile.h: the factors of one k, and c + factor r * b. */
#define TILE_FACTORS(a)
#define TILE_FMA(r, b, c) vf_fma(vf_set1(a[r]), b, c)

#endif
