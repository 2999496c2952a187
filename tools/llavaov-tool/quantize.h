/* SPDX-License-Identifier: Apache-2.0
 * quantize: one file of weights. */
#ifndef LV_TOOL_QUANTIZE_H
#define LV_TOOL_QUANTIZE_H

#include <jansson.h>

#include "backend/cpu_quantise.h"
#include "checkpoint/safetensors.h"
#include "integers.h"

typedef struct ToolQuantizing {
    LvCpu *cpu; /* whose threads do it */
    LvQuantised quantised;
    ToolIntegers integers; /* of precision int8 and int4; otherwise: */
    const char **names;    /* of the tensors that become four bits; sorted by strcmp */
    size_t n_names;
    json_t *weight_map; /* every tensor of the result and its file */
    uint64_t total;     /* its bytes of tensors */
} ToolQuantizing;

/* Writes what becomes of a file of weights to `path`. name: the file's, in both folders. */
LlavaovStatus tool_quantize_file(ToolQuantizing *quantizing, const LvSafetensors *file,
    const char *name, const char *path, LlavaovError *error);

#endif
