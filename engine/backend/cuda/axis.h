/* SPDX-License-Identifier: Apache-2.0
 * Weights of the resize as the kernels read them, of the last few sizes: the frames of a stream are
 * all of one size. Belongs to one thread at a time. */
#ifndef LV_CUDA_AXIS_H
#define LV_CUDA_AXIS_H

#include "checkpoint/preprocess.h"
#include "cuda/launch.h"
#include "llavaov.h"

/* One axis (picture/resize_weights.h) with its weights joined, in one piece of host memory. */
typedef struct LvAxisTable {
    LlavaovResize variant;
    LvFilter filter;
    uint32_t in, out, precision, stride;
    int32_t *data; /* begin [out], end [out], weights [stride][out]; NULL where in == out */
    size_t bytes;
} LvAxisTable;

#define LV_AXIS_TABLES 8

typedef struct LvAxisTables {
    LvAxisTable at[LV_AXIS_TABLES]; /* latest first; unused: out 0 */
} LvAxisTables;

/* Both stay valid until the next call. in and out: 1 to LV_MAX_PICTURE_EDGE. Errors: MEMORY,
 * UNSUPPORTED. */
LlavaovStatus lv_axis_tables_get(LvAxisTables *tables, LlavaovResize variant, LvFilter filter,
    const uint32_t in[2], uint32_t out, const LvAxisTable *found[2], LlavaovError *error);
void lv_axis_tables_free(LvAxisTables *tables);

/* For a table whose copy lies at `data` on the device. */
LvCudaAxis lv_axis_on_device(const LvAxisTable *table, const void *data);

#endif
