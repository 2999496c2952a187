/* SPDX-License-Identifier: Apache-2.0
 * Where motion does not count: rectangles in thousandths of the picture, over the cells of a luma
 * map. Pure; thread-safe. */
#ifndef LV_MOTION_MASK_H
#define LV_MOTION_MASK_H

#include "picture/luma_map.h"

#define LV_MOTION_MASK_MAX 64 /* rectangles */

/* text: "x,y,width,height" of each, between ';', blanks allowed; NULL or "": none. A cell that one
 * of them touches is masked: not 0. Error: ARGUMENT about "motion-mask"; then *masked is as it was. */
LlavaovStatus lv_motion_mask_parse(
    const char *text, uint8_t masked[LV_LUMA_MAP * LV_LUMA_MAP], LlavaovError *error);

#endif
