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

static uint32_t pinpoints[4][2] = {{32, 32}, {32, 64}, {64, 32}, {64, 64}};
static const LvConfig config = {.vision = {.image_size = 32, .grid = 4, .n_channels = 3},
    .image = LV_PREPROCESS_RELEASED(32),
    .video = LV_PREPROCESS_RELEASED(32),
    .anyres_max = 9,
    .n_pinpoints = 4,
    .pinpoints = pinpoints};

static LlavaovImage rgb_image(const uint8_t *rgb, uint32_t width, uint32_t height)
{
    return (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = width,
        .height = height,
        .plane = {rgb},
        .stride = {(ptrdiff_t)width * 3}};
}

static LlavaovStatus prepare(
    LlavaovLayout layout, const LlavaovImage *image, LvTiles *tiles, LlavaovError *error)
{
    return lv_picture_prepare(
        &config, layout, LLAVAOV_RESIZE_TORCHVISION, image, NULL, tiles, error);
}

/* A picture of the canvas' own size is cut without being resampled: every byte can be followed. */
static void the_canvas_is_cut_row_by_row(void **state)
{
    uint8_t rgb[64 * 64 * 3];
    golden_samples(rgb, sizeof rgb, 5);
    LlavaovImage image = rgb_image(rgb, 64, 64);
    LvTiles tiles;
    assert_int_equal(prepare(LLAVAOV_LAYOUT_IMAGE, &image, &tiles, NULL), LLAVAOV_OK);
    assert_int_equal(tiles.n, 5);
    for (uint32_t y = 0; y < 64; y++)
        for (uint32_t x = 0; x < 64; x++) {
            uint32_t tile = 1 + y / 32 * 2 + x / 32;
            const uint8_t *got = tiles.rgb + ((tile * 32 + y % 32) * 32 + x % 32) * 3;
            assert_memory_equal(got, rgb + (y * 64 + x) * 3, 3);
        }
    lv_tiles_free(&tiles);
    assert_null(tiles.rgb);
}

static void the_canvas_is_padded_with_black(void **state)
{
    uint8_t rgb[40 * 64 * 3];
    memset(rgb, 200, sizeof rgb);
    LlavaovImage image = rgb_image(rgb, 64, 40);
    LvTiles tiles;
    assert_int_equal(prepare(LLAVAOV_LAYOUT_IMAGE, &image, &tiles, NULL), LLAVAOV_OK);
    assert_int_equal(tiles.plan.best_height, 64);
    assert_int_equal(tiles.plan.pad_top, 12);
    assert_int_equal(tiles.plan.pad_left, 0);
    for (uint32_t y = 0; y < 64; y++)
        for (uint32_t x = 0; x < 64; x++) {
            const uint8_t *got =
                tiles.rgb + (((1 + y / 32 * 2 + x / 32) * 32 + y % 32) * 32 + x % 32) * 3;
            assert_int_equal(got[0], y < 12 || y >= 52 ? 0 : 200);
        }
    lv_tiles_free(&tiles);
}

static void one_of_several_images_is_padded_with_grey(void **state)
{
    uint8_t rgb[32 * 15 * 3];
    memset(rgb, 10, sizeof rgb);
    LlavaovImage image = rgb_image(rgb, 15, 32);
    LvTiles tiles;
    assert_int_equal(prepare(LLAVAOV_LAYOUT_IMAGES, &image, &tiles, NULL), LLAVAOV_OK);
    assert_int_equal(tiles.n, 1);
    for (uint32_t y = 0; y < 32; y++)
        for (uint32_t x = 0; x < 32; x++)
            for (int c = 0; c < 3; c++)
                assert_int_equal(
                    tiles.rgb[(y * 32 + x) * 3 + (uint32_t)c], x < 8 || x >= 23 ? 127 : 10);
    lv_tiles_free(&tiles);
    image = rgb_image(rgb, 32, 15);
    assert_int_equal(prepare(LLAVAOV_LAYOUT_IMAGES, &image, &tiles, NULL), LLAVAOV_OK);
    for (uint32_t y = 0; y < 32; y++)
        assert_int_equal(tiles.rgb[y * 32 * 3], y < 8 || y >= 23 ? 127 : 10);
    lv_tiles_free(&tiles);
}

