/* SPDX-License-Identifier: Apache-2.0
 * Interlaced and turned pictures as they are shown, against the definition in picture/display.h
 * pixel by pixel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "golden.h"
#include "picture/color.h"
#include "picture/display.h"
#include "picture/image.h"
#include "picture/picture.h"
#include "picture/pixels.h"

enum { MAX_EDGE = 23 };

static const uint32_t edges[] = {1, 2, 3, 4, 5, 6, 7, 16, 23};
#define N_EDGES (sizeof edges / sizeof *edges)

/* A picture of random bytes whose planes are exactly as large as it demands. */
static void make_picture(LlavaovImage *image, uint8_t *planes[3], uint32_t seed)
{
    LvPlaneSize sizes[3];
    const uint32_t n = lv_image_planes(image, sizes);
    for (uint32_t i = 0; i < n; i++) {
        const size_t stride = sizes[i].row_bytes + i,
                     bytes = stride * (sizes[i].rows - 1) + sizes[i].row_bytes;
        planes[i] = malloc(bytes);
        golden_samples(planes[i], bytes, seed + i);
        image->plane[i] = planes[i];
        image->stride[i] = (ptrdiff_t)stride;
    }
    LlavaovError error;
    assert_int_equal(lv_image_check(image, &error), LLAVAOV_OK);
}

static void free_picture(uint8_t *planes[3])
{
    for (int i = 0; i < 3; i++)
        free(planes[i]);
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* The definition, from the stored rows as RGB. */
static int shown_colour(const LlavaovImage *image, const uint8_t *rgb, int x, int y, int c)
{
    const int h = (int)image->height, w = (int)image->width;
    const bool both =
        image->scan == LLAVAOV_SCAN_TOP_FIRST || image->scan == LLAVAOV_SCAN_BOTTOM_FIRST;
    const bool bottom =
        image->scan == LLAVAOV_SCAN_BOTTOM_FIRST || image->scan == LLAVAOV_SCAN_BOTTOM_FIELD;
    const int parity = bottom && h > 1;
#define STORED(row) rgb[((both ? (row) : (row) / 2) * w + x) * 3 + c]
    if (image->scan == LLAVAOV_SCAN_PROGRESSIVE)
        return rgb[(y * w + x) * 3 + c];
    if (y % 2 == parity)
        return STORED(y);
    const int up = y ? y - 1 : y + 1, down = y + 1 < h ? y + 1 : y - 1;
    if (!both)
        return (STORED(up) + STORED(down) + 1) / 2;
    int three[3] = {STORED(up), STORED(y), STORED(down)};
    qsort(three, 3, sizeof *three, compare);
    return three[1];
#undef STORED
}

/* Where the definition puts pixel (x, y). */
static void turned(LlavaovOrientation orientation, int w, int h, int *x, int *y)
{
    const int places[][2] = {{*x, *y}, {w - 1 - *x, *y}, {w - 1 - *x, h - 1 - *y}, {*x, h - 1 - *y},
        {*y, *x}, {h - 1 - *y, *x}, {h - 1 - *y, w - 1 - *x}, {*y, w - 1 - *x}};
    const int *place = places[orientation];
    *x = place[0];
    *y = place[1];
}

static void check_picture(LlavaovImage image, uint32_t seed)
{
    const int w = (int)image.width, h = (int)image.height;
    uint8_t *planes[3] = {NULL}, *pixels = NULL, rgb[MAX_EDGE * MAX_EDGE * 3];
    LlavaovImage shown;
    LlavaovError error;
    make_picture(&image, planes, seed);
    assert_int_equal(lv_color_to_rgb(&image, rgb, &error), LLAVAOV_OK);
    assert_int_equal(lv_image_show(&image, NULL, &shown, &pixels, &error), LLAVAOV_OK);
    const bool swap = image.orientation >= LLAVAOV_ORIENTATION_TRANSPOSE;
    assert_int_equal(shown.width, swap ? h : w);
    assert_int_equal(shown.height, swap ? w : h);
    assert_int_equal(shown.format, LLAVAOV_PIXEL_RGB);
    assert_true(lv_image_as_shown(&shown));
    assert_int_equal(lv_image_check(&shown, &error), LLAVAOV_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                int to_x = x, to_y = y;
                turned(image.orientation, w, h, &to_x, &to_y);
                assert_int_equal(shown.plane[0][to_y * shown.stride[0] + to_x * 3 + c],
                    shown_colour(&image, rgb, x, y, c));
            }
    lv_free(pixels);
    free_picture(planes);
}

static void every_scan_and_orientation_is_as_defined(void **state)
{
    static const LlavaovPixelFormat formats[] = {
        LLAVAOV_PIXEL_I420, LLAVAOV_PIXEL_NV12, LLAVAOV_PIXEL_BGR, LLAVAOV_PIXEL_RGBX};
    uint32_t seed = 1;
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++)
        for (int scan = LLAVAOV_SCAN_PROGRESSIVE; scan <= LLAVAOV_SCAN_BOTTOM_FIELD; scan++)
            for (int turn = LLAVAOV_ORIENTATION_UPRIGHT; turn <= LLAVAOV_ORIENTATION_ROTATE_270;
                 turn++)
                for (size_t i = 0; i < N_EDGES * N_EDGES; i++)
                    check_picture((LlavaovImage){.format = formats[f],
                                      .width = edges[i % N_EDGES],
                                      .height = edges[i / N_EDGES],
                                      .scan = (LlavaovScan)scan,
                                      .orientation = (LlavaovOrientation)turn},
                        seed += 3);
}

