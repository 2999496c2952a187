/* SPDX-License-Identifier: Apache-2.0
 * Quantising a folder: one file of weights. */
#ifndef LV_QUANTISE_H
#define LV_QUANTISE_H

#include <jansson.h>

#include "backend/cpu_quantise.h"
#include "checkpoint/safetensors.h"
#include "serve/quantise_integers.h"

typedef struct LvQuantising {
    LvCpu *cpu; /* whose threads do it */
    LvQuantised quantised;
    LvMadeIntegers integers; /* of precision int8 and int4; otherwise: */
    const char **names;      /* of the tensors that become four bits; sorted by strcmp */
    size_t n_names;
    json_t *weight_map; /* every tensor of the result and its file */
    uint64_t total;     /* its bytes of tensors */
} LvQuantising;

typedef struct LvQuantiseOptions {
    LlavaovPrecision precision; /* int8, int4, nf4, fp4, nf4-dq or fp4-dq */
    uint32_t threads;
    const char *cpu_mask;
    LlavaovProgress progress; /* of int8 and int4; may be NULL */
    void *progress_data;
} LvQuantiseOptions;

/* Makes the folder `to` of the checkpoint folder `from`: its weights in the precision, with all else that belongs to
 * a checkpoint. On failure what is there of it is no checkpoint. */
LlavaovStatus lv_quantise_folder(
    const char *from, const char *to, const LvQuantiseOptions *options, LlavaovError *error);

/* Writes what becomes of a file of weights to `path`. name: the file's, in both folders. */
LlavaovStatus lv_quantise_file(LvQuantising *quantising, const LvSafetensors *file,
    const char *name, const char *path, LlavaovError *error);

#endif
