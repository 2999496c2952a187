/* SPDX-License-Identifier: Apache-2.0
 * Every int4 set that this processor runs against the plain reference, bit for bit; and the reference's
 * weights against those of gguf's Q4_0, whose rule is repeated here, group by group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "float16.h"
#include "int4.h"

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
    GREAT,  /* scales near float16's border */
    COARSE, /* few values: ties everywhere */
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
        return x * (row % 3 == 0 ? 1e-40f : row % 3 == 1 ? 1e-30f : 1e-6f);
    case ZEROS:
        return 0;
    case GREAT:
        return x * LV_INT4_GREATEST;
    case COARSE:
        return (float)(int)(x * 9) / 2;
    case BROKEN:
        return row % 3 == 0 && drawn() % 5 == 0 ? (row % 2 ? INFINITY : NAN) : x;
    default:
        return x * (float)(1 + row % 3 * 3);
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

typedef struct Packed {
    LvInt4Matrix matrix;
    uint8_t *numbers;
    uint16_t *scales;
} Packed;

static Packed packed(const LvInt4Kernels *kernels, const float *weights, size_t rows, size_t cols)
{
    const size_t panels = lv_int4_panels(rows), bytes = lv_int4_panel_bytes(cols),
                 scales = lv_int4_panel_scales(cols);
    Packed p = {
        .numbers = aligned(panels * bytes), .scales = aligned(panels * scales * sizeof(uint16_t))};
    for (size_t i = 0; i < panels; i++) {
        const size_t left = rows - i * 16;
        assert_true(kernels->put_panel(p.numbers + i * bytes, p.scales + i * scales,
            weights + i * 16 * cols, left < 16 ? left : 16, cols));
    }
    p.matrix = (LvInt4Matrix){p.numbers, p.scales, rows, cols};
    return p;
}

static void release(Packed p)
{
    free(p.numbers), free(p.scales);
}

static void same_weights(const char *set, Packed a, Packed b)
{
    const size_t panels = lv_int4_panels(a.matrix.rows), cols = a.matrix.cols;
    if (memcmp(a.numbers, b.numbers, panels * lv_int4_panel_bytes(cols)) ||
        memcmp(a.scales, b.scales, panels * lv_int4_panel_scales(cols) * sizeof *a.scales))
        fail_msg("%s: the weight of %zu x %zu is another", set, a.matrix.rows, cols);
}

typedef struct Case {
    size_t rows, inner, outputs;
    size_t first, cols; /* the call's outputs */
    Kind in, weight;
    bool gated, bias, residual;
    LvFunction function;
} Case;

/* rows x outputs of a case by one set, with a guard behind every row. */
static float *multiplied(const LvInt4Kernels *k, const Case *c, const float *in, const Packed *w,
    const Packed *up, const float *bias, const float *residual)
{
    const size_t stride = c->cols + 1, groups = lv_int4_groups(c->inner);
    float *out = malloc((c->rows * stride + 1) * sizeof *out);
    for (size_t i = 0; i < c->rows * stride + 1; i++)
        out[i] = GUARD;
    LvInt4Unit *units = malloc((groups * c->rows + 1) * sizeof *units);
    for (size_t r = 0; r < c->rows; r++)
        k->put_row(units + r, c->rows, in + r * c->inner, c->inner);
    const LvInt4Args args = {.out = out,
        .out_stride = stride,
        .in = units,
        .rows = c->rows,
        .weight = &w->matrix,
        .up = c->gated ? &up->matrix : NULL,
        .first = c->first,
        .cols = c->cols,
        .bias = c->bias ? bias : NULL,
        .residual = c->residual ? residual : NULL,
        .residual_stride = c->cols,
        .function = c->function};
    k->product(&args);
    for (size_t i = 0; i < c->rows; i++)
        assert_true(out[i * stride + c->cols] == GUARD);
    free(units);
    return out;
}

static bool same(float a, float b, float within)
{
    return a == b || (isnan(a) && isnan(b)) || fabsf(a - b) <= within;
}

static void same_rows(const LvInt4Kernels *k, const float *in, size_t rows, size_t cols)
{
    const size_t groups = lv_int4_groups(cols);
    LvInt4Unit *a = malloc((groups + 1) * sizeof *a), *b = malloc((groups + 1) * sizeof *b);
    for (size_t r = 0; r < rows; r++) {
        k->put_row(a, 1, in + r * cols, cols);
        lv_int4_reference()->put_row(b, 1, in + r * cols, cols);
        for (size_t g = 0; g < groups; g++) {
            assert_true(same(a[g].scale, b[g].scale, 0));
            assert_int_equal(a[g].offset, b[g].offset);
            assert_memory_equal(a[g].numbers, b[g].numbers, LV_INT4_GROUP);
        }
    }
    free(a), free(b);
}

