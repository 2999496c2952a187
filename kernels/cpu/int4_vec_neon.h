/* SPDX-License-Identifier: Apache-2.0
 * What every 64-bit Arm processor has: SMULL and SMLAL add products of two bytes in 16 bits, which eight of at most
 * 15 x 127 fit. */
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
static inline Int4Sums group_sums(const Int4Weights *w, const LvInt4Unit *unit)
{
    /* Four sums of two outputs each. */
    int16x8_t s0 = vdupq_n_s16(0), s1 = s0, s2 = s0, s3 = s0;
    for (int i = 0; i < 8; i++) {
        int32_t quad;
        memcpy(&quad, unit->numbers + i * 4, sizeof quad);
        const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(quad));
        s0 = vmlal_s8(s0, vget_low_s8(x), vget_low_s8(w->low[i]));
        s1 = vmlal_high_s8(s1, x, w->low[i]);
        s2 = vmlal_s8(s2, vget_low_s8(x), vget_low_s8(w->high[i]));
        s3 = vmlal_high_s8(s3, x, w->high[i]);
    }
    const int32x4_t offset = vdupq_n_s32(unit->offset);
    return (Int4Sums){vaddq_s32(offset, vpaddq_s32(vpaddlq_s16(s0), vpaddlq_s16(s1))),
        vaddq_s32(offset, vpaddq_s32(vpaddlq_s16(s2), vpaddlq_s16(s3)))};
}
static inline vf vf_of_int4(Int4Sums s)
{
    return (vf){vcvtq_f32_s32(s.low), vcvtq_f32_s32(s.high)};
}

#endif
