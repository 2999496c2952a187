/* SPDX-License-Identifier: Apache-2.0
 * The tensors of a checkpoint by canonical name, as they are found. */
#ifndef LV_TENSOR_ENTRIES_H
#define LV_TENSOR_ENTRIES_H

#include "base/tensor.h"
#include "checkpoint/safetensors.h"

typedef struct LvTableEntry {
    char *canonical;
    const LvSafetensor *source;
    const char *file;
    const void *data; /* inside the file's mapping */
    bool used;
    LvHostTensor tensor; /* filled when used */
    void *copy;          /* an aligned copy where the mapping has it at an odd address; else NULL */
    LvHostTensor scales; /* of a weight of four bits */
    void *scales_copy;   /* where they are not as the mapping has them; else NULL */
} LvTableEntry;

typedef struct LvTensorTable {
    LvTableEntry *entries;
    size_t n;
    uint64_t bytes, elements[LV_N_DTYPES]; /* of the used tensors */
} LvTensorTable;

void lv_entries_sort(LvTensorTable *table);
/* Any tensor or NULL, once the table is sorted. */
LvTableEntry *lv_entries_find(const LvTensorTable *table, const char *canonical);

#endif
