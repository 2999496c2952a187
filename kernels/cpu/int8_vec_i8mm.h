/* SPDX-License-Identifier: Apache-2.0
 * SMMLA of 64-bit Arm: two lines by two outputs by eight k, all signed bytes, in 32 bits and without saturation. Skewed
 * rows are stored with 112 taken away, which makes them signed bytes. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include <stdbool.h>

#include "cpu/vec_neon.h"
#include "int8.h"

#define INT8_TILE 12
#define INT8_UNIT 2
#define INT8_UNITS 6 /* 6 x 4 sums, 4 weights, a unit's lanes */
#define INT8_UNITS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

typedef int8_t Int8Lane;
#define LANE_OFFSET 0
#define SKEWED_OFFSET (-112)

typedef struct Int8Sums {
    int32x4_t low, high; /* outputs 0 and 1 of the first line, of the second; outputs 2 and 3 */
} Int8Sums;
typedef struct Int8Weights {
    int8x16_t low, high; /* outputs 0 and 1, 2 and 3, eight k each */
} Int8Weights;
typedef int8x16_t Int8Lanes; /* eight k of one line, then of the other */

static inline void order_lanes(Int8Lane *lanes, size_t n)
{
}
static inline Int8Lanes load_lanes(const char *first, const char *second, bool half)
{
    uint64_t a = 0, b = 0;
    if (!half)
        return vcombine_s8(vld1_s8((const int8_t *)first), vld1_s8((const int8_t *)second));
    memcpy(&a, first, 4);
    memcpy(&b, second, 4);
    return vcombine_s8(vreinterpret_s8_u64(vcreate_u64(a)), vreinterpret_s8_u64(vcreate_u64(b)));
}
/* A quad of four outputs, and the next: what belongs to one output is brought together. */
static inline Int8Weights load_weights_of(const int8_t *p, bool half)
{
    const int32x4_t first = vreinterpretq_s32_s8(vld1q_s8(p)),
                    second = half ? vdupq_n_s32(0)
                                  : vreinterpretq_s32_s8(vld1q_s8(p + 4 * LV_INT8_PANEL));
    return (Int8Weights){vreinterpretq_s8_s32(vzip1q_s32(first, second)),
        vreinterpretq_s8_s32(vzip2q_s32(first, second))};
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    return (Int8Sums){vmmlaq_s32(s.low, x, w.low), vmmlaq_s32(s.high, x, w.high)};
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    vst1q_s32(p, vcombine_s32(vget_low_s32(s.low), vget_low_s32(s.high)));
    vst1q_s32(p + 2 * LV_INT8_PANEL, vcombine_s32(vget_high_s32(s.low), vget_high_s32(s.high)));
}
static inline vf vf_of_sums(const int32_t *p)
{
    return (vf){vcvtq_f32_s32(vld1q_s32(p)), vcvtq_f32_s32(vld1q_s32(p + 4))};
}

#endif
