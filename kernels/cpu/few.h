/* SPDX-License-Identifier: Apache-2.0
 * Few rows by dot products: the weights are read once, in order. One row takes two outputs at a
 * time; a group of up to FEW_R takes four, with a register chain for each product; more rows are
 * several groups, for which the weights of four outputs are converted once. */
#ifndef LV_FEW_H
#define LV_FEW_H

#include "cpu/linear.h"

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

/* What is to come in memory. */
typedef struct Ahead {
    const char *data;
    size_t step; /* bytes to prefetch for each VEC of k */
} Ahead;

/* sums[r * VEC + i] = row r of in . weight row w[i]: a register chain for each of ROWS x FEW_OUTPUTS
 * products. What comes `ahead` is prefetched. */
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