/* The same picture through YUV planes and through RGB bytes that lv_color_to_rgb made of them. */
static void yuv_goes_the_same_way_as_rgb(void **state)
{
    enum { WIDTH = 77, HEIGHT = 51, HALF = 39 };
    uint8_t y[WIDTH * HEIGHT], u[HALF * 26], v[HALF * 26], rgb[WIDTH * HEIGHT * 3];
    golden_samples(y, sizeof y, 1);
    golden_samples(u, sizeof u, 2);
    golden_samples(v, sizeof v, 3);
    LlavaovImage yuv = {.format = LLAVAOV_PIXEL_I420,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {y, u, v},
        .stride = {WIDTH, HALF, HALF}};
    LlavaovImage image = rgb_image(rgb, WIDTH, HEIGHT);
    assert_int_equal(
        lv_picture_resize(&yuv, LLAVAOV_RESIZE_TORCHVISION, WIDTH, HEIGHT, NULL, rgb, NULL),
        LLAVAOV_OK);
    for (int layout = LLAVAOV_LAYOUT_VIDEO; layout <= LLAVAOV_LAYOUT_IMAGES; layout++) {
        LvTiles a, b;
        assert_int_equal(prepare((LlavaovLayout)layout, &yuv, &a, NULL), LLAVAOV_OK);
        assert_int_equal(prepare((LlavaovLayout)layout, &image, &b, NULL), LLAVAOV_OK);
        assert_int_equal(a.n, b.n);
        assert_memory_equal(a.rgb, b.rgb, a.n * 32 * 32 * 3);
        lv_tiles_free(&a);
        lv_tiles_free(&b);
    }
}

static void the_smallest_and_the_longest_pictures(void **state)
{
    static const uint32_t sizes[][2] = {
        {1, 1}, {1, 2}, {LV_MAX_PICTURE_EDGE, 1}, {1, LV_MAX_PICTURE_EDGE}};
    for (size_t i = 0; i < 4; i++) {
        uint32_t width = sizes[i][0], height = sizes[i][1];
        uint8_t *rgb = malloc((size_t)width * height * 3);
        golden_samples(rgb, (size_t)width * height * 3, 9);
        LlavaovImage image = rgb_image(rgb, width, height);
        for (int layout = LLAVAOV_LAYOUT_VIDEO; layout <= LLAVAOV_LAYOUT_IMAGES; layout++) {
            LvTiles tiles;
            assert_int_equal(prepare((LlavaovLayout)layout, &image, &tiles, NULL), LLAVAOV_OK);
            if (width * height == 1)
                assert_memory_equal(tiles.rgb, rgb, 3);
            lv_tiles_free(&tiles);
        }
        free(rgb);
    }
}

