/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "golden.h"
#include "picture/picture.h"
#include "picture/resize.h"
#include "picture/resize_weights.h"

static int32_t weight(const LvResizeAxis *axis, uint32_t i, uint32_t x)
{
    size_t at = (size_t)i * axis->stride + x - axis->first[i];
    return axis->low[at] + (axis->high ? axis->high[at] * (1 << LV_WEIGHT_SPLIT) : 0);
}

/* One pass as the header says it, in 64 bits; lines of `axis->in` samples `step` bytes apart become
 * lines of `out`. */
static void plain_pass(const LvResizeAxis *axis, const uint8_t *in, uint8_t *out, size_t step)
{
    for (uint32_t i = 0; i < axis->out; i++) {
        int64_t sum = (int64_t)1 << (axis->precision - 1);
        for (uint32_t x = axis->begin[i]; x < axis->end[i]; x++)
            sum += (int64_t)weight(axis, i, x) * in[x * step];
        sum >>= axis->precision;
        out[i * step] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

static uint8_t *plain_resize(
    LlavaovResize variant, const uint8_t *rgb, uint32_t w, uint32_t h, uint32_t ow, uint32_t oh)
{
    LvResizeAxis across, down;
    assert_int_equal(
        lv_resize_axis_init(&across, variant, LV_FILTER_BICUBIC, w, ow, NULL), LLAVAOV_OK);
    assert_int_equal(
        lv_resize_axis_init(&down, variant, LV_FILTER_BICUBIC, h, oh, NULL), LLAVAOV_OK);
    bool down_first =
        variant == LLAVAOV_RESIZE_PILLOW && h > oh && (int64_t)h - oh > 2 * ((int64_t)w - ow);
    size_t wide = w > ow ? w : ow, high = h > oh ? h : oh;
    uint8_t *a = malloc(wide * high * 3), *b = malloc(wide * high * 3);
    /* Both pictures keep `wide` pixels a row, so that a column's step is the same before and after.
     */
    for (uint32_t y = 0; y < h; y++)
        memcpy(a + y * wide * 3, rgb + (size_t)y * w * 3, (size_t)w * 3);
    for (int pass = 0; pass < 2; pass++) {
        bool vertical = (pass == 0) == down_first;
        uint32_t lines = vertical ? (down_first ? w : ow) : (down_first ? oh : h);
        for (uint32_t line = 0; line < lines; line++)
            for (int c = 0; c < 3; c++) {
                size_t start = (vertical ? line * 3 : line * wide * 3) + (size_t)c;
                plain_pass(
                    vertical ? &down : &across, a + start, b + start, vertical ? wide * 3 : 3);
            }
        uint8_t *swap = a;
        a = b;
        b = swap;
    }
    for (uint32_t y = 0; y < oh; y++)
        memmove(a + (size_t)y * ow * 3, a + y * wide * 3, (size_t)ow * 3);
    free(b);
    lv_resize_axis_free(&across);
    lv_resize_axis_free(&down);
    return a;
}

static LlavaovImage rgb_image(const uint8_t *rgb, uint32_t width, uint32_t height)
{
    return (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = width,
        .height = height,
        .plane = {rgb},
        .stride = {(ptrdiff_t)width * 3}};
}

static uint32_t next_size(uint32_t *state, uint32_t most)
{
    *state = *state * 1664525 + 1013904223;
    uint32_t value = *state >> 8;
    return 1 + (value & 3 ? value % 40 : value % most);
}

static void resizes_equal_the_plain_passes(void **state)
{
    uint32_t random = 7;
    for (int i = 0; i < 240; i++) {
        uint32_t w = next_size(&random, 300), h = next_size(&random, 300);
        uint32_t ow = next_size(&random, 300), oh = next_size(&random, 300);
        if (i % 7 == 0)
            ow = w;
        if (i % 11 == 0)
            oh = h;
        LlavaovResize variant = i % 2 ? LLAVAOV_RESIZE_PILLOW : LLAVAOV_RESIZE_TORCHVISION;
        uint8_t *rgb = malloc((size_t)w * h * 3), *got = malloc((size_t)ow * oh * 3);
        golden_samples(rgb, (size_t)w * h * 3, (uint32_t)i);
        LlavaovImage image = rgb_image(rgb, w, h);
        assert_int_equal(lv_picture_resize(&image, variant, ow, oh, NULL, got, NULL), LLAVAOV_OK);
        uint8_t *expected = plain_resize(variant, rgb, w, h, ow, oh);
        assert_memory_equal(got, expected, (size_t)ow * oh * 3);
        free(expected);
        free(rgb);
        free(got);
    }
}

/* What the passes rely on: windows in order and inside, 32-bit sums that cannot overflow, weights
 * that add up to one. */
static void check_axis(LlavaovResize variant, uint32_t in, uint32_t out)
{
    LvResizeAxis axis;
    assert_int_equal(
        lv_resize_axis_init(&axis, variant, LV_FILTER_BICUBIC, in, out, NULL), LLAVAOV_OK);
    assert_true(axis.precision >= 1 && axis.precision <= 22);
    for (uint32_t i = 0; i < out; i++) {
        assert_true(axis.begin[i] < axis.end[i] && axis.end[i] <= in);
        assert_true(axis.end[i] - axis.begin[i] <= axis.max_taps);
        assert_true(axis.first[i] <= axis.begin[i]);
        assert_true(axis.first[i] + axis.stride >= axis.end[i]);
        assert_true(axis.first[i] + axis.stride <= lv_resizer_row_samples(in));
        if (i) {
            assert_true(axis.begin[i] >= axis.begin[i - 1]);
            assert_true(axis.end[i] >= axis.end[i - 1]);
        }
        int64_t magnitude = 0, total = 0;
        for (uint32_t x = axis.begin[i]; x < axis.end[i]; x++) {
            magnitude += labs(weight(&axis, i, x));
            total += weight(&axis, i, x);
        }
        assert_true(magnitude * 255 + (1 << (axis.precision - 1)) <= INT32_MAX);
        assert_true(llabs(total - (1 << axis.precision)) <= axis.max_taps);
    }
    assert_int_equal(axis.end[out - 1], in);
    lv_resize_axis_free(&axis);
}

static void weights_of_every_size_are_sound(void **state)
{
    static const uint32_t edges[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 100, 383, 384, 385, 1000, 1080,
        2304, 8192, 16383, LV_MAX_PICTURE_EDGE};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t j = 0; j < sizeof edges / sizeof *edges; j++) {
            check_axis(LLAVAOV_RESIZE_TORCHVISION, edges[i], edges[j]);
            check_axis(LLAVAOV_RESIZE_PILLOW, edges[i], edges[j]);
        }
    for (uint32_t in = 1; in < 60; in++)
        for (uint32_t out = 1; out < 60; out++) {
            check_axis(LLAVAOV_RESIZE_TORCHVISION, in, out);
            check_axis(LLAVAOV_RESIZE_PILLOW, in, out);
        }
}

static void count_row(void *data, uint32_t y, const uint8_t *planes)
{
    uint32_t *n = data;
    assert_int_equal(y, *n);
    ++*n;
}

static void the_largest_picture_needs_little_memory(void **state)
{
    uint32_t edge = LV_MAX_PICTURE_EDGE, n = 0;
    int16_t *row = calloc(edge, sizeof *row);
    LvResizer *resizer;
    for (uint32_t x = 0; x < edge; x++)
        row[x] = (int16_t)(x & 255);
    assert_int_equal(lv_resizer_new(LLAVAOV_RESIZE_PILLOW, LV_FILTER_BICUBIC, edge, edge, 384, 384,
                         count_row, &n, &resizer, NULL),
        LLAVAOV_OK);
    assert_int_equal(lv_resizer_push(resizer, row, row, row, NULL, NULL), LLAVAOV_OK);
    for (uint32_t y = 1; y < edge; y++)
        assert_int_equal(lv_resizer_push_again(resizer, NULL, NULL), LLAVAOV_OK);
    assert_int_equal(n, 384);
    lv_resizer_free(resizer);
    free(row);
}

static void rows_beyond_the_last_are_refused(void **state)
{
    int16_t row[8] = {1, 2, 3};
    LvResizer *resizer;
    uint32_t n = 0;
    assert_int_equal(lv_resizer_new(LLAVAOV_RESIZE_TORCHVISION, LV_FILTER_BICUBIC, 3, 1, 2, 5,
                         count_row, &n, &resizer, NULL),
        LLAVAOV_OK);
    assert_int_equal(lv_resizer_push_again(resizer, NULL, NULL), LLAVAOV_ERROR_INTERNAL);
    assert_int_equal(lv_resizer_push(resizer, row, row, row, NULL, NULL), LLAVAOV_OK);
    assert_int_equal(n, 5);
    assert_int_equal(lv_resizer_push(resizer, row, row, row, NULL, NULL), LLAVAOV_ERROR_INTERNAL);
    assert_int_equal(lv_resizer_push_again(resizer, NULL, NULL), LLAVAOV_ERROR_INTERNAL);
    lv_resizer_free(resizer);
}

static void sizes_out_of_range_are_refused(void **state)
{
    uint8_t pixel[3] = {0}, rgb[3];
    LlavaovImage image = rgb_image(pixel, 1, 1);
    LlavaovError error;
    assert_int_equal(lv_picture_resize(&image, LLAVAOV_RESIZE_PILLOW, 0, 1, NULL, rgb, &error),
        LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(lv_picture_resize(&image, LLAVAOV_RESIZE_PILLOW, 1, LV_MAX_PICTURE_EDGE + 1,
                         NULL, rgb, &error),
        LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(lv_picture_resize(&image, (LlavaovResize)7, 1, 1, NULL, rgb, &error),
        LLAVAOV_ERROR_ARGUMENT);
}

static void every_allocation_may_fail(void **state)
{
    uint8_t rgb[30 * 20 * 3], out[9 * 7 * 3];
    golden_samples(rgb, sizeof rgb, 1);
    LlavaovImage image = rgb_image(rgb, 20, 30);
    for (int variant = LLAVAOV_RESIZE_TORCHVISION; variant <= LLAVAOV_RESIZE_PILLOW; variant++) {
        int failures = 0;
        for (;; failures++) {
            lv_alloc_fail_after(failures);
            LlavaovError error;
            LlavaovStatus status =
                lv_picture_resize(&image, (LlavaovResize)variant, 9, 7, NULL, out, &error);
            if (status == LLAVAOV_OK)
                break;
            assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
            assert_int_equal(error.status, LLAVAOV_ERROR_MEMORY);
        }
        lv_alloc_fail_after(-1);
        assert_true(failures >= 10);
    }
}

static void a_cancelled_resize_stops(void **state)
{
    uint8_t rgb[12] = {0}, out[12];
    LlavaovImage image = rgb_image(rgb, 2, 2);
    LvCancel cancel = {0};
    lv_cancel_request(&cancel);
    assert_int_equal(
        lv_picture_resize(&image, LLAVAOV_RESIZE_TORCHVISION, 2, 2, &cancel, out, NULL),
        LLAVAOV_ERROR_CANCELLED);
    assert_int_equal(
        lv_picture_resize(&image, LLAVAOV_RESIZE_TORCHVISION, 1, 4, &cancel, out, NULL),
        LLAVAOV_ERROR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizes_equal_the_plain_passes),
        cmocka_unit_test(weights_of_every_size_are_sound),
        cmocka_unit_test(the_largest_picture_needs_little_memory),
        cmocka_unit_test(rows_beyond_the_last_are_refused),
        cmocka_unit_test(sizes_out_of_range_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_cancelled_resize_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
