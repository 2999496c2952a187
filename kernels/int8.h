/* SPDX-License-Identifier: Apache-2.0
 * Products of eight bits: int8 weights with a float32 scale an output, int8 activations with a scale
 * a row, made on the fly. The contract of their kernels, as ops.h is that of the others.
 *
 * Weights. A row of a weight (an output) has scale = m / 127, m its greatest magnitude, and the
 * numbers q = w * (127 / m), rounded to the nearest, ties to even; all float32. A row with m < 2^-100
 * has scale 0 and zeros.
 *
 * A weight that would lose too much stays as it is stored (lv_int8_keeps): where the mean of its numbers'
 * magnitudes is below LV_INT8_LEAST_MEAN, because single ones are far greater than the others of their row,
 * or that of a column that is not zero is below LV_INT8_LEAST_COLUMN, because the column's activations
 * may be as much greater.
 *
 * Activations. A row has its scale and numbers in the same way, of one of three kinds:
 *
 *     skewed  nothing is below -m / 15 (what GELU gives): scale = m / 239, q = x * (239 / m), -16 to 239
 *     even    otherwise: scale = m / 127, q = x * (127 / m)
 *     wide    where m is LV_INT8_LARGE or more, or these numbers' magnitudes have a mean below
 *             LV_INT8_LEAST_ROW, because a few are so great that too little of 8 bits is left for the
 *             others: scale = m / 16256, q = x * (16256 / m), q = 128 h + l with -127 <= h <= 127 and
 *             -64 <= l <= 63: two lines for the kernels
 *
 * The kind follows from the row alone and from whole numbers, so that every set decides the same. A row
 * that holds NaN or Inf gives NaN.
 *
 * Products. The sum over k of q[k] * w[k] is exact: inner sizes are at most LV_INT8_MAX_INNER, so that it
 * fits 32 bits; partial sums may wrap, nothing saturates (each set says how). Then, in float32, each
 * operation rounded, in this order:
 *
 *     s = (float)sum, of a wide row (float)sum of h * 128 + (float)sum of l
 *     y = s * row's scale * output's scale + bias
 *     out = function(y) + residual, or function(y) * (y of `up`), which has neither bias nor residual
 *
 * A result depends on nothing but its row, its weight's row and the function as the set computes it
 * (ops.h): not on other rows, nor on how many there are, and without a function not on the set. */
#ifndef LV_INT8_H
#define LV_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ops.h"

#define LV_INT8_PANEL 16u /* outputs of a panel */
#define LV_INT8_LEAST_MEAN 8
#define LV_INT8_LEAST_COLUMN 3
#define LV_INT8_LEAST_ROW 24
#define LV_INT8_LARGE 6.0f       /* LLM.int8's threshold of outliers */
#define LV_INT8_MAX_INNER 65536u /* times 255 * 127 fits 32 bits */

/* A weight in panels: panel p has outputs 16 p .. 16 p + 15, [quad of k][output][4]; k and outputs
 * that do not exist are zeros, with scale and offset 0. */
typedef struct LvInt8Matrix {
    const int8_t *numbers;  /* lv_int8_panel_bytes a panel, 64-byte aligned */
    const float *scales;    /* one an output, of whole panels */
    const int32_t *offsets; /* -128 times the sum of an output's numbers, of whole panels */
    size_t rows, cols;
} LvInt8Matrix;

static inline size_t lv_int8_panels(size_t rows)
{
    return (rows + LV_INT8_PANEL - 1) / LV_INT8_PANEL;
}
static inline size_t lv_int8_panel_bytes(size_t cols)
{
    return (cols + 3) / 4 * 4 * LV_INT8_PANEL;
}

typedef enum LvInt8Kind { LV_INT8_EVEN, LV_INT8_SKEWED, LV_INT8_WIDE } LvInt8Kind;

/* What a row of activations is multiplied as. */
typedef struct LvInt8Row {
    size_t row;          /* of out and residual */
    float scale, factor; /* numbers are x * factor, or zeros with a factor of 0 */
    LvInt8Kind kind;
} LvInt8Row;

/* One call's share of a product. */
typedef struct LvInt8Args {
    float *out; /* as of LvLinearArgs, at the call's first output and the rows' row 0 */
    size_t out_stride;
    const void *
        in; /* what put_row made of the rows, one after another: wide ones, each twice as long, first */
    const LvInt8Row *rows;
    size_t n_rows, n_wide;
    const LvInt8Matrix *weight, *up; /* up: the same shape, or NULL */
    size_t first, cols;              /* outputs; first is a multiple of LV_INT8_PANEL */
    const float *bias, *residual;
    size_t residual_stride;
    LvFunction function;
} LvInt8Args;

typedef struct LvInt8Kernels {
    const char *name;
    /* Makes a panel of n <= 16 rows of finite floats that follow each other: its numbers, 16 scales, 16
     * offsets. columns[k] grows by the magnitudes of the numbers of column k. row: scratch, cols rounded
     * up to a multiple of 4. */
    void (*put_panel)(int8_t *numbers, float *scales, int32_t *offsets, int32_t *columns,
        const float *weights, size_t n, size_t cols, int8_t *row);
    /* All of a row but `row`. */
    LvInt8Row (*measure_row)(const float *in, size_t cols);
    /* Bytes of a row in the form that the set multiplies; a multiple of 4. */
    size_t (*row_bytes)(size_t cols);
    /* Writes a measured row; of a wide one its h, and behind them its l. */
    void (*put_row)(void *dst, const LvInt8Row *row, const float *in, size_t cols);
    void (*product)(const LvInt8Args *args);
} LvInt8Kernels;

/* Whether a weight becomes int8, by the sum of its numbers' magnitudes in each column. */
bool lv_int8_keeps(const int32_t *columns, size_t rows, size_t cols);

typedef struct LvInt8Set {
    const char *name;
    const char *with; /* the set of ops.h that it goes with */
    unsigned flags;   /* that it needs */
    const LvInt8Kernels *(*kernels)(void);
} LvInt8Set;

/* The sets of this build, best first; the name behind the last is NULL. */
const LvInt8Set *lv_int8_sets(void);
/* The best set that goes with these kernels and needs no other flags. */
const LvInt8Kernels *lv_int8_choose(const LvKernels *with, unsigned flags);
/* Plain and slow, for tests. */
const LvInt8Kernels *lv_int8_reference(void);

#endif
