/* SPDX-License-Identifier: Apache-2.0
 * A JSON schema becomes a program. */
#ifndef LV_COMPILE_H
#define LV_COMPILE_H

#include <jansson.h>

#include "schema/program.h"

/* program is zero, and the caller's to free also after a failure. Errors: llavaov_json_schema_open. */
LlavaovStatus lv_compile_schema(LvProgram *program, json_t *schema, LlavaovError *error);

#endif
