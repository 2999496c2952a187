/* SPDX-License-Identifier: Apache-2.0
 * AVX-VNNI: as int8_avx512vnni.c, in registers of half the size. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include "cpu/vec_avx2.h"

#define INT8_TILE 6 /* 6 x 2 sums, 2 weights, a broadcast */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

typedef uint8_t Int8Lane;
#define LANE_OFFSET 128
#define SKEWED_OFFSET 16

typedef __m256i Int8Sums, Int8Lanes, Int8Weights;
#define SUMS 8

static inline void order_lanes(Int8Lane *lanes, size_t n)
{
}
static inline Int8Sums start_sums(const int32_t *offsets)
{
    return _mm256_loadu_si256((const __m256i *)offsets);
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    _mm256_storeu_si256((__m256i *)p, s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline Int8Lanes broadcast(const char *p)
{
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return _mm256_set1_epi32(quad);
}
static inline Int8Weights load_quad(const int8_t *p)
{
    return _mm256_load_si256((const __m256i *)p);
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    return _mm256_dpbusd_avx_epi32(s, x, w);
}

#endif
