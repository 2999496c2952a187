/* SPDX-License-Identifier: Apache-2.0
 * The register tile on which all products of matrices rest: up to TILE_R rows by one or two
 * registers of columns.
 *
 *     c[r][j] (+)= sum over k of a[k * TILE_R + r] * b[k * 2 VEC + j]
 *
 * Each sum is one chain of multiply-adds in order of k, from zero, whatever the tile's size: how
 * rows are grouped changes no result. It is added to c as a whole: the error of a call grows with
 * its n terms, not with what c has accumulated before. Accumulators have names of their own because
 * the compiler keeps an array of them in memory. */
#ifndef LV_TILE_H
#define LV_TILE_H

#include "ops.h"

#define LANES (2 * VEC)

typedef void (*TileFunction)(
    size_t n, const float *a, const float *b, float *c, size_t c_stride, bool add);

/* Rows at or above ROWS, and the second register when WIDTH is 1, vanish at compile time. */
#define TILE_DECLARE(r) vf c##r##0 = vf_set1(0), c##r##1 = vf_set1(0);
#define TILE_STEP(r)                                                                               \
    if (r < ROWS) {                                                                                \
        c##r##0 = TILE_FMA(r, b0, c##r##0);                                                        \
        if (WIDTH > 1)                                                                             \
            c##r##1 = TILE_FMA(r, b1, c##r##1);                                                    \
    }
#define TILE_ADD(r)                                                                                \
    if (r < ROWS) {                                                                                \
        c##r##0 = vf_add(c##r##0, vf_load(c + r * c_stride));                                      \
        if (WIDTH > 1)                                                                             \
            c##r##1 = vf_add(c##r##1, vf_load(c + r * c_stride + VEC));                            \
    }
#define TILE_STORE(r)                                                                              \
    if (r < ROWS) {                                                                                \
        vf_store(c + r * c_stride, c##r##0);                                                       \
        if (WIDTH > 1)                                                                             \
            vf_store(c + r * c_stride + VEC, c##r##1);                                             \
    }

static inline __attribute__((always_inline)) void tile(const int ROWS, const int WIDTH, size_t n,
    const float *restrict a, const float *restrict b, float *restrict c, size_t c_stride, bool add)
{
    TILE_ROWS_LIST(TILE_DECLARE)
    for (size_t k = 0; k < n; k++) {
        vf b0 = vf_load(b), b1 = WIDTH > 1 ? vf_load(b + VEC) : b0;
        __builtin_prefetch(a + n * TILE_R, 0, 2);
        TILE_FACTORS(a)
        TILE_ROWS_LIST(TILE_STEP)
        a += TILE_R;
        b += LANES;
    }
    if (add) {
        TILE_ROWS_LIST(TILE_ADD)
    }
    TILE_ROWS_LIST(TILE_STORE)
}

#define TILE_DEFINE(r)                                                                             \
    static void tile_one_##r(                                                                      \
        size_t n, const float *a, const float *b, float *c, size_t c_stride, bool add)             \
    {                                                                                              \
        tile(r + 1, 1, n, a, b, c, c_stride, add);                                                 \
    }                                                                                              \
    static void tile_two_##r(                                                                      \
        size_t n, const float *a, const float *b, float *c, size_t c_stride, bool add)             \
    {                                                                                              \
        tile(r + 1, 2, n, a, b, c, c_stride, add);                                                 \
    }
TILE_ROWS_LIST(TILE_DEFINE)

#define TILE_ONE(r) tile_one_##r,
#define TILE_TWO(r) tile_two_##r,
/* [registers - 1][rows - 1] */
static const TileFunction tiles[2][TILE_R] = {
    {TILE_ROWS_LIST(TILE_ONE)}, {TILE_ROWS_LIST(TILE_TWO)}};

#endif
