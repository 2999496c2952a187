/* SPDX-License-Identifier: Apache-2.0
 * Whether a config.json is another model's, or of weights that are not plain numbers. */
#ifndef LV_FOREIGN_H
#define LV_FOREIGN_H

#include <jansson.h>

#include "checkpoint/reasons.h"

/* Adds every reason that the fields model_type, architectures and quantization_config give. Names
 * are compared for equality, case included: relatives differ in one letter. file stands for
 * config.json in the sentences. */
void lv_foreign_config(const json_t *root, const char *file, LvReasons *reasons);

#endif
