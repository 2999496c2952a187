/* SPDX-License-Identifier: Apache-2.0
 * Every kernel set that this processor runs against the plain reference: random and worst-case
 * values, sizes 0, 1 and odd, strides, unaligned weights, guards around every output. `--bench`
 * times the same kernels instead (bench.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "kernels_bench.h"

#include "float16.h"
#include "ops.h"

#define GUARD 32
#define GUARD_VALUE 1234.5f

static const LvKernels *sets[16];
static size_t n_sets;
static const LvKernels *reference;
static uint32_t seed = 1;

static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(int32_t)seed * 0x1p-31f;
}

/* Values a kernel meets on a bad day, by `kind`: noise, outliers, tiny (denormal), huge. */
static float value(int kind)
{
    float x = noise();
    if (kind == 1 && (seed >> 8) % 61 == 0)
        return x * 3000;
    return kind == 2 ? x * 1e-40f : kind == 3 ? x * 1e15f : x;
}

static float *fill(size_t n, int kind)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = value(kind);
    return p;
}

/* An output with guards before and after; every float starts as the guard's value. */
static float *guarded(size_t n)
{
    float *p = malloc((n + 2 * GUARD) * sizeof *p);
    for (size_t i = 0; i < n + 2 * GUARD; i++)
        p[i] = GUARD_VALUE;
    return p + GUARD;
}

/* Nothing but rows x cols of the n floats was written. */
static void check_guards(const float *p, size_t n, size_t rows, size_t cols, size_t stride)
{
    for (ptrdiff_t i = -GUARD; i < (ptrdiff_t)n + GUARD; i++) {
        bool inside = i >= 0 && (size_t)i / stride < rows && (size_t)i % stride < cols;
        if (!inside && p[i] != GUARD_VALUE)
            fail_msg("float %td outside the output was written", i);
    }
}

static void release(float *p)
{
    free(p - GUARD);
}

/* ---- weights ---- */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

/* The bits of element i of a row that hold `width` bits each. */
static void put_bits(uint8_t *row, size_t i, unsigned width, uint32_t bits)
{
    for (unsigned b = 0; b < width; b++) {
        const size_t at = i * width + b;
        row[at / 8] = (uint8_t)((row[at / 8] & ~(1u << at % 8)) | (bits >> b & 1) << at % 8);
    }
}

/* Writes x as element i of a row, or any number where the type has no such one. */
static void put(LvDtype dtype, uint8_t *row, size_t i, float x)
{
    const LvDtypeTraits *traits = lv_dtype_traits(dtype);
    uint32_t bits = bits_of(x);
    switch (traits->coding) {
    case LV_FLOAT32:
        break;
    case LV_FLOAT16: /* the exponent is tamed */
        bits = (bits >> 16 & 0x83FF) | (8 + (bits >> 7) % 8) << 10;
        break;
    case LV_BFLOAT16:
        bits >>= 16;
        break;
    case LV_SIGNED:
    case LV_UNSIGNED:
        bits = bits >> 8;
        break;
    case LV_CODE:
    case LV_CODE_HIGH:
        for (bits = bits >> 8 & ((1u << traits->bits) - 1); !isfinite(traits->codes[bits]);)
            bits--;
        break;
    case LV_FLOAT8:
        bits = bits >> 8 & 0xFF;
        bits -= (bits & 0x7F) == 0x7F;
        break;
    }
    put_bits(row, i, traits->bits, bits);
}

/* The bits that, all set, make an element that is not finite; 0: none is. */
static uint32_t not_finite(LvDtype dtype)
{
    const LvDtypeTraits *traits = lv_dtype_traits(dtype);
    switch (traits->coding) {
    case LV_FLOAT32:
        return 0x7F800000;
    case LV_FLOAT16:
        return 0x7C00;
    case LV_BFLOAT16:
        return 0x7F80;
    case LV_SIGNED:
    case LV_UNSIGNED:
        break;
    case LV_CODE:
    case LV_CODE_HIGH:
        return isfinite(traits->codes[(1u << traits->bits) - 1]) ? 0 : (1u << traits->bits) - 1;
    case LV_FLOAT8:
        return 0x7F;
    }
    return 0;
}

