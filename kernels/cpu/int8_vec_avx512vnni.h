/* SPDX-License-Identifier: Apache-2.0
 * AVX-512 VNNI: vpdpbusd adds four products of an unsigned and a signed byte to 32 bits, without
 * saturation. Activations are stored with 128 (skewed rows: 16) added, which the offsets take away again. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include "cpu/vec_avx512.h"

#define INT8_TILE 12 /* 12 x 2 sums, 2 weights, broadcasts */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)

typedef uint8_t Int8Lane;
#define LANE_OFFSET 128
#define SKEWED_OFFSET 16

typedef __m512i Int8Sums, Int8Lanes, Int8Weights;
#define SUMS 16

static inline void order_lanes(Int8Lane *lanes, size_t n)
{
}
static inline Int8Sums start_sums(const int32_t *offsets)
{
    return _mm512_loadu_si512(offsets);
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    _mm512_storeu_si512(p, s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_loadu_si512(p));
}
static inline Int8Lanes broadcast(const char *p)
{
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return _mm512_set1_epi32(quad);
}
static inline Int8Weights load_quad(const int8_t *p)
{
    return _mm512_load_si512(p);
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    return _mm512_dpbusd_epi32(s, x, w);
}

#endif
