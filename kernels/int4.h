/* SPDX-License-Identifier: Apache-2.0
 * Products of four bits: weights in groups of 32 with a float16 scale, activations in groups of 32 int8
 * with a float32 scale, made on the fly. The contract of their kernels, as ops.h is that of the others.
 *
 * Weights. LV_INT4_GROUP numbers of a row that follow each other (at its end, as if zeros followed) are
 * q * scale, q from -8 to 7. The scale is the float16 with which the sum of squared errors is least
 * of these, an earlier one where two are equal: none (all zeros); m / -(7 + i / 4), i = 0 .. 8, m the
 * first number of the greatest magnitude (i = 4: what Q4_0 of gguf takes); and two more, each the
 * one that fits the numbers of the best so far best, sum of x q / sum of q^2. With each of them q is x / scale
 * (x times the float32 reciprocal), to the nearest, ties to even, kept within -8 and 7. All float32,
 * and sums over k are ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)), s of k = i, i + 8, ... in order.
 * So no group is further from its numbers than Q4_0's.
 *
 * A weight that holds a magnitude above LV_INT4_GREATEST, whose scale float16 may not hold, is none of
 * four bits.
 *
 * Activations. A group of a row has scale = m / 127 and numbers x * (127 / m), to the nearest, ties to
 * even, m its greatest magnitude; with m < 2^-100 zeros. A group that holds NaN or Inf gives NaN.
 *
 * Products. The sum over a group of the products of numbers is exact; nothing saturates: a number of a
 * weight is at most 15 with 8 added to it, so that 8 pairs of products fit 16 bits. Then, in float32, each
 * operation rounded, in this order:
 *
 *     y = 0; for each group: y = y + (float)sum * activations' scale * weights' scale
 *     out = function(y + bias) + residual, or function(y) * (y of `up`), which has neither
 *
 * A result depends on nothing but its row, its weight's row and the function as the set computes it
 * (ops.h): not on other rows, nor on how many there are, and without a function not on the set. */
#ifndef LV_INT4_H
#define LV_INT4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops.h"

#define LV_INT4_GROUP 32u
#define LV_INT4_PANEL 16u /* outputs of a panel */
#define LV_INT4_ROWS 64u  /* most rows of a product */
#define LV_INT4_GREATEST 262144.0f

/* A weight in panels: panel p has outputs 16 p .. 16 p + 15, [group][pair of quads][output][4]. A byte
 * has number k of the pair's first quad in its low half, number k + 4 in its high half, each with 8
 * added. Outputs and numbers that do not exist are zeros; outputs that do not exist have scales of 0. */
typedef struct LvInt4Matrix {
    const uint8_t *numbers; /* lv_int4_panel_bytes a panel, 64-byte aligned */
    const uint16_t *scales; /* float16: [panel][group][output] */
    size_t rows, cols;
} LvInt4Matrix;

static inline size_t lv_int4_panels(size_t rows)
{
    return (rows + LV_INT4_PANEL - 1) / LV_INT4_PANEL;
}
static inline size_t lv_int4_groups(size_t cols)
{
    return (cols + LV_INT4_GROUP - 1) / LV_INT4_GROUP;
}
static inline size_t lv_int4_panel_bytes(size_t cols)
{
    return lv_int4_groups(cols) * LV_INT4_GROUP / 2 * LV_INT4_PANEL;
}
static inline size_t lv_int4_panel_scales(size_t cols)
{
    return lv_int4_groups(cols) * LV_INT4_PANEL;
}

/* A group of a row of activations. */
typedef struct LvInt4Unit {
    float scale;
    int32_t offset; /* -8 times the sum of the numbers */
    int8_t numbers[LV_INT4_GROUP];
} LvInt4Unit;

/* One call's share of a product. */
typedef struct LvInt4Args {
    float *out; /* as of LvLinearArgs, at the call's first output */
    size_t out_stride;
    const LvInt4Unit *in;            /* group g of row r: in[g * rows + r] */
    size_t rows;                     /* at most LV_INT4_ROWS */
    const LvInt4Matrix *weight, *up; /* up: the same shape, or NULL */
    size_t first, cols;              /* outputs; first is a multiple of LV_INT4_PANEL */
    const float *bias, *residual;
    size_t residual_stride;
    LvFunction function;
} LvInt4Args;

typedef struct LvInt4Kernels {
    const char *name;
    /* Makes a panel of n <= 16 rows of finite floats that follow each other: its numbers and scales;
     * false: one is above LV_INT4_GREATEST, and what was made is nothing. */
    bool (*put_panel)(
        uint8_t *numbers, uint16_t *scales, const float *weights, size_t n, size_t cols);
    /* Makes the units of a row; they stand `stride` units apart. */
    void (*put_row)(LvInt4Unit *units, size_t stride, const float *in, size_t cols);
    void (*product)(const LvInt4Args *args);
} LvInt4Kernels;

typedef struct LvInt4Set {
    const char *name;
    const char *with; /* the set of ops.h that it goes with */
    unsigned flags;   /* that it needs */
    const LvInt4Kernels *(*kernels)(void);
} LvInt4Set;

/* The sets of this build, best first; the name behind the last is NULL. */
const LvInt4Set *lv_int4_sets(void);
/* The best set that goes with these kernels and needs no other flags. */
const LvInt4Kernels *lv_int4_choose(const LvKernels *with, unsigned flags);
/* Plain and slow, for tests. */
const LvInt4Kernels *lv_int4_reference(void);

#endif
