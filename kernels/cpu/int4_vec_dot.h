/* SPDX-License-Identifier: Apache-2.0
 * SDOT of 64-bit Arm: four products of two bytes are added to 32 bits. */
#ifndef LV_INT4_VEC_H
#define LV_INT4_VEC_H

#include "int4.h"

#include "cpu/vec_neon.h"

typedef struct Int4Sums {
    int32x4_t low, high;
} Int4Sums;
typedef struct Int4Weights {
    int8x16_t low[8], high[8]; /* a quad of four outputs each */
} Int4Weights;

static inline Int4Weights unpack(const uint8_t *p)
{
    Int4Weights w;
    for (int i = 0; i < 4; i++) {
        const uint8x16_t low = vld1q_u8(p + i * 64), high = vld1q_u8(p + i * 64 + 16);
        w.low[2 * i] = vreinterpretq_s8_u8(vandq_u8(low, vdupq_n_u8(15)));
        w.high[2 * i] = vreinterpretq_s8_u8(vandq_u8(high, vdupq_n_u8(15)));
        w.low[2 * i + 1] = vreinterpretq_s8_u8(vshrq_n_u8(low, 4));
        w.high[2 * i + 1] = vreinterpretq_s8_u8(vshrq_n_u8(high, 4));
    }
    return w;
}
#define INT4_QUAD(i, x)                                                                            \
    s##i.low = vdotq_laneq_s32(s##i.low, w->low[x], numbers[x / 4], x % 4);                        \
    s##i.high = vdotq_laneq_s32(s##i.high, w->high[x], numbers[x / 4], x % 4);
static inline Int4Sums group_sums(const Int4Weights *w, const LvInt4Unit *unit)
{
    const int8x16_t numbers[2] = {vld1q_s8(unit->numbers), vld1q_s8(unit->numbers + 16)};
    const int32x4_t zero = vdupq_n_s32(0), offset = vdupq_n_s32(unit->offset);
    Int4Sums s0 = {offset, offset}, s1 = {zero, zero}; /* two chains each */
    INT4_QUAD(0, 0)
    INT4_QUAD(1, 1)
    INT4_QUAD(0, 2)
    INT4_QUAD(1, 3)
    INT4_QUAD(0, 4)
    INT4_QUAD(1, 5)
    INT4_QUAD(0, 6)
    INT4_QUAD(1, 7)
    return (Int4Sums){vaddq_s32(s0.low, s1.low), vaddq_s32(s0.high, s1.high)};
}
static inline vf vf_of_int4(Int4Sums s)
{
    return (vf){vcvtq_f32_s32(s.low), vcvtq_f32_s32(s.high)};
}

#endif
