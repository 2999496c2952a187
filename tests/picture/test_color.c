/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "picture/color.h"
#include "ops.h"

/* The formula of the header in real numbers. */
static double real_channel(int channel, bool bt709, bool full, int y, int u, int v)
{
    double kr = bt709 ? 0.2126 : 0.299, kb = bt709 ? 0.0722 : 0.114, kg = 1 - kr - kb;
    double luma = full ? y / 255.0 : (y - 16) / 219.0;
    double cb = (u - 128) / (full ? 255.0 : 224.0), cr = (v - 128) / (full ? 255.0 : 224.0);
    double value = channel == 0 ? luma + 2 * (1 - kr) * cr
                   : channel == 2
                       ? luma + 2 * (1 - kb) * cb
                       : luma - 2 * kb * (1 - kb) / kg * cb - 2 * kr * (1 - kr) / kg * cr;
    return fmin(fmax(value * 255, 0), 255);
}

static void every_yuv_value_is_within_one_of_the_real_formula(void **state)
{
    /* One row of 256 luma values for each pair of chroma values, on a grid of 5 that holds 0 and
     * 255. */
    uint8_t luma[256], u[128], v[128];
    int16_t rgb[3][256];
    for (int i = 0; i < 256; i++)
        luma[i] = (uint8_t)i;
    double worst = 0;
    size_t off = 0, all = 0;
    for (int mode = 0; mode < 4; mode++)
        for (int cu = 0; cu < 256; cu += 5)
            for (int cv = 0; cv < 256; cv += 5) {
                memset(u, cu, sizeof u);
                memset(v, cv, sizeof v);
                LlavaovImage image = {.format = LLAVAOV_PIXEL_I420,
                    .width = 256,
                    .height = 1,
                    .plane = {luma, u, v},
                    .stride = {256, 128, 128},
                    .matrix = mode & 1 ? LLAVAOV_MATRIX_BT709 : LLAVAOV_MATRIX_BT601,
                    .range = mode & 2 ? LLAVAOV_RANGE_FULL : LLAVAOV_RANGE_LIMITED};
                lv_color_row(
                    lv_plane_kernels_choose(lv_cpu_flags()), &image, 0, rgb[0], rgb[1], rgb[2]);
                for (int y = 0; y < 256; y++)
                    for (int c = 0; c < 3; c++) {
                        double real = real_channel(c, mode & 1, mode & 2, y, cu, cv);
                        worst = fmax(worst, fabs(rgb[c][y] - real));
                        off += rgb[c][y] != (int)floor(real + 0.5);
                        all++;
                    }
            }
    /* Half a step of rounding and a little for the factors. */
    assert_true(worst < 0.51);
    assert_true(off < all / 100);
}

