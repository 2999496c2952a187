/* SPDX-License-Identifier: Apache-2.0
 * Recognises a config.json of another model or of quantised weights. */
#ifndef LV_FOREIGN_H
#define LV_FOREIGN_H

#include <jansson.h>

#include "checkpoint/reasons.h"

/* Adds every reason that the fields model_type, architectures and quantization_config give. Names
 * must match exactly, including case, since related models differ in one letter. `file` names
 * config.json in the messages. */
void lv_foreign_config(const json_t *root, const char *file, LvReasons *reasons);

#endif