static LvMatrix stored(LvDtype dtype, size_t rows, size_t cols, int kind);

static const LvMatrix *stored_scales(
    const LvDtypeTraits *traits, LvScaling scaling, size_t rows, size_t cols)
{
    if (scaling == LV_UNSCALED)
        return NULL;
    const LvExtent extent = lv_scales_extent(scaling, traits->block, rows, cols);
    LvMatrix *scales = malloc(sizeof *scales);
    *scales = stored(traits->scale_dtype, extent.row, extent.col, 0);
    return scales;
}

/* A weight whose bytes start at an odd address, with all that belongs to it. */
static LvMatrix stored(LvDtype dtype, size_t rows, size_t cols, int kind)
{
    const LvDtypeTraits *traits = lv_dtype_traits(dtype);
    const size_t span = lv_dtype_span(dtype, cols);
    uint8_t *raw = calloc(rows * span + 2, 1);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < cols; i++)
            put(dtype, raw + 1 + r * span, i, value(kind));
    return (LvMatrix){.data = raw + 1,
        .scales = stored_scales(traits, traits->scaling, rows, cols),
        .minimums = stored_scales(traits, traits->minimums, rows, cols),
        .dtype = dtype,
        .rows = rows,
        .cols = cols};
}

static void release_matrix(const LvMatrix *m)
{
    free((uint8_t *)m->data - 1);
    const LvMatrix *both[] = {m->scales, m->minimums};
    for (int i = 0; i < 2; i++)
        if (both[i]) {
            release_matrix(both[i]);
            free((void *)both[i]);
        }
}

static void weights_convert_exactly(void **state)
{
    const size_t sizes[][2] = {{1, 0}, {1, 1}, {1, 3}, {1, 16}, {3, 33}, {5, 80}, {2, 513}, {0, 5}};
    const LvDtype rounded_to[] = {LV_F32, LV_F16, LV_BF16};
    for (size_t s = 0; s < n_sets; s++)
        for (int type = 0; type < LV_N_DTYPES; type++)
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                const LvDtype dtype = (LvDtype)type;
                const size_t n = sizes[i][0] * sizes[i][1], width = lv_dtype_bytes(dtype);
                const uint32_t bad_bits = not_finite(dtype);
                const bool is_float = lv_traits_float(lv_dtype_traits(dtype));
                LvMatrix m = stored(dtype, sizes[i][0], sizes[i][1], 0);
                m.rounded_to = is_float ? LV_F32 : rounded_to[i % 3];
                uint8_t *raw = (uint8_t *)m.data;
                const size_t bytes = m.rows * lv_dtype_span(dtype, m.cols);
                for (size_t k = 0; k < bytes && is_float; k++) /* any bits ... */
                    raw[k] = (uint8_t)(seed = seed * 1664525u + 1013904223u, seed >> 24);
                for (size_t k = 0; k < n && is_float; k++) /* ... that are a number */
                    raw[k * width + width - 1] &= 0xBF;
                float *got = guarded(n), *want = guarded(n);
                sets[s]->to_float(got, &m);
                reference->to_float(want, &m);
                assert_memory_equal(got, want, n * sizeof(float));
                check_guards(got, n, 1, n, n + 1);
                if (m.rows > 1) {
                    const LvMatrix behind = lv_matrix_rows(&m, 1, m.rows - 1);
                    sets[s]->to_float(got, &behind);
                    assert_memory_equal(got, want + m.cols, (n - m.cols) * sizeof(float));
                }
                assert_true(sets[s]->all_finite(&m));
                for (size_t k = 0; k < n && bad_bits; k++) { /* a single bad one is seen */
                    uint32_t old = 0, bad;
                    memcpy(&old, raw + k * width, width);
                    bad = old | bad_bits;
                    memcpy(raw + k * width, &bad, width);
                    assert_false(sets[s]->all_finite(&m));
                    assert_false(reference->all_finite(&m));
                    memcpy(raw + k * width, &old, width);
                }
                release(got);
                release(want);
                release_matrix(&m);
            }
}

