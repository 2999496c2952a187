/* SPDX-License-Identifier: Apache-2.0
 * float16 by itself: portable, one by one. */
#ifndef LV_FLOAT16_H
#define LV_FLOAT16_H

#include <stdint.h>
#include <string.h>

/* The value of finite bits. */
static inline float lv_float16_value(uint16_t half)
{
    const uint32_t magnitude = (uint32_t)(half & 0x7FFF) << 13, sign = (uint32_t)(half & 0x8000)
                                                                       << 16;
    uint32_t bits;
    float x;
    memcpy(&x, &magnitude, sizeof x);
    x *= 0x1p112f; /* corrects the exponent, also of denormals */
    memcpy(&bits, &x, sizeof bits);
    bits |= sign;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest, ties to even; |x| <= 65504. */
static inline uint16_t lv_float16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude < 0x38800000) { /* 2^-14: the step is 2^-24, as that of floats from 0.5 to 1 */
        float tiny;
        memcpy(&tiny, &magnitude, sizeof tiny);
        tiny += 0.5f;
        memcpy(&bits, &tiny, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3F000000));
    }
    return (uint16_t)(sign | (((magnitude + 0xFFF + (magnitude >> 13 & 1)) >> 13) - 0x1C000));
}

/* The same of any number: what is above 65504 becomes that; Inf and NaN stay so. */
static inline uint16_t lv_float16_near(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7FFFFFFF;
    if (magnitude >= 0x7F800000)
        return (uint16_t)(sign | (magnitude > 0x7F800000 ? 0x7E00 : 0x7C00));
    return magnitude > 0x477FE000 ? (uint16_t)(sign | 0x7BFF) : lv_float16_of(x);
}

#endif
