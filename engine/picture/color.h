/* SPDX-License-Identifier: Apache-2.0
 * One row of any pixel format as planar RGB, 8 bit. Pure; thread-safe.
 *
 * YUV to RGB after ITU-R BT.601 (Kr 0.299, Kb 0.114) or BT.709 (Kr 0.2126, Kb 0.0722), with
 * Kg = 1 - Kr - Kb:
 *     limited range: y = (Y - 16) / 219, u = (U - 128) / 224, v = (V - 128) / 224
 *     full range:    y = Y / 255,        u = (U - 128) / 255, v = (V - 128) / 255
 *     R = 255 (y + 2 (1 - Kr) v)
 *     G = 255 (y - 2 Kb (1 - Kb) / Kg u - 2 Kr (1 - Kr) / Kg v)
 *     B = 255 (y + 2 (1 - Kb) u)
 * in 16.16 fixed-point: the factors of Y (- 16), U - 128 and V - 128 are rounded to the nearest
 * multiple of 2^-16, products are summed in 32 bits, 2^15 is added, the sum is shifted right by 16
 * (arithmetically) and cut to 0..255. The result is within 0.51 of the real number. Chroma is
 * replicated: pixel (x, y) uses chroma sample (x / 2, y / 2); odd sizes have (size + 1) / 2
 * samples. In an interlaced picture y counts within the field, and chroma rows 0, 2, ... are the
 * top field's; where the bottom field has one row less than it needs ((height + 1) / 2 is odd), its
 * last row is used again, or the picture's only one. */
#ifndef LV_COLOR_H
#define LV_COLOR_H

#include "llavaov.h"
#include "planes.h"

/* Stored row y of image (which lv_image_check accepted) as three planes of width samples: red,
 * green, blue, each 0..255. The samples are 16-bit because the resize multiplies those. */
void lv_color_row(const LvPlaneKernels *kernels, const LlavaovImage *image, uint32_t y,
    int16_t *red, int16_t *green, int16_t *blue);

/* All stored rows as interleaved RGB bytes: width * lv_image_rows * 3 at rgb. Errors: MEMORY. */
LlavaovStatus lv_color_to_rgb(const LlavaovImage *image, uint8_t *rgb, LlavaovError *error);

#endif
