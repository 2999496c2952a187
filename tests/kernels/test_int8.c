/* SPDX-License-Identifier: Apache-2.0
 * Every int8 set that this processor runs against the plain reference, bit for bit: weights, rows, and
 * products of every shape, at the border of 32 bits, few rows and many, wide ones among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "int8.h"

#define GUARD 1234.5f

static uint32_t seed = 1;

static uint32_t drawn(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static float noise(void)
{
    return (float)((int32_t)drawn() - (1 << 23)) * 0x1p-23f;
}

/* What a matrix holds. */
typedef enum Kind {
    NOISE,
    OUTLIERS, /* one in 61 is far greater */
    EXTREMES, /* all of the greatest magnitude, of one sign a row: the greatest sums */
    TINY,     /* denormal, or too small for a scale */
    ZEROS,
    SKEWED, /* hardly anything below zero */
    BROKEN, /* NaN or Inf in every third row */
    KINDS
} Kind;

static float value(Kind kind, size_t row)
{
    const float x = noise();
    switch (kind) {
    case OUTLIERS:
        return drawn() % 61 == 0 ? x * (row % 2 ? 3000 : 5) : x;
    case EXTREMES:
        return row % 2 ? -3 : 3;
    case TINY:
        return x * (row % 2 ? 1e-40f : 1e-30f);
    case ZEROS:
        return 0;
    case SKEWED:
        return x < 0 ? x / 17 : x * (row % 2 ? 1.02f : 1) + (row % 5 == 4 ? 40 * (x > 0.97f) : 0);
    case BROKEN:
        return row % 3 == 0 && drawn() % 5 == 0 ? (row % 2 ? INFINITY : NAN) : x;
    default:
        return x * (float)(1 + row % 3 * 3); /* up to 7 */
    }
}

static float *filled(Kind kind, size_t rows, size_t cols)
{
    float *p = malloc((rows * cols + 1) * sizeof *p);
    for (size_t i = 0; i < rows * cols; i++)
        p[i] = value(kind, i / cols);
    return p;
}

static void *aligned(size_t bytes)
{
    return aligned_alloc(64, (bytes + 127) / 64 * 64);
}

/* A weight in one set's hands; the same bytes in any. */
typedef struct Packed {
    LvInt8Matrix matrix;
    int8_t *numbers;
    float *scales;
    int32_t *offsets, *columns;
} Packed;

static Packed packed(const LvInt8Kernels *kernels, const float *weights, size_t rows, size_t cols)
{
    const size_t panels = lv_int8_panels(rows), bytes = lv_int8_panel_bytes(cols);
    Packed p = {.numbers = aligned(panels * bytes),
        .scales = malloc((panels * 16 + 1) * sizeof(float)),
        .offsets = malloc((panels * 16 + 1) * sizeof(int32_t)),
        .columns = calloc(cols + 1, sizeof(int32_t))};
    int8_t *row = malloc(cols + 4);
    for (size_t i = 0; i < panels; i++) {
        const size_t left = rows - i * 16;
        kernels->put_panel(p.numbers + i * bytes, p.scales + i * 16, p.offsets + i * 16, p.columns,
            weights + i * 16 * cols, left < 16 ? left : 16, cols, row);
    }
    free(row);
    p.matrix = (LvInt8Matrix){p.numbers, p.scales, p.offsets, rows, cols};
    return p;
}

static void release(Packed p)
{
    free(p.numbers), free(p.scales), free(p.offsets), free(p.columns);
}

static void same_weights(const char *set, Packed a, Packed b)
{
    const size_t outputs = lv_int8_panels(a.matrix.rows) * 16;
    if (memcmp(a.numbers, b.numbers, outputs / 16 * lv_int8_panel_bytes(a.matrix.cols)) ||
        memcmp(a.scales, b.scales, outputs * 4) || memcmp(a.offsets, b.offsets, outputs * 4) ||
        memcmp(a.columns, b.columns, a.matrix.cols * 4))
        fail_msg("%s: the weight of %zu x %zu is another", set, a.matrix.rows, a.matrix.cols);
}

