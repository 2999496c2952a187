/* SPDX-License-Identifier: Apache-2.0
 * The two views of a tensor: in host memory as a file holds it, and in a backend's memory. */
#ifndef LV_TENSOR_H
#define LV_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtype.h"

#define LV_MAX_DIMS 4

/* Read-only, row-major, little-endian, possibly unaligned beyond its dtype; owned by the checkpoint
 * that mapped it. */
typedef struct LvHostTensor {
    const char *name; /* as in the file, for messages */
    const char *file;
    LvDtype dtype;
    LvDtype rounded_to; /* as LvMatrix has it */
    bool mapped;        /* data lies in a file's mapping */
    uint32_t n_dims;
    uint64_t shape[LV_MAX_DIMS];
    const void *data;
    size_t bytes;
    const struct LvHostTensor *scales, *minimums; /* shaped as dtype.h says (a missing dimension is
                                                     1); NULL where the type has none */
} LvHostTensor;

/* A row-major matrix in a backend's memory. Only the backend may dereference data; model code
 * slices by rows. */
typedef struct LvTensor {
    void *data;
    LvDtype dtype;
    size_t rows, cols;
    size_t stride; /* elements from one row to the next, >= cols */
} LvTensor;

/* Rows [first, first + rows) of t. */
static inline LvTensor lv_tensor_rows(LvTensor t, size_t first, size_t rows)
{
    t.data = (char *)t.data + first * t.stride * lv_dtype_bytes(t.dtype);
    t.rows = rows;
    return t;
}

/* Columns [first, first + cols) of t. */
static inline LvTensor lv_tensor_cols(LvTensor t, size_t first, size_t cols)
{
    t.data = (char *)t.data + first * lv_dtype_bytes(t.dtype);
    t.cols = cols;
    return t;
}

#endif
