/* SPDX-License-Identifier: Apache-2.0
 * Weights of four bits among the tensors of a checkpoint. */
#ifndef LV_TENSOR_QUANTISED_H
#define LV_TENSOR_QUANTISED_H

#include "checkpoint/four_bits.h"
#include "checkpoint/tensor_list.h"
#include "checkpoint/tensor_entries.h"

/* Whether the tensor is to be read as four bits: what is stored beside it, which must be what the
 * configuration says. FORMAT or UNSUPPORTED where it is not. */
LlavaovStatus lv_table_four_bits(const LvTensorTable *table, const LvTableEntry *entry,
    const LvExpectedTensor *expected, const LvQuantisation *quantisation, bool *four_bits,
    LlavaovError *error);

/* Makes entry->tensor, and its scales, of the tensors that it is stored in; nested scales are
 * expanded. Errors name the tensor. */
LlavaovStatus lv_table_use_four_bits(LvTensorTable *table, LvTableEntry *entry,
    const LvExpectedTensor *expected, const LvQuantisation *quantisation, LlavaovError *error);

#endif
