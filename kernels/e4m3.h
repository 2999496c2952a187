/* SPDX-License-Identifier: Apache-2.0
 * Numbers of eight bits for products of fp8 (e4m3, as "fn" in torch): a sign, four bits of exponent
 * (bias 7), three of fraction; denormals are multiples of 2^-9, the greatest number is 448, there is
 * no infinity, and 0x7F and 0xFF are no numbers. The plain reference, which kernels and tests are
 * held against. C and C++. */
#ifndef LV_E4M3_H
#define LV_E4M3_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define LV_E4M3_FUNCTION static __host__ __device__ inline
#else
#define LV_E4M3_FUNCTION static inline
#endif

#define LV_E4M3_MOST 448.0f
#define LV_E4M3_NAN 0x7Fu

LV_E4M3_FUNCTION float lv_e4m3_to_float(uint8_t code)
{
    const uint32_t exponent = code >> 3 & 15, fraction = code & 7,
                   sign = (uint32_t)(code >> 7) << 31;
    uint32_t bits;
    float x;
    if (exponent == 0) {
        x = (float)fraction * 0x1p-9f;
        return sign ? -x : x;
    }
    bits = sign | (exponent == 15 && fraction == 7 ? 0x7FC00000u
                                                   : (exponent + 120) << 23 | fraction << 20);
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest, of two equally near the one with an even fraction; what is greater than the greatest
 * becomes that, infinity too. What is no number stays none. */
LV_E4M3_FUNCTION uint8_t lv_e4m3_from_float(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits >> 24 & 0x80, size = bits & 0x7FFFFFFFu;
    if (size > 0x7F800000u)
        return (uint8_t)(sign | LV_E4M3_NAN);
    if (size >= 0x43E00000u) /* 448 */
        return (uint8_t)(sign | 0x7Eu);
    if (size < 0x3C800000u) { /* under 2^-6: the sum is rounded to multiples of 2^-9 */
        float sum, rest;
        memcpy(&rest, &size, sizeof rest);
        sum = rest + 0x1p14f;
        memcpy(&bits, &sum, sizeof bits);
        return (uint8_t)(sign | (bits - 0x46800000u));
    }
    return (uint8_t)(sign | ((size + 0x7FFFFu + (size >> 20 & 1)) - 0x3C000000u) >> 20);
}

/* What the greatest of some numbers, by its size, makes their scale: code = number / scale. Of
 * numbers that are all tiny it is not the least, so that its inverse is a number. */
LV_E4M3_FUNCTION float lv_e4m3_scale(float greatest)
{
    return (greatest > 0x1p-90f ? greatest : 0x1p-90f) / LV_E4M3_MOST;
}

#endif
