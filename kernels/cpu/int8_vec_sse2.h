/* SPDX-License-Identifier: Apache-2.0
 * SSE2, which every x86-64 has: as int8_vec_avx2.h, in registers of half the size. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include <emmintrin.h>

#include "cpu/vec_portable.h"

#define INT8_TILE 4 /* 4 x 2 sums, 2 x 2 weights, 2 broadcasts */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3)

typedef int16_t Int8Lane;
#define LANE_OFFSET 0
#define SKEWED_OFFSET 0

typedef __m128i Int8Sums;
#define SUMS 4
typedef struct Pairs {
    __m128i even, odd;
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
    return _mm_setzero_si128();
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    _mm_storeu_si128((__m128i *)p, s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    return _mm_cvtepi32_ps(_mm_loadu_si128((const __m128i *)p));
}
/* Two loads: one of both would be taken apart again in registers. */
static inline Int8Lanes broadcast(const char *p)
{
    int32_t even, odd;
    __builtin_memcpy(&even, p, 4);
    __builtin_memcpy(&odd, p + 4, 4);
    return (Int8Lanes){_mm_set1_epi32(even), _mm_set1_epi32(odd)};
}
static inline Int8Weights load_quad(const int8_t *p)
{
    const __m128i bytes = _mm_load_si128((const __m128i *)p);
    return (Int8Weights){_mm_srai_epi16(_mm_slli_epi16(bytes, 8), 8), _mm_srai_epi16(bytes, 8)};
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    s = _mm_add_epi32(s, _mm_madd_epi16(x.even, w.even));
    return _mm_add_epi32(s, _mm_madd_epi16(x.odd, w.odd));
}

#endif
