/* SPDX-License-Identifier: Apache-2.0
 * AVX2 has no product of bytes that cannot saturate at 8 bits (vpmaddubsw adds two of them in 16), and
 * moving signs costs it what it gains. Here bytes are widened: vpmaddwd multiplies 16 bits by 16 and
 * adds two products in 32. Weights 0 and 2 of a quad come from one shift, 1 and 3 from another, so
 * activations, 16 bits each, are stored in this order. */
#include "cpu/vec_avx2.h"

#define SET_NAME "avx2"
#define SET_FUNCTION lv_int8_avx2
#define INT8_TILE 4 /* 4 x 2 sums, 2 x 2 weights, 2 broadcasts */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3)

typedef int16_t Lane;
#define PUT_LANE(q) (q)
#define LANE_ORDER(k) ((k) / 2 + (k) % 2 * 2) /* 0 2 1 3 */

typedef __m256i Sums;
#define SUMS 8
typedef struct Pairs {
    __m256i even, odd;
} Lanes, Weights;

static inline Sums start_sums(const int32_t *offsets)
{
    return _mm256_setzero_si256();
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
    int32_t pairs[2];
    __builtin_memcpy(pairs, p, sizeof pairs);
    return (Lanes){_mm256_set1_epi32(pairs[0]), _mm256_set1_epi32(pairs[1])};
}
static inline Weights load_quad(const int8_t *p)
{
    const __m256i bytes = _mm256_load_si256((const __m256i *)p);
    return (Weights){
        _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
}
static inline Sums step(Sums s, Lanes x, Weights w)
{
    s = _mm256_add_epi32(s, _mm256_madd_epi16(x.even, w.even));
    return _mm256_add_epi32(s, _mm256_madd_epi16(x.odd, w.odd));
}

#include "cpu/int8_set.h"
