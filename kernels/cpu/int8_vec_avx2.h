/* SPDX-License-Identifier: Apache-2.0
 * AVX2 has no product of bytes that cannot saturate at 8 bits (vpmaddubsw adds two of them in 16), and
 * moving signs costs it what it gains. Here bytes are widened: vpmaddwd multiplies 16 bits by 16 and
 * adds two products in 32. Int8Weights 0 and 2 of a quad come from one shift, 1 and 3 from another, so
 * activations, 16 bits each, are stored in this order. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include "cpu/vec_avx2.h"

#define INT8_TILE 4 /* 4 x 2 sums, 2 x 2 weights, 2 broadcasts */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3)

typedef int16_t Int8Lane;
#define LANE_OFFSET 0
#define SKEWED_OFFSET 0

typedef __m256i Int8Sums;
#define SUMS 8
typedef struct Pairs {
    __m256i even, odd;
} Int8Lanes, Int8Weights;

/* 0 1 2 3 become 0 2 1 3. */
static inline void order_lanes(Int8Lane *lanes, size_t n)
{
    for (size_t k = 0; k < n; k += 4) {
        const Int8Lane one = lanes[k + 1];
        lanes[k + 1] = lanes[k + 2];
        lanes[k + 2] = one;
    }
}
static inline Int8Sums start_sums(const int32_t *offsets)
{
    return _mm256_setzero_si256();
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    _mm256_storeu_si256((__m256i *)p, s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)p));
}
/* Two loads: one of both would be taken apart again in registers. */
static inline Int8Lanes broadcast(const char *p)
{
    int32_t even, odd;
    __builtin_memcpy(&even, p, 4);
    __builtin_memcpy(&odd, p + 4, 4);
    return (Int8Lanes){_mm256_set1_epi32(even), _mm256_set1_epi32(odd)};
}
static inline Int8Weights load_quad(const int8_t *p)
{
    const __m256i bytes = _mm256_load_si256((const __m256i *)p);
    return (Int8Weights){
        _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    s = _mm256_add_epi32(s, _mm256_madd_epi16(x.even, w.even));
    return _mm256_add_epi32(s, _mm256_madd_epi16(x.odd, w.odd));
}

#endif
