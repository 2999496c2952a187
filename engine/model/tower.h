/* SPDX-License-Identifier: Apache-2.0
 * The vision tower: SigLIP's encoder without its final norm (docs/model.md 4). */
#ifndef LV_TOWER_H
#define LV_TOWER_H

#include "model/model.h"

/* out [n_tiles * grid^2, n_feature_layers * D] = the residual stream after each of the feature
 * layers. Polls run->cancel. */
LlavaovStatus lv_tower_run(
    const LvModel *model, const LvRun *run, LvTensor out, const LvTile *tiles, size_t n_tiles);

#endif
