/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/picture.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "ops.h"
#include "picture/color.h"
#include "picture/resize.h"

/* int(0.5 * 255): the mean of the normalisation, as the reference pads. */
#define PAD_GREY 127

/* Where resized rows go: at (left, top) of a canvas that is cut into columns of tiles. */
typedef struct Canvas {
    uint8_t *tiles; /* [rows * columns][tile_height][tile_width][3] */
    uint32_t tile_width, tile_height, columns, left, top, width;
} Canvas;

static void paste_row(void *data, uint32_t y, const uint8_t *planes)
{
    const Canvas *canvas = data;
    uint32_t tile_width = canvas->tile_width, tile_height = canvas->tile_height;
    uint32_t width = canvas->width;
    size_t row_bytes = (size_t)tile_width * 3, tile_bytes = row_bytes * tile_height;
    y += canvas->top;
    uint8_t *row = canvas->tiles + y / tile_height * canvas->columns * tile_bytes +
                   y % tile_height * row_bytes;
    for (uint32_t x = 0; x < width;) {
        uint32_t column = (canvas->left + x) / tile_width, start = (canvas->left + x) % tile_width;
        uint32_t n = tile_width - start < width - x ? tile_width - start : width - x;
        uint8_t *out = row + column * tile_bytes + (size_t)start * 3;
        const uint8_t *red = planes + x, *green = red + width, *blue = green + width;
        for (uint32_t i = 0; i < n; i++) {
            out[3 * i] = red[i];
            out[3 * i + 1] = green[i];
            out[3 * i + 2] = blue[i];
        }
        x += n;
    }
}

/* One scan of the picture feeds every resizer. */
typedef struct Scan {
    const LlavaovImage *image;
    const LvPlaneKernels *kernels;
    int16_t *row; /* [3][samples] */
    size_t samples;
    uint32_t side_left, side_top, width, height; /* the picture's place in what is resized */
    LvResizer *resizers[2];
    Canvas canvases[2];
    uint32_t n;
} Scan;

static void scan_free(Scan *scan)
{
    for (uint32_t i = 0; i < scan->n; i++)
        lv_resizer_free(scan->resizers[i]);
    lv_free(scan->row);
}

static LlavaovStatus scan_init(
    Scan *scan, const LlavaovImage *image, bool square, LlavaovError *error)
{
    *scan = (Scan){.image = image,
        .kernels = lv_plane_kernels_choose(lv_cpu_flags()),
        .width = image->width,
        .height = image->height};
    if (square) {
        uint32_t side = image->width > image->height ? image->width : image->height;
        scan->width = scan->height = side;
        scan->side_left = (side - image->width) / 2;
        scan->side_top = (side - image->height) / 2;
    }
    scan->samples = lv_resizer_row_samples(scan->width);
    scan->row = lv_alloc_aligned(scan->samples * 3, sizeof *scan->row);
    if (!scan->row)
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a row of %u pixels", scan->width);
    for (size_t i = 0; i < scan->samples * 3; i++)
        scan->row[i] = PAD_GREY;
    return LLAVAOV_OK;
}

static LlavaovStatus scan_add(Scan *scan, LlavaovResize variant, uint32_t width, uint32_t height,
    Canvas canvas, LlavaovError *error)
{
    uint32_t i = scan->n;
    scan->canvases[i] = canvas;
    LlavaovStatus status = lv_resizer_new(variant, scan->width, scan->height, width, height,
        paste_row, &scan->canvases[i], &scan->resizers[i], error);
    scan->n += !status;
    return status;
}

static LlavaovStatus scan_run(Scan *scan, const LvCancel *cancel, LlavaovError *error)
{
    int16_t *red = scan->row, *green = red + scan->samples, *blue = green + scan->samples;
    for (uint32_t y = 0; y < scan->height; y++) {
        /* y - side_top wraps to a huge number above the picture. */
        bool inside = y - scan->side_top < scan->image->height;
        if (inside)
            lv_color_row(scan->kernels, scan->image, y - scan->side_top, red + scan->side_left,
                green + scan->side_left, blue + scan->side_left);
        else if (y == scan->side_top + scan->image->height)
            for (size_t i = 0; i < scan->samples * 3; i++)
                scan->row[i] = PAD_GREY;
        bool repeats = !inside && y != 0 && y != scan->side_top + scan->image->height;
        for (uint32_t i = 0; i < scan->n; i++) {
            LlavaovStatus status =
                repeats ? lv_resizer_push_again(scan->resizers[i], cancel, error)
                        : lv_resizer_push(scan->resizers[i], red, green, blue, cancel, error);
            if (status)
                return status;
        }
    }
    return LLAVAOV_OK;
}

