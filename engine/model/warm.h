/* SPDX-License-Identifier: Apache-2.0
 * The first requests of a model would find a device on which nothing has been loaded, chosen or
 * recorded yet; here it is done before they come. */
#ifndef LV_WARM_H
#define LV_WARM_H

#include "model/model.h"

/* Up to which sizes, and for how long: after that nothing more is begun. */
typedef struct LvWarm {
    uint32_t tiles, rows, sequences; /* of an encoder call, a prefill, a decoding step */
    uint32_t milliseconds;
} LvWarm;

/* What the backend's info asks for. */
LvWarm lv_warm_of(const LvBackend *backend);

/* Computes one request of every kind and forgets it: encoder calls of 1 tile and of each size to
 * the largest, a prefill, decoding steps of each power of two. Memory that is missing is no
 * failure. Nobody else uses the backend meanwhile. done: how many calls were computed, may be NULL.
 */
LlavaovStatus lv_model_warm(
    const LvModel *model, const LvWarm *warm, uint32_t *done, LlavaovError *error);

#endif
