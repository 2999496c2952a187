/* SPDX-License-Identifier: Apache-2.0
 * quantize: weights as the engine makes integers of them. */
#ifndef LV_TOOL_INTEGERS_H
#define LV_TOOL_INTEGERS_H

#include "backend/cpu.h"

/* A tensor of the checkpoint and what became of it. */
typedef struct ToolMade {
    const char *name;
    const LvWeight *weight;
    size_t part;
} ToolMade;

typedef struct ToolIntegers {
    LvBackendOps ops; /* in place of the backend's: first */
    const LvBackendOps *own;
    ToolMade *made; /* room for LV_MAX_TENSORS */
    size_t n;
} ToolIntegers;

/* From now on the backend, which integers outlives, remembers there which tensors became integers. */
LlavaovStatus tool_integers_watch(ToolIntegers *integers, LvBackend *backend, LlavaovError *error);
void tool_integers_close(ToolIntegers *integers);
/* What became of the tensor of this name; NULL: no integers. Valid while the model is open. */
const ToolMade *tool_integers_find(const ToolIntegers *integers, const char *name);

#endif
