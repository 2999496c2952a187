/* SPDX-License-Identifier: Apache-2.0 */
#include "picture/picture.h"

#include <math.h>

#include "base/alloc.h"
#include "base/pages.h"
#include "base/limits.h"
#include "base/status.h"
#include "ops.h"
#include "picture/color.h"
#include "picture/display.h"
#include "picture/resize.h"

/* Where resized rows are written: at (left, top) of a canvas that is cut into columns of tiles. */
typedef struct Canvas {
    uint8_t *tiles; /* [rows * columns][tile_height][tile_width][3] */
    uint32_t tile_width, tile_height, columns, left, top, width, height;
    uint32_t row;                 /* pixels of a resized row */
    uint32_t skip_left, skip_top; /* cropped from the resized rows */
} Canvas;

static void paste_row(void *data, uint32_t y, const uint8_t *planes)
{
    const Canvas *canvas = data;
    uint32_t tile_width = canvas->tile_width, tile_height = canvas->tile_height;
    uint32_t width = canvas->width;
    if (y < canvas->skip_top || y - canvas->skip_top >= canvas->height)
        return;
    size_t row_bytes = (size_t)tile_width * 3, tile_bytes = row_bytes * tile_height;
    y += canvas->top - canvas->skip_top;
    uint8_t *row = canvas->tiles + y / tile_height * canvas->columns * tile_bytes +
                   y % tile_height * row_bytes;
    for (uint32_t x = 0; x < width;) {
        uint32_t column = (canvas->left + x) / tile_width, start = (canvas->left + x) % tile_width;
        uint32_t n = tile_width - start < width - x ? tile_width - start : width - x;
        uint8_t *out = row + column * tile_bytes + (size_t)start * 3;
        const uint8_t *red = planes + canvas->skip_left + x, *green = red + canvas->row,
                      *blue = green + canvas->row;
        for (uint32_t i = 0; i < n; i++) {
            out[3 * i] = red[i];
            out[3 * i + 1] = green[i];
            out[3 * i + 2] = blue[i];
        }
        x += n;
    }
}

/* One pass over the picture feeds every resizer. */
typedef struct SourceScan {
    const LlavaovImage *image;
    const LvPlaneKernels *kernels;
    int16_t *row; /* [3][samples] */
    size_t samples;
    uint32_t side_left, side_top, width, height; /* the picture's place in what is resized */
    const uint8_t *pad;                          /* colour beside it */
    LvResizer *resizers[2];
    Canvas canvases[2];
    uint32_t n;
} SourceScan;

static void scan_free(SourceScan *scan)
{
    for (uint32_t i = 0; i < scan->n; i++)
        lv_resizer_free(scan->resizers[i]);
    lv_free(scan->row);
}

static void fill_pad(SourceScan *scan)
{
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < scan->samples; i++)
            scan->row[c * scan->samples + i] = scan->pad[c];
}

static LlavaovStatus scan_init(SourceScan *scan, const LlavaovImage *image, bool square,
    const uint8_t pad[3], LlavaovError *error)
{
    *scan = (SourceScan){.image = image,
        .pad = pad,
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
    fill_pad(scan);
    return LLAVAOV_OK;
}

static LlavaovStatus scan_add(SourceScan *scan, LlavaovResize variant, LvFilter filter,
    uint32_t width, uint32_t height, Canvas canvas, LlavaovError *error)
{
    uint32_t i = scan->n;
    canvas.row = width;
    scan->canvases[i] = canvas;
    LlavaovStatus status = lv_resizer_new(variant, filter, scan->width, scan->height, width, height,
        paste_row, &scan->canvases[i], &scan->resizers[i], error);
    scan->n += !status;
    return status;
}

static LlavaovStatus scan_run(SourceScan *scan, const LvCancel *cancel, LlavaovError *error)
{
    int16_t *red = scan->row, *green = red + scan->samples, *blue = green + scan->samples;
    for (uint32_t y = 0; y < scan->height; y++) {
        /* y - side_top wraps to a huge number above the picture. */
        bool inside = y - scan->side_top < scan->image->height;
        if (inside)
            lv_color_row(scan->kernels, scan->image, y - scan->side_top, red + scan->side_left,
                green + scan->side_left, blue + scan->side_left);
        else if (y == scan->side_top + scan->image->height)
            fill_pad(scan);
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
    return (Canvas){.tiles = rgb,
        .tile_width = width,
        .tile_height = height,
        .columns = 1,
        .width = width,
        .height = height};
}

static LlavaovStatus check_variant(LlavaovResize resize, LlavaovError *error)
{
    if (resize != LLAVAOV_RESIZE_TORCHVISION && resize != LLAVAOV_RESIZE_PILLOW)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, NULL,
            "resize %d is unknown", (int)resize);
    return LLAVAOV_OK;
}

static LlavaovStatus check_image(const LlavaovImage *image, LlavaovError *error)
{
    LlavaovStatus status = lv_image_check(image, error);
    if (!status && !lv_image_as_shown(image))
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "an interlaced or turned picture is not as it is shown");
    return status;
}

