/* SPDX-License-Identifier: Apache-2.0
 * SDOT of 64-bit Arm adds four products of two signed bytes to 32 bits, without saturation. Skewed rows are stored with
 * 112 taken away, which makes them signed bytes. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include "cpu/vec_neon.h"

#define INT8_TILE 6 /* 6 x 4 sums, 4 weights, a line's quad */
#define INT8_ROWS_LIST(M) M(0) M(1) M(2) M(3) M(4) M(5)

typedef int8_t Int8Lane;
#define LANE_OFFSET 0
#define SKEWED_OFFSET (-112)

#define SUMS 8
typedef struct Int8Sums {
    int32x4_t low, high;
} Int8Sums;
typedef struct Int8Weights {
    int8x16_t low, high;
} Int8Weights;
typedef int8x8_t Int8Lanes;

static inline void order_lanes(Int8Lane *lanes, size_t n)
{
}
static inline Int8Sums start_sums(const int32_t *offsets)
{
    return (Int8Sums){vdupq_n_s32(0), vdupq_n_s32(0)};
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    vst1q_s32(p, s.low);
    vst1q_s32(p + 4, s.high);
}
static inline vf vf_of_sums(const int32_t *p)
{
    return (vf){vcvtq_f32_s32(vld1q_s32(p)), vcvtq_f32_s32(vld1q_s32(p + 4))};
}
/* In the first lane, which the product takes for all: no copies of it are made. */
static inline Int8Lanes broadcast(const char *p)
{
    uint32_t quad;
    memcpy(&quad, p, sizeof quad);
    return vreinterpret_s8_u64(vcreate_u64(quad));
}
static inline Int8Weights load_quad(const int8_t *p)
{
    return (Int8Weights){vld1q_s8(p), vld1q_s8(p + 16)};
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    return (Int8Sums){vdotq_lane_s32(s.low, w.low, x, 0), vdotq_lane_s32(s.high, w.high, x, 0)};
}

#endif
