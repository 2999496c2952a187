/* SPDX-License-Identifier: Apache-2.0
 * Eight floats in an AVX register, with FMA and F16C. The same names as vec_avx512.h, where they
 * are described. */
#ifndef LV_VEC_H
#define LV_VEC_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VEC 8
#define TILE_R 6 /* 6 x 2 accumulators, 2 operands, 2 broadcasts: all sixteen registers */
#define TILE_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

#define FEW_R 3 /* 12 accumulators, 4 operands */
#define FEW_ROWS_LIST(M) M(0) M(1) M(2)

typedef __m256 vf;

static inline vf vf_set1(float x)
{
    return _mm256_set1_ps(x);
}
static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void vf_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}
/* At any address: a tensor of a checkpoint may lie at an odd one. */
static inline vf vf_load_n(const void *p, size_t n)
{
    float buffer[VEC] = {0};
    memcpy(buffer, p, n * sizeof *buffer);
    return vf_load(buffer);
}
/* Masked stores are slow on some processors: halves, quarters and single floats instead. */
static inline void vf_store_n(float *p, vf x, size_t n)
{
    __m128 part = _mm256_castps256_ps128(x);
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(x, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1)
        _mm_store_ss(p, part);
}
static inline vf vf_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
/* Inf and NaN too. */
static inline vf vf_load_any_f16(const uint16_t *p)
{
    return vf_load_f16(p);
}
static inline vf vf_load_bf16(const uint16_t *p)
{
    __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
static inline vf vf_load_codes(const float codes[16], const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    const __m128i bytes = _mm_cvtsi32_si128(four), low = _mm_set1_epi8(15);
    const __m128i places =
        _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low), _mm_and_si128(bytes, low));
    const __m256i index = _mm256_cvtepu8_epi32(places);
    const vf first = _mm256_permutevar8x32_ps(vf_load(codes), index),
             second = _mm256_permutevar8x32_ps(vf_load(codes + 8), index);
    return _mm256_blendv_ps(first, second, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
static inline vf vf_round_f16(vf x)
{
    return _mm256_cvtph_ps(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline vf vf_round_bf16(vf x)
{
    const __m256i bits = _mm256_castps_si256(x), odd = _mm256_srli_epi32(bits, 16);
    const __m256i up =
        _mm256_add_epi32(_mm256_and_si256(odd, _mm256_set1_epi32(1)), _mm256_set1_epi32(0x7FFF));
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_add_epi32(bits, up), _mm256_set1_epi32((int)0xFFFF0000u)));
}
static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
static inline vf vf_abs(vf x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}
static inline vf vf_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline vf vf_copysign(vf magnitude, vf sign)
{
    vf mask = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(mask, magnitude), _mm256_and_ps(mask, sign));
}
static inline vf vf_round(vf x)
{
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf vf_power_of_two(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/* In two factors, so that denormal results are possible. */
static inline vf vf_scale(vf x, vf n)
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return _mm256_mul_ps(
        _mm256_mul_ps(x, vf_power_of_two(half)), vf_power_of_two(_mm256_sub_epi32(whole, half)));
}
static inline float vf_sum(vf x)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline void vf_sum_four(float *sums, vf a, vf b, vf c, vf d)
{
    const __m256 ac =
        _mm256_add_ps(_mm256_permute2f128_ps(a, c, 0x20), _mm256_permute2f128_ps(a, c, 0x31));
    const __m256 bd =
        _mm256_add_ps(_mm256_permute2f128_ps(b, d, 0x20), _mm256_permute2f128_ps(b, d, 0x31));
    __m256 s = _mm256_add_ps(/* a, a, b, b; c, c, d, d */
        _mm256_shuffle_ps(ac, bd, 0x44), _mm256_shuffle_ps(ac, bd, 0xEE));
    s = _mm256_add_ps(s, _mm256_permute_ps(s, 0xB1));
    _mm_storeu_ps(
        sums, _mm_shuffle_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1), 0x88));
}
static inline int vf_any_not_finite_f32(const void *p)
{
    __m256i exponent = _mm256_set1_epi32(0x7F800000);
    __m256i bits = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), exponent);
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(bits, exponent)) != 0;
}
static inline int vf_any_not_finite_16(const void *p, uint16_t exponent_bits)
{
    __m256i exponent = _mm256_set1_epi16((short)exponent_bits);
    __m256i bits = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)p), exponent);
    return _mm256_movemask_epi8(_mm256_cmpeq_epi16(bits, exponent)) != 0;
}
#define VEC_CHECK_BYTES 32

static inline void vf_transpose(vf r[VEC])
{
    vf t[VEC];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

/* tile.h: the factors of one k, and c + factor r * b. */
#define TILE_FACTORS(a)
#define TILE_FMA(r, b, c) vf_fma(vf_set1(a[r]), b, c)

#endif
