/* SPDX-License-Identifier: Apache-2.0
 * Quantising a folder: weights as the engine makes integers of them. */
#ifndef LV_QUANTISE_INTEGERS_H
#define LV_QUANTISE_INTEGERS_H

#include "backend/cpu.h"

/* A tensor of the checkpoint and what became of it. */
typedef struct LvMadeWeight {
    const char *name;
    const LvWeight *weight;
    size_t part;
} LvMadeWeight;

typedef struct LvMadeIntegers {
    LvBackendOps ops; /* in place of the backend's: first */
    const LvBackendOps *own;
    LvMadeWeight *made; /* room for LV_MAX_TENSORS */
    size_t n;
} LvMadeIntegers;

/* From now on the backend, which integers outlives, remembers there which tensors became integers. */
LlavaovStatus lv_made_integers_watch(
    LvMadeIntegers *integers, LvBackend *backend, LlavaovError *error);
void lv_made_integers_close(LvMadeIntegers *integers);
/* What became of the tensor of this name; NULL: no integers. Valid while the model is open. */
const LvMadeWeight *lv_made_integers_find(const LvMadeIntegers *integers, const char *name);

#endif
