/* SPDX-License-Identifier: Apache-2.0
 * Weights that become int8 as they are loaded: the backend's products are those of the plain reference
 * (kernels/int8.h), for every kernel set, in parts, few rows and chunks of them, with one thread and
 * several; what would lose too much, the head, and wider weights stay as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "int4.h"
#include "int8.h"

typedef struct Case {
    LvDtype stored; /* F32, or BF16: the upper halves of the same floats */
    size_t rows, inner;
    size_t parts[3];            /* outputs of each; 0: no more */
    bool gated, bias, residual; /* residual: in place */
    uint32_t threads;
    bool tame; /* no row is wide */
} Case;

static uint32_t seed = 3;

static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(int32_t)(seed & 0xFE000000u) * 0x1p-31f; /* a bfloat16 too */
}

static size_t outputs_of(const Case *c)
{
    return c->parts[0] + c->parts[1] + c->parts[2];
}

static LvBackend *open_cpu(LlavaovPrecision precision, const char *mask, uint32_t threads)
{
    const LvBackendOptions options = {
        .device = "cpu", .precision = precision, .threads = threads, .cpu_mask = mask};
    LvBackend *backend;
    LlavaovError error = {0};
    if (lv_backend_open(&options, &backend, &error))
        fail_msg("%s", error.message);
    return backend;
}

static LvHostTensor tensor_of(LvDtype dtype, const void *data, size_t rows, size_t cols)
{
    return (LvHostTensor){.name = "w",
        .file = "f",
        .dtype = dtype,
        .n_dims = 2,
        .shape = {rows, cols},
        .data = data,
        .bytes = rows * cols * lv_dtype_bytes(dtype)};
}

static LvWeight *load(LvBackend *b, const Case *c, const float *w, unsigned use)
{
    LvHostTensor tensors[3];
    const LvHostTensor *parts[3];
    const size_t n = outputs_of(c) * c->inner;
    static uint16_t *halves;
    free(halves);
    halves = malloc(n * sizeof *halves + 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &w[i], sizeof bits);
        halves[i] = (uint16_t)(bits >> 16);
    }
    size_t n_parts = 0, row = 0;
    for (; n_parts < 3 && c->parts[n_parts]; n_parts++) {
        const size_t at = row * c->inner;
        tensors[n_parts] =
            tensor_of(c->stored, c->stored == LV_F32 ? (const void *)(w + at) : halves + at,
                c->parts[n_parts], c->inner);
        parts[n_parts] = &tensors[n_parts];
        row += c->parts[n_parts];
    }
    LvWeight *weight;
    LlavaovError error = {0};
    if (b->ops->weight_load(b, parts, n_parts, use, &weight, &error))
        fail_msg("%s", error.message);
    return weight;
}

static LvWeight *load_bias(LvBackend *b, const float *bias, size_t n)
{
    const LvHostTensor tensor = tensor_of(LV_F32, bias, 1, n), *part = &tensor;
    LvWeight *weight;
    LlavaovError error = {0};
    assert_int_equal(
        b->ops->weight_load(b, &part, 1, LV_WEIGHT_VECTOR, &weight, &error), LLAVAOV_OK);
    return weight;
}

