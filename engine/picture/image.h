/* SPDX-License-Identifier: Apache-2.0
 * A caller's picture as it lies in memory. Pure; thread-safe. */
#ifndef LV_IMAGE_H
#define LV_IMAGE_H

#include "llavaov.h"

/* Checks format, scan, orientation, sizes (1 to LV_MAX_PICTURE_EDGE), plane pointers and strides:
 * each at least a row's bytes, so never negative. What a picture is checked for is all that others
 * rely on. Error: ARGUMENT. */
LlavaovStatus lv_image_check(const LlavaovImage *image, LlavaovError *error);

/* One plane without what its stride leaves between rows. */
typedef struct LvPlaneSize {
    uint32_t row_bytes, rows;
} LvPlaneSize;

/* Rows that are stored: fewer than the picture's height where there is one field alone. */
uint32_t lv_image_rows(const LlavaovImage *image);

/* Sizes of the planes of a format and picture that passed the check; returns how many there are. */
uint32_t lv_image_planes(const LlavaovImage *image, LvPlaneSize planes[3]);

#endif
