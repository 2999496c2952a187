/* SPDX-License-Identifier: Apache-2.0
 * The tensors of a checkpoint by canonical name: gathered from all files, then checked against the
 * configuration. */
#ifndef LV_TENSOR_TABLE_H
#define LV_TENSOR_TABLE_H

#include "checkpoint/config.h"
#include "checkpoint/tensor_entries.h"

/* Adds a file's tensors. file and name must outlive the table. */
LlavaovStatus lv_table_add(
    LvTensorTable *table, const LvSafetensors *file, const char *name, LlavaovError *error);
/* Sorts, then checks that everything config asks for is there once, with the right shape and a
 * supported dtype, and that nothing unknown is there. Where a tied model stores only one of
 * embedding and head, it becomes T.embed_tokens.weight. `folder` names the checkpoint in errors. */
LlavaovStatus lv_table_check(
    LvTensorTable *table, const LvConfig *config, const char *folder, LlavaovError *error);
/* Copies tensors that lie at addresses misaligned for their dtype (the format does not require
 * alignment). */
LlavaovStatus lv_table_align(LvTensorTable *table, LlavaovError *error);
/* A used tensor or NULL. */
const LvHostTensor *lv_table_find(const LvTensorTable *table, const char *canonical);
void lv_table_free(LvTensorTable *table);

#endif