static size_t check_case(const LvInt4Kernels *k, const Case *c)
{
    const LvInt4Kernels *reference = lv_int4_reference();
    float *in = filled(c->in, c->rows, c->inner), *bias = filled(NOISE, 1, c->outputs),
          *residual = filled(NOISE, c->rows, c->outputs),
          *weights = filled(c->weight, c->outputs, c->inner),
          *ups = filled(c->weight, c->outputs, c->inner);
    Packed w = packed(k, weights, c->outputs, c->inner),
           up = packed(reference, ups, c->outputs, c->inner),
           wanted_w = packed(reference, weights, c->outputs, c->inner);
    same_weights(k->name, w, wanted_w);
    same_rows(k, in, c->rows, c->inner);
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

static bool runs(const LvInt4Set *set)
{
    return !(set->flags & ~lv_cpu_flags());
}

static void products_are_the_reference(void **state)
{
    static const size_t rows[] = {0, 1, 2, 3, 5, 16, 33, 64},
                        inner[] = {0, 1, 3, 4, 31, 32, 33, 64, 100, 1153},
                        outputs[] = {1, 15, 16, 17, 31, 48, 70};
    static const LvFunction functions[] = {LV_FUNCTION_NONE, LV_FUNCTION_GELU_TANH,
        LV_FUNCTION_NONE, LV_FUNCTION_SILU, LV_FUNCTION_NONE, LV_FUNCTION_RELU2};
    for (const LvInt4Set *set = lv_int4_sets(); set->name; set++) {
        if (!runs(set)) {
            print_message("int4 set %s with %s: not run, this processor has not what it needs\n",
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
        print_message("int4 set %s with %s: %zu shapes\n", set->name, set->with, cases);
    }
}

/* Every product of numbers is the greatest there is: -8 or 7 by +-127. */
static void the_greatest_sums_are_exact(void **state)
{
    for (const LvInt4Set *set = lv_int4_sets(); set->name; set++) {
        if (!runs(set))
            continue;
        uint8_t *numbers = aligned(lv_int4_panel_bytes(64));
        uint16_t scales[32];
        for (int number = 0; number <= 15; number += 15)
            for (int sign = -1; sign <= 1; sign += 2) {
                float in[64], out[16];
                LvInt4Unit units[2];
                memset(numbers, number | number << 4, lv_int4_panel_bytes(64));
                for (size_t i = 0; i < 32; i++)
                    scales[i] = 0x3C00; /* 1 */
                for (size_t k = 0; k < 64; k++)
                    in[k] = (float)sign * 127;
                const LvInt4Matrix matrix = {numbers, scales, 16, 64};
                const LvInt4Args args = {.out = out,
                    .out_stride = 16,
                    .in = units,
                    .rows = 1,
                    .weight = &matrix,
                    .cols = 16};
                set->kernels()->put_row(units, 1, in, 64);
                set->kernels()->product(&args);
                for (size_t o = 0; o < 16; o++)
                    assert_true(out[o] == (float)(64 * 127 * sign * (number - 8)));
            }
        free(numbers);
    }
}

/* The square of the distance of a group from what Q4_0 makes of it. */
static double q4_0_distance(const float *x)
{
    float greatest = 0;
    double sum = 0;
    for (size_t k = 0; k < 32; k++)
        greatest = fabsf(x[k]) > fabsf(greatest) ? x[k] : greatest;
    /* Of a denormal scale the reciprocal is no number, and what is stored is 0 in any case. */
    const float scale = greatest / -8, inverse = fabsf(scale) < 0x1p-126f ? 0 : 1 / scale,
                stored = lv_float16_value(lv_float16_of(scale));
    for (size_t k = 0; k < 32; k++) {
        const int q = (int)(x[k] * inverse + 8.5f);
        const double e = (double)x[k] - (double)stored * ((q > 15 ? 15 : q) - 8);
        sum += e * e;
    }
    return sum;
}

static double distance(const Packed *w, size_t row, size_t group, const float *x)
{
    const size_t panel = row / 16, i = row % 16, cols = w->matrix.cols;
    const double scale =
        (double)lv_float16_value(w->scales[panel * lv_int4_panel_scales(cols) + group * 16 + i]);
    const uint8_t *numbers = w->numbers + panel * lv_int4_panel_bytes(cols) + group * 256;
    double sum = 0;
    for (size_t k = 0; k < 32; k++) {
        const uint8_t byte = numbers[(k / 8 * 16 + i) * 4 + k % 4];
        const double e = (double)x[k] - scale * ((k / 4 % 2 ? byte >> 4 : byte & 15) - 8);
        sum += e * e;
    }
    return sum;
}

static void no_group_is_further_than_q4_0(void **state)
{
    for (Kind kind = NOISE; kind < BROKEN; kind++) {
        enum { ROWS = 48, COLS = 320 };
        double ours = 0, theirs = 0;
        for (int n = 0; n < 4; n++) {
            float *weights = filled(kind, ROWS, COLS);
            Packed w = packed(lv_int4_reference(), weights, ROWS, COLS);
            for (size_t r = 0; r < ROWS; r++)
                for (size_t g = 0; g < COLS / 32; g++) {
                    const float *x = weights + r * COLS + g * 32;
                    const double here = distance(&w, r, g, x), there = q4_0_distance(x);
                    /* Errors are summed in float32. */
                    if (here > there * (1 + 1e-6) + 1e-80)
                        fail_msg(
                            "kind %d, row %zu, group %zu: %g, Q4_0 %g", kind, r, g, here, there);
                    ours += here, theirs += there;
                }
            release(w);
            free(weights);
        }
        if (theirs > 0)
            print_message("kind %d: %.3f of Q4_0's distance\n", kind, sqrt(ours / theirs));
        if (kind == NOISE)
            assert_true(sqrt(ours / theirs) < 0.95);
    }
}

static void what_is_too_great_is_told(void **state)
{
    for (const LvInt4Set *set = lv_int4_sets(); set->name; set++) {
        if (!runs(set))
            continue;
        float weights[3 * 40] = {[77] = -LV_INT4_GREATEST, [3] = 1};
        uint8_t *numbers = aligned(lv_int4_panel_bytes(40));
        uint16_t scales[64];
        assert_true(set->kernels()->put_panel(numbers, scales, weights, 3, 40));
        weights[77] = nextafterf(weights[77], -INFINITY);
        assert_false(set->kernels()->put_panel(numbers, scales, weights, 3, 40));
        assert_false(lv_int4_reference()->put_panel(numbers, scales, weights, 3, 40));
        free(numbers);
    }
}

/* Of all bits: value and back again; between two of them, the nearest. */
static void halves_are_float16(void **state)
{
    for (uint32_t half = 0; half < 0x7C00; half++) {
        const float x = lv_float16_value((uint16_t)half);
        const int exponent = (int)(half >> 10);
        assert_true(x == ldexpf((float)((half & 1023) | (exponent ? 1024 : 0)),
                             (exponent ? exponent : 1) - 25));
        assert_int_equal(lv_float16_of(x), half);
        assert_int_equal(lv_float16_of(-x), half | 0x8000);
        if (half + 1 < 0x7C00) {
            const float next = lv_float16_value((uint16_t)(half + 1)), middle = x + (next - x) / 2;
            assert_int_equal(lv_float16_of(middle), half + half % 2);
            assert_int_equal(lv_float16_of(nextafterf(middle, 0)), half);
            assert_int_equal(lv_float16_of(nextafterf(middle, next)), half + 1);
        }
    }
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
        {LV_CPU_AVX2 | LV_CPU_AVX512 | LV_CPU_AVX512_VNNI, "baseline", "sse2"},
#elif defined(__aarch64__)
        {0, NULL, "neon"},
        {LV_CPU_DOT, NULL, "dot"},
        {LV_CPU_DOT | LV_CPU_I8MM, NULL, "dot"},
        {LV_CPU_DOT | LV_CPU_I8MM, "baseline", "baseline"},
#else
        {0, NULL, "baseline"},
#endif
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(
            lv_int4_choose(lv_kernels_choose(cases[i].most, cases[i].flags), cases[i].flags)->name,
            cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_the_reference),
        cmocka_unit_test(the_greatest_sums_are_exact),
        cmocka_unit_test(no_group_is_further_than_q4_0),
        cmocka_unit_test(what_is_too_great_is_told),
        cmocka_unit_test(halves_are_float16),
        cmocka_unit_test(the_set_follows_the_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
