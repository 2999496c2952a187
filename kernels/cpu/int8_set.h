/* SPDX-License-Identifier: Apache-2.0
 * One set of int8.h: a file includes an int8_vec_*.h, which gives
 *
 *     INT8_ROWS_LIST(M), INT8_TILE  the lines of a register tile, an even number of at most 12
 *     Int8Lane, LANE_OFFSET         an activation as it is stored, and what is added to it
 *     SKEWED_OFFSET                 the same of a skewed row; LANE_OFFSET - 112, where lanes have 8 bits
 *     order_lanes                   brings the lanes of each quad into their order
 *     Int8Sums, SUMS                a register of sums, one an output, and how many it has
 *     start_sums, store_sums, vf_of_sums
 *     Int8Lanes, broadcast          a quad of activations for all outputs
 *     Int8Weights, load_quad        four weights of each of SUMS outputs
 *     step                          sums + lanes * weights
 *
 * or what int8_tile_eights.h asks for (INT8_UNIT is defined) in place of what follows vf_of_sums;
 * defines SET_NAME and SET_FUNCTION, and includes this. */
#ifndef LV_INT8_SET_H
#define LV_INT8_SET_H

#include "int8.h"

#include <math.h>
#include <string.h>

#include "cpu/functions.h"
#ifdef INT8_UNIT
#include "cpu/int8_tile_eights.h"
#else
#include "cpu/int8_tile.h"
#endif

/* ---- rows of floats ---- */

static int32_t bits_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The bits of the greatest magnitude, and of the greatest one below zero: they are ordered as the numbers
 * are, and NaN is above all. */
typedef struct Int8Greatest {
    int32_t all, negative;
} Int8Greatest;

static Int8Greatest greatest_bits(const float *in, size_t n)
{
    int32_t all = 0, negative = 0;
    for (size_t k = 0; k < n; k++) {
        const int32_t bits = bits_of(in[k]), magnitude = bits & 0x7FFFFFFF;
        const int32_t below = magnitude & (bits >> 31);
        all = magnitude > all ? magnitude : all;
        negative = below > negative ? below : negative;
    }
    return (Int8Greatest){all, negative};
}

static float float_of_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The factor of a row whose greatest magnitude has these bits; 0: its numbers are zeros. */
static float factor_of(int32_t bits, float most)
{
    return float_of_bits(bits) < 0x1p-100f || bits >= 0x7F800000 ? 0 : most / float_of_bits(bits);
}

/* To the nearest whole number, ties to even; |x| < 2^22. */
static int32_t whole(float x)
{
    return bits_of(x + 0x1.8p23f) - 0x4B400000;
}

/* x * factor, 0 with a factor of 0 whatever x is. */
static int32_t number(float x, float factor)
{
    return factor == 0 ? 0 : whole(x * factor);
}

static void put_panel(int8_t *numbers, float *scales, int32_t *offsets, int32_t *columns,
    const float *weights, size_t n, size_t cols, int8_t *row)
{
    const size_t quads = (cols + 3) / 4;
    if (n < LV_INT8_PANEL)
        memset(numbers, 0, lv_int8_panel_bytes(cols));
    memset(row + cols, 0, quads * 4 - cols);
    for (size_t i = 0; i < LV_INT8_PANEL; i++) {
        scales[i] = 0;
        offsets[i] = 0;
        if (i >= n)
            continue;
        const float *in = weights + i * cols;
        const int32_t bits = greatest_bits(in, cols).all;
        const float factor = factor_of(bits, 127);
        scales[i] = factor == 0 ? 0 : float_of_bits(bits) / 127;
        int32_t sum = 0;
        for (size_t k = 0; k < cols; k++) {
            const int32_t q = number(in[k], factor);
            row[k] = (int8_t)q;
            columns[k] += q < 0 ? -q : q;
            sum += q;
        }
        offsets[i] = -128 * sum;
        for (size_t quad = 0; quad < quads; quad++)
            memcpy(numbers + (quad * LV_INT8_PANEL + i) * 4, row + quad * 4, 4);
    }
}

