/* SPDX-License-Identifier: Apache-2.0
 * The compiler's own vectors: products in 32 bits. */
#include "cpu/vec_portable.h"

#define SET_NAME "baseline"
#define SET_FUNCTION lv_int8_baseline
#define INT8_TILE 2
#define INT8_ROWS_LIST(M) M(0) M(1)

typedef int8_t Lane;
#define PUT_LANE(q) (q)
#define LANE_ORDER(k) (k)

#define SUMS 4
typedef vi Sums;
typedef struct Lanes {
    int16_t quad[4];
} Lanes;
typedef struct Weights {
    int16_t quads[SUMS][4];
} Weights;

static inline Sums start_sums(const int32_t *offsets)
{
    return (Sums){0};
}
static inline void store_sums(int32_t *p, Sums s)
{
    memcpy(p, &s, sizeof s);
}
static inline vf vf_of_sums(const int32_t *p)
{
    vi s;
    memcpy(&s, p, sizeof s);
    return __builtin_convertvector(s, vf);
}
static inline Lanes broadcast(const char *p)
{
    Lanes x;
    for (int k = 0; k < 4; k++)
        x.quad[k] = ((const int8_t *)p)[k];
    return x;
}
static inline Weights load_quad(const int8_t *p)
{
    Weights w;
    for (int i = 0; i < SUMS; i++)
        for (int k = 0; k < 4; k++)
            w.quads[i][k] = p[i * 4 + k];
    return w;
}
static inline Sums step(Sums s, Lanes x, Weights w)
{
    for (int i = 0; i < SUMS; i++)
        for (int k = 0; k < 4; k++)
            s[i] += x.quad[k] * w.quads[i][k];
    return s;
}

#include "cpu/int8_set.h"