typedef struct Case {
    size_t rows, inner, outputs;
    size_t first, cols; /* the call's outputs */
    Kind in, weight;
    bool gated, bias, residual;
    LvFunction function;
} Case;

/* rows x outputs of a case by one set, with a guard behind every row. */
static float *multiplied(const LvInt8Kernels *k, const Case *c, const float *in, const Packed *w,
    const Packed *up, const float *bias, const float *residual)
{
    const size_t stride = c->cols + 1;
    float *out = malloc((c->rows * stride + 1) * sizeof *out);
    for (size_t i = 0; i < c->rows * stride + 1; i++)
        out[i] = GUARD;
    LvInt8Row *rows = calloc(c->rows + 1, sizeof *rows);
    char *lines = aligned(2 * c->rows * k->row_bytes(c->inner)), *line = lines;
    LvInt8Args args = {.out = out,
        .out_stride = stride,
        .in = lines,
        .rows = rows,
        .weight = &w->matrix,
        .up = c->gated ? &up->matrix : NULL,
        .first = c->first,
        .cols = c->cols,
        .bias = c->bias ? bias : NULL,
        .residual = c->residual ? residual : NULL,
        .residual_stride = c->cols,
        .function = c->function};
    for (int wide = 1; wide >= 0; wide--)
        for (size_t r = 0; r < c->rows; r++) {
            LvInt8Row row = k->measure_row(in + r * c->inner, c->inner);
            row.row = r;
            if ((row.kind == LV_INT8_WIDE) != wide)
                continue;
            k->put_row(line, &row, in + r * c->inner, c->inner);
            line += (wide ? 2 : 1) * k->row_bytes(c->inner);
            rows[args.n_rows++] = row;
            args.n_wide += wide;
        }
    k->product(&args);
    for (size_t i = 0; i < c->rows; i++)
        assert_true(out[i * stride + c->cols] == GUARD);
    free(lines);
    free(rows);
    return out;
}

static bool same(float a, float b, float within)
{
    return a == b || (isnan(a) && isnan(b)) || fabsf(a - b) <= within;
}

static size_t check_case(const LvInt8Kernels *k, const Case *c)
{
    const LvInt8Kernels *reference = lv_int8_reference();
    float *in = filled(c->in, c->rows, c->inner), *bias = filled(NOISE, 1, c->outputs),
          *residual = filled(NOISE, c->rows, c->outputs),
          *weights = filled(c->weight, c->outputs, c->inner),
          *ups = filled(c->weight, c->outputs, c->inner);
    Packed w = packed(k, weights, c->outputs, c->inner),
           up = packed(reference, ups, c->outputs, c->inner),
           wanted_w = packed(reference, weights, c->outputs, c->inner);
    same_weights(k->name, w, wanted_w);
    for (size_t r = 0; r < c->rows; r++) {
        const LvInt8Row a = k->measure_row(in + r * c->inner, c->inner),
                        b = reference->measure_row(in + r * c->inner, c->inner);
        assert_int_equal(a.kind, b.kind);
        assert_true(a.factor == b.factor);
        assert_true(a.scale == b.scale || (isnan(a.scale) && isnan(b.scale)));
    }
    float *got = multiplied(k, c, in, &w, &up, bias, residual),
          *wanted = multiplied(reference, c, in, &w, &up, bias, residual);
    /* A function may be off by 2 ulp of what it is of (ops.h). */
    Case of = *c, factor = *c;
    of.gated = of.residual = factor.gated = factor.residual = factor.bias = false;
    of.function = factor.function = LV_FUNCTION_NONE;
    float *before = multiplied(reference, &of, in, &w, &up, bias, residual),
          *by = multiplied(reference, &factor, in, &up, &up, bias, residual);
    const size_t stride = c->cols + 1;
    for (size_t i = 0; i < c->rows * stride; i++)
        if (!same(got[i], wanted[i],
                c->function == LV_FUNCTION_NONE
                    ? 0
                    : 3e-7f *
                          (fabsf(before[i]) * (c->gated ? fabsf(by[i]) : 1) + fabsf(wanted[i]))))
            fail_msg("%s, %zu rows of %zu, outputs %zu to %zu of %zu: row %zu, output %zu is %.9g, "
                     "not %.9g",
                k->name, c->rows, c->inner, c->first, c->first + c->cols, c->outputs, i / stride,
                i % stride, got[i], wanted[i]);
    /* A row by itself has the bits that it has among others. */
    for (size_t r = 0; r < c->rows; r += 5) {
        Case one = *c;
        one.rows = 1;
        float *alone =
            multiplied(k, &one, in + r * c->inner, &w, &up, bias, residual + r * c->cols);
        assert_memory_equal(alone, got + r * stride, c->cols * sizeof *alone);
        free(alone);
    }
    free(in), free(bias), free(residual), free(weights), free(ups), free(got), free(wanted);
    free(before), free(by);
    release(w), release(up), release(wanted_w);
    return 1;
}

