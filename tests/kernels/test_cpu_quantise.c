/* SPDX-License-Identifier: Apache-2.0
 * Weights that become four bits as they are loaded: products with them have the bits of products with
 * the same numbers in float32, for every kernel set, few rows and many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "base/status.h"
#include "bitsandbytes.h"
#include "ops.h"

typedef struct Case {
    LlavaovPrecision precision;
    LvDtype stored; /* F32, or BF16: the upper halves of the same floats */
    size_t rows, inner, outputs;
} Case;

static float noise(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(int32_t)(*seed & 0xFFFF0000u) * 0x1p-31f;
}

static LvBackend *open_cpu(LlavaovPrecision precision, const char *mask)
{
    const LvBackendOptions options = {
        .device = "cpu", .precision = precision, .threads = 2, .cpu_mask = mask};
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

/* in . weight^T, weight loaded by a backend of this precision. */
static void product(const Case *c, LlavaovPrecision precision, const char *mask, unsigned use,
    const LvHostTensor *tensor, const float *in, float *out)
{
    LvBackend *b = open_cpu(precision, mask);
    LlavaovError error = {0};
    const LvRun run = {.error = &error};
    LvWeight *weight;
    LvTensor x, y;
    if (b->ops->weight_load(b, &tensor, 1, use, &weight, &error))
        fail_msg("%s", error.message);
    assert_int_equal(b->ops->tensor_alloc(b, c->rows, c->inner, &x, &error), LLAVAOV_OK);
    assert_int_equal(b->ops->tensor_alloc(b, c->rows, c->outputs, &y, &error), LLAVAOV_OK);
    assert_int_equal(b->ops->upload(b, &run, x, in), LLAVAOV_OK);
    assert_int_equal(
        b->ops->linear(b, &run, y, x, weight, NULL, LV_ACTIVATION_NONE, NULL), LLAVAOV_OK);
    assert_int_equal(b->ops->download(b, &run, out, y), LLAVAOV_OK);
    b->ops->tensor_free(b, &x);
    b->ops->tensor_free(b, &y);
    b->ops->weight_free(b, weight);
    b->ops->close(b);
}

/* What the weight's numbers are in four bits, by the kernels alone. */
static void four_bits(const Case *c, const float *w, float *out)
{
    const size_t n = c->outputs * c->inner, blocks = (n + LV_BNB_BLOCK - 1) / LV_BNB_BLOCK;
    const bool nested = c->precision == LLAVAOV_PRECISION_NF4_DQ ||
                        c->precision == LLAVAOV_PRECISION_FP4_DQ,
               nf4 = c->precision == LLAVAOV_PRECISION_NF4 ||
                     c->precision == LLAVAOV_PRECISION_NF4_DQ;
    uint8_t *codes = malloc(n / 2 + 1), *nested_codes = malloc(blocks),
            *rows = malloc(c->outputs * (c->inner / 2 + 1));
    float *scales = malloc(blocks * sizeof *scales),
          *nested_scales = malloc(blocks * sizeof *scales);
    lv_bnb_quantise(nf4 ? LV_NF4 : LV_FP4, w, n, codes, scales);
    if (nested) {
        const float mean = lv_bnb_mean(scales, blocks);
        lv_bnb_nest(scales, blocks, mean, nested_codes, nested_scales);
        lv_bnb_expand(
            scales, nested_codes, blocks, lv_bnb_nested_map(), nested_scales, LV_BNB_NESTED, mean);
    }
    lv_bnb_rows(rows, codes, c->outputs, c->inner);
    const LvMatrix scale = {.data = scales, .dtype = LV_F32, .rows = 1, .cols = blocks};
    const LvMatrix matrix = {.data = rows,
        .scales = &scale,
        .dtype = nf4 ? LV_NF4 : LV_FP4,
        .rounded_to = c->stored,
        .rows = c->outputs,
        .cols = c->inner};
    lv_kernels_reference()->to_float(out, &matrix);
    free(codes), free(nested_codes), free(rows), free(scales), free(nested_scales);
}

static void products_have_the_bits_of_floats(void **state)
{
    static const Case cases[] = {
        {LLAVAOV_PRECISION_NF4, LV_F32, 1, 128, 65},
        {LLAVAOV_PRECISION_NF4, LV_BF16, 40, 96, 130},
        {LLAVAOV_PRECISION_FP4, LV_BF16, 3, 4304, 33},
        {LLAVAOV_PRECISION_FP4_DQ, LV_F32, 50, 200, 70}, /* blocks cross rows */
        {LLAVAOV_PRECISION_NF4_DQ, LV_BF16, 5, 53, 91},  /* rows of an odd length */
        {LLAVAOV_PRECISION_NF4_DQ, LV_F32, 2, 1, 1},
        {LLAVAOV_PRECISION_FP4, LV_F32, 33, 1152, 300},
    };
    uint32_t seed = 7;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++) {
            const Case *c = &cases[i];
            if (set->flags & ~lv_cpu_flags())
                continue;
            const size_t n = c->outputs * c->inner, results = c->rows * c->outputs;
            float *w = malloc(n * sizeof *w), *narrow = malloc(n * sizeof *narrow),
                  *in = malloc(c->rows * c->inner * sizeof *in),
                  *got = malloc(results * sizeof *got), *want = malloc(results * sizeof *want);
            uint16_t *halves = malloc(n * sizeof *halves);
            for (size_t k = 0; k < n; k++) {
                w[k] = noise(&seed);
                uint32_t bits;
                memcpy(&bits, &w[k], sizeof bits);
                bits &= 0xFFFF0000u; /* a bfloat16 too */
                memcpy(&w[k], &bits, sizeof bits);
                halves[k] = (uint16_t)(bits >> 16);
            }
            for (size_t k = 0; k < c->rows * c->inner; k++)
                in[k] = noise(&seed);
            four_bits(c, w, narrow);
            const LvHostTensor stored = tensor_of(c->stored,
                                   c->stored == LV_F32 ? (const void *)w : halves, c->outputs,
                                   c->inner),
                               plain = tensor_of(LV_F32, narrow, c->outputs, c->inner),
                               whole = tensor_of(LV_F32, w, c->outputs, c->inner);
            product(c, c->precision, set->name, LV_WEIGHT_LINEAR, &stored, in, got);
            product(c, LLAVAOV_PRECISION_AUTO, set->name, LV_WEIGHT_LINEAR, &plain, in, want);
            assert_memory_equal(got, want, results * sizeof *got);
            /* The head, and everything where the precision is auto, stays as it is stored. */
            product(
                c, c->precision, set->name, LV_WEIGHT_LINEAR | LV_WEIGHT_EXEMPT, &stored, in, got);
            product(c, LLAVAOV_PRECISION_AUTO, set->name, LV_WEIGHT_LINEAR, &whole, in, want);
            assert_memory_equal(got, want, results * sizeof *got);
            free(w), free(narrow), free(in), free(got), free(want), free(halves);
        }
}

static void mixed_types_are_refused(void **state)
{
    static const uint8_t codes[32];
    static const float scale[1] = {1};
    const LvHostTensor scales = tensor_of(LV_F32, scale, 1, 1);
    LvHostTensor weight = tensor_of(LV_NF4, codes, 1, 64);
    const LvHostTensor *part = &weight;
    LvBackend *b = open_cpu(LLAVAOV_PRECISION_FP4, NULL);
    LvWeight *loaded;
    LlavaovError error = {0};
    weight.bytes = sizeof codes;
    weight.scales = &scales;
    assert_int_equal(b->ops->weight_load(b, &part, 1, LV_WEIGHT_LINEAR, &loaded, &error),
        LLAVAOV_ERROR_UNSUPPORTED);
    assert_int_equal(error.about, LLAVAOV_ABOUT_OPTION);
    assert_string_equal(error.subject, "precision");
    b->ops->close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_have_the_bits_of_floats),
        cmocka_unit_test(mixed_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
