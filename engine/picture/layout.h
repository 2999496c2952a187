/* SPDX-License-Identifier: Apache-2.0
 * Token arithmetic of the three layouts (docs/model.md 3.5 to 3.9). Pure functions; thread-safe. */
#ifndef LV_LAYOUT_H
#define LV_LAYOUT_H

#include <stdint.h>

#include "checkpoint/config.h"
#include "picture/anyres.h"

/* The plan for a picture of width x height pixels. A very long picture can leave an empty map
 * (crop_height or crop_width 0), as in the reference. Where the configuration does not cut single
 * pictures into tiles, only n_tiles = 1 and n_tokens are set. Errors: ARGUMENT for a picture
 * outside LV_MAX_PICTURE_EDGE; UNSUPPORTED where the reference fails: the chosen pinpoint is not a
 * whole number of tiles, or anyres_max is 0. */
LlavaovStatus lv_anyres_plan(const LvConfig *config, uint32_t width, uint32_t height,
    LvAnyresPlan *plan, LlavaovError *error);

/* Whether the configuration supports this layout at all. Error: UNSUPPORTED. */
LlavaovStatus lv_layout_check(const LvConfig *config, LlavaovLayout layout, LlavaovError *error);

/* Where the unpadded feature map comes from: rows receives crop_height * crop_width numbers,
 * row-major, each the row tile * grid^2 + token of the features [n_tiles * grid^2, hidden] (tile 0
 * is the base tile and never occurs). */
void lv_anyres_rows(const LvVisionConfig *vision, const LvAnyresPlan *plan, uint32_t *rows);

/* Edge of the pooled video frame: ceil(grid / 2) where bilinear, else floor. */
uint32_t lv_pooled_grid(const LvConfig *config);
/* One frame of a video, with the newlines in or after it. */
uint32_t lv_frame_tokens(const LvConfig *config);
/* A video: its frames, and the newline at the end if there is one. */
uint64_t lv_video_tokens(const LvConfig *config, uint64_t n_frames);
/* An image of one tile: grid^2 + 1, one less where the first feature is dropped or no newline is
 * there. */
uint32_t lv_multi_image_tokens(const LvConfig *config);

#endif
