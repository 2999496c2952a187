/* SPDX-License-Identifier: Apache-2.0
 * Resizes, tiles and colours against what torchvision, Pillow and HF transformers made:
 * tests/golden/picture.txt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "golden.h"
#include "picture/color.h"
#include "picture/picture.h"

static LlavaovImage rgb_picture(uint32_t width, uint32_t height)
{
    size_t n = (size_t)width * height * 3;
    uint8_t *rgb = malloc(n);
    golden_samples(rgb, n, width * 65536 + height);
    return (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = width,
        .height = height,
        .plane = {rgb},
        .stride = {(ptrdiff_t)width * 3}};
}

static LlavaovResize variant_of(const char *name)
{
    if (!strcmp(name, "pillow"))
        return LLAVAOV_RESIZE_PILLOW;
    assert_string_equal(name, "torchvision");
    return LLAVAOV_RESIZE_TORCHVISION;
}

static void resize_line(const char *line)
{
    char variant[16];
    uint32_t width, height, out_width, out_height, crc;
    assert_int_equal(sscanf(line, "resize %15s %u %u %u %u %x", variant, &width, &height,
                         &out_width, &out_height, &crc),
        6);
    LlavaovImage image = rgb_picture(width, height);
    size_t n = (size_t)out_width * out_height * 3;
    uint8_t *rgb = malloc(n);
    assert_int_equal(
        lv_picture_resize(&image, variant_of(variant), out_width, out_height, NULL, rgb, NULL),
        LLAVAOV_OK);
    if (golden_crc32(rgb, n) != crc)
        fail_msg("%s", line);
    free(rgb);
    free((void *)image.plane[0]);
}

static void tiles_line(const char *line)
{
    char layout[16], variant[16];
    uint32_t size, grid, rows, cols, width, height, n, crc;
    assert_int_equal(sscanf(line, "tiles %15s %15s %u %u %u %u %u %u %u %x", layout, variant, &size,
                         &grid, &rows, &cols, &width, &height, &n, &crc),
        10);
    uint32_t pinpoints[64][2];
    LvConfig config = {.vision = {.image_size = size, .grid = grid, .n_channels = 3},
        .anyres_max = 9,
        .n_pinpoints = rows * cols,
        .pinpoints = pinpoints};
    lv_preprocess_default(&config);
    for (uint32_t i = 0; i < rows * cols; i++) {
        pinpoints[i][0] = size * (1 + i / cols);
        pinpoints[i][1] = size * (1 + i % cols);
    }
    LlavaovLayout which = !strcmp(layout, "video")   ? LLAVAOV_LAYOUT_VIDEO
                          : !strcmp(layout, "image") ? LLAVAOV_LAYOUT_IMAGE
                                                     : LLAVAOV_LAYOUT_IMAGES;
    LlavaovImage image = rgb_picture(width, height);
    LvTiles tiles;
    assert_int_equal(
        lv_picture_prepare(&config, which, variant_of(variant), &image, NULL, &tiles, NULL),
        LLAVAOV_OK);
    assert_int_equal(tiles.n, n);
    assert_int_equal(tiles.image_size, size);
    assert_int_equal(tiles.width, width);
    assert_int_equal(tiles.height, height);
    if (golden_crc32(tiles.rgb, (size_t)n * size * size * 3) != crc)
        fail_msg("%s", line);
    lv_tiles_free(&tiles);
    free((void *)image.plane[0]);
}

static void yuv_line(const char *line)
{
    char format[8];
    uint32_t bt709, full, width, height, crc;
    assert_int_equal(
        sscanf(line, "yuv %7s %u %u %u %u %x", format, &bt709, &full, &width, &height, &crc), 6);
    bool planar = !strcmp(format, "I420");
    uint32_t seed = width * 65536 + height, half = (width + 1) / 2;
    size_t n = (size_t)width * height, n_chroma = (size_t)half * ((height + 1) / 2);
    uint8_t *y = malloc(n), *u = malloc(n_chroma), *v = malloc(n_chroma),
            *uv = malloc(2 * n_chroma), *rgb = malloc(3 * n);
    golden_samples(y, n, seed);
    golden_samples(u, n_chroma, seed + 1);
    golden_samples(v, n_chroma, seed + 2);
    for (size_t i = 0; i < n_chroma; i++) {
        uv[2 * i] = u[i];
        uv[2 * i + 1] = v[i];
    }
    LlavaovImage image = {.format = planar ? LLAVAOV_PIXEL_I420 : LLAVAOV_PIXEL_NV12,
        .width = width,
        .height = height,
        .plane = {y, planar ? u : uv, planar ? v : NULL},
        .stride = {width, planar ? half : 2 * half, half},
        .matrix = bt709 ? LLAVAOV_MATRIX_BT709 : LLAVAOV_MATRIX_BT601,
        .range = full ? LLAVAOV_RANGE_FULL : LLAVAOV_RANGE_LIMITED};
    assert_int_equal(lv_image_check(&image, NULL), LLAVAOV_OK);
    assert_int_equal(lv_color_to_rgb(&image, rgb, NULL), LLAVAOV_OK);
    if (golden_crc32(rgb, 3 * n) != crc)
        fail_msg("%s", line);
    free(y);
    free(u);
    free(v);
    free(uv);
    free(rgb);
}

/* Runs every line that begins with `kind`; there must be at least `least` of them. */
static void every_line(const char *kind, void (*check)(const char *line), int least)
{
    FILE *file = fopen(GOLDEN_DIR "/picture.txt", "r");
    assert_non_null(file);
    char line[256];
    int n = 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, kind, strlen(kind))) {
            check(line);
            n++;
        }
    fclose(file);
    assert_true(n >= least);
}

static void resizes_equal_torchvision_and_pillow(void **state)
{
    every_line("resize ", resize_line, 40);
}

static void tiles_equal_the_image_processors(void **state)
{
    every_line("tiles ", tiles_line, 90);
}

static void colours_equal_the_formula(void **state)
{
    every_line("yuv ", yuv_line, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizes_equal_torchvision_and_pillow),
        cmocka_unit_test(tiles_equal_the_image_processors),
        cmocka_unit_test(colours_equal_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
