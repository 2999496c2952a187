/* SPDX-License-Identifier: Apache-2.0
 * SSE2, which every x86-64 has: weights are widened once for all rows, and pmaddwd multiplies 16 bits by
 * 16. A register has a quad of two outputs. */
#ifndef LV_INT4_VEC_H
#define LV_INT4_VEC_H

#include <emmintrin.h>

#include "int4.h"

#include "cpu/vec_portable.h"

typedef __m128i Int4Sums;
typedef struct Int4Weights {
    __m128i quads[8][2]; /* of outputs 0 and 1, of 2 and 3 */
} Int4Weights;

static inline Int4Weights unpack(const uint8_t *p)
{
    const __m128i low = _mm_set1_epi8(15), zero = _mm_setzero_si128();
    Int4Weights w;
    for (int i = 0; i < 4; i++) {
        const __m128i both = _mm_load_si128((const __m128i *)(p + i * 64)),
                      first = _mm_and_si128(both, low),
                      second = _mm_and_si128(_mm_srli_epi16(both, 4), low);
        w.quads[2 * i][0] = _mm_unpacklo_epi8(first, zero);
        w.quads[2 * i][1] = _mm_unpackhi_epi8(first, zero);
        w.quads[2 * i + 1][0] = _mm_unpacklo_epi8(second, zero);
        w.quads[2 * i + 1][1] = _mm_unpackhi_epi8(second, zero);
    }
    return w;
}
static inline Int4Sums group_sums(const Int4Weights *w, const LvInt4Unit *unit)
{
    __m128i a = _mm_setzero_si128(), b = a;
    for (int i = 0; i < 8; i++) {
        int32_t quad;
        memcpy(&quad, unit->numbers + i * 4, sizeof quad);
        const __m128i bytes = _mm_set1_epi32(quad),
                      x = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
        a = _mm_add_epi32(a, _mm_madd_epi16(w->quads[i][0], x));
        b = _mm_add_epi32(b, _mm_madd_epi16(w->quads[i][1], x));
    }
    /* Each output has two sums beside each other. */
    const __m128 even = _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0x88),
                 odd = _mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), 0xDD);
    return _mm_add_epi32(
        _mm_set1_epi32(unit->offset), _mm_add_epi32(_mm_castps_si128(even), _mm_castps_si128(odd)));
}
static inline vf vf_of_int4(Int4Sums s)
{
    return _mm_cvtepi32_ps(s);
}

#endif
