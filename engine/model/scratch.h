/* SPDX-License-Identifier: Apache-2.0
 * Activations that live for one call: allocated one after the other, freed together. */
#ifndef LV_SCRATCH_H
#define LV_SCRATCH_H

#include "backend/backend.h"

#define LV_SCRATCH_TENSORS 8

typedef struct LvScratch {
    LvBackend *backend;
    LvTensor tensors[LV_SCRATCH_TENSORS];
    size_t n;
    LlavaovStatus status; /* the first failure; later requests then give empty tensors */
    LlavaovError *error;
} LvScratch;

static inline LvScratch lv_scratch(LvBackend *backend, LlavaovError *error)
{
    return (LvScratch){.backend = backend, .error = error};
}

/* An uninitialised [rows, cols]; valid until lv_scratch_free. */
LvTensor lv_scratch_tensor(LvScratch *scratch, size_t rows, size_t cols);
void lv_scratch_free(LvScratch *scratch);

#endif
