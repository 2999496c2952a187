/* SPDX-License-Identifier: Apache-2.0
 * Two luma maps compared block by block: 8 x 8 cells each, half overlapping, so that what is small
 * lies whole in one of them wherever it is. Pure; thread-safe. */
#ifndef LV_MOTION_BLOCKS_H
#define LV_MOTION_BLOCKS_H

#include "picture/luma_map.h"

#define LV_MOTION_SIDE 23 /* blocks in a row, and rows of them */
#define LV_MOTION_BLOCKS (LV_MOTION_SIDE * LV_MOTION_SIDE)

/* How much brighter `now` is than `before`, all over: the median of the ratios of parts that are
 * bright enough to tell, within 1/2 to 2. */
float lv_motion_gain(const LvLumaMap *now, const LvLumaMap *before, const uint8_t *masked);
/* The mean of all cells that are not masked. */
float lv_motion_mean(const LvLumaMap *map, const uint8_t *masked);

/* Of each block, the mean absolute difference of its cells that are not masked, `before` times gain
 * on the other side; cells that are overexposed on both sides do not differ. -1: most of it is
 * masked. */
void lv_motion_differences(const LvLumaMap *now, const LvLumaMap *before, float gain,
    const uint8_t *masked, float difference[LV_MOTION_BLOCKS]);

#endif
