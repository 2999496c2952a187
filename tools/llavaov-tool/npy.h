/* SPDX-License-Identifier: Apache-2.0
 * NumPy's .npy files: little-endian, C order, at most eight dimensions (NEP 1, versions 1 to 3).
 * Files are untrusted: sizes are checked against the file before anything is allocated. */
#ifndef LV_NPY_H
#define LV_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "llavaov.h"

#define LV_NPY_DIMS 8
#define LV_NPY_MAX_BYTES (UINT64_C(8) << 30)

typedef enum LvNpyType { LV_NPY_U8, LV_NPY_I32, LV_NPY_I64, LV_NPY_F32 } LvNpyType;

typedef struct LvNpy {
    LvNpyType type;
    uint32_t n_dims;
    uint64_t shape[LV_NPY_DIMS];
    uint64_t count; /* product of shape */
    void *data;     /* owned by what filled it; lv_npy_free */
} LvNpy;

size_t lv_npy_item_bytes(LvNpyType type);

/* From memory: data points into bytes. name stands for the file in errors. */
LlavaovStatus lv_npy_parse(const void *bytes, size_t n, const char *name, LvNpy *array,
    const void **data, LlavaovError *error);

/* Reads a whole file; data is the array's own. */
LlavaovStatus lv_npy_read(const char *path, LvNpy *array, LlavaovError *error);
void lv_npy_free(LvNpy *array);

/* path NULL or "-" = standard output. */
LlavaovStatus lv_npy_write(const char *path, const LvNpy *array, LlavaovError *error);

/* A whole file in memory (lv_free). */
LlavaovStatus lv_read_file(
    const char *path, uint64_t most, void **bytes, size_t *n, LlavaovError *error);

#endif
