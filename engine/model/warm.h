/* SPDX-License-Identifier: Apache-2.0
 * Warming up: the device loads kernels, chooses algorithms and records steps on first use; this
 * makes it do so before the first request. */
#ifndef LV_WARM_H
#define LV_WARM_H

#include "model/model.h"

/* Up to which sizes, and for how long; nothing new is started after that. */
typedef struct LvWarm {
    uint32_t tiles, rows, sequences; /* of an encoder call, a prefill, a decoding step */
    uint32_t milliseconds;
    LlavaovProgress progress; /* of calls; at the end all are done, computed or not. May be NULL */
    void *progress_data;
} LvWarm;

/* What the backend's info asks for. */
LvWarm lv_warm_of(const LvBackend *backend);

/* Computes one request of every kind and discards it: encoder calls of 1 tile and of each size to
 * the largest, a prefill, decoding steps of each power of two. Running out of memory is not an
 * error. Nothing else may use the backend meanwhile. done: how many calls were computed; may be
 * NULL. Error: CANCELLED, by progress. */
LlavaovStatus lv_model_warm(
    const LvModel *model, const LvWarm *warm, uint32_t *done, LlavaovError *error);

#endif
