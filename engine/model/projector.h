/* SPDX-License-Identifier: Apache-2.0
 * From the tower's width to the decoder's: linear_1, activation, linear_2 (docs/model.md 1.3), and
 * the pooling of video frames (docs/model.md 3.9). */
#ifndef LV_PROJECTOR_H
#define LV_PROJECTOR_H

#include "model/model.h"

/* out [rows, H] from in [rows, F], F = lv_feature_width(). LLaVA-NeXT's projectors may have another
 * number of layers, followed by residual blocks. */
LlavaovStatus lv_projector_run(const LvModel *model, const LvRun *run, LvTensor out, LvTensor in);

/* Where the pooling of video frames happens. Its four weights sum to one, so it may move before the
 * last linear layer, which then has a quarter of the rows; the two orders differ only in rounding.
 * Max pooling always comes last. */
typedef enum LvPoolOrder {
    LV_POOL_EARLY,  /* linear_1, activation, pool, linear_2: less work */
    LV_POOL_LITERAL /* linear_1, activation, linear_2, pool: the reference's order */
} LvPoolOrder;

/* out [n_frames * pooled^2, H] from in [n_frames * grid^2, F], pooled = lv_pooled_grid(). */
LlavaovStatus lv_projector_run_pooled(const LvModel *model, const LvRun *run, LvTensor out,
    LvTensor in, size_t n_frames, LvPoolOrder order);

#endif
