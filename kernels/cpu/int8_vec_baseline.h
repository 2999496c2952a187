/* SPDX-License-Identifier: Apache-2.0
 * The compiler's own vectors: products in 32 bits. */
#ifndef LV_INT8_VEC_H
#define LV_INT8_VEC_H

#include "cpu/vec_portable.h"

#define INT8_TILE 2
#define INT8_ROWS_LIST(M) M(0) M(1)

typedef int16_t Int8Lane;
#define LANE_OFFSET 0
#define SKEWED_OFFSET 0

#define SUMS 4
typedef vi Int8Sums;
typedef struct Int8Lanes {
    int16_t quad[4];
} Int8Lanes;
typedef struct Int8Weights {
    int16_t quads[SUMS][4];
} Int8Weights;

static inline void order_lanes(Int8Lane *lanes, size_t n)
{
}
static inline Int8Sums start_sums(const int32_t *offsets)
{
    return (Int8Sums){0};
}
static inline void store_sums(int32_t *p, Int8Sums s)
{
    memcpy(p, &s, sizeof s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    vi s;
    memcpy(&s, p, sizeof s);
    return __builtin_convertvector(s, vf);
}
static inline Int8Lanes broadcast(const char *p)
{
    Int8Lanes x;
    for (int k = 0; k < 4; k++)
        x.quad[k] = ((const int16_t *)p)[k];
    return x;
}
static inline Int8Weights load_quad(const int8_t *p)
{
    Int8Weights w;
    for (int i = 0; i < SUMS; i++)
        for (int k = 0; k < 4; k++)
            w.quads[i][k] = p[i * 4 + k];
    return w;
}
static inline Int8Sums step(Int8Sums s, Int8Lanes x, Int8Weights w)
{
    for (int i = 0; i < SUMS; i++)
        for (int k = 0; k < 4; k++)
            s[i] += x.quad[k] * w.quads[i][k];
    return s;
}

#endif