static void known_colours(void **state)
{
    static const struct {
        LlavaovColorMatrix matrix;
        LlavaovColorRange range;
        uint8_t yuv[3], rgb[3];
    } cases[] = {
        {LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_LIMITED, {16, 128, 128}, {0, 0, 0}},
        {LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_LIMITED, {235, 128, 128}, {255, 255, 255}},
        {LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_LIMITED, {81, 90, 240}, {254, 0, 0}},
        {LLAVAOV_MATRIX_BT709, LLAVAOV_RANGE_LIMITED, {63, 102, 240}, {255, 1, 0}},
        {LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_FULL, {76, 85, 255}, {254, 0, 0}},
        {LLAVAOV_MATRIX_BT709, LLAVAOV_RANGE_FULL, {255, 0, 0}, {53, 255, 17}},
        {LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_LIMITED, {0, 0, 0}, {0, 136, 0}},
        {LLAVAOV_MATRIX_BT601, LLAVAOV_RANGE_LIMITED, {255, 255, 255}, {255, 125, 255}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LlavaovImage image = {.format = LLAVAOV_PIXEL_I420,
            .width = 1,
            .height = 1,
            .plane = {cases[i].yuv, cases[i].yuv + 1, cases[i].yuv + 2},
            .stride = {1, 1, 1},
            .matrix = cases[i].matrix,
            .range = cases[i].range};
        uint8_t rgb[3];
        assert_int_equal(lv_color_to_rgb(&image, rgb, NULL), LLAVAOV_OK);
        assert_memory_equal(rgb, cases[i].rgb, 3);
    }
}

static uint8_t noise(uint32_t i)
{
    i = i * 2654435761u + 12345;
    return (uint8_t)(i >> 13);
}

/* Every format shows the same picture; strides are longer than rows; sizes odd and even, below and
 * above a block. */
static void formats_strides_and_sizes_agree(void **state)
{
    for (uint32_t width = 1; width < 300; width += width < 8 ? 1 : 61)
        for (uint32_t height = 1; height < 6; height++) {
            uint32_t half = (width + 1) / 2, half_rows = (height + 1) / 2, i = 0;
            size_t pitch = width + 5;
            uint8_t *y = malloc(pitch * height), *u = malloc((half + 3) * half_rows),
                    *v = malloc((half + 1) * half_rows), *uv = malloc((2 * half + 4) * half_rows),
                    *expected = malloc(3 * width * height), *got = malloc(3 * width * height),
                    *packed = malloc((4 * width + 9) * height);
            for (size_t k = 0; k < pitch * height; k++)
                y[k] = noise(i++);
            for (uint32_t r = 0; r < half_rows; r++)
                for (uint32_t x = 0; x < half; x++) {
                    u[r * (half + 3) + x] = uv[r * (2 * half + 4) + 2 * x] = noise(i++);
                    v[r * (half + 1) + x] = uv[r * (2 * half + 4) + 2 * x + 1] = noise(i++);
                }
            LlavaovImage planar = {.format = LLAVAOV_PIXEL_I420,
                .width = width,
                .height = height,
                .plane = {y, u, v},
                .stride = {(ptrdiff_t)pitch, half + 3, half + 1}};
            LlavaovImage interleaved = planar;
            interleaved.format = LLAVAOV_PIXEL_NV12;
            interleaved.plane[1] = uv;
            interleaved.stride[1] = 2 * half + 4;
            interleaved.plane[2] = NULL;
            assert_int_equal(lv_color_to_rgb(&planar, expected, NULL), LLAVAOV_OK);
            assert_int_equal(lv_color_to_rgb(&interleaved, got, NULL), LLAVAOV_OK);
            assert_memory_equal(got, expected, 3 * width * height);
            for (uint32_t p = 0; p < width * height; p++)
                for (int c = 0; c < 3; c++) {
                    uint32_t px = p % width, py = p / width;
                    double real = real_channel(c, false, false, y[py * pitch + px],
                        u[py / 2 * (half + 3) + px / 2], v[py / 2 * (half + 1) + px / 2]);
                    assert_true(fabs(expected[3 * p + (uint32_t)c] - real) < 0.51);
                }
            for (int format = LLAVAOV_PIXEL_RGB; format <= LLAVAOV_PIXEL_BGRX; format++) {
                bool swapped = format == LLAVAOV_PIXEL_BGR || format == LLAVAOV_PIXEL_BGRA ||
                               format == LLAVAOV_PIXEL_BGRX;
                uint32_t bytes = format <= LLAVAOV_PIXEL_BGR ? 3 : 4;
                LlavaovImage image = {.format = (LlavaovPixelFormat)format,
                    .width = width,
                    .height = height,
                    .plane = {packed},
                    .stride = {(ptrdiff_t)(4 * width + 9)}};
                for (uint32_t p = 0; p < width * height; p++)
                    for (uint32_t c = 0; c < bytes; c++)
                        packed[p / width * (4 * width + 9) + p % width * bytes + c] =
                            c == 3 ? noise(i++) : expected[3 * p + (swapped ? 2 - c : c)];
                assert_int_equal(lv_color_to_rgb(&image, got, NULL), LLAVAOV_OK);
                assert_memory_equal(got, expected, 3 * width * height);
            }
            free(y);
            free(u);
            free(v);
            free(uv);
            free(expected);
            free(got);
            free(packed);
        }
}

static void no_memory_is_an_error(void **state)
{
    uint8_t pixel[3] = {1, 2, 3}, rgb[3];
    LlavaovImage image = {
        .format = LLAVAOV_PIXEL_RGB, .width = 1, .height = 1, .plane = {pixel}, .stride = {3}};
    lv_alloc_fail_after(0);
    assert_int_equal(lv_color_to_rgb(&image, rgb, NULL), LLAVAOV_ERROR_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_yuv_value_is_within_one_of_the_real_formula),
        cmocka_unit_test(known_colours),
        cmocka_unit_test(formats_strides_and_sizes_agree),
        cmocka_unit_test(no_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
