/* SPDX-License-Identifier: Apache-2.0
 * Pictures of any format, size, stride, scan and orientation through every layout and resize. The
 * input's head says what the picture claims to be; the rest fills planes that are exactly as large
 * as the public header demands. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "picture/display.h"
#include "picture/picture.h"

typedef struct Head {
    uint8_t format, matrix, range, layout, resize, flags;
    uint16_t width, height, out_width, out_height;
    int16_t stride[3]; /* more than a row needs; may be less than nothing */
} Head;

/* Bytes of a row of plane p, and its rows. */
static void plane_shape(const LlavaovImage *image, int p, size_t *row, size_t *rows)
{
    size_t width = image->width, height = image->height;
    if (image->scan == LLAVAOV_SCAN_TOP_FIELD)
        height = (height + 1) / 2;
    else if (image->scan == LLAVAOV_SCAN_BOTTOM_FIELD && height > 1)
        height /= 2;
    bool yuv = image->format == LLAVAOV_PIXEL_I420 || image->format == LLAVAOV_PIXEL_NV12;
    if (yuv && p > 0) {
        *row = (width + 1) / 2 * (image->format == LLAVAOV_PIXEL_NV12 ? 2 : 1);
        *rows = (height + 1) / 2;
    } else {
        *row = width * (yuv ? 1 : image->format <= LLAVAOV_PIXEL_BGR ? 3 : 4);
        *rows = height;
    }
}

static void run(const LlavaovImage *image, const Head *head)
{
    static uint32_t pinpoints[][2] = {{24, 24}, {24, 48}, {48, 24}, {48, 72}};
    LvConfig config = {.vision = {.image_size = 24, .grid = 3, .n_channels = 3},
        .image = LV_PREPROCESS_RELEASED(24),
        .video = LV_PREPROCESS_RELEASED(24),
        .anyres_max = 2,
        .n_pinpoints = 4,
        .pinpoints = pinpoints};
    LlavaovError error = {0};
    LlavaovImage shown;
    uint8_t *pixels = NULL;
    LvTiles tiles;
    if (lv_image_check(image, &error) == LLAVAOV_OK && !lv_image_as_shown(image)) {
        FUZZ_CHECK(lv_image_show(image, NULL, &shown, &pixels, &error) == LLAVAOV_OK);
        FUZZ_CHECK(lv_image_check(&shown, &error) == LLAVAOV_OK);
        image = &shown;
    }
    error.status = LLAVAOV_OK;
    LlavaovStatus status = lv_picture_prepare(&config, (LlavaovLayout)(head->layout % 4),
        (LlavaovResize)((head->resize + 1) % 3), image, NULL, &tiles, &error);
    FUZZ_CHECK(status == error.status && (!status || *error.message));
    FUZZ_CHECK(status ? !tiles.rgb : tiles.n >= 1 && tiles.n <= 7 && tiles.image_size == 24);
    if (!status && head->layout % 4 == LLAVAOV_LAYOUT_IMAGE) {
        size_t n = (size_t)tiles.plan.crop_height * tiles.plan.crop_width;
        uint32_t *rows = malloc(n * sizeof *rows + 1);
        lv_anyres_rows(&config.vision, &tiles.plan, rows);
        for (size_t i = 0; i < n; i++)
            FUZZ_CHECK(rows[i] >= 9 && rows[i] < tiles.n * 9);
        free(rows);
    }
    lv_tiles_free(&tiles);

    uint32_t out_width = head->out_width % 130, out_height = head->out_height % 130;
    uint8_t *rgb = malloc((size_t)out_width * out_height * 3 + 1);
    status = lv_picture_resize(
        image, (LlavaovResize)(1 + head->resize % 2), out_width, out_height, NULL, rgb, &error);
    FUZZ_CHECK(status == LLAVAOV_OK || status == LLAVAOV_ERROR_ARGUMENT);
    free(rgb);
    lv_free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Head head = {0};
    size_t taken = size < sizeof head ? size : sizeof head;
    if (taken)
        memcpy(&head, data, taken);
    data += taken;
    size -= taken;

    /* Sizes past the limits now and then, but few pixels: each run must be short. A picture that is
     * padded to a square has as many as the square. */
    bool square = head.layout % 4 == LLAVAOV_LAYOUT_IMAGES, slim = head.flags & 1;
    LlavaovImage image = {.format = (LlavaovPixelFormat)(head.format % 9),
        .matrix = (LlavaovColorMatrix)(head.matrix % 3),
        .range = (LlavaovColorRange)(head.range % 3),
        .width = slim ? head.width % (square ? 1000 : 65536) : head.width % 200,
        .height = slim ? head.height % 3 : head.height % 200,
        .scan = (LlavaovScan)(head.flags / 8 % 6),
        .orientation = (LlavaovOrientation)(head.resize / 16 % 9)};
    if (head.flags & 2) {
        uint32_t swap = image.width;
        image.width = image.height;
        image.height = swap;
    }
    uint8_t *planes[3] = {NULL};
    bool sound = image.format <= LLAVAOV_PIXEL_BGRX;
    for (int p = 0; p < 3 && sound; p++) {
        size_t row, rows;
        plane_shape(&image, p, &row, &rows);
        image.stride[p] = (ptrdiff_t)row + head.stride[p];
        if (image.stride[p] < 0 || (head.flags & 4 && p == head.range % 3))
            continue; /* NULL, or a stride to be refused */
        size_t n = rows ? (size_t)image.stride[p] * (rows - 1) + row : 0;
        if (n > 4u << 20)
            continue;
        planes[p] = malloc(n ? n : 1);
        for (size_t i = 0; i < n; i++)
            planes[p][i] = size ? data[i % size] : 0;
        image.plane[p] = planes[p];
    }
    run(&image, &head);
    for (int p = 0; p < 3; p++)
        free(planes[p]);
    return 0;
}