static void assert_refused(const LlavaovImage *image)
{
    LlavaovError error;
    LvTiles tiles;
    assert_int_equal(lv_image_check(image, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_true(error.message[0] != 0);
    assert_int_equal(prepare(LLAVAOV_LAYOUT_VIDEO, image, &tiles, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(error.about, LLAVAOV_ABOUT_PICTURE);
    assert_null(tiles.rgb);
}

static void pictures_that_do_not_fit_their_planes_are_refused(void **state)
{
    uint8_t bytes[64] = {0};
    LlavaovImage good = {.format = LLAVAOV_PIXEL_I420,
        .width = 5,
        .height = 3,
        .plane = {bytes, bytes, bytes},
        .stride = {5, 3, 3}};
    assert_int_equal(lv_image_check(&good, NULL), LLAVAOV_OK);
    for (int plane = 0; plane < 3; plane++) {
        LlavaovImage image = good;
        image.plane[plane] = NULL;
        assert_refused(&image);
        image = good;
        image.stride[plane]--;
        assert_refused(&image);
        image.stride[plane] = -image.stride[plane] - 1;
        assert_refused(&image);
        image.stride[plane] = PTRDIFF_MAX;
        assert_refused(&image);
        image.stride[plane] = PTRDIFF_MIN;
        assert_refused(&image);
    }
    LlavaovImage image = good;
    image.format = LLAVAOV_PIXEL_NV12;
    assert_refused(&image); /* 3 bytes cannot hold 3 pairs */
    image.stride[1] = 6;
    image.plane[2] = NULL;
    assert_int_equal(lv_image_check(&image, NULL), LLAVAOV_OK);
    image = good;
    image.format = (LlavaovPixelFormat)99;
    assert_refused(&image);
    image = good;
    image.matrix = (LlavaovColorMatrix)2;
    assert_refused(&image);
    image = good;
    image.range = (LlavaovColorRange)-1;
    assert_refused(&image);
    image = good;
    image.width = 0;
    assert_refused(&image);
    image.width = LV_MAX_PICTURE_EDGE + 1;
    assert_refused(&image);
    image = good;
    image.height = 0;
    assert_refused(&image);
    image.height = UINT32_MAX;
    assert_refused(&image);
    for (int format = LLAVAOV_PIXEL_RGB; format <= LLAVAOV_PIXEL_BGRX; format++) {
        ptrdiff_t row = format <= LLAVAOV_PIXEL_BGR ? 15 : 20;
        image = (LlavaovImage){.format = (LlavaovPixelFormat)format,
            .width = 5,
            .height = 3,
            .plane = {bytes},
            .stride = {row}};
        assert_int_equal(lv_image_check(&image, NULL), LLAVAOV_OK);
        image.stride[0]--;
        assert_refused(&image);
    }
}

static void bad_arguments_and_configurations_are_refused(void **state)
{
    uint8_t pixel[3] = {0};
    LlavaovImage image = rgb_image(pixel, 1, 1);
    LvTiles tiles;
    LlavaovError error;
    assert_int_equal(prepare((LlavaovLayout)3, &image, &tiles, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(lv_picture_prepare(&config, LLAVAOV_LAYOUT_VIDEO, (LlavaovResize)3, &image,
                         NULL, &tiles, &error),
        LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(error.about, LLAVAOV_ABOUT_OPTION);
    LvConfig other = config;
    other.vision.n_channels = 1;
    assert_int_equal(lv_picture_prepare(&other, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_RESIZE_PILLOW, &image,
                         NULL, &tiles, &error),
        LLAVAOV_ERROR_UNSUPPORTED);
    other = config;
    other.vision.image_size = 33;
    assert_int_equal(lv_picture_prepare(&other, LLAVAOV_LAYOUT_IMAGE, LLAVAOV_RESIZE_PILLOW, &image,
                         NULL, &tiles, &error),
        LLAVAOV_ERROR_UNSUPPORTED);
}

static void every_allocation_may_fail(void **state)
{
    uint8_t rgb[50 * 20 * 3];
    golden_samples(rgb, sizeof rgb, 1);
    LlavaovImage image = rgb_image(rgb, 20, 50);
    for (int layout = LLAVAOV_LAYOUT_VIDEO; layout <= LLAVAOV_LAYOUT_IMAGES; layout++)
        for (int failures = 0;; failures++) {
            LvTiles tiles;
            lv_alloc_fail_after(failures);
            LlavaovStatus status = lv_picture_prepare(
                &config, (LlavaovLayout)layout, LLAVAOV_RESIZE_PILLOW, &image, NULL, &tiles, NULL);
            if (status == LLAVAOV_OK) {
                lv_alloc_fail_after(-1);
                lv_tiles_free(&tiles);
                assert_true(failures >= 10);
                break;
            }
            assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
            assert_null(tiles.rgb);
        }
}

static void cancelling_leaves_nothing_behind(void **state)
{
    uint8_t pixel[3] = {0};
    LlavaovImage image = rgb_image(pixel, 1, 1);
    LvCancel cancel = {0};
    LvTiles tiles;
    lv_cancel_request(&cancel);
    assert_int_equal(lv_picture_prepare(&config, LLAVAOV_LAYOUT_IMAGE, LLAVAOV_RESIZE_PILLOW,
                         &image, &cancel, &tiles, NULL),
        LLAVAOV_ERROR_CANCELLED);
    assert_null(tiles.rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canvas_is_cut_row_by_row),
        cmocka_unit_test(the_canvas_is_padded_with_black),
        cmocka_unit_test(one_of_several_images_is_padded_with_grey),
        cmocka_unit_test(yuv_goes_the_same_way_as_rgb),
        cmocka_unit_test(the_smallest_and_the_longest_pictures),
        cmocka_unit_test(pictures_that_do_not_fit_their_planes_are_refused),
        cmocka_unit_test(bad_arguments_and_configurations_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(cancelling_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
