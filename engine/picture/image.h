/* SPDX-License-Identifier: Apache-2.0
 * A caller's picture as it lies in memory. Pure; thread-safe. */
#ifndef LV_IMAGE_H
#define LV_IMAGE_H

#include "llavaov.h"

/* Checks memory, format, scan, orientation, sizes (1 to LV_MAX_PICTURE_EDGE), plane pointers and strides:
 * each stride covers at least a row's bytes, so it is never negative. The other functions rely on
 * exactly these checks; whoever reads pixels, on the host's memory too. Error: ARGUMENT. */
LlavaovStatus lv_image_check(const LlavaovImage *image, LlavaovError *error);

/* Copies one plane without the padding between rows. */
typedef struct LvPlaneSize {
    uint32_t row_bytes, rows;
} LvPlaneSize;

/* The number of stored rows: fewer than the picture's height where only one field is present. */
uint32_t lv_image_rows(const LlavaovImage *image);

/* Sizes of the planes of a format and picture that passed the check; returns how many there are. */
uint32_t lv_image_planes(const LlavaovImage *image, LvPlaneSize planes[3]);

#endif