/* By a backend; residual is what out holds before. */
static void product(const Case *c, LlavaovPrecision precision, const char *mask, unsigned use,
    const float *w, const float *in, const float *bias, const float *residual, float *out)
{
    LvBackend *b = open_cpu(precision, mask, c->threads);
    LlavaovError error = {0};
    const LvRun run = {.error = &error};
    LvWeight *weight = load(b, c, w, use), *vector = load_bias(b, bias, outputs_of(c));
    const size_t cols = c->gated ? outputs_of(c) / 2 : outputs_of(c);
    LvTensor x, y;
    assert_int_equal(b->ops->tensor_alloc(b, c->rows, c->inner, &x, &error), LLAVAOV_OK);
    assert_int_equal(b->ops->tensor_alloc(b, c->rows, cols, &y, &error), LLAVAOV_OK);
    assert_int_equal(b->ops->upload(b, &run, x, in), LLAVAOV_OK);
    assert_int_equal(b->ops->upload(b, &run, y, residual), LLAVAOV_OK);
    if (c->gated)
        assert_int_equal(
            b->ops->linear_gated(b, &run, y, x, weight, LV_ACTIVATION_RELU), LLAVAOV_OK);
    else
        assert_int_equal(b->ops->linear(b, &run, y, x, weight, c->bias ? vector : NULL,
                             LV_ACTIVATION_NONE, c->residual ? &y : NULL),
            LLAVAOV_OK);
    assert_int_equal(b->ops->download(b, &run, out, y), LLAVAOV_OK);
    b->ops->tensor_free(b, &x);
    b->ops->tensor_free(b, &y);
    b->ops->weight_free(b, weight);
    b->ops->weight_free(b, vector);
    b->ops->close(b);
}

/* One row by one output with the reference, in the order of int4.h. */
static float int4_output(const Case *c, const float *row, const float *weight)
{
    const LvInt4Kernels *k = lv_int4_reference();
    uint8_t *numbers = aligned_alloc(64, lv_int4_panel_bytes(c->inner));
    uint16_t *scales = malloc(lv_int4_panel_scales(c->inner) * sizeof *scales);
    LvInt4Unit *units = malloc(lv_int4_groups(c->inner) * sizeof *units);
    float out;
    assert_true(k->put_panel(numbers, scales, weight, 1, c->inner));
    k->put_row(units, 1, row, c->inner);
    const LvInt4Matrix matrix = {numbers, scales, 1, c->inner};
    const LvInt4Args args = {
        .out = &out, .out_stride = 1, .in = units, .rows = 1, .weight = &matrix, .cols = 1};
    k->product(&args);
    free(numbers), free(scales), free(units);
    return out;
}

/* The same with int8, in the order of int8.h. */
static float int8_output(const Case *c, const float *row, const float *weight)
{
    const LvInt8Kernels *k = lv_int8_reference();
    const size_t bytes = lv_int8_panel_bytes(c->inner);
    int8_t *numbers = aligned_alloc(64, (bytes + 63) / 64 * 64), *scratch = malloc(c->inner + 4);

    float scales[16], out;
    int32_t offsets[16], *columns = calloc(c->inner, sizeof *columns);
    void *line = malloc(2 * k->row_bytes(c->inner));
    k->put_panel(numbers, scales, offsets, columns, weight, 1, c->inner, scratch);
    const LvInt8Matrix matrix = {numbers, scales, offsets, 1, c->inner};
    const LvInt8Row measured = k->measure_row(row, c->inner);
    k->put_row(line, &measured, row, c->inner);
    const LvInt8Args args = {.out = &out,
        .out_stride = 1,
        .in = line,
        .rows = &measured,
        .n_rows = 1,
        .n_wide = measured.kind == LV_INT8_WIDE,
        .weight = &matrix,
        .cols = 1};
    k->product(&args);
    free(numbers), free(scratch), free(columns), free(line);
    return out;
}

static float reference_output(
    LlavaovPrecision precision, const Case *c, const float *row, const float *weight)
{
    return (precision == LLAVAOV_PRECISION_INT4 ? int4_output : int8_output)(c, row, weight);
}

