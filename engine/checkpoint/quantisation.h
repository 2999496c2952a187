/* SPDX-License-Identifier: Apache-2.0
 * What config.json says of quantised weights. */
#ifndef LV_QUANTISATION_H
#define LV_QUANTISATION_H

#include <stdbool.h>
#include <stdint.h>

#include "dtype.h"

typedef struct LvQuantisation {
    bool present; /* linear weights are bitsandbytes' four bits; otherwise nothing else counts */
    LvDtype type; /* LV_NF4, LV_FP4 */
    bool listed;  /* skip is what the file lists; otherwise the head alone is left as it was */
    char **skip;  /* owned */
    uint32_t n_skip;
} LvQuantisation;

#endif
