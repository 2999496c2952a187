/* SPDX-License-Identifier: Apache-2.0
 * The compiler's own vectors: products in 32 bits. */
#ifndef LV_INT4_VEC_H
#define LV_INT4_VEC_H

#include "int4.h"

#include "cpu/vec_portable.h"

typedef vi Int4Sums;
typedef struct Int4Weights {
    int16_t numbers[LV_INT4_GROUP][VEC];
} Int4Weights;

static inline Int4Weights unpack(const uint8_t *p)
{
    Int4Weights w;
    for (int i = 0; i < 4; i++)
        for (int o = 0; o < VEC; o++)
            for (int k = 0; k < 4; k++) {
                const uint8_t byte = p[i * 64 + o * 4 + k];
                w.numbers[i * 8 + k][o] = byte & 15;
                w.numbers[i * 8 + 4 + k][o] = byte >> 4;
            }
    return w;
}
static inline Int4Sums group_sums(const Int4Weights *w, const LvInt4Unit *unit)
{
    Int4Sums s = {unit->offset, unit->offset, unit->offset, unit->offset};
    for (size_t k = 0; k < LV_INT4_GROUP; k++)
        for (int o = 0; o < VEC; o++)
            s[o] += w->numbers[k][o] * unit->numbers[k];
    return s;
}
static inline vf vf_of_int4(Int4Sums s)
{
    return __builtin_convertvector(s, vf);
}

#endif