static void check_case(LlavaovPrecision precision, const Case *c, const char *mask)
{
    const size_t outputs = outputs_of(c), cols = c->gated ? outputs / 2 : outputs;
    float *w = malloc(outputs * c->inner * sizeof *w),
          *in = malloc(c->rows * c->inner * sizeof *in), *bias = malloc(outputs * sizeof *bias),
          *residual = malloc(c->rows * cols * sizeof *w),
          *got = malloc(c->rows * cols * sizeof *got);
    for (size_t i = 0; i < outputs * c->inner; i++)
        w[i] = noise();
    for (size_t i = 0; i < c->rows * c->inner; i++)
        in[i] = noise() * (!c->tame && i / c->inner % 4 == 2 && i % 37 == 0
                                  ? 500
                                  : 1); /* some rows are wide, some skewed */
    for (size_t i = 0; i < c->rows * c->inner; i++)
        in[i] = i / c->inner % 3 == 1 ? fabsf(in[i]) : in[i];
    for (size_t i = 0; i < outputs; i++)
        bias[i] = noise();
    for (size_t i = 0; i < c->rows * cols; i++)
        residual[i] = noise();
    product(c, precision, mask, LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER | LV_WEIGHT_DECODER, w, in, bias,
        residual, got);
    for (size_t r = 0; r < c->rows; r += 1 + c->rows / 40)
        for (size_t o = 0; o < cols; o++) {
            float want = reference_output(precision, c, in + r * c->inner, w + o * c->inner);
            if (c->gated)
                want = (want > 0 ? want : 0) *
                       reference_output(precision, c, in + r * c->inner, w + (cols + o) * c->inner);
            if (c->bias)
                want += bias[o];
            if (c->residual)
                want += residual[r * cols + o];
            if (got[r * cols + o] != want)
                fail_msg("%s: row %zu, output %zu is %.9g, not %.9g", mask, r, o, got[r * cols + o],
                    want);
        }
    free(w), free(in), free(bias), free(residual), free(got);
}

static void products_are_the_reference(void **state)
{
    static const Case cases[] = {
        {LV_F32, 1, 65, {40}, .bias = true, .threads = 1},
        {LV_BF16, 1, 896, {70, 10, 10}, .bias = true, .threads = 2},
        {LV_F32, 33, 90, {30, 30}, .gated = true, .threads = 2},
        {LV_BF16, 5, 64, {64}, .gated = true, .threads = 1}, /* both in one tensor */
        {LV_F32, 60, 1001, {17, 1, 33}, .residual = true, .threads = 3},
        {LV_F32, 1700, 24, {20}, .bias = true, .residual = true, .threads = 2}, /* three chunks */
        {LV_BF16, 2, 1, {1}, .threads = 1},
        {LV_F32, 700, 100, {33, 20}, .residual = true, .threads = 2, .tame = true},
        {LV_F32, 0, 16, {16}, .threads = 2},
    };
    for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            if (!(set->flags & ~lv_cpu_flags())) {
                check_case(LLAVAOV_PRECISION_INT8, &cases[i], set->name);
                check_case(LLAVAOV_PRECISION_INT4, &cases[i], set->name);
            }
}

/* Bits of `auto`. */
static void what_stays_as_it_is(void **state)
{
    enum { OUTPUTS = 20, INNER = 600 };
    static float w[OUTPUTS * INNER], in[INNER], got[OUTPUTS], want[OUTPUTS];
    static const float zeros[OUTPUTS];
    const Case c = {LV_F32, 1, INNER, {OUTPUTS}, .threads = 2};
    for (size_t i = 0; i < INNER; i++)
        in[i] = noise();
    for (int outlier = 0; outlier < 2; outlier++) {
        for (size_t i = 0; i < OUTPUTS * INNER; i++)
            w[i] = noise() * (outlier && i % INNER == 9 ? 1000 : 1);
        product(&c, LLAVAOV_PRECISION_AUTO, NULL, LV_WEIGHT_LINEAR, w, in, zeros, zeros, want);
        product(&c, LLAVAOV_PRECISION_INT8, NULL, LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER, w, in, zeros,
            zeros, got);
        assert_int_equal(memcmp(got, want, sizeof got) == 0, outlier);
        product(&c, LLAVAOV_PRECISION_INT8, NULL, LV_WEIGHT_LINEAR | LV_WEIGHT_EXEMPT, w, in, zeros,
            zeros, got);
        assert_memory_equal(got, want, sizeof got);
        product(&c, LLAVAOV_PRECISION_INT8, NULL, LV_WEIGHT_LINEAR, w, in, zeros, zeros,
            got); /* the projector */
        assert_memory_equal(got, want, sizeof got);
        product(&c, LLAVAOV_PRECISION_INT8, NULL, LV_WEIGHT_LINEAR | LV_WEIGHT_TABLE, w, in, zeros,
            zeros, got);
        assert_memory_equal(got, want, sizeof got);
    }
}

