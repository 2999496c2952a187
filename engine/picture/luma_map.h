/* SPDX-License-Identifier: Apache-2.0
 * A picture's brightness as a small map: LV_LUMA_MAP x LV_LUMA_MAP cells, each the mean of what of
 * every second row lies in it (of a cell lower than two rows, of its first row). As stored:
 * interlaced pictures give the rows of one field, turned ones stay turned. Pure; thread-safe. */
#ifndef LV_LUMA_MAP_H
#define LV_LUMA_MAP_H

#include "llavaov.h"

#define LV_LUMA_MAP 96

typedef struct LvLumaMap {
    float cell[LV_LUMA_MAP * LV_LUMA_MAP]; /* row by row, 0 to 255 */
} LvLumaMap;

/* Of a picture in the host's memory that lv_image_check accepts. Errors: ARGUMENT. */
LlavaovStatus lv_luma_map(const LlavaovImage *image, LvLumaMap *map, LlavaovError *error);

#endif
