/* SPDX-License-Identifier: Apache-2.0
 * Pictures whose pixels are no squares (DV, DVD, anamorphic cameras). A screen shows each pixel in its
 * shape, so the picture is resized to the size that it has there: as wide as its height and its
 * shape ask for, rounded, or, where that would be wider than LV_MAX_PICTURE_EDGE, lower instead. */
#ifndef LV_PIXELS_H
#define LV_PIXELS_H

#include <stdbool.h>

#include "base/cancel.h"
#include "llavaov.h"

bool lv_image_has_square_pixels(const LlavaovImage *image);

/* The size with square pixels, each 1 to LV_MAX_PICTURE_EDGE. The image has been checked. */
void lv_image_square_size(const LlavaovImage *image, uint32_t *width, uint32_t *height);

/* The picture, which is as shown (display.h), resized to that size: as lv_picture_resize() does, which
 * is PIL's or torchvision's bicubic. *square is RGB, in memory of its own at *pixels (lv_free).
 * Errors: MEMORY, CANCELLED. */
LlavaovStatus lv_image_square(const LlavaovImage *image, LlavaovResize resize,
    const LvCancel *cancel, LlavaovImage *square, uint8_t **pixels, LlavaovError *error);

#endif
