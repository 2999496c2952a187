/* SPDX-License-Identifier: Apache-2.0
 * Linear operations of a kernel set: packing, the epilogue, and many rows by register tiles. Few rows
 * are in few.h, many in the bits of few in dots.h. */
#ifndef LV_LINEAR_H
#define LV_LINEAR_H

#include "cpu/dtypes.h"
#include "cpu/functions.h"
#include "cpu/tile.h"

/* Inner size of one block: the weights of LV_PANEL_COLS outputs then fit the second-level cache,
 * rows the first. */
#define BLOCK_K 384

static inline __attribute__((always_inline)) void to_float_as(
    LvDtype dtype, float *dst, WeightRow row, size_t n)
{
    size_t i = 0;
    for (; i + VEC <= n; i += VEC)
        vf_store(dst + i, load_weights(dtype, row, i));
    if (i < n)
        vf_store_n(dst + i, load_some_weights(dtype, row, i, n - i), n - i);
}

static void to_float(float *dst, const LvMatrix *m)
{
    /* Rows of whole bytes without scales are no different from one long one. */
    const LvDtypeTraits *traits = lv_dtype_traits(m->dtype);
    const bool one = lv_traits_float(traits) && traits->scaling == LV_UNSCALED;
    const size_t rows = one ? 1 : m->rows, cols = one ? m->rows * m->cols : m->cols;
    for (size_t r = 0; r < rows; r++, dst += cols)
        switch (m->dtype) {
#define TO_FLOAT_CASE(T)                                                                           \
    case LV_##T:                                                                                   \
        to_float_as(LV_##T, dst, row_of(LV_##T, m, r), cols);                                      \
        break;
            LV_CPU_DTYPES(TO_FLOAT_CASE)
        default:
            to_float_as(ANY_DTYPE, dst, row_of(ANY_DTYPE, m, r), cols);
            break;
        }
}

static inline __attribute__((always_inline)) bool all_finite_as(
    LvDtype dtype, const char *p, size_t bytes)
{
    size_t i = 0;
    int bad = 0;
    for (; i + VEC_CHECK_BYTES <= bytes; i += VEC_CHECK_BYTES)
        bad |= any_not_finite(dtype, p + i);
    char rest[VEC_CHECK_BYTES] = {0};
    memcpy(rest, p + i, bytes - i);
    return !(bad | any_not_finite(dtype, rest));
}

static bool all_finite(const LvMatrix *m)
{
    const size_t bytes = m->rows * lv_dtype_span(m->dtype, m->cols);
    switch (m->dtype) {
#define ALL_FINITE_CASE(T)                                                                         \
    case LV_##T:                                                                                   \
        return all_finite_as(LV_##T, m->data, bytes);
        LV_CPU_DTYPES(ALL_FINITE_CASE)
    default:
        return lv_kernels_reference()->all_finite(m);
    }
}

/* ---- packing ---- */

/* Element k of a row (or of an output's weights) goes to k % VEC * next + k / VEC * step. */
typedef struct PackPlaces {
    size_t next, step;
    bool pad; /* zeros behind the last, up to a multiple of VEC */
} PackPlaces;

/* `rows` <= TILE_R rows, zeros for the others; a place holds TILE_R. */
static inline __attribute__((always_inline)) void pack_row_panel_to(
    float *dst, PackPlaces to, const float *src, size_t stride, size_t rows, size_t cols)
{
    for (size_t k = 0; k < cols; k += VEC) {
        size_t width = cols - k < VEC ? cols - k : VEC;
        for (size_t r0 = 0; r0 < TILE_R; r0 += VEC) {
            vf t[VEC];
            for (size_t i = 0; i < VEC; i++)
                t[i] = r0 + i >= rows ? vf_set1(0)
                       : width == VEC ? vf_load(src + (r0 + i) * stride + k)
                                      : vf_load_n(src + (r0 + i) * stride + k, width);
            vf_transpose(t);
            float *out = dst + k / VEC * to.step + r0;
            const size_t n = to.pad ? VEC : width;
            if (TILE_R - r0 >= VEC)
                for (size_t i = 0; i < n; i++)
                    vf_store(out + i * to.next, t[i]);
            else
                for (size_t i = 0; i < n; i++)
                    vf_store_n(out + i * to.next, t[i], TILE_R % VEC);
        }
    }
}

/* dst[k * TILE_R + r] = src[r][k] */
static void pack_row_panel(float *dst, const float *src, size_t stride, size_t rows, size_t cols)
{
    pack_row_panel_to(dst, (PackPlaces){TILE_R, VEC * TILE_R, false}, src, stride, rows, cols);
}

static void pack_rows(float *dst, const float *src, size_t stride, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r += TILE_R)
        pack_row_panel(
            dst + r * cols, src + r * stride, stride, rows - r < TILE_R ? rows - r : TILE_R, cols);
}

/* VEC outputs, of which `rows` exist, and n values of k from k0 on; a place holds LANES outputs. */
static inline __attribute__((always_inline)) void pack_weights_as(LvDtype dtype, float *dst,
    PackPlaces to, const LvMatrix *m, size_t first, size_t rows, size_t k0, size_t n)
{
    WeightRow w[VEC];
    for (size_t i = 0; i < VEC; i++)
        w[i] = row_of(dtype, m, first + (i < rows ? i : 0));
    for (size_t k = 0; k < n; k += VEC) {
        size_t width = n - k < VEC ? n - k : VEC;
        vf t[VEC];
        for (size_t i = 0; i < VEC; i++)
            t[i] = i >= rows      ? vf_set1(0)
                   : width == VEC ? load_weights(dtype, w[i], k0 + k)
                                  : load_some_weights(dtype, w[i], k0 + k, width);
        vf_transpose(t);
        float *out = dst + k / VEC * to.step;
        const size_t stored = to.pad ? VEC : width;
        for (size_t i = 0; i < stored; i++)
            vf_store(out + i * to.next, t[i]);
    }
}

static inline __attribute__((always_inline)) void pack_weights_to(
    float *dst, PackPlaces to, const LvMatrix *m, size_t first, size_t rows, size_t k0, size_t n)
{
    switch (m->dtype) {
#define PACK_CASE(T)                                                                               \
    case LV_##T:                                                                                   \
        pack_weights_as(LV_##T, dst, to, m, first, rows, k0, n);                                   \
        break;
        LV_CPU_DTYPES(PACK_CASE)
    default:
        pack_weights_as(ANY_DTYPE, dst, to, m, first, rows, k0, n);
        break;
    }
}

/* dst[k * LANES + i] = weight[first + i][k0 + k]. */
static void pack_weights(
    float *dst, const LvMatrix *m, size_t first, size_t rows, size_t k0, size_t n)
{
    pack_weights_to(dst, (PackPlaces){LANES, VEC * LANES, false}, m, first, rows, k0, n);
}

/* ---- epilogue ---- */

static inline size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

/* Finishes n <= VEC sums of row r, columns c .. c + n - 1 of the call; up_sum is used when there is
 * an up matrix. */
static inline __attribute__((always_inline)) void finish(
    const LvLinearArgs *l, LvFunction function, size_t r, size_t c, size_t n, vf sum, vf up_sum)
{
    bool whole = n == VEC;
    if (l->bias)
        sum = vf_add(sum, whole ? vf_load(l->bias + c) : vf_load_n(l->bias + c, n));
    sum = vf_apply(function, sum);
    if (l->up)
        sum = vf_mul(sum, up_sum);
    if (l->residual) {
        const float *p = l->residual + r * l->residual_stride + c;
        sum = vf_add(sum, whole ? vf_load(p) : vf_load_n(p, n));
    }
    float *out = l->out + r * l->out_stride + c;
    if (whole)
        vf_store(out, sum);
    else
        vf_store_n(out, sum, n);
}

/* Finishes rows x LANES sums at `sums`, which are columns c .. of the call (gates, then ups, when
 * there is an up matrix). */
static inline __attribute__((always_inline)) void finish_tile_as(const LvLinearArgs *l,
    LvFunction function, size_t r0, size_t rows, size_t c, const float *sums, size_t stride)
{
    for (size_t r = 0; r < rows; r++, sums += stride) {
        vf first = vf_load(sums), second = vf_load(sums + VEC);
        finish(l, function, r0 + r, c, at_most(l->cols - c, VEC), first, second);
        if (!l->up && l->cols > c + VEC)
            finish(l, function, r0 + r, c + VEC, at_most(l->cols - c - VEC, VEC), second, second);
    }
}

static void finish_tile(
    const LvLinearArgs *l, size_t r0, size_t rows, size_t c, const float *sums, size_t stride)
{
    switch (l->function) {
    case LV_FUNCTION_NONE:
        finish_tile_as(l, LV_FUNCTION_NONE, r0, rows, c, sums, stride);
        break;
    case LV_FUNCTION_GELU_TANH:
        finish_tile_as(l, LV_FUNCTION_GELU_TANH, r0, rows, c, sums, stride);
        break;
    case LV_FUNCTION_SILU:
        finish_tile_as(l, LV_FUNCTION_SILU, r0, rows, c, sums, stride);
        break;
    default:
        finish_tile_as(l, l->function, r0, rows, c, sums, stride);
        break;
    }
}

/* ---- many rows ---- */

#define PANEL_TILES (LV_PANEL_COLS / LANES)

static size_t linear_scratch(size_t rows, size_t inner)
{
    size_t padded = (rows + TILE_R - 1) / TILE_R * TILE_R;
    return (padded + BLOCK_K) * LV_PANEL_COLS;
}

static void linear_panel(const LvLinearArgs *l)
{
    size_t inner = l->weight.cols, blocks = (inner + BLOCK_K - 1) / BLOCK_K;
    size_t block = blocks ? ((inner + blocks - 1) / blocks + VEC - 1) / VEC * VEC : 0;
    size_t per_tile = l->up ? VEC : LANES, n_tiles = (l->cols + per_tile - 1) / per_tile;
    float *weights = l->scratch, *sums = l->scratch + BLOCK_K * LV_PANEL_COLS;
    for (size_t k0 = 0; k0 < inner || k0 == 0; k0 += block ? block : 1) {
        size_t n = inner - k0 < block ? inner - k0 : block;
        bool last = k0 + n >= inner;
        for (size_t t = 0; t < n_tiles; t++) {
            float *panel = weights + t * BLOCK_K * LANES;
            size_t c = t * per_tile, rest = l->cols - c;
            pack_weights(panel, &l->weight, l->first + c, at_most(rest, VEC), k0, n);
            if (l->up)
                pack_weights(panel + VEC, l->up, l->first + c, at_most(rest, VEC), k0, n);
            else
                pack_weights(panel + VEC, &l->weight, l->first + c + VEC,
                    rest > VEC ? at_most(rest - VEC, VEC) : 0, k0, n);
        }
        for (size_t r = 0; r < l->rows; r += TILE_R) {
            size_t rows = at_most(l->rows - r, TILE_R);
            for (size_t t = 0; t < n_tiles; t++) {
                float *c = sums + r * LV_PANEL_COLS + t * LANES;
                tiles[1][rows - 1](n, l->in + r * inner + k0 * TILE_R,
                    weights + t * BLOCK_K * LANES, c, LV_PANEL_COLS, k0 > 0);
                if (last)
                    finish_tile(l, r, rows, t * per_tile, c, LV_PANEL_COLS);
            }
        }
        if (last)
            break;
    }
}

#endif
