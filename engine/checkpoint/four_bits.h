/* SPDX-License-Identifier: Apache-2.0
 * Weights of four bits as transformers stores them with bitsandbytes: quantization_config in
 * config.json, and beside each weight tensors named after it (docs/precision.md). */
#ifndef LV_FOUR_BITS_H
#define LV_FOUR_BITS_H

#include <stdbool.h>

#include "checkpoint/json.h"
#include "checkpoint/quantisation.h"
#include "dtype.h"

/* Reads config.json's quantization_config; absent: *quantisation stays as it is. A method other than
 * bitsandbytes' four bits is UNSUPPORTED, naming the field. */
void lv_bnb_config(LvFields *top, LvQuantisation *quantisation);
void lv_bnb_config_free(LvQuantisation *quantisation);

/* Whether a module, by any of its names, is one of llm_int8_skip_modules: as transformers has it, a
 * pattern fits from a name's beginning to a dot or the end, or is the name's end. */
bool lv_bnb_skipped(const LvQuantisation *quantisation, const char *module);

/* The text of a quant_state tensor. */
typedef struct LvQuantState {
    LvDtype type;       /* LV_NF4, LV_FP4 */
    LvDtype rounded_to; /* the type that the weight had */
    uint32_t block;     /* a multiple of 64 */
    uint64_t shape[2];
    bool nested;
    uint32_t nested_block;
    float offset;
} LvQuantState;

/* name stands for the text in errors: FORMAT, UNSUPPORTED, MEMORY. */
LlavaovStatus lv_quant_state_parse(
    const char *json, size_t bytes, const char *name, LvQuantState *state, LlavaovError *error);

/* The parts that a weight of four bits is stored in, as endings of its name. */
typedef enum LvBnbPart {
    LV_BNB_ABSMAX,
    LV_BNB_QUANT_MAP,
    LV_BNB_NESTED_ABSMAX,
    LV_BNB_NESTED_QUANT_MAP,
    LV_BNB_STATE_NF4,
    LV_BNB_STATE_FP4,
    LV_BNB_N_PARTS
} LvBnbPart;
/* ".absmax", ... */
const char *lv_bnb_suffix(LvBnbPart part);
/* Where the ending of one of them begins in a tensor's name; NULL: it is none. */
const char *lv_bnb_ending(const char *name);

#endif
