/* SPDX-License-Identifier: Apache-2.0
 * The picture code for another program to drive: binary requests on stdin, answers on stdout, all
 * numbers 32-bit little-endian. Used by tests/parity/picture.py.
 *
 *   'R' variant width height out_width out_height, RGB bytes      -> status, out RGB bytes
 *   'C' format matrix range width height, plane bytes (tight rows) -> status, RGB bytes
 *   'L' CONFIG width height                        -> status, the plan's 16 fields, the row map
 *   'P' CONFIG layout variant width height, RGB bytes              -> status, n, n tiles of RGB bytes
 *
 * CONFIG = image_size grid anyres_max n_pinpoints, then height width of each. Answers after a status
 * other than 0 stop there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture/color.h"
#include "picture/picture.h"

static uint32_t number(void)
{
    uint32_t value;
    if (fread(&value, sizeof value, 1, stdin) != 1)
        exit(2);
    return value;
}

static uint8_t *bytes(size_t n)
{
    uint8_t *block = malloc(n ? n : 1);
    if (!block || fread(block, 1, n, stdin) != n)
        exit(2);
    return block;
}

static void answer(const void *data, size_t n)
{
    if (fwrite(data, 1, n, stdout) != n)
        exit(2);
}

static LlavaovStatus begin(LlavaovStatus status, const LlavaovError *error)
{
    int32_t value = status;
    answer(&value, sizeof value);
    if (status)
        fprintf(stderr, "%s\n", error->message);
    return status;
}

static LlavaovImage rgb_image(uint32_t width, uint32_t height)
{
    LlavaovImage image = {.format = LLAVAOV_PIXEL_RGB, .width = width, .height = height};
    image.plane[0] = bytes((size_t)width * height * 3);
    image.stride[0] = (ptrdiff_t)width * 3;
    return image;
}

static void resize(void)
{
    LlavaovError error;
    uint32_t variant = number(), width = number(), height = number();
    uint32_t out_width = number(), out_height = number();
    LlavaovImage image = rgb_image(width, height);
    size_t n = (size_t)out_width * out_height * 3;
    uint8_t *rgb = malloc(n);
    if (!begin(lv_picture_resize(
                   &image, (LlavaovResize)variant, out_width, out_height, NULL, rgb, &error),
            &error))
        answer(rgb, n);
    free(rgb);
    free((void *)image.plane[0]);
}

static void color(void)
{
    LlavaovError error;
    LlavaovImage image = {.format = (LlavaovPixelFormat)number()};
    image.matrix = (LlavaovColorMatrix)number();
    image.range = (LlavaovColorRange)number();
    uint32_t width = image.width = number(), height = image.height = number();
    uint32_t half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    uint32_t rows[3] = {height, half_height, half_height};
    int n_planes = 1;
    if (image.format == LLAVAOV_PIXEL_I420) {
        n_planes = 3;
        image.stride[0] = width;
        image.stride[1] = image.stride[2] = half_width;
    } else if (image.format == LLAVAOV_PIXEL_NV12) {
        n_planes = 2;
        image.stride[0] = width;
        image.stride[1] = 2 * half_width;
    } else {
        image.stride[0] = (ptrdiff_t)width * (image.format <= LLAVAOV_PIXEL_BGR ? 3 : 4);
    }
    for (int i = 0; i < n_planes; i++)
        image.plane[i] = bytes((size_t)image.stride[i] * rows[i]);
    size_t n = (size_t)width * height * 3;
    uint8_t *rgb = malloc(n);
    LlavaovStatus status = lv_image_check(&image, &error);
    if (!status)
        status = lv_color_to_rgb(&image, rgb, &error);
    if (!begin(status, &error))
        answer(rgb, n);
    free(rgb);
    for (int i = 0; i < n_planes; i++)
        free((void *)image.plane[i]);
}

static LvConfig read_config(void)
{
    LvConfig config = {.vision = {.image_size = number()}};
    config.vision.grid = number();
    config.vision.n_channels = 3;
    lv_preprocess_default(&config);
    config.anyres_max = number();
    config.n_pinpoints = number();
    config.pinpoints = (uint32_t(*)[2])bytes(config.n_pinpoints * sizeof *config.pinpoints);
    return config;
}

static void layout(void)
{
    LlavaovError error;
    LvConfig config = read_config();
    uint32_t width = number(), height = number();
    LvAnyresPlan plan;
    if (!begin(lv_anyres_plan(&config, width, height, &plan, &error), &error)) {
        answer(&plan, sizeof plan);
        size_t n = (size_t)plan.crop_height * plan.crop_width;
        uint32_t *rows = malloc(n * sizeof *rows + 1);
        lv_anyres_rows(&config.vision, &plan, rows);
        answer(rows, n * sizeof *rows);
        free(rows);
    }
    free(config.pinpoints);
}

static void prepare(void)
{
    LlavaovError error;
    LvConfig config = read_config();
    uint32_t which = number(), variant = number(), width = number(), height = number();
    LlavaovImage image = rgb_image(width, height);
    LvTiles tiles;
    if (!begin(lv_picture_prepare(&config, (LlavaovLayout)which, (LlavaovResize)variant, &image,
                   NULL, &tiles, &error),
            &error)) {
        answer(&tiles.n, sizeof tiles.n);
        answer(tiles.rgb, (size_t)tiles.n * tiles.image_size * tiles.image_size * 3);
        lv_tiles_free(&tiles);
    }
    free((void *)image.plane[0]);
    free(config.pinpoints);
}

int main(void)
{
    for (int request; (request = getchar()) != EOF; fflush(stdout)) {
        switch (request) {
        case 'R':
            resize();
            break;
        case 'C':
            color();
            break;
        case 'L':
            layout();
            break;
        case 'P':
            prepare();
            break;
        default:
            return 2;
        }
    }
    return 0;
}
