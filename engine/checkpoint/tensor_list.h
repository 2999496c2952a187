/* SPDX-License-Identifier: Apache-2.0
 * The tensors that a configuration asks for, with their shapes (docs/model.md 2.1). */
#ifndef LV_TENSOR_LIST_H
#define LV_TENSOR_LIST_H

#include "checkpoint/config.h"

typedef struct LvExpectedTensor {
    const char *name; /* canonical; valid during the call */
    uint32_t n_dims;
    uint64_t shape[4];
    bool linear;   /* the weight of a linear module */
    bool optional; /* may be absent; when present it must have this shape */
} LvExpectedTensor;

/* Calls each in file order until one returns not OK, and returns that. */
LlavaovStatus lv_tensor_list(const LvConfig *config,
    LlavaovStatus (*each)(void *data, const LvExpectedTensor *expected), void *data);

#endif
