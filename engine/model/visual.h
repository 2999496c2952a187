/* SPDX-License-Identifier: Apache-2.0
 * From tiles to the vectors that replace the placeholders (docs/model.md 3.6 to 3.8). */
#ifndef LV_VISUAL_H
#define LV_VISUAL_H

#include "model/model.h"
#include "model/projector.h"
#include "picture/layout.h"

/* One video frame per tile: out [n_tiles * pooled^2, H], frame after frame. The newline after the
 * last frame of a clip is model->newline. */
LlavaovStatus lv_visual_video(const LvModel *model, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, LvPoolOrder order);

/* Projected features of tiles, unpooled: out [n_tiles * grid^2, H]. */
LlavaovStatus lv_visual_tiles(
    const LvModel *model, const LvRun *run, LvTensor out, const LvTile *tiles, size_t n_tiles);

/* Both in one pass through the tower: the first n_video tiles are video frames and give pooled
 * [n_video * pooled^2, H], the others give full [n_others * grid^2, H]. Either may be empty; its
 * tensor is then ignored. */
LlavaovStatus lv_visual_batch(const LvModel *model, const LvRun *run, LvTensor pooled,
    LvTensor full, const LvTile *tiles, size_t n_video, size_t n_others);

/* One frame of a video: out [lv_frame_tokens(), H] from pooled [pooled^2, H], with the newlines
 * that belong in or after it. */
LlavaovStatus lv_visual_assemble_frame(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor pooled);

/* An image of one tile: out [lv_multi_image_tokens(), H] = its features [grid^2, H], perhaps
 * without the first, and perhaps a newline. */
LlavaovStatus lv_visual_assemble_one_of_many(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor features);

/* A single image: out [plan->n_tokens, H] from features [n_tiles * grid^2, H], base tile first: the
 * base tokens, then the unpadded map, shrunk if necessary, with a newline after each row; or
 * another arrangement that the configuration asks for (LvPatchMerge). */
LlavaovStatus lv_visual_assemble_image(const LvModel *model, const LvRun *run, LvTensor out,
    LvTensor features, const LvAnyresPlan *plan);

#endif
