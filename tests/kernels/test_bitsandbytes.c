/* SPDX-License-Identifier: Apache-2.0
 * Codes, scales, nested scales and dequantised weights against checksums of bitsandbytes' own
 * (make_bitsandbytes.py), and every kernel set against the reference on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <float.h>
#include <math.h>
#include <cmocka.h>

#include "bitsandbytes.h"
#include "ops.h"

typedef enum Kind {
    NORMAL,
    ZEROS,
    DENORMAL,
    HUGE_ONE,
    SPARSE,
    BORDERS,
    CONSTANT,
    TINY,
    SIGNED_ZEROS
} Kind;

enum { CODES, SCALES, WHOLE, NESTED_CODES, NESTED_SCALES, FROM_NESTED, N_PARTS };

typedef struct Golden {
    size_t rows, cols;
    LvDtype dtype, type;
    Kind kind;
    uint32_t seed, offset; /* offset: the bits of the scales' mean */
    uint32_t crc[N_PARTS];
} Golden;

#include "bitsandbytes_golden.h"

static uint32_t crc32_of(const void *data, size_t bytes)
{
    const uint8_t *p = data;
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

/* ---- the script's tensors ---- */

static uint32_t mixed(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* A number at, or beside, one of the borders between codes. */
static float near_border(const Golden *g, uint32_t h)
{
    static const uint8_t order[16] = {11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3};
    const float *codes = lv_dtype_traits(g->type)->codes;
    const size_t k = h % 15, low = g->type == LV_FP4 ? order[k] : k,
                 high = g->type == LV_FP4 ? order[k + 1] : k + 1;
    if (g->dtype != LV_F32)
        return ((float)(h % 257) - 128) / 128;
    const float border = (codes[low] + codes[high]) / 2;
    return from_bits(bits_of(border) + (h >> 16) % 5 - (border == 0 ? 0 : 2));
}

static float value(const Golden *g, uint32_t i)
{
    static const int exponents[] = {[LV_F32] = -26, [LV_F16] = -14, [LV_BF16] = -12},
                     smallest[] = {[LV_F32] = -149, [LV_F16] = -24, [LV_BF16] = -133};
    static const float greatest[] = {[LV_F32] = FLT_MAX, [LV_F16] = 65504, [LV_BF16] = 0x1.FEp127f};
    const uint32_t h = mixed(i + g->seed * 0x9E3779B9u), block = i / 64;
    const int32_t bell = (int32_t)((h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24)) - 510;
    const int32_t whole = g->dtype == LV_F32   ? bell * 4096 + (int32_t)(mixed(h) & 4095)
                          : g->dtype == LV_F16 ? bell
                                               : bell / 4;
    const float normal = ldexpf((float)whole, exponents[g->dtype]);
    switch (g->kind) {
    case ZEROS:
        return 0;
    case DENORMAL:
        return ldexpf((float)whole, smallest[g->dtype]);
    case HUGE_ONE:
        return i == g->rows * g->cols / 3 ? greatest[g->dtype] : normal;
    case SPARSE:
        return block % 3 == 0 ? 0 : ldexpf((float)whole, exponents[g->dtype] - (int)(block % 7));
    case BORDERS:
        return i % 64 == 0 ? 1 : near_border(g, h);
    case CONSTANT:
        return -0.015625f;
    case TINY:
        return i % 64 == 0 ? 1 : ldexpf(h & 1 ? 1 : -1, -4 - (int)(h >> 8 & 7));
    case SIGNED_ZEROS:
        return h & 1 ? -0.0f : normal;
    default:
        return normal;
    }
}

/* ---- */

static void check_whole(const Golden *g, const uint8_t *codes, const float *scales, int part)
{
    /* A row of an odd number of codes does not begin at a byte: one row then. */
    const size_t n = g->rows * g->cols, rows = g->cols % 2 ? 1 : g->rows, blocks = (n + 63) / 64;
    const LvMatrix scale = {.data = scales, .dtype = LV_F32, .rows = 1, .cols = blocks};
    const LvMatrix matrix = {.data = codes,
        .scales = &scale,
        .dtype = g->type,
        .rounded_to = g->dtype,
        .rows = rows,
        .cols = n / rows};
    float *whole = malloc(n * sizeof *whole), *again = malloc(n * sizeof *again);
    lv_kernels_reference()->to_float(whole, &matrix);
    assert_int_equal(crc32_of(whole, n * sizeof *whole), g->crc[part]);
    for (const LvKernelSet *set = lv_kernel_sets(); set->name; set++) {
        if (set->flags & ~lv_cpu_flags())
            continue;
        set->kernels()->to_float(again, &matrix);
        assert_memory_equal(again, whole, n * sizeof *whole);
    }
    free(whole), free(again);
}

static void same_as_bitsandbytes(void **state)
{
    assert_true(sizeof goldens / sizeof *goldens >= 200);
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        const Golden *g = &goldens[i];
        const size_t n = g->rows * g->cols, blocks = (n + LV_BNB_BLOCK - 1) / LV_BNB_BLOCK,
                     nested = (blocks + LV_BNB_NESTED - 1) / LV_BNB_NESTED;
        float *in = malloc(n * sizeof *in), *scales = malloc(blocks * sizeof *scales),
              *nested_scales = malloc(nested * sizeof *nested_scales);
        uint8_t *codes = malloc((n + 1) / 2), *nested_codes = malloc(blocks);
        for (size_t k = 0; k < n; k++)
            in[k] = value(g, (uint32_t)k);
        /* In two calls, as threads share it. */
        const size_t half = blocks / 2;
        lv_bnb_quantise(g->type, in, half * 64, codes, scales);
        lv_bnb_quantise(g->type, in + half * 64, n - half * 64, codes + half * 32, scales + half);
        assert_int_equal(crc32_of(codes, (n + 1) / 2), g->crc[CODES]);
        assert_int_equal(crc32_of(scales, blocks * sizeof *scales), g->crc[SCALES]);
        check_whole(g, codes, scales, WHOLE);
        const float offset = lv_bnb_mean(scales, blocks);
        assert_int_equal(bits_of(offset), g->offset);
        lv_bnb_nest(scales, blocks, offset, nested_codes, nested_scales);
        assert_int_equal(crc32_of(nested_codes, blocks), g->crc[NESTED_CODES]);
        assert_int_equal(
            crc32_of(nested_scales, nested * sizeof *nested_scales), g->crc[NESTED_SCALES]);
        lv_bnb_expand(scales, nested_codes, blocks, lv_bnb_nested_map(), nested_scales,
            LV_BNB_NESTED, offset);
        check_whole(g, codes, scales, FROM_NESTED);
        free(in), free(scales), free(nested_scales), free(codes), free(nested_codes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_bitsandbytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