/* Rows of chroma that belong to the two fields in turn: each field is a picture of its own. */
static void the_fields_have_their_own_chroma(void **state)
{
    for (uint32_t height = 4; height <= 24; height += 4) {
        const uint32_t width = 7;
        LlavaovImage frame = {.format = LLAVAOV_PIXEL_I420,
            .width = width,
            .height = height,
            .scan = LLAVAOV_SCAN_TOP_FIRST};
        uint8_t *planes[3] = {NULL}, woven[7 * 24 * 3], alone[7 * 12 * 3];
        make_picture(&frame, planes, height);
        assert_int_equal(lv_color_to_rgb(&frame, woven, NULL), LLAVAOV_OK);
        for (uint32_t parity = 0; parity < 2; parity++) {
            LlavaovImage field = frame;
            field.scan = LLAVAOV_SCAN_PROGRESSIVE;
            field.height = height / 2;
            for (int i = 0; i < 3; i++) {
                field.plane[i] += (ptrdiff_t)parity * frame.stride[i];
                field.stride[i] *= 2;
            }
            assert_int_equal(lv_color_to_rgb(&field, alone, NULL), LLAVAOV_OK);
            for (uint32_t y = 0; y < height / 2; y++)
                assert_memory_equal(
                    alone + y * width * 3, woven + (2 * y + parity) * width * 3, width * 3);
        }
        free_picture(planes);
    }
}

/* Bars that move between the fields: no comb is left, and the picture is that of the first field's
 * moment. */
