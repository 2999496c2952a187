/* SPDX-License-Identifier: Apache-2.0
 * Sixteen floats in an AVX-512 register. The same names as vec_avx2.h and vec_portable.h; each
 * kernel set includes one. */
#ifndef LV_VEC_H
#define LV_VEC_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC 16 /* floats of a register */
#define TILE_R                                                                                     \
    12 /* rows of a register tile: 12 x 2 accumulators, 2 operands, room for broadcasts */
#define TILE_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)

#define FEW_R 6 /* rows by four outputs of dot products: 24 accumulators */
#define FEW_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

typedef __m512 vf;

static inline vf vf_set1(float x)
{
    return _mm512_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void vf_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}
static inline __mmask16 vf_mask(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}
/* n < VEC floats; the others are 0 and not touched in memory. */
/* At any address: a tensor of a checkpoint may lie at an odd one. */
static inline vf vf_load_n(const void *p, size_t n)
{
    return _mm512_maskz_loadu_ps(vf_mask(n), p);
}
static inline void vf_store_n(float *p, vf x, size_t n)
{
    _mm512_mask_storeu_ps(p, vf_mask(n), x);
}
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
/* Inf and NaN too. */
static inline vf vf_load_any_f16(const uint16_t *p)
{
    return vf_load_f16(p);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
static inline vf vf_load_codes(const float codes[16], const uint8_t *p)
{
    const __m128i bytes = _mm_loadl_epi64((const __m128i *)p), low = _mm_set1_epi8(15);
    const __m128i places =
        _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low));
    return _mm512_permutexvar_ps(_mm512_cvtepu8_epi32(places), vf_load(codes));
}
static inline vf vf_round_f16(vf x)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline vf vf_round_bf16(vf x)
{
    const __m512i bits = _mm512_castps_si512(x), odd = _mm512_srli_epi32(bits, 16);
    const __m512i up =
        _mm512_add_epi32(_mm512_and_si512(odd, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7FFF));
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_add_epi32(bits, up), _mm512_set1_epi32((int)0xFFFF0000u)));
}
static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
/* a * b + c */
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
/* The second operand when either is NaN. */
static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
static inline vf vf_abs(vf x)
{
    return _mm512_abs_ps(x);
}
/* a < b ? x : y */
static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline vf vf_copysign(vf magnitude, vf sign)
{
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(_mm512_castps_si512(magnitude), _mm512_castps_si512(sign),
            _mm512_set1_epi32((int)0x80000000u), 0xD8)); /* bit of the mask ? sign : magnitude */
}
/* To the nearest integer, ties to even. */
static inline vf vf_round(vf x)
{
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* x * 2^n, n an integer in [-300, 300], rounded once. */
static inline vf vf_scale(vf x, vf n)
{
    return _mm512_scalef_ps(x, n);
}
static inline float vf_sum(vf x)
{
    return _mm512_reduce_add_ps(x);
}
/* sums[0 .. 3] = vf_sum of a, b, c, d: the same additions, made for all four together. */
static inline void vf_sum_four(float *sums, vf a, vf b, vf c, vf d)
{
    const __m512 ac =
        _mm512_add_ps(_mm512_shuffle_f32x4(a, c, 0x44), _mm512_shuffle_f32x4(a, c, 0xEE));
    const __m512 bd =
        _mm512_add_ps(_mm512_shuffle_f32x4(b, d, 0x44), _mm512_shuffle_f32x4(b, d, 0xEE));
    __m512 s =
        _mm512_add_ps(_mm512_shuffle_f32x4(ac, bd, 0x88), _mm512_shuffle_f32x4(ac, bd, 0xDD));
    s = _mm512_add_ps(s, _mm512_permute_ps(s, 0x4E)); /* quarters: a, c, b, d */
    s = _mm512_add_ps(s, _mm512_permute_ps(s, 0xB1));
    const __m512i places = _mm512_setr_epi32(0, 8, 4, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm_storeu_ps(sums, _mm512_castps512_ps128(_mm512_permutexvar_ps(places, s)));
}
/* 1 in every element whose exponent bits are all ones; for halves: of 16 bits each. */
static inline int vf_any_not_finite_f32(const void *p)
{
    __m512i exponent = _mm512_set1_epi32(0x7F800000);
    return _mm512_cmpeq_epi32_mask(_mm512_and_si512(_mm512_loadu_si512(p), exponent), exponent) !=
           0;
}
static inline int vf_any_not_finite_16(const void *p, uint16_t exponent_bits)
{
    __m512i exponent = _mm512_set1_epi16((short)exponent_bits);
    return _mm512_cmpeq_epi16_mask(_mm512_and_si512(_mm512_loadu_si512(p), exponent), exponent) !=
           0;
}
#define VEC_CHECK_BYTES 64

/* Rows become columns: pairs, quads, then 128-bit quarters change places. */
static inline void vf_transpose(vf r[VEC])
{
    vf t[VEC];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 1] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[i + 2])));
        r[i + 2] = _mm512_castpd_ps(
            _mm512_unpacklo_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
        r[i + 3] = _mm512_castpd_ps(
            _mm512_unpackhi_pd(_mm512_castps_pd(t[i + 1]), _mm512_castps_pd(t[i + 3])));
    }
    for (int i = 0; i < 4; i++) { /* r[i + 4q]: column 4j + i of rows 4q .. 4q + 3 in quarter j */
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xDD);
    }
}

/* tile.h: the factors of one k, and c + factor r * b. */
#define TILE_FACTORS(a)
#define TILE_FMA(r, b, c) vf_fma(vf_set1(a[r]), b, c)

#endif
