/* SPDX-License-Identifier: Apache-2.0
 * The tensors of a checkpoint by canonical name: gathered from all files, then checked against the
 * configuration. */
#ifndef LV_TENSOR_TABLE_H
#define LV_TENSOR_TABLE_H

#include "base/tensor.h"
#include "checkpoint/config.h"
#include "checkpoint/safetensors.h"

typedef struct LvTableEntry {
    char *canonical;
    const LvSafetensor *source;
    const char *file;
    const void *data; /* where the file's mapping holds it */
    bool used;
    LvHostTensor tensor; /* filled when used */
    void *copy;          /* of data that the mapping holds at an odd address; else NULL */
} LvTableEntry;

typedef struct LvTensorTable {
    LvTableEntry *entries;
    size_t n;
    uint64_t bytes, elements; /* of the used tensors */
} LvTensorTable;

/* Adds a file's tensors. file and name must outlive the table. */
LlavaovStatus lv_table_add(
    LvTensorTable *table, const LvSafetensors *file, const char *name, LlavaovError *error);
/* Sorts, then checks that everything config asks for is there once, with its shape and a supported
 * dtype, and that nothing unknown is there. The only one of embedding and head that a tied model
 * stores becomes T.embed_tokens.weight. folder stands for the checkpoint in errors. */
LlavaovStatus lv_table_check(
    LvTensorTable *table, const LvConfig *config, const char *folder, LlavaovError *error);
/* Copies what a file stores at addresses that its dtype must not have (the format does not ask for
 * alignment). */
LlavaovStatus lv_table_align(LvTensorTable *table, LlavaovError *error);
/* A used tensor or NULL. */
const LvHostTensor *lv_table_find(const LvTensorTable *table, const char *canonical);
void lv_table_free(LvTensorTable *table);

#endif
