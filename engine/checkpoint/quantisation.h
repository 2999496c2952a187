/* SPDX-License-Identifier: Apache-2.0
 * What config.json says of quantised weights. */
#ifndef LV_QUANTISATION_H
#define LV_QUANTISATION_H

#include <stdbool.h>
#include <stdint.h>

#include "dtype.h"

typedef struct LvQuantisation {
    bool present; /* linear weights are quantised; otherwise nothing else counts */
    /* LV_NF4, LV_FP4: bitsandbytes' four bits. LV_INT8, LV_INT4: this engine's own integers, of precision int8
     * or int4, those that have scales beside them. */
    LvDtype type;
    bool listed; /* skip is what the file lists; otherwise the head alone is left as it was */
    char **skip; /* owned */
    uint32_t n_skip;
} LvQuantisation;

#endif
