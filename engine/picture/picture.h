/* SPDX-License-Identifier: Apache-2.0
 * From a picture in display orientation (display.h) to the encoder's tiles: colour conversion,
 * 8-bit bicubic resize, padding, cutting. Bit-exact with the reference's integers. Interlaced and
 * turned pictures are refused: ARGUMENT. */
#ifndef LV_PICTURE_H
#define LV_PICTURE_H

#include "base/cancel.h"
#include "picture/image.h"
#include "picture/layout.h"

/* Tiles of one picture: n * image_size * image_size * 3 bytes, RGB, tile after tile (base tile
 * first). */
typedef struct LvTiles {
    uint8_t *rgb; /* owned */
    uint32_t n;
    uint32_t image_size;
    uint32_t width, height; /* of the original picture */
    LvAnyresPlan plan;      /* LAYOUT_IMAGE only */
} LvTiles;

/* VIDEO: one tile, resized without keeping the aspect. IMAGE: a base tile like that, then the
 * grid's tiles: resized with the aspect kept, centred on black, cut row by row; where the
 * configuration says so, one tile as for VIDEO or IMAGES. IMAGES: padded with (127,127,127) to a
 * square, one tile. The picture is read once, row by row; no copy of it is made. cancel is polled
 * between rows. On error *tiles holds nothing. Errors: ARGUMENT, UNSUPPORTED (configuration),
 * MEMORY, CANCELLED. */
LlavaovStatus lv_picture_prepare(const LvConfig *config, LlavaovLayout layout, LlavaovResize resize,
    const LlavaovImage *image, const LvCancel *cancel, LvTiles *tiles, LlavaovError *error);
void lv_tiles_free(LvTiles *tiles);

/* AUTO becomes the resize used by the code that the checkpoint's layout belongs to. */
static inline LlavaovResize lv_resize_of(const LvConfig *config, LlavaovResize resize)
{
    return resize != LLAVAOV_RESIZE_AUTO ? resize
           : config->original_layout     ? LLAVAOV_RESIZE_PILLOW
                                         : LLAVAOV_RESIZE_TORCHVISION;
}

/* The whole picture resized to width x height (1 to LV_MAX_PICTURE_EDGE each): width * height * 3
 * RGB bytes at rgb. Errors: ARGUMENT, MEMORY, CANCELLED. */
LlavaovStatus lv_picture_resize(const LlavaovImage *image, LlavaovResize resize, uint32_t width,
    uint32_t height, const LvCancel *cancel, uint8_t *rgb, LlavaovError *error);

#endif