LlavaovStatus lv_picture_resize(const LlavaovImage *image, LlavaovResize resize, uint32_t width,
    uint32_t height, const LvCancel *cancel, uint8_t *rgb, LlavaovError *error)
{
    LlavaovStatus status = check_variant(resize, error);
    if (!status)
        status = check_image(image, error);
    if (status)
        return status;
    SourceScan scan;
    static const uint8_t unused[3];
    status = scan_init(&scan, image, false, unused, error);
    if (!status)
        status = scan_add(&scan, resize, LV_FILTER_BICUBIC, width, height,
            single_tile(rgb, width, height), error);
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
    tiles->rgb = lv_pages_alloc(tiles->n, (size_t)size * size * 3);
    if (!tiles->rgb)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for %u tiles of %ux%u pixels",
            tiles->n, size, size);
    return LLAVAOV_OK;
}

/* The size of a field of width x height after the resize, before the crop. */
static void resized_size(const LvPreprocess *pre, uint32_t width, uint32_t height,
    uint32_t *out_width, uint32_t *out_height)
{
    *out_width = width;
    *out_height = height;
    if (!pre->resize)
        return;
    *out_width = pre->width;
    *out_height = pre->height;
    if (!pre->shortest_edge)
        return;
    const uint64_t edge = pre->shortest_edge;
    const double most = UINT32_MAX;
    *out_width = *out_height = (uint32_t)edge;
    if (width <= height)
        *out_height = (uint32_t)fmin(most, (double)(edge * height) / (double)width);
    else
        *out_width = (uint32_t)fmin(most, (double)(edge * width) / (double)height);
}

/* Placement of `in` pixels that are cropped to `crop` (0: not at all) and written to the beginning
 * of `tile`. */
static void crop_axis(uint32_t in, uint32_t crop, uint32_t tile, uint32_t *final, uint32_t *skip,
    uint32_t *at, uint32_t *n)
{
    *final = crop ? crop : in;
    *skip = crop && crop < in ? (in - crop) / 2 : 0;
    *at = crop > in ? (crop - in) / 2 : 0;
    *n = in - *skip < *final - *at ? in - *skip : *final - *at;
    *at = *at < tile ? *at : tile;
    *n = *n < tile - *at ? *n : tile - *at;
}

/* A video frame, or one of several images: one tile. Pixels beyond the tower's whole patches are
 * never read, so a frame may differ from the tile by less than a patch. */
static LlavaovStatus add_single(SourceScan *scan, const LvConfig *config, const LvPreprocess *pre,
    LlavaovResize resize, uint8_t *rgb, LlavaovError *error)
{
    const LvVisionConfig *v = &config->vision;
    const uint32_t size = v->image_size;
    uint32_t width, height, final_width, final_height;
    Canvas canvas = single_tile(rgb, size, size);
    resized_size(pre, scan->width, scan->height, &width, &height);
    crop_axis(
        width, pre->crop_width, size, &final_width, &canvas.skip_left, &canvas.left, &canvas.width);
    crop_axis(height, pre->crop_height, size, &final_height, &canvas.skip_top, &canvas.top,
        &canvas.height);
    const bool fits = (final_width == size && final_height == size) ||
                      (v->patch_size && final_width / v->patch_size == v->grid &&
                          final_height / v->patch_size == v->grid);
    if (!fits)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "size",
            "a picture of %ux%u pixels becomes one of %ux%u by the processor's do_resize, size and "
            "crop_size; the vision tower wants %ux%u, in transformers, too",
            scan->image->width, scan->image->height, final_width, final_height, size, size);
    return scan_add(scan, resize, pre->filter, width, height, canvas, error);
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
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, NULL,
            "layout %d is unknown", (int)layout);
    LlavaovStatus status = check_variant(resize, error);
    if (!status)
        status = lv_layout_check(config, layout, error);
    if (!status)
        status = check_image(image, error);
    if (status)
        return status;
    if (layout == LLAVAOV_LAYOUT_IMAGE) {
        status = lv_anyres_plan(config, image->width, image->height, &tiles->plan, error);
        if (status)
            return status;
        tiles->n = tiles->plan.n_tiles;
    }

    const LvPreprocess *pre = lv_preprocess_of(config, layout);
    const bool tiled = tiles->n > 1;
    const bool square = layout == LLAVAOV_LAYOUT_IMAGES ||
                        (layout == LLAVAOV_LAYOUT_IMAGE && config->aspect == LV_ASPECT_PAD);
    if (square && pre->padding != LV_PADDING_ALWAYS &&
        (pre->padding == LV_PADDING_NEVER || image->width != image->height))
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, "image_mean",
            "image_mean must be a list of three numbers: it gives the colour with which pictures "
            "are padded to squares");

    SourceScan scan;
    status = scan_init(&scan, image, square, pre->pad, error);
    if (!status)
        status = allocate_tiles(tiles, config, image, error);
    if (!status)
        status = tiled ? scan_add(&scan, resize, pre->filter, size, size,
                             single_tile(tiles->rgb, size, size), error)
                       : add_single(&scan, config, pre, resize, tiles->rgb, error);
    if (!status && tiled) {
        const LvAnyresPlan *plan = &tiles->plan;
        Canvas canvas = {.tiles = tiles->rgb + (size_t)size * size * 3,
            .tile_width = size,
            .tile_height = size,
            .columns = plan->grid_cols,
            .left = plan->pad_left,
            .top = plan->pad_top,
            .width = plan->resized_width,
            .height = plan->resized_height};
        status = scan_add(
            &scan, resize, pre->filter, plan->resized_width, plan->resized_height, canvas, error);
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
    lv_pages_free(tiles->rgb);
    *tiles = (LvTiles){0};
}