/* What the greatest magnitude becomes. */
static float most_of(LvInt8Kind kind)
{
    return kind == LV_INT8_WIDE ? 16256 : kind == LV_INT8_SKEWED ? 239 : 127;
}

static LvInt8Row measure_row(const float *in, size_t cols)
{
    const Int8Greatest bits = greatest_bits(in, cols);
    const float greatest = float_of_bits(bits.all);
    LvInt8Row row = {
        .kind = float_of_bits(bits.negative) * 15 <= greatest ? LV_INT8_SKEWED : LV_INT8_EVEN};
    row.factor = factor_of(bits.all, most_of(row.kind));
    if (row.factor == 0)
        return (LvInt8Row){.scale = bits.all >= 0x7F800000 ? NAN : 0};
    int32_t sum = 0;
    for (size_t k = 0; k < cols && greatest < LV_INT8_LARGE; k++) {
        const int32_t q = whole(in[k] * row.factor);
        sum += q < 0 ? -q : q;
    }
    if (sum < (int64_t)LV_INT8_LEAST_ROW * (int64_t)cols) {
        row.kind = LV_INT8_WIDE;
        row.factor = factor_of(bits.all, most_of(row.kind));
    }
    row.scale = greatest / most_of(row.kind);
    return row;
}

static size_t row_bytes(size_t cols)
{
    return (cols + 3) / 4 * 4 * sizeof(Int8Lane);
}

static void put_row(void *dst, const LvInt8Row *row, const float *in, size_t cols)
{
    const size_t padded = (cols + 3) / 4 * 4;
    Int8Lane *high = dst, *low = high + padded;
    const bool wide = row->kind == LV_INT8_WIDE;
    const float factor = row->factor;
    const int32_t offset = row->kind == LV_INT8_SKEWED ? SKEWED_OFFSET : LANE_OFFSET;
    if (cols < padded) {
        memset(high + padded - 4, 0, 4 * sizeof *high);
        if (wide)
            memset(low + padded - 4, 0, 4 * sizeof *low);
    }
    if (wide)
        for (size_t k = 0; k < cols; k++) {
            const int32_t q = number(in[k], factor), h = (q + 64) >> 7;
            high[k] = (Int8Lane)(h + offset);
            low[k] = (Int8Lane)(q - h * 128 + offset);
        }
    else
        for (size_t k = 0; k < cols; k++)
            high[k] = (Int8Lane)(number(in[k], factor) + offset);
    order_lanes(high, wide ? 2 * padded : padded);
}

/* ---- products ---- */

/* A line of a skewed row has 112 less added than others: the tile has taken too much away. */
static void take_back(int32_t *sums, const int32_t *offsets)
{
    for (size_t i = 0; i < LV_INT8_PANEL; i++)
        sums[i] = (int32_t)((uint32_t)sums[i] - (uint32_t)(offsets[i] >> 3) * 7);
}

/* y = s * row's scale * outputs' scales */
static inline vf scaled(const int32_t *sums, const LvInt8Row *row, const float *scales)
{
    vf s = vf_of_sums(sums);
    if (row->kind == LV_INT8_WIDE)
        s = vf_add(vf_mul(s, vf_set1(128)), vf_of_sums(sums + BOTH));
    return vf_mul(vf_mul(s, vf_set1(row->scale)), vf_load(scales));
}

/* Finishes the outputs [c, c + n), n <= 16, of a row. */
static inline __attribute__((always_inline)) void int8_finish(const LvInt8Args *a,
    LvFunction function, const LvInt8Row *row, size_t c, size_t n, int32_t *sums)
{
    if (SKEWED_OFFSET != LANE_OFFSET && row->kind == LV_INT8_SKEWED) {
        take_back(sums, a->weight->offsets + a->first + c);
        if (a->up)
            take_back(sums + LV_INT8_PANEL, a->up->offsets + a->first + c);
    }
    float *out = a->out + row->row * a->out_stride + c;
    for (size_t i = 0; i < n; i += VEC) {
        const size_t left = n - i;
        vf y = scaled(sums + i, row, a->weight->scales + a->first + c + i);
        if (a->bias)
            y = vf_add(y, load_at_most(a->bias + c + i, left));
        y = vf_apply(function, y);
        if (a->up)
            y = vf_mul(y, scaled(sums + LV_INT8_PANEL + i, row, a->up->scales + a->first + c + i));
        if (a->residual)
            y = vf_add(y, load_at_most(a->residual + row->row * a->residual_stride + c + i, left));
        if (left >= VEC)
            vf_store(out + i, y);
        else
            vf_store_n(out + i, y, left);
    }
}