static void what_moves_shows_no_comb(void **state)
{
    enum { WIDTH = 40, HEIGHT = 21 };
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    for (int scan = LLAVAOV_SCAN_TOP_FIRST; scan <= LLAVAOV_SCAN_BOTTOM_FIRST; scan++)
        for (int slant = -1; slant <= 1; slant++)
            for (int speed = -9; speed <= 9; speed++) {
                const int first = scan == LLAVAOV_SCAN_BOTTOM_FIRST;
                for (int y = 0; y < HEIGHT; y++)
                    for (int x = 0; x < WIDTH; x++) {
                        const int left = 18 + slant * y / 2 + (y % 2 == first ? 0 : speed);
                        memset(rgb + (y * WIDTH + x) * 3, x >= left && x < left + 3 ? 230 : 20, 3);
                    }
                const LlavaovImage image = {.format = LLAVAOV_PIXEL_RGB,
                    .width = WIDTH,
                    .height = HEIGHT,
                    .plane = {rgb},
                    .stride = {WIDTH * 3},
                    .scan = (LlavaovScan)scan};
                LlavaovImage shown;
                uint8_t *pixels;
                assert_int_equal(lv_image_show(&image, NULL, &shown, &pixels, NULL), LLAVAOV_OK);
                for (int y = first + 1; y < HEIGHT - 1; y += 2)
                    for (int x = 0; x < WIDTH; x++) {
                        const uint8_t *p = pixels + (y * WIDTH + x) * 3;
                        const int a = p[-WIDTH * 3], b = p[WIDTH * 3];
                        assert_true((*p >= a || *p >= b) && (*p <= a || *p <= b));
                        if (slant == 0)
                            assert_int_equal(*p, a);
                    }
                lv_free(pixels);
            }
}

/* What stands still keeps its detail: slopes and edges of any direction are as they were. */
static void what_stands_still_stays(void **state)
{
    enum { WIDTH = 32, HEIGHT = 30 };
    static uint8_t rgb[WIDTH * HEIGHT * 3];
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *p = rgb + (y * WIDTH + x) * 3;
            p[0] = (uint8_t)(8 * y);                          /* a slope */
            p[1] = x % 2 ? 255 : 0;                           /* lines one column wide */
            p[2] = (uint8_t)(y / 2 % 2 ? 200 : 10 * (x % 3)); /* lines two rows thick */
        }
    LlavaovImage image = {.format = LLAVAOV_PIXEL_RGB,
        .width = WIDTH,
        .height = HEIGHT,
        .plane = {rgb},
        .stride = {WIDTH * 3},
        .scan = LLAVAOV_SCAN_TOP_FIRST};
    LlavaovImage shown;
    uint8_t *pixels;
    assert_int_equal(lv_image_show(&image, NULL, &shown, &pixels, NULL), LLAVAOV_OK);
    /* The last row is of the second field and has no neighbour below. */
    assert_memory_equal(pixels, rgb, WIDTH * (HEIGHT - 1) * 3);
    lv_free(pixels);
}

static void what_is_wrong_is_refused(void **state)
{
    static const uint8_t rgb[12];
    LlavaovImage image = {.format = LLAVAOV_PIXEL_RGB,
        .width = 2,
        .height = 2,
        .plane = {rgb},
        .stride = {6},
        .scan = (LlavaovScan)5};
    LlavaovImage shown;
    LlavaovError error;
    uint8_t out[12], *pixels = (uint8_t *)rgb;
    assert_int_equal(lv_image_check(&image, &error), LLAVAOV_ERROR_ARGUMENT);
    image.scan = LLAVAOV_SCAN_TOP_FIELD;
    image.orientation = (LlavaovOrientation)8;
    assert_int_equal(lv_image_check(&image, &error), LLAVAOV_ERROR_ARGUMENT);
    image.orientation = LLAVAOV_ORIENTATION_UPRIGHT;
    assert_int_equal(lv_image_check(&image, &error), LLAVAOV_OK);
    assert_int_equal(lv_picture_resize(&image, LLAVAOV_RESIZE_TORCHVISION, 2, 2, NULL, out, &error),
        LLAVAOV_ERROR_ARGUMENT);

    LvCancel cancel = {0};
    lv_cancel_request(&cancel);
    assert_int_equal(
        lv_image_show(&image, &cancel, &shown, &pixels, &error), LLAVAOV_ERROR_CANCELLED);
    assert_null(pixels);
    for (int64_t n = 0; n < 2; n++) {
        lv_alloc_fail_after(n);
        assert_int_equal(
            lv_image_show(&image, NULL, &shown, &pixels, &error), LLAVAOV_ERROR_MEMORY);
        assert_null(pixels);
    }
    lv_alloc_fail_after(-1);
}