static void every_half_converts_exactly(void **state)
{
    static uint16_t halves[65536];
    static float got[65536], want[65536];
    size_t n = 0;
    for (uint32_t h = 0; h < 65536; h++)
        if ((h & 0x7C00) != 0x7C00)
            halves[n++] = (uint16_t)h;
    const LvMatrix m = {.data = halves, .dtype = LV_F16, .rows = 1, .cols = n};
    reference->to_float(want, &m);
    for (size_t s = 0; s < n_sets; s++) {
        sets[s]->to_float(got, &m);
        assert_memory_equal(got, want, n * sizeof(float));
    }
}

/* Sizes and places follow from the table's columns. */
static void sizes_follow_from_traits(void **state)
{
    const struct {
        LvScaling scaling;
        unsigned bits, block;
        size_t rows, cols, bytes;    /* bytes: of a row */
        LvExtent scales, last, next; /* next: of the first element of row 1 */
    } cases[] = {
        {LV_UNSCALED, 8, 0, 3, 7, 7, {0, 0}, {0, 0}, {0, 0}},
        {LV_SCALE_TENSOR, 8, 0, 3, 7, 7, {1, 1}, {0, 0}, {0, 0}},
        {LV_SCALE_ROW, 8, 0, 3, 100, 100, {3, 1}, {2, 0}, {1, 0}},
        {LV_SCALE_ROW, 7, 0, 2, 9, 8, {2, 1}, {1, 0}, {1, 0}},
        {LV_SCALE_BLOCK, 4, 32, 2, 64, 32, {2, 2}, {1, 1}, {1, 0}},
        {LV_SCALE_BLOCK, 4, 32, 2, 65, 33, {2, 3}, {1, 2}, {1, 0}},
        {LV_SCALE_RUN, 4, 64, 1152, 4304, 2152, {1, 77472}, {0, 77471}, {0, 67}},
        {LV_SCALE_RUN, 4, 64, 3, 33, 17, {1, 2}, {0, 1}, {0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const LvDtypeTraits traits = {.bits = (uint8_t)cases[i].bits};
        const LvScaling scaling = cases[i].scaling;
        const size_t block = cases[i].block, rows = cases[i].rows, cols = cases[i].cols;
        assert_int_equal(lv_traits_span(&traits, cols), cases[i].bytes);
        const LvExtent all = lv_scales_extent(scaling, block, rows, cols),
                       last = lv_scale_place(scaling, block, cols, rows - 1, cols - 1),
                       next = lv_scale_place(scaling, block, cols, 1, 0);
        assert_memory_equal(&all, &cases[i].scales, sizeof all);
        assert_memory_equal(&last, &cases[i].last, sizeof last);
        assert_memory_equal(&next, &cases[i].next, sizeof next);
    }
    for (int type = 0; type < LV_N_DTYPES; type++) {
        const LvDtypeTraits *traits = lv_dtype_traits((LvDtype)type);
        LvDtype again = (LvDtype)(type + 1);
        if (traits->stored_name)
            assert_true(lv_dtype_stored_as(traits->stored_name, &again) && (int)again == type);
    }
    assert_false(lv_dtype_stored_as("I64", &(LvDtype){LV_F32}));
}

/* ---- linear ---- */

typedef struct Case {
    size_t rows, inner, cols, first;
    LvDtype dtype;
    LvFunction function;
    int kind;
    bool bias, residual, gated;
} Case;

/* Largest error that a float32 sum of these products may have, plus the function's. */
static double allowed(const Case *c, const float *in, const float *w, const float *up, double want)
{
    double size = 0, up_size = 0;
    for (size_t k = 0; k < c->inner; k++) {
        size += fabs((double)in[k] * w[k]);
        if (c->gated)
            up_size += fabs((double)in[k] * up[k]);
    }
    double bound =
        c->gated ? (1e-6 * size + 1e-38) * (up_size + 1e-38) + 1e-6 * size * up_size : 1e-6 * size;
    return bound + 6e-7 * fabs(want) + 6e-7 + 1e-38;
}

typedef enum Way { PANEL, DOTS, FEW } Way;

static void run_linear(
    const LvKernels *k, const Case *c, LvLinearArgs l, const float *in, size_t in_stride, Way way)
{
    if (way == FEW) {
        l.in = in;
        l.in_stride = in_stride;
        for (size_t rows = l.rows; rows > 0; rows -= l.rows) {
            l.rows = rows < LV_FEW_ROWS ? rows : LV_FEW_ROWS;
            k->linear_few(&l);
            l.in += l.rows * in_stride;
            l.out += l.rows * l.out_stride;
            l.residual += l.residual ? l.rows * l.residual_stride : 0;
        }
        return;
    }
    const size_t panels = (l.rows + k->tile_rows - 1) / k->tile_rows,
                 cols = way == DOTS ? lv_dot_cols(k, c->inner) : c->inner,
                 scratch =
                     way == DOTS ? k->dots_scratch(c->inner) : k->linear_scratch(l.rows, c->inner);
    float *packed = aligned_alloc(64, (panels * k->tile_rows * cols * 4 + 127) / 64 * 64);
    (way == DOTS ? k->pack_dot_rows : k->pack_rows)(packed, in, in_stride, l.rows, c->inner);
    l.in = packed;
    l.scratch = aligned_alloc(64, (scratch * 4 + 127) / 64 * 64);
    (way == DOTS ? k->linear_dots : k->linear_panel)(&l);
    free(packed);
    free(l.scratch);
}

static void linear_case(const LvKernels *k, const Case *c)
{
    size_t outputs = c->first + c->cols + 2, in_stride = c->inner + 3, stride = c->cols + 5;
    float *in = fill((c->rows + 1) * in_stride, c->kind), *bias = fill(c->cols, 0);
    const LvMatrix weight = stored(c->dtype, outputs, c->inner, c->kind),
                   up = stored(c->dtype, outputs, c->inner, 0);
    float *w = malloc((outputs * c->inner + 1) * 4), *u = malloc((outputs * c->inner + 1) * 4);
    reference->to_float(w, &weight);
    reference->to_float(u, &up);
    LvLinearArgs l = {.out_stride = stride,
        .rows = c->rows,
        .weight = weight,
        .up = c->gated ? &up : NULL,
        .first = c->first,
        .cols = c->cols,
        .bias = c->bias ? bias : NULL,
        .function = c->function,
        .residual_stride = stride};
    for (Way way = PANEL; way <= FEW; way++) {
        size_t n = c->rows * stride;
        float *got = guarded(n), *want = guarded(n), *again = guarded(n);
        for (size_t r = 0; r < c->rows; r++)
            for (size_t i = 0; i < c->cols; i++)
                got[r * stride + i] = want[r * stride + i] = again[r * stride + i] = noise();
        l.residual = c->residual ? want : NULL; /* in place, as the contract allows */
        l.out = want;
        run_linear(reference, c, l, in, in_stride, way);
        l.residual = c->residual ? got : NULL;
        l.out = got;
        run_linear(k, c, l, in, in_stride, way);
        check_guards(got, n, c->rows, c->cols, stride);
        for (size_t r = 0; r < c->rows; r++)
            for (size_t i = 0; i < c->cols; i++) {
                double a = got[r * stride + i], b = want[r * stride + i];
                const float *row = w + (c->first + i) * c->inner,
                            *up_row = u + (c->first + i) * c->inner;
                double limit = allowed(c, in + r * in_stride, row, up_row, b);
                if (!(fabs(a - b) <= limit))
                    fail_msg("%s linear %zux%zux%zu dtype %s function %d kind %d way %d: [%zu, "
                             "%zu] %g, not %g",
                        k->name, c->rows, c->cols, c->inner, lv_dtype_name(c->dtype), c->function,
                        c->kind, way, r, i, a, b);
            }
        /* The same outputs in pieces of odd sizes, and dot products by tiles or by themselves: not a
         * bit may differ. */
        for (size_t begin = 0; begin < c->cols; begin += 7) {
            LvLinearArgs piece = l;
            piece.first = c->first + begin;
            piece.cols = c->cols - begin < 7 ? c->cols - begin : 7;
            piece.out = again + begin;
            piece.residual = c->residual ? again + begin : NULL;
            piece.bias = c->bias ? bias + begin : NULL;
            run_linear(k, c, piece, in, in_stride, way == DOTS ? FEW : way);
        }
        for (size_t r = 0; r < c->rows; r++)
            assert_memory_equal(again + r * stride, got + r * stride, c->cols * sizeof(float));
        /* One and two of the rows without the others: not a bit may differ. */
        for (size_t count = 1; way != PANEL && !c->residual && count <= 2; count++)
            for (size_t r = 0; r + count <= c->rows; r++) {
                LvLinearArgs part = l;
                part.rows = count;
                part.out = again + r * stride;
                memset(part.out, 0, c->cols * sizeof(float));
                run_linear(k, c, part, in + r * in_stride, in_stride, way);
                for (size_t i = 0; i < count; i++)
                    assert_memory_equal(
                        again + (r + i) * stride, got + (r + i) * stride, c->cols * sizeof(float));
            }
        release(got);
        release(want);
        release(again);
    }
    free(in), free(bias), free(w), free(u), release_matrix(&weight), release_matrix(&up);
}

static void linear_matches(void **state)
{
    const size_t rows[] = {0, 1, 2, 5, 13, 25, 40}, inners[] = {0, 1, 15, 64, 401, 513};
    for (size_t s = 0; s < n_sets; s++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t i = 0; i < sizeof inners / sizeof *inners; i++) {
                int n = (int)(r * 7 + i);
                Case c = {rows[r], inners[i], 1 + n * 5 % 64, n % 3, (LvDtype)(n % LV_N_DTYPES),
                    (LvFunction)(n % 6), n % 3 == 0 ? n % 4 : 0, n % 2, n % 4 == 1, false};
                if (c.kind >= 2) /* halves have no such range: floats only */
                    c.dtype = LV_F32;
                if (c.kind == 3)
                    c.function = LV_FUNCTION_NONE;
                linear_case(sets[s], &c);
                c.kind = 0;
                c.gated = true;
                c.bias = c.residual = false;
                c.cols = 1 + n * 3 % 32;
                linear_case(sets[s], &c);
            }
    /* An inner size of several blocks. */
    for (size_t s = 0; s < n_sets; s++)
        for (int gated = 0; gated < 2; gated++)
            linear_case(sets[s], &(Case){13, 2065, 21, 1, gated ? LV_F32 : LV_F16, LV_FUNCTION_NONE,
                                     0, !gated, !gated, gated});
}

/* Elementwise functions, through a linear operation by the number 1. */
static void functions_are_accurate(void **state)
{
    enum { N = 4001 };
    static float in[N + 12], got[N], packed[N + 64];
    for (int i = 0; i < N; i++)
        in[i] = (float)(i - N / 2) * (i % 2 ? 0.005f : 0.05f);
    const float special[] = {
        0.0f, -0.0f, 1e-40f, -1e-40f, 1e30f, -1e30f, 88.9f, -88.9f, 104.5f, -104.5f, 1e-8f, -1e-8f};
    memcpy(in, special, sizeof special);
    const float one = 1;
    for (size_t s = 0; s < n_sets; s++)
        for (int f = 0; f <= LV_LAST_FUNCTION; f++)
            for (int i = 0; i < N; i += 12) {
                size_t n = N - i < 12 ? (size_t)(N - i) : 12;
                LvLinearArgs l = {.out = got,
                    .out_stride = 1,
                    .rows = n,
                    .weight = {.data = &one, .dtype = LV_F32, .rows = 1, .cols = 1},
                    .cols = 1,
                    .function = (LvFunction)f,
                    .in = in + i,
                    .in_stride = 1,
                    .scratch = packed};
                sets[s]->linear_few(&l);
                float want[12];
                l.out = want;
                reference->linear_few(&l);
                for (size_t k = 0; k < n; k++) {
                    double x = in[i + (int)k], scale = fmax(fabs(x), fabs(want[k]));
                    if (got[k] != want[k] &&
                        !(fabs((double)got[k] - want[k]) <= 2.5e-7 * scale + 1e-44))
                        fail_msg("%s function %d of %g: %g, not %g", sets[s]->name, f, x, got[k],
                            want[k]);
                }
            }
}

/* ---- attention ---- */

/* out[lane][dim] of one tile, keys stored in two uneven pieces, blocks joined one after the other.
 */
static void attend(const LvKernels *k, LvDtype held, uint32_t dim, size_t n_keys, uint32_t lanes,
    const float *q, const float *keys, const float *values, const uint32_t *visible,
    uint32_t window, float *out)
{
    size_t capacity = (n_keys + k->tile_rows - 1) / k->tile_rows * k->tile_rows, half = n_keys / 3;
    const size_t bytes = lv_dtype_bytes(held), key_bytes = k->key_panel_size(capacity, dim) * bytes,
                 value_bytes = k->value_panel_size(capacity, dim) * bytes;
    void *kp = malloc(key_bytes + 1), *vp = malloc(value_bytes + 1), *moved = malloc(key_bytes + 1);
    memset(kp, 0xFF, key_bytes); /* NaN: what was not stored must not matter */
    memset(vp, 0xFF, value_bytes);
    k->store_keys(kp, held, capacity, 0, keys, dim + 1, half, dim);
    k->store_keys(kp, held, capacity, half, keys + half * (dim + 1), dim + 1, n_keys - half, dim);
    k->store_values(vp, held, capacity, 0, values, dim + 1, half, dim);
    k->store_values(
        vp, held, capacity, half, values + half * (dim + 1), dim + 1, n_keys - half, dim);
    k->copy_keys(moved, capacity, kp, held, capacity, n_keys, dim);
    free(kp);
    kp = moved;
    size_t all = k->lanes;
    float *scratch = aligned_alloc(64,
        all * (3 * dim + LV_KEY_BLOCK + 4) * 4 + 64 - all * (3 * dim + LV_KEY_BLOCK + 4) * 4 % 64);
    float *queries = scratch, *scores = queries + all * dim, *max = scores + all * LV_KEY_BLOCK,
          *sum = max + all;
    float *acc = sum + all, *max2 = acc + all * dim, *sum2 = max2 + all, *acc2 = sum2 + all;
    const float *sources[LV_MAX_LANES];
    float *destinations[LV_MAX_LANES];
    for (uint32_t l = 0; l < lanes; l++) {
        sources[l] = q + l * dim;
        destinations[l] = out + l * (dim + 2);
    }
    k->pack_queries(queries, sources, lanes, dim, (float)(1 / sqrt(dim)));
    LvAttentionState state = {max, sum, acc}, other = {max2, sum2, acc2};
    LvAttentionTile t = {.queries = queries,
        .keys = kp,
        .values = vp,
        .held = held,
        .capacity = capacity,
        .head_dim = dim,
        .n_lanes = lanes,
        .visible = visible,
        .window = window,
        .scores = scores};
    for (; t.first_key < n_keys; t.first_key += LV_KEY_BLOCK) {
        size_t left = n_keys - t.first_key;
        t.n_keys = left < LV_KEY_BLOCK ? left : LV_KEY_BLOCK;
        t.state = t.first_key ? other : state;
        k->attention_tile(&t);
        if (t.first_key)
            k->attention_join(&state, &other, lanes, dim);
    }
    t.state = other;
    t.first_key = t.n_keys = 0;
    k->attention_tile(&t); /* no keys change nothing, on either side */
    float before = acc[0];
    k->attention_join(&state, &other, lanes, dim);
    assert_true(acc[0] == before);
    k->attention_join(&other, &state, lanes, dim);
    assert_true(acc2[0] == before);
    k->attention_store(destinations, acc, sum, lanes, dim);
    free(kp), free(vp), free(scratch);
}

static void attention_matches(void **state)
{
    const uint32_t dims[] = {1, 6, 24, 64, 72};
    const size_t counts[] = {1, 13, 100, 769, 1001};
    for (size_t s = 0; s < n_sets; s++)
        for (size_t d = 0; d < 5; d++)
            for (size_t c = 0; c < 5; c++)
                for (int kind = 0; kind < 4; kind++) { /* gentle, one-hot, masked, windowed */
                    const LvKernels *k = sets[s];
                    uint32_t dim = dims[d],
                             lanes = (d + c) % 2 ? k->lanes : 1 + (uint32_t)(d * 5 + c) % k->lanes;
                    size_t n = counts[c];
                    float *q = fill(lanes * dim, 0), *keys = fill(n * (dim + 1), 0),
                          *values = fill(n * (dim + 1), 0);
                    for (size_t i = 0; i < (size_t)lanes * dim; i++)
                        q[i] *= kind == 1 ? 400 : 4;
                    uint32_t visible[LV_MAX_LANES], window = kind == 3 ? 1 + (uint32_t)n / 2 : 0;
                    for (uint32_t l = 0; l < lanes; l++) {
                        size_t back = (lanes - 1 - l) / 3;
                        visible[l] = (uint32_t)(n > back ? n - back : 1);
                    }
                    float *got = guarded(lanes * (dim + 2));
                    double *want = calloc((size_t)lanes * dim, sizeof *want);
                    attend(k, LV_F32, dim, n, lanes, q, keys, values, kind >= 2 ? visible : NULL,
                        window, got);
                    check_guards(got, lanes * (dim + 2), lanes, dim, dim + 2);
                    double *p = malloc(n * sizeof *p);
                    for (uint32_t l = 0; l < lanes; l++) {
                        double best = -1e300, sum = 0;
                        size_t end = kind >= 2 ? visible[l] : n;
                        size_t begin = window && end > window ? end - window : 0;
                        for (size_t key = begin; key < end; key++) {
                            p[key] = 0;
                            for (uint32_t i = 0; i < dim; i++)
                                p[key] += (double)(q[l * dim + i] * (float)(1 / sqrt(dim))) *
                                          keys[key * (dim + 1) + i];
                            best = fmax(best, p[key]);
                        }
                        for (size_t key = begin; key < end; key++)
                            sum += p[key] = exp(p[key] - best);
                        for (size_t key = begin; key < end; key++)
                            for (uint32_t i = 0; i < dim; i++)
                                want[l * dim + i] += p[key] / sum * values[key * (dim + 1) + i];
                        for (uint32_t i = 0; i < dim; i++) {
                            /* a score of size 400 carries an absolute error of 400 ulps, and so
                             * does ln p */
                            double limit = kind == 1 ? 1e-3 : 4e-6;
                            double error = fabs(got[l * (dim + 2) + i] - want[l * dim + i]);
                            if (!(error <= limit))
                                fail_msg("%s attention dim %u keys %zu kind %d lane %u: error %g",
                                    k->name, dim, n, kind, l, error);
                        }
                    }
                    free(p), free(q), free(keys), free(values), free(want);
                    release(got);
                }
}

/* Keys and values in float16 give the bits that the same numbers give in float32. */
static void attention_reads_halves(void **state)
{
    const uint32_t dims[] = {1, 7, 64, 72, 512};
    const size_t counts[] = {1, 13, 769};
    for (size_t s = 0; s < n_sets; s++)
        for (size_t d = 0; d < 5; d++)
            for (size_t c = 0; c < 3; c++) {
                const LvKernels *k = sets[s];
                const uint32_t dim = dims[d], lanes = k->lanes;
                const size_t n = counts[c], numbers = n * (dim + 1);
                float *q = fill((size_t)lanes * dim, 0), *keys = fill(numbers, 0),
                      *values = fill(numbers, 0),
                      *rounded[2] = {
                          malloc(numbers * sizeof **rounded), malloc(numbers * sizeof **rounded)};
                values[0] = 1e9f; /* becomes 65504 */
                values[numbers / 2] = 1e-7f;
                for (size_t i = 0; i < numbers; i++) {
                    rounded[0][i] = lv_float16_value(lv_float16_near(keys[i]));
                    rounded[1][i] = lv_float16_value(lv_float16_near(values[i]));
                }
                float *got = guarded(lanes * (dim + 2)), *want = guarded(lanes * (dim + 2));
                attend(k, LV_F16, dim, n, lanes, q, keys, values, NULL, 0, got);
                attend(k, LV_F32, dim, n, lanes, q, rounded[0], rounded[1], NULL, 0, want);
                for (uint32_t l = 0; l < lanes; l++)
                    assert_memory_equal(
                        got + l * (dim + 2), want + l * (dim + 2), dim * sizeof *got);
                if (dim > 7) { /* NaN and Inf are not hidden */
                    values[n / 2 * (dim + 1) + 3] = NAN;
                    values[n / 2 * (dim + 1) + 5] = -INFINITY;
                    attend(k, LV_F16, dim, n, lanes, q, keys, values, NULL, 0, got);
                    assert_true(isnan(got[3]) && got[5] == -INFINITY && isfinite(got[6]));
                }
                free(q), free(keys), free(values), free(rounded[0]), free(rounded[1]);
                release(got), release(want);
            }
}

/* ---- rows ---- */

static void check_close(const LvKernels *k, const char *what, const float *got, const float *want,
    size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s %s of %zu: [%zu] %g, not %g", k->name, what, n, i, got[i], want[i]);
}

static void rows_match(void **state)
{
    const size_t sizes[] = {1, 2, 7, 16, 31, 64, 513};
    for (size_t s = 0; s < n_sets; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int kind = 0; kind < 2; kind++) {
                const LvKernels *k = sets[s];
                size_t n = sizes[i], stride = n + 4;
                float *scale = fill(n, 0), *bias = fill(n, 0), *got = guarded(3 * stride),
                      *want = guarded(3 * stride);
                for (int norm = 0; norm < 3; norm++) {
                    for (size_t r = 0; r < 3; r++)
                        for (size_t c = 0; c < n; c++)
                            got[r * stride + c] = want[r * stride + c] =
                                value(kind) + (norm == 1 ? 30.0f : 0);
                    const LvKernels *both[] = {k, reference};
                    float *data[] = {got, want};
                    for (int b = 0; b < 2; b++)
                        if (norm == 2)
                            both[b]->rms_norm(data[b], stride, data[b], stride, 3, n, scale, 1e-6);
                        else
                            both[b]->layer_norm(data[b], stride, data[b], stride, 3, n, scale,
                                norm ? NULL : bias, 1e-6);
                    check_guards(got, 3 * stride, 3, n, stride);
                    for (size_t r = 0; r < 3; r++)
                        check_close(k, "norm", got + r * stride, want + r * stride, n, 1e-6);
                }
                float *parts[4], weights[4] = {0.25f, 0.75f, 0.6f, 0.4f};
                for (int p = 0; p < 4; p++)
                    parts[p] = fill(n, kind);
                k->blend(got, parts[0], parts[1], parts[2], parts[3], weights, n);
                reference->blend(want, parts[0], parts[1], parts[2], parts[3], weights, n);
                assert_memory_equal(got, want, n * sizeof(float));
                for (int p = 0; p < 4; p++)
                    free(parts[p]);
                release(got);
                release(want);

                uint32_t dim = (uint32_t)(n & ~(size_t)1);
                got = guarded(3 * n);
                want = guarded(3 * n);
                for (size_t c = 0; c < 3 * (size_t)dim; c++)
                    got[c] = want[c] = noise();
                k->rope(got, 3, dim, scale, bias);
                reference->rope(want, 3, dim, scale, bias);
                check_guards(got, 3 * n, 1, 3 * dim, 3 * n + 1);
                check_close(k, "rope", got, want, 3 * dim, 3e-7);
                release(got);
                release(want);
                free(scale), free(bias);
            }
}

int main(int argc, char **argv)
{
    reference = lv_kernels_reference();
    for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++)
        if ((set->flags & ~lv_cpu_flags()) == 0 && n_sets < sizeof sets / sizeof *sets) {
            sets[n_sets++] = set->kernels();
            assert_string_equal(sets[n_sets - 1]->name, set->name);
        }
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        for (size_t i = 0; i < n_sets; i++)
            kernels_bench(sets[i]);
        return 0;
    }
    /* `test-kernels N` demands that exactly N sets run: a test on a lesser processor must not pass
     * by accident. */
    if (argc > 1 && (size_t)atoi(argv[1]) != n_sets) {
        print_error("%zu kernel sets run here, not %s\n", n_sets, argv[1]);
        return 1;
    }
    for (size_t i = 0; i < n_sets; i++)
        print_message("set: %s\n", sets[i]->name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_convert_exactly),
        cmocka_unit_test(every_half_converts_exactly),
        cmocka_unit_test(sizes_follow_from_traits),
        cmocka_unit_test(linear_matches),
        cmocka_unit_test(functions_are_accurate),
        cmocka_unit_test(attention_matches),
        cmocka_unit_test(attention_reads_halves),
        cmocka_unit_test(rows_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
