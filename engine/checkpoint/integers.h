/* SPDX-License-Identifier: Apache-2.0
 * Weights of this engine's own integers, as `llavaov-tool quantize` writes them (docs/precision.md):
 * config.json's quantization_config has quant_method "llavaov" and bits 8 or 4, and beside X.weight there is
 * X.weight.scale. int8: I8 as the weight is shaped, scales F32, one a row. int4: U8, half as many a
 * row, the first of two in a byte's low half, two's complement; scales F16, one for 32 of a row. */
#ifndef LV_INTEGERS_H
#define LV_INTEGERS_H

#include <stdbool.h>

#include "checkpoint/json.h"
#include "checkpoint/quantisation.h"
#include "checkpoint/tensor_entries.h"
#include "checkpoint/tensor_list.h"

#define LV_INTEGERS_METHOD "llavaov"
#define LV_INTEGERS_SCALE ".scale"

/* Reads quantization_config of that method. */
void lv_integers_config(LvFields *fields, LvQuantisation *quantisation);

/* Where the ending of a weight's scales begins in a tensor's name; NULL: it is none. */
const char *lv_integers_ending(const char *name);

/* Makes entry->tensor and its scales, where scales are stored beside it; otherwise *integers is false. Error:
 * FORMAT, naming the tensor. */
LlavaovStatus lv_table_integers(LvTensorTable *table, LvTableEntry *entry,
    const LvExpectedTensor *expected, const LvQuantisation *quantisation, bool *integers,
    LlavaovError *error);

#endif
