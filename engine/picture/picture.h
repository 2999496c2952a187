/* SPDX-License-Identifier: Apache-2.0
 * From a caller's picture to the encoder's tiles: colour conversion, 8-bit bicubic resize, padding, cutting. Bit-exact
 * with the reference's integers. */
#ifndef LV_PICTURE_H
#define LV_PICTURE_H

#include "base/cancel.h"
#include "picture/layout.h"

/* Tiles of one picture: n * image_size * image_size * 3 bytes, RGB, tile after tile (base tile first). */
typedef struct LvTiles {
    uint8_t *rgb; /* owned */
    uint32_t n;
    uint32_t image_size;
    uint32_t width, height; /* of the original picture */
    LvAnyresPlan plan;      /* LAYOUT_IMAGE only */
} LvTiles;

/* Checks sizes, plane pointers and strides. */
LlavaovStatus lv_image_check(const LlavaovImage *image, LlavaovError *error);

/* VIDEO: squashed to one tile. IMAGE: any-resolution tiles. IMAGES: padded with (127,127,127) to a square, one tile. */
LlavaovStatus lv_picture_prepare(const LvConfig *config, LlavaovLayout layout, LlavaovResize resize,
    const LlavaovImage *image, const LvCancel *cancel, LvTiles *tiles, LlavaovError *error);
void lv_tiles_free(LvTiles *tiles);

#endif
