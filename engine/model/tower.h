/* SPDX-License-Identifier: Apache-2.0
 * The vision tower: SigLIP's encoder without its final norm (model.md 4). */
#ifndef LV_TOWER_H
#define LV_TOWER_H

#include "model/model.h"

/* out [n_tiles * grid^2, D] = the residual stream after the last layer that is run, for 8-bit RGB
 * tiles of image_size^2 * 3 bytes in host memory. Polls run->cancel. */
LlavaovStatus lv_tower_run(const LvModel *model, const LvRun *run, LvTensor out,
    const uint8_t *const *tiles, size_t n_tiles);

#endif