/* With int4: what becomes of a weight follows from its use and its numbers. */
static void int4_is_the_decoders(void **state)
{
    enum { OUTPUTS = 20, INNER = 600 };
    static float w[OUTPUTS * INNER], in[INNER], got[OUTPUTS], stored[OUTPUTS], eight[OUTPUTS];
    static const float zeros[OUTPUTS];
    const Case c = {LV_F32, 1, INNER, {OUTPUTS}, .threads = 2};
    static const struct {
        unsigned use;
        const float *is; /* NULL: four bits */
    } cases[] = {
        {LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER | LV_WEIGHT_DECODER, NULL},
        {LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER, eight},
        {LV_WEIGHT_LINEAR, stored},
        {LV_WEIGHT_LINEAR | LV_WEIGHT_EXEMPT, stored},
        {LV_WEIGHT_LINEAR | LV_WEIGHT_EXEMPT | LV_WEIGHT_HEAD, eight},
        {LV_WEIGHT_LINEAR | LV_WEIGHT_TABLE | LV_WEIGHT_HEAD, eight},
    };
    for (size_t i = 0; i < INNER; i++)
        in[i] = noise();
    for (size_t i = 0; i < OUTPUTS * INNER; i++)
        w[i] = noise();
    product(&c, LLAVAOV_PRECISION_AUTO, NULL, LV_WEIGHT_LINEAR, w, in, zeros, zeros, stored);
    product(&c, LLAVAOV_PRECISION_INT8, NULL, LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER, w, in, zeros,
        zeros, eight);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        product(&c, LLAVAOV_PRECISION_INT4, NULL, cases[i].use, w, in, zeros, zeros, got);
        for (size_t o = 0; o < OUTPUTS; o++)
            assert_true(
                got[o] == (cases[i].is ? cases[i].is[o] : int4_output(&c, in, w + o * INNER)));
    }
    w[5] = 2 * LV_INT4_GREATEST; /* one number, which int8 keeps to itself as well */
    product(&c, LLAVAOV_PRECISION_INT8, NULL, LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER, w, in, zeros,
        zeros, eight);
    product(&c, LLAVAOV_PRECISION_INT4, NULL, cases[0].use, w, in, zeros, zeros, got);
    assert_memory_equal(got, eight, sizeof got);
}

static void four_bits_are_refused(void **state)
{
    static const uint8_t codes[32];
    static const float scale[1] = {1};
    const LvHostTensor scales = tensor_of(LV_F32, scale, 1, 1);
    LvHostTensor weight = tensor_of(LV_NF4, codes, 1, 64);
    const LvHostTensor *part = &weight;
    LvBackend *b = open_cpu(LLAVAOV_PRECISION_INT8, NULL, 1);
    LvWeight *loaded;
    LlavaovError error = {0};
    weight.bytes = sizeof codes;
    weight.scales = &scales;
    assert_int_equal(
        b->ops->weight_load(b, &part, 1, LV_WEIGHT_LINEAR | LV_WEIGHT_LAYER, &loaded, &error),
        LLAVAOV_ERROR_UNSUPPORTED);
    assert_string_equal(error.subject, "precision");
    b->ops->close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_the_reference),
        cmocka_unit_test(what_stays_as_it_is),
        cmocka_unit_test(int4_is_the_decoders),
        cmocka_unit_test(four_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
