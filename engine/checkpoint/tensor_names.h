/* SPDX-License-Identifier: Apache-2.0
 * Tensor names of the four layouts (docs/model.md 2.2) to canonical ones (2.1). Pure; thread-safe.
 */
#ifndef LV_TENSOR_NAMES_H
#define LV_TENSOR_NAMES_H

#include <stddef.h>

typedef enum LvNameKind {
    LV_NAME_KNOWN,   /* canonical is filled */
    LV_NAME_IGNORED, /* known, and not needed for inference */
    LV_NAME_UNKNOWN
} LvNameKind;

/* canonical: at least LV_CANONICAL_BYTES. It begins with "V.", "P.", "T." or "HEAD.", or is "NL";
 * what follows is not checked (tensor_list.h knows the complete names). Longer names are unknown.
 */
#define LV_CANONICAL_BYTES 128
LvNameKind lv_tensor_name_canonical(const char *name, char canonical[LV_CANONICAL_BYTES]);

#endif