/* Heights stay, but for pictures that would be too wide. */
static void pixels_that_are_no_squares(void **state)
{
    static const struct {
        uint32_t width, height, pixel_width, pixel_height, shown_width, shown_height;
    } table[] = {
        {720, 576, 64, 45, 1024, 576}, /* PAL, 16:9 */
        {720, 576, 16, 15, 768, 576},
        {720, 480, 8, 9, 640, 480}, /* NTSC */
        {1440, 1080, 4, 3, 1920, 1080},
        {352, 288, 12, 11, 384, 288},
        {7, 5, 3, 2, 11, 5}, /* 10.5 */
        {1, 1, 1, 1000, 1, 1},
        {9, 7, 5, 5, 9, 7},
        {9, 7, 0, 0, 9, 7},
        {9, 7, 0, 1, 9, 7},
        {9, 7, 3, 0, 9, 7},
        {16384, 200, 2, 1, 16384, 100},
        {16384, 2, UINT32_MAX, 1, 16384, 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const LlavaovImage image = {.width = table[i].width,
            .height = table[i].height,
            .pixel_width = table[i].pixel_width,
            .pixel_height = table[i].pixel_height};
        uint32_t width, height;
        lv_image_square_size(&image, &width, &height);
        assert_int_equal(width, table[i].shown_width);
        assert_int_equal(height, table[i].shown_height);
    }
}

/* What is turned has its pixels turned with it, and is resized as pictures are. */
static void square_pixels_come_of_a_resize(void **state)
{
    LlavaovImage image = {.format = LLAVAOV_PIXEL_I420,
        .width = 22,
        .height = 9,
        .scan = LLAVAOV_SCAN_TOP_FIRST,
        .pixel_width = 2,
        .pixel_height = 3};
    LlavaovError error;
    uint8_t *planes[3] = {0};
    make_picture(&image, planes, 5);
    for (int turned = 0; turned < 2; turned++) {
        static uint8_t expected[22 * 22 * 3];
        LlavaovImage shown, square;
        uint8_t *pixels, *squares;
        image.orientation = turned ? LLAVAOV_ORIENTATION_ROTATE_90 : LLAVAOV_ORIENTATION_UPRIGHT;
        assert_int_equal(lv_image_show(&image, NULL, &shown, &pixels, &error), LLAVAOV_OK);
        assert_false(lv_image_has_square_pixels(&shown));
        assert_int_equal(
            lv_image_square(&shown, LLAVAOV_RESIZE_PILLOW, NULL, &square, &squares, &error),
            LLAVAOV_OK);
        assert_int_equal(square.width, turned ? 14 : 15); /* 9 * 3 / 2 and 22 * 2 / 3 */
        assert_int_equal(square.height, turned ? 22 : 9);
        assert_true(lv_image_has_square_pixels(&square));
        assert_int_equal(lv_picture_resize(&shown, LLAVAOV_RESIZE_PILLOW, square.width,
                             square.height, NULL, expected, &error),
            LLAVAOV_OK);
        assert_memory_equal(squares, expected, (size_t)square.width * square.height * 3);
        lv_free(squares);
        LvCancel cancel = {0};
        lv_cancel_request(&cancel);
        assert_int_equal(
            lv_image_square(&shown, LLAVAOV_RESIZE_PILLOW, &cancel, &square, &squares, &error),
            LLAVAOV_ERROR_CANCELLED);
        assert_null(squares);
        lv_free(pixels);
    }
    free_picture(planes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scan_and_orientation_is_as_defined),
        cmocka_unit_test(the_fields_have_their_own_chroma),
        cmocka_unit_test(what_moves_shows_no_comb),
        cmocka_unit_test(what_stands_still_stays),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(pixels_that_are_no_squares),
        cmocka_unit_test(square_pixels_come_of_a_resize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