static bool runs(const LvInt8Set *set)
{
    return !(set->flags & ~lv_cpu_flags());
}

static void products_are_the_reference(void **state)
{
    static const size_t rows[] = {0, 1, 2, 3, 5, 7, 12, 13, 25, 33, 61},
                        inner[] = {0, 1, 2, 3, 4, 5, 31, 64, 100, 1153},
                        outputs[] = {1, 15, 16, 17, 31, 32, 33, 48, 70};
    static const LvFunction functions[] = {LV_FUNCTION_NONE, LV_FUNCTION_GELU_TANH,
        LV_FUNCTION_NONE, LV_FUNCTION_SILU, LV_FUNCTION_NONE, LV_FUNCTION_RELU2};
    for (const LvInt8Set *set = lv_int8_sets(); set->name; set++) {
        if (!runs(set)) {
            print_message("int8 set %s with %s: not run, this processor has not what it needs\n",
                set->name, set->with);
            continue;
        }
        size_t cases = 0;
        seed = 1;
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
                for (size_t o = r % 2; o < sizeof outputs / sizeof *outputs; o += 2) {
                    const size_t n = cases;
                    Case c = {rows[r], inner[i], outputs[o], 0, outputs[o], (Kind)(n % KINDS),
                        (Kind)(n / 2 % BROKEN), n % 4 == 1, n % 3 == 0, n % 5 < 2,
                        functions[n % 6]};
                    if (c.gated)
                        c.bias = c.residual = false;
                    if (n % 7 == 0 && outputs[o] > 16)
                        c.first = 16, c.cols = outputs[o] - 16;
                    cases += check_case(set->kernels(), &c);
                }
        print_message("int8 set %s with %s: %zu shapes\n", set->name, set->with, cases);
    }
}

/* All numbers +-127 and the longest rows: the sum is the greatest that 32 bits are asked for. */
static void sums_at_the_border_of_32_bits(void **state)
{
    for (const LvInt8Set *set = lv_int8_sets(); set->name; set++) {
        if (!runs(set))
            continue;
        const LvInt8Kernels *k = set->kernels();
        const Case c = {3, LV_INT8_MAX_INNER, 18, 0, 18, EXTREMES, EXTREMES, false, false, false,
            LV_FUNCTION_NONE};
        float *in = filled(c.in, c.rows, c.inner), *weights = filled(c.weight, c.outputs, c.inner);
        Packed w = packed(k, weights, c.outputs, c.inner);
        float *out = multiplied(k, &c, in, &w, NULL, NULL, NULL);
        const double scales[] = {3.0f / 239, 3.0f / 127}, most[] = {239, 127};
        for (size_t r = 0; r < c.rows; r++)
            for (size_t o = 0; o < c.outputs; o++) {
                const float sum = (float)(127 * most[r % 2] * LV_INT8_MAX_INNER),
                            y = sum * (float)scales[r % 2] * (3.0f / 127);
                assert_true(out[r * 19 + o] == (r % 2 == o % 2 ? y : -y));
            }
        free(in), free(weights), free(out);
        release(w);
    }
}

