/* SPDX-License-Identifier: Apache-2.0
 * AVX-VNNI: as int8_avx512vnni.c, in registers of half the size. */
#include "cpu/vec_avx2.h"

#define SET_NAME "avx-vnni"
#define SET_FUNCTION lv_int8_avxvnni
#define INT8_TILE 6 /* 6 x 2 sums, 2 weights, a broadcast */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

typedef uint8_t Lane;
#define PUT_LANE(q) ((q) + 128)
#define LANE_ORDER(k) (k)

typedef __m256i Sums, Lanes, Weights;
#define SUMS 8

static inline Sums start_sums(const int32_t *offsets)
{
    return _mm256_loadu_si256((const __m256i *)offsets);
}
static inline void store_sums(int32_t *p, Sums s)
{
    _mm256_storeu_si256((__m256i *)p, s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)p));
}
static inline Lanes broadcast(const char *p)
{
    int32_t quad;
    __builtin_memcpy(&quad, p, 4);
    return _mm256_set1_epi32(quad);
}
static inline Weights load_quad(const int8_t *p)
{
    return _mm256_load_si256((const __m256i *)p);
}
static inline Sums step(Sums s, Lanes x, Weights w)
{
    return _mm256_dpbusd_avx_epi32(s, x, w);
}

#include "cpu/int8_set.h"
