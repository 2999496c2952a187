/* SPDX-License-Identifier: Apache-2.0
 * Linear operations of a kernel set: packing, many rows by register tiles, few rows by dot
 * products; many rows in the bits of few are in dots.h. */
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

/* ---- few rows ---- */

#define FEW_OUTPUTS 4
/* How far ahead weights are prefetched, into the second-level cache: prefetching into the first is
 * limited by its few line-fill buffers to half the memory bandwidth. */
#define PREFETCH_BYTES 16384

/* Most k whose weights are converted at a time: those of FEW_OUTPUTS outputs then leave room in the
 * first-level cache. */
#define FEW_K 1024

/* Chains of sums that begin, go on or end in a block of k. */
typedef struct Chains {
    float *waiting; /* [row][FEW_OUTPUTS][VEC] */
    bool go_on, end;
} Chains;

typedef struct Ahead {
    const char *data;
    size_t step;
} Ahead;

/* sums[r * VEC + i] = row r of in . weight row w[i]: a register chain for each of ROWS x FEW_OUTPUTS
 * products. What comes `ahead` in memory is prefetched, so many bytes for each VEC of k. */
static inline __attribute__((always_inline)) void dots(const int ROWS, LvDtype dtype,
    const WeightRow w[FEW_OUTPUTS], size_t inner, const float *in, size_t in_stride, float *sums,
    Ahead ahead, Chains chains)
{
    const WeightRow w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    size_t rest = inner % VEC, end = inner - rest, k = 0;
#define FEW_WAITING(r, i) (chains.waiting + ((r)*FEW_OUTPUTS + (i)) * VEC)
#define FEW_DECLARE(r)                                                                             \
    vf s##r##0 = vf_set1(0), s##r##1 = s##r##0, s##r##2 = s##r##0, s##r##3 = s##r##0;              \
    if (r < ROWS && chains.go_on) {                                                                \
        s##r##0 = vf_load(FEW_WAITING(r, 0));                                                      \
        s##r##1 = vf_load(FEW_WAITING(r, 1));                                                      \
        s##r##2 = vf_load(FEW_WAITING(r, 2));                                                      \
        s##r##3 = vf_load(FEW_WAITING(r, 3));                                                      \
    }
#define FEW_STEP(r)                                                                                \
    if (r < ROWS) {                                                                                \
        vf x = whole ? vf_load(in + r * in_stride + k) : vf_load_n(in + r * in_stride + k, rest);  \
        s##r##0 = vf_fma(x, a0, s##r##0);                                                          \
        s##r##1 = vf_fma(x, a1, s##r##1);                                                          \
        s##r##2 = vf_fma(x, a2, s##r##2);                                                          \
        s##r##3 = vf_fma(x, a3, s##r##3);                                                          \
    }
#define FEW_STORE(r)                                                                               \
    if (r < ROWS && chains.end)                                                                    \
        vf_sum_four(sums + r * VEC, s##r##0, s##r##1, s##r##2, s##r##3);                           \
    else if (r < ROWS) {                                                                           \
        vf_store(FEW_WAITING(r, 0), s##r##0);                                                      \
        vf_store(FEW_WAITING(r, 1), s##r##1);                                                      \
        vf_store(FEW_WAITING(r, 2), s##r##2);                                                      \
        vf_store(FEW_WAITING(r, 3), s##r##3);                                                      \
    }
    FEW_ROWS_LIST(FEW_DECLARE)
    for (; k < end; k += VEC, ahead.data += ahead.step) {
        const bool whole = true;
        for (size_t line = 0; line < ahead.step; line += 64)
            __builtin_prefetch(ahead.data + line, 0, 2);
        vf a0 = load_weights(dtype, w0, k), a1 = load_weights(dtype, w1, k);
        vf a2 = load_weights(dtype, w2, k), a3 = load_weights(dtype, w3, k);
        FEW_ROWS_LIST(FEW_STEP)
    }
    if (rest) {
        const bool whole = false;
        vf a0 = load_some_weights(dtype, w0, k, rest), a1 = load_some_weights(dtype, w1, k, rest);
        vf a2 = load_some_weights(dtype, w2, k, rest), a3 = load_some_weights(dtype, w3, k, rest);
        FEW_ROWS_LIST(FEW_STEP)
    }
    FEW_ROWS_LIST(FEW_STORE)
}

static inline __attribute__((always_inline)) void dots_of(size_t rows, LvDtype dtype,
    const WeightRow w[FEW_OUTPUTS], size_t inner, const float *in, size_t in_stride, float *sums,
    Ahead ahead, Chains chains)
{
#define FEW_CASE(r)                                                                                \
    if (rows == r + 1)                                                                             \
        dots(r + 1, dtype, w, inner, in, in_stride, sums, ahead, chains);
    FEW_ROWS_LIST(FEW_CASE)
}

static __attribute__((noinline)) void dots_of_floats(size_t rows, const WeightRow w[FEW_OUTPUTS],
    size_t inner, const float *in, size_t in_stride, float *sums, Ahead ahead, Chains chains)
{
    dots_of(rows, LV_F32, w, inner, in, in_stride, sums, ahead, chains);
}

static inline __attribute__((always_inline)) void rows_of(
    LvDtype dtype, WeightRow w[FEW_OUTPUTS], const LvMatrix *m, size_t first, size_t n)
{
    for (size_t i = 0; i < FEW_OUTPUTS; i++) /* those beyond the last repeat it */
        w[i] = row_of(dtype, m, first + at_most(i, n - 1));
}

/* One group of rows, which reads the weights as they are. */
static inline __attribute__((always_inline)) void few_sums_as(
    LvDtype dtype, const LvLinearArgs *l, const LvMatrix *m, size_t first, size_t n, float *sums)
{
    for (size_t i = 0; i < n; i += FEW_OUTPUTS) {
        WeightRow w[FEW_OUTPUTS];
        rows_of(dtype, w, m, first + i, n - i);
        /* The next outputs' weights follow in memory: four rows read side by side look like no
         * stream to the processor, so it is told, in memory's order, what comes. */
        dots_of(l->rows, dtype, w, m->cols, l->in, l->in_stride, sums + i,
            (Ahead){lv_matrix_row(m, first + i) + PREFETCH_BYTES, FEW_OUTPUTS * vec_span(dtype)},
            (Chains){.end = true});
    }
}

/* Several groups of rows, of even size: weights are converted once for all of them. */
static inline __attribute__((always_inline)) void several_sums_as(
    LvDtype dtype, const LvLinearArgs *l, const LvMatrix *m, size_t first, size_t n, float *sums)
{
    _Alignas(64) float weights[FEW_OUTPUTS][FEW_K];
    _Alignas(64) float waiting[LV_FEW_ROWS * FEW_OUTPUTS * VEC];
    const size_t inner = m->cols, blocks = inner > FEW_K ? (inner + FEW_K - 1) / FEW_K : 1;
    const size_t block = ((inner + blocks - 1) / blocks + VEC - 1) / VEC * VEC;
    for (size_t i = 0; i < n; i += FEW_OUTPUTS) {
        WeightRow w[FEW_OUTPUTS], floats[FEW_OUTPUTS];
        rows_of(dtype, w, m, first + i, n - i);
        /* While these outputs are computed, the next ones' weights are brought. */
        Ahead ahead = {lv_matrix_row(m, first + i + FEW_OUTPUTS), 64};
        const char *enough = lv_matrix_row(m, first + i + 2 * FEW_OUTPUTS);
        for (size_t k0 = 0; k0 < inner || k0 == 0; k0 += block + !block) {
            const size_t width = at_most(inner - k0, block);
            for (size_t o = 0; o < FEW_OUTPUTS; o++) {
                for (size_t k = 0; k < width; k += VEC) {
                    vf_store(weights[o] + k,
                        width - k >= VEC ? load_weights(dtype, w[o], k0 + k)
                                         : load_some_weights(dtype, w[o], k0 + k, width - k));
                }
                floats[o] = (WeightRow){(const char *)weights[o], NULL, 0};
            }
            size_t groups = (l->rows + FEW_R - 1) / FEW_R;
            for (size_t r = 0, rows; r < l->rows; r += rows, groups--) {
                rows = (l->rows - r + groups - 1) / groups;
                dots_of_floats(rows, floats, width, l->in + r * l->in_stride + k0, l->in_stride,
                    sums + r * VEC + i, ahead,
                    (Chains){waiting + r * FEW_OUTPUTS * VEC, k0 > 0, k0 + width >= inner});
                ahead.data += width / VEC * ahead.step;
                ahead.step = ahead.data < enough ? 64 : 0;
            }
        }
    }
}

/* One row, summed as `dots` does: two outputs at a time, whose weights the hardware prefetches better
 * than those of four, and which keep the multipliers as busy as the memory can. */
static inline __attribute__((always_inline)) void dot_two(
    LvDtype dtype, WeightRow w0, WeightRow w1, size_t inner, const float *in, float *sums)
{
    const size_t step = vec_span(dtype), rest = inner % VEC, end = inner - rest;
    const char *ahead = w0.data + PREFETCH_BYTES;
    vf s0 = vf_set1(0), s1 = s0;
    size_t k = 0;
    for (; k + 4 * VEC <= end; k += 4 * VEC, ahead += 8 * step) {
        for (size_t line = 0; line < 8 * step; line += 64)
            __builtin_prefetch(ahead + line, 0, 2);
        for (size_t i = 0; i < 4 * VEC; i += VEC) {
            const vf x = vf_load(in + k + i);
            s0 = vf_fma(x, load_weights(dtype, w0, k + i), s0);
            s1 = vf_fma(x, load_weights(dtype, w1, k + i), s1);
        }
    }
    for (; k < end; k += VEC) {
        const vf x = vf_load(in + k);
        s0 = vf_fma(x, load_weights(dtype, w0, k), s0);
        s1 = vf_fma(x, load_weights(dtype, w1, k), s1);
    }
    if (rest) {
        const vf x = vf_load_n(in + k, rest);
        s0 = vf_fma(x, load_some_weights(dtype, w0, k, rest), s0);
        s1 = vf_fma(x, load_some_weights(dtype, w1, k, rest), s1);
    }
    sums[0] = vf_sum(s0);
    sums[1] = vf_sum(s1);
}

static inline __attribute__((always_inline)) void one_sums_as(
    LvDtype dtype, const LvLinearArgs *l, const LvMatrix *m, size_t first, size_t n, float *sums)
{
    for (size_t i = 0; i < n; i += 2)
        dot_two(dtype, row_of(dtype, m, first + i), row_of(dtype, m, first + at_most(i + 1, n - 1)),
            m->cols, l->in, sums + i);
}

/* sums[r * VEC + i]: of row r and output first + i, i < n <= VEC. */
static void few_sums(const LvLinearArgs *l, const LvMatrix *m, size_t first, size_t n, float *sums)
{
    switch (m->dtype) {
#define FEW_DTYPE_CASE(T)                                                                          \
    case LV_##T:                                                                                   \
        if (l->rows == 1)                                                                          \
            one_sums_as(LV_##T, l, m, first, n, sums);                                             \
        else if (l->rows > FEW_R)                                                                  \
            several_sums_as(LV_##T, l, m, first, n, sums);                                         \
        else                                                                                       \
            few_sums_as(LV_##T, l, m, first, n, sums);                                             \
        break;
        LV_CPU_DTYPES(FEW_DTYPE_CASE)
    default:
        several_sums_as(ANY_DTYPE, l, m, first, n, sums);
        break;
    }
}

static void linear_few(const LvLinearArgs *l)
{
    float sums[2][LV_FEW_ROWS * VEC] = {{0}};
    for (size_t c = 0; c < l->cols; c += VEC) {
        const size_t n = at_most(l->cols - c, VEC);
        few_sums(l, &l->weight, l->first + c, n, sums[0]);
        if (l->up)
            few_sums(l, l->up, l->first + c, n, sums[1]);
        for (size_t r = 0; r < l->rows; r++)
            finish(l, l->function, r, c, n, vf_load(sums[0] + r * VEC), vf_load(sums[1] + r * VEC));
    }
}

#endif
