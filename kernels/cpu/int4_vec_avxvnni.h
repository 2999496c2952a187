/* SPDX-License-Identifier: Apache-2.0
 * AVX-VNNI: as int4_vec_avx512vnni.h, in registers of half the size. */
#ifndef LV_INT4_VEC_H
#define LV_INT4_VEC_H

#include "int4.h"

#include "cpu/vec_avx2.h"

typedef __m256i Int4Sums;
typedef struct Int4Weights {
    __m256i quads[8];
} Int4Weights;

static inline Int4Weights unpack(const uint8_t *p)
{
    const __m256i low = _mm256_set1_epi8(15);
    Int4Weights w;
    for (int i = 0; i < 4; i++) {
        const __m256i both = _mm256_load_si256((const __m256i *)(p + i * 64));
        w.quads[2 * i] = _mm256_and_si256(both, low);
        w.quads[2 * i + 1] = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
    }
    return w;
}
static inline Int4Sums group_sums(const Int4Weights *w, const LvInt4Unit *unit)
{
    __m256i even = _mm256_set1_epi32(unit->offset), odd = _mm256_setzero_si256();
    for (int i = 0; i < 8; i += 2) {
        int32_t quads[2];
        memcpy(quads, unit->numbers + i * 4, sizeof quads);
        even = _mm256_dpbusd_avx_epi32(even, w->quads[i], _mm256_set1_epi32(quads[0]));
        odd = _mm256_dpbusd_avx_epi32(odd, w->quads[i + 1], _mm256_set1_epi32(quads[1]));
    }
    return _mm256_add_epi32(even, odd);
}
static inline vf vf_of_int4(Int4Sums s)
{
    return _mm256_cvtepi32_ps(s);
}

#endif
