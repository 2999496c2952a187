/* SPDX-License-Identifier: Apache-2.0
 * AVX-512 VNNI: vpdpbusd adds four products of an unsigned and a signed byte to 32 bits, without
 * saturation; weights, with 8 added, are the unsigned ones. */
#ifndef LV_INT4_VEC_H
#define LV_INT4_VEC_H

#include "int4.h"

#include "cpu/vec_avx512.h"

typedef __m512i Int4Sums;
typedef struct Int4Weights {
    __m512i quads[8];
} Int4Weights;

static inline Int4Weights unpack(const uint8_t *p)
{
    const __m512i low = _mm512_set1_epi8(15);
    Int4Weights w;
    for (int i = 0; i < 4; i++) {
        const __m512i both = _mm512_load_si512(p + i * 64);
        w.quads[2 * i] = _mm512_and_si512(both, low);
        w.quads[2 * i + 1] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
    }
    return w;
}
static inline Int4Sums group_sums(const Int4Weights *w, const LvInt4Unit *unit)
{
    __m512i even = _mm512_set1_epi32(unit->offset), odd = _mm512_setzero_si512();
    for (int i = 0; i < 8; i += 2) {
        int32_t quads[2];
        memcpy(quads, unit->numbers + i * 4, sizeof quads);
        even = _mm512_dpbusd_epi32(even, w->quads[i], _mm512_set1_epi32(quads[0]));
        odd = _mm512_dpbusd_epi32(odd, w->quads[i + 1], _mm512_set1_epi32(quads[1]));
    }
    return _mm512_add_epi32(even, odd);
}
static inline vf vf_of_int4(Int4Sums s)
{
    return _mm512_cvtepi32_ps(s);
}

#endif
