/* SPDX-License-Identifier: Apache-2.0
 * What every 64-bit Arm processor has: SMULL and SMLAL add two products of signed bytes in 16 bits, which 2 x 128 x 127 fits,
 * SADALP adds pairs of those to 32. Skewed rows are stored with 112 taken away, which makes them signed bytes; weights
 * are never -128. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include <stdbool.h>

#include "cpu/vec_neon.h"
#include "int8.h"

#define INT8_TILE 4
#define INT8_UNIT 1
#define INT8_UNITS 4 /* 4 x 4 sums, 4 weights, a line's 2 quads, products */
#define INT8_UNITS_LIST(M) M(0) M(1) M(2) M(3)

typedef int8_t Int8Lane;
#define LANE_OFFSET 0
#define SKEWED_OFFSET (-112)

typedef struct Int8Sums {
    int32x4_t low, high; /* two halves of output 0 and of 1; of 2 and of 3 */
} Int8Sums;
typedef struct Int8Weights {
    int8x16_t first, second; /* a quad of four outputs, and the next */
} Int8Weights;
typedef struct Int8Lanes {
    int8x16_t first, second; /* four times a quad, and the next */
} Int8Lanes;

static inline void order_lanes(Int8Lane *lanes, size_t n)
{
}
static inline Int8Lanes load_lanes(const char *first, const char *second, bool half)
{
    int32_t quads[2] = {0};
    memcpy(quads, first, half ? 4 : 8);
    return (Int8Lanes){
        vreinterpretq_s8_s32(vdupq_n_s32(quads[0])), vreinterpretq_s8_s32(vdupq_n_s32(quads[1]))};
}
static inline Int8Weights load_weights_of(const int8_t *p, bool half)
{
    return (Int8Weights){vld1q_s8(p), half ? vdupq_n_s8(0) : vld1q_s8(p + 4 * LV_INT8_PANEL)};
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    int16x8_t low = vmull_s8(vget_low_s8(x.first), vget_low_s8(w.first)),
              high = vmull_high_s8(x.first, w.first);
    low = vmlal_s8(low, vget_low_s8(x.second), vget_low_s8(w.second));
    high = vmlal_high_s8(high, x.second, w.second);
    return (Int8Sums){vpadalq_s16(s.low, low), vpadalq_s16(s.high, high)};
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    vst1q_s32(p, vpaddq_s32(s.low, s.high));
}
static inline vf vf_of_sums(const int32_t *p)
{
    return (vf){vcvtq_f32_s32(vld1q_s32(p)), vcvtq_f32_s32(vld1q_s32(p + 4))};
}

#endif