/* Finishes a tile: `rows` whole rows, whose sums begin at sums; outputs c .. of the call. */
static inline __attribute__((always_inline)) void int8_finish_as(const LvInt8Args *a,
    LvFunction function, const LvInt8Row *row, size_t rows, size_t c, int32_t *sums)
{
    const size_t left = a->cols - c, n = left < LV_INT8_PANEL ? left : LV_INT8_PANEL;
    for (size_t i = 0; i < rows; i++, row++) {
        int8_finish(a, function, row, c, n, sums);
        if (!a->up && left > LV_INT8_PANEL)
            int8_finish(a, function, row, c + LV_INT8_PANEL,
                left < BOTH ? left - LV_INT8_PANEL : LV_INT8_PANEL, sums + LV_INT8_PANEL);
        sums += row->kind == LV_INT8_WIDE ? 2 * BOTH : BOTH;
    }
}

static void int8_finish_tile(
    const LvInt8Args *a, const LvInt8Row *row, size_t rows, size_t c, int32_t *sums)
{
    switch (a->function) {
    case LV_FUNCTION_NONE:
        int8_finish_as(a, LV_FUNCTION_NONE, row, rows, c, sums);
        break;
    case LV_FUNCTION_GELU_TANH:
        int8_finish_as(a, LV_FUNCTION_GELU_TANH, row, rows, c, sums);
        break;
    case LV_FUNCTION_SILU:
        int8_finish_as(a, LV_FUNCTION_SILU, row, rows, c, sums);
        break;
    default:
        int8_finish_as(a, a->function, row, rows, c, sums);
        break;
    }
}

static void product(const LvInt8Args *a)
{
    const size_t cols = a->weight->cols, stride = row_bytes(cols), quads = (cols + 3) / 4,
                 bytes = lv_int8_panel_bytes(cols), per_tile = a->up ? LV_INT8_PANEL : BOTH;
    int32_t sums[INT8_TILE * BOTH];
    for (size_t c = 0; c < a->cols; c += per_tile) {
        const size_t panel = (a->first + c) / LV_INT8_PANEL;
        Int8Tile tile = {.quads = quads,
            .in = a->in,
            .stride = stride,
            .numbers = {a->weight->numbers + panel * bytes},
            .offsets = {a->weight->offsets + panel * LV_INT8_PANEL},
            .sums = sums};
        if (a->up || a->cols - c > LV_INT8_PANEL) {
            const LvInt8Matrix *second = a->up ? a->up : a->weight;
            const size_t other = a->up ? panel : panel + 1;
            tile.numbers[1] = second->numbers + other * bytes;
            tile.offsets[1] = second->offsets + other * LV_INT8_PANEL;
        }
        for (size_t done = 0; done < a->n_rows;) {
            const size_t wide = done < a->n_wide ? a->n_wide - done : 0;
            size_t rows = a->n_rows - done, lines = rows + (wide < rows ? wide : rows);
            if (lines > INT8_TILE) {
                lines = INT8_TILE;
                rows = wide >= INT8_TILE / 2 ? INT8_TILE / 2 : INT8_TILE - wide;
            }
            tile.lines = lines;
            int8_tile(&tile);
            int8_finish_tile(a, a->rows + done, rows, c, sums);
            tile.in += lines * stride;
            done += rows;
        }
    }
}

const LvInt8Kernels *SET_FUNCTION(void);
const LvInt8Kernels *SET_FUNCTION(void)
{
    static const LvInt8Kernels kernels = {.name = SET_NAME,
        .put_panel = put_panel,
        .measure_row = measure_row,
        .row_bytes = row_bytes,
        .put_row = put_row,
        .product = product};
    return &kernels;
}

#endif