static Canvas single_tile(uint8_t *rgb, uint32_t width, uint32_t height)
{
    return (Canvas){
        .tiles = rgb, .tile_width = width, .tile_height = height, .columns = 1, .width = width};
}

static LlavaovStatus check_variant(LlavaovResize resize, LlavaovError *error)
{
    if (resize != LLAVAOV_RESIZE_TORCHVISION && resize != LLAVAOV_RESIZE_PILLOW)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL, "resize %d is unknown", (int)resize);
    return LLAVAOV_OK;
}

LlavaovStatus lv_picture_resize(const LlavaovImage *image, LlavaovResize resize, uint32_t width,
    uint32_t height, const LvCancel *cancel, uint8_t *rgb, LlavaovError *error)
{
    LlavaovStatus status = check_variant(resize, error);
    if (!status)
        status = lv_image_check(image, error);
    if (status)
        return status;
    Scan scan;
    status = scan_init(&scan, image, false, error);
    if (!status)
        status = scan_add(&scan, resize, width, height, single_tile(rgb, width, height), error);
    if (!status)
        status = scan_run(&scan, cancel, error);
    scan_free(&scan);
    return status;
}

static LlavaovStatus allocate_tiles(
    LvTiles *tiles, const LvConfig *config, const LlavaovImage *image, LlavaovError *error)
{
    uint32_t size = config->vision.image_size;
    tiles->image_size = size;
    tiles->width = image->width;
    tiles->height = image->height;
    tiles->rgb = lv_calloc(tiles->n, (size_t)size * size * 3);
    if (!tiles->rgb)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for %u tiles of %ux%u pixels",
            tiles->n, size, size);
    return LLAVAOV_OK;
}

LlavaovStatus lv_picture_prepare(const LvConfig *config, LlavaovLayout layout, LlavaovResize resize,
    const LlavaovImage *image, const LvCancel *cancel, LvTiles *tiles, LlavaovError *error)
{
    *tiles = (LvTiles){.n = 1};
    uint32_t size = config->vision.image_size;
    if (size == 0 || size > LV_MAX_IMAGE_SIZE || config->vision.n_channels != 3)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "vision_config",
            "pictures of %u channels and %u pixels are not supported", config->vision.n_channels,
            size);
    if (layout != LLAVAOV_LAYOUT_VIDEO && layout != LLAVAOV_LAYOUT_IMAGE &&
        layout != LLAVAOV_LAYOUT_IMAGES)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL, "layout %d is unknown", (int)layout);
    LlavaovStatus status = check_variant(resize, error);
    if (!status)
        status = lv_layout_check(config, layout, error);
    if (!status)
        status = lv_image_check(image, error);
    if (status)
        return status;
    if (layout == LLAVAOV_LAYOUT_IMAGE) {
        status = lv_anyres_plan(config, image->width, image->height, &tiles->plan, error);
        if (status)
            return status;
        tiles->n = tiles->plan.n_tiles;
    }

    Scan scan;
    status = scan_init(&scan, image, layout == LLAVAOV_LAYOUT_IMAGES, error);
    if (!status)
        status = allocate_tiles(tiles, config, image, error);
    if (!status)
        status = scan_add(&scan, resize, size, size, single_tile(tiles->rgb, size, size), error);
    if (!status && layout == LLAVAOV_LAYOUT_IMAGE) {
        const LvAnyresPlan *plan = &tiles->plan;
        Canvas canvas = {.tiles = tiles->rgb + (size_t)size * size * 3,
            .tile_width = size,
            .tile_height = size,
            .columns = plan->grid_cols,
            .left = plan->pad_left,
            .top = plan->pad_top,
            .width = plan->resized_width};
        status = scan_add(&scan, resize, plan->resized_width, plan->resized_height, canvas, error);
    }
    if (!status)
        status = scan_run(&scan, cancel, error);
    scan_free(&scan);
    if (status)
        lv_tiles_free(tiles);
    return status;
}

void lv_tiles_free(LvTiles *tiles)
{
    lv_free(tiles->rgb);
    *tiles = (LvTiles){0};
}