static void rows_are_of_three_kinds(void **state)
{
    static const struct {
        float others, below, greatest; /* quarters; half of them are of each of the first two */
        LvInt8Kind kind;
    } cases[] = {
        {1, -1, 1, LV_INT8_EVEN},
        {1, -1, 5, LV_INT8_EVEN}, /* 127 / 5 = 25 */
        {1, -1, 6, LV_INT8_WIDE},
        {1, -1, 1000, LV_INT8_WIDE},
        {1, 0.5f, 1, LV_INT8_SKEWED},
        {1, -0.066f, 1, LV_INT8_SKEWED},
        {1, -0.067f, 1, LV_INT8_EVEN},
        {1, -0.067f, 5, LV_INT8_SKEWED}, /* 239 / 5 / 2 = 24 */
        {1, -0.067f, 6, LV_INT8_WIDE},
        {20, -20, 23.9f, LV_INT8_EVEN},
        {20, -20, 24, LV_INT8_WIDE},
        {20, 0, 24, LV_INT8_WIDE},
    };
    const LvInt8Kernels *k = lv_int8_reference();
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        float row[256];
        for (size_t i = 0; i < 256; i++)
            row[i] = (i % 2 ? cases[n].others : cases[n].below) / 4;
        row[3] = cases[n].greatest / 4;
        const LvInt8Row measured = k->measure_row(row, 256);
        assert_int_equal(measured.kind, cases[n].kind);
        int16_t numbers[512];
        k->put_row(numbers, &measured, row, 256);
        for (size_t i = 0; i < 256; i++) {
            const int q =
                measured.kind == LV_INT8_WIDE ? 128 * numbers[i] + numbers[i + 256] : numbers[i];
            assert_true(fabsf((float)q * measured.scale - row[i]) <= 0.501f * measured.scale);
        }
    }
}

static void weights_with_outliers_stay(void **state)
{
    static const struct {
        float column; /* how much greater the seventh is than the others */
        bool keeps;
    } cases[] = {{1, true}, {0, true}, {4, true}, {40, false}, {0.2f, true}, {0.01f, false}};
    enum { ROWS = 16 }; /* so many that no column is small by chance */
    float weights[ROWS * 1000];
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        for (size_t i = 0; i < ROWS * 1000; i++)
            weights[i] = i % 1000 == 7 ? cases[n].column * (i % 2 ? 1 : -1) : noise();
        Packed w = packed(lv_int8_reference(), weights, ROWS, 1000);
        assert_int_equal(lv_int8_keeps(w.columns, ROWS, 1000), cases[n].keeps);
        release(w);
    }
    const int32_t none = 0;
    assert_true(lv_int8_keeps(&none, 5, 1));
    assert_true(lv_int8_keeps(NULL, 5, 0));
}

static void the_set_follows_the_processor(void **state)
{
    static const struct {
        unsigned flags;
        const char *most, *name;
    } cases[] = {
#if defined(__x86_64__)
        {0, NULL, "sse2"},
        {LV_CPU_AVX2, NULL, "avx2"},
        {LV_CPU_AVX2 | LV_CPU_AVX_VNNI, NULL, "avx-vnni"},
        {LV_CPU_AVX2 | LV_CPU_AVX512, NULL, "avx2"},
        {LV_CPU_AVX2 | LV_CPU_AVX512 | LV_CPU_AVX512_VNNI, NULL, "avx512-vnni"},
        {LV_CPU_AVX2 | LV_CPU_AVX512 | LV_CPU_AVX512_VNNI | LV_CPU_AVX_VNNI, "avx2", "avx-vnni"},
        {LV_CPU_AVX2 | LV_CPU_AVX512 | LV_CPU_AVX512_VNNI, "baseline", "sse2"},
#elif defined(__aarch64__)
        {0, NULL, "neon"},
        {LV_CPU_DOT, NULL, "dot"},
        {LV_CPU_I8MM, NULL, "neon"},
        {LV_CPU_DOT | LV_CPU_I8MM, NULL, "i8mm"},
        {LV_CPU_DOT | LV_CPU_I8MM, "baseline", "baseline"},
#else
        {0, NULL, "baseline"},
#endif
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(
            lv_int8_choose(lv_kernels_choose(cases[i].most, cases[i].flags), cases[i].flags)->name,
            cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_the_reference),
        cmocka_unit_test(sums_at_the_border_of_32_bits),
        cmocka_unit_test(rows_are_of_three_kinds),
        cmocka_unit_test(weights_with_outliers_stay),
        cmocka_unit_test(the_set_follows_the_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
