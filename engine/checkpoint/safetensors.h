/* SPDX-License-Identifier: Apache-2.0
 * One *.safetensors file: u64 header length, JSON header, tensor data (docs/model.md 2.3). The
 * header is checked as strictly as the reference library does: tensors cover the data without
 * overlap or gap, and sizes agree with shape and dtype. */
#ifndef LV_SAFETENSORS_H
#define LV_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

#define LV_SAFETENSORS_DIMS 8

typedef struct LvSafetensor {
    char *name;
    const char *dtype; /* as in the file: "F32", "F16", "BF16", "I64", ...; a static string */
    uint32_t n_dims;
    uint64_t shape[LV_SAFETENSORS_DIMS];
    uint64_t begin, end; /* bytes from the start of the data */
} LvSafetensor;

typedef struct LvSafetensors {
    LvSafetensor *tensors; /* in data order */
    size_t n_tensors;
    uint64_t data_offset; /* of the data in the file */
    uint64_t data_bytes;
    void *map; /* the whole file, read-only; NULL when only the header was parsed */
    size_t map_bytes;
} LvSafetensors;

/* Opens, checks and maps. name stands for the file in errors. */
LlavaovStatus lv_safetensors_open(
    const char *path, const char *name, LvSafetensors *file, LlavaovError *error);
/* The header's JSON alone, for data of data_bytes. */
LlavaovStatus lv_safetensors_parse(const char *json, size_t bytes, uint64_t data_bytes,
    const char *name, LvSafetensors *file, LlavaovError *error);
void lv_safetensors_close(LvSafetensors *file);

#endif
