/* SPDX-License-Identifier: Apache-2.0
 * LlavaovJsonSchema: what a caller gave, compiled. */
#ifndef LV_JSON_SCHEMA_H
#define LV_JSON_SCHEMA_H

#include "schema/program.h"

const LvProgram *lv_json_schema_program(const LlavaovJsonSchema *schema);

/* What was given, NUL-terminated. */
const char *lv_json_schema_text(const LlavaovJsonSchema *schema);

/* The same from a text that is not NUL-terminated. */
LlavaovStatus lv_json_schema_parse(
    const char *text, size_t bytes, LlavaovJsonSchema **schema, LlavaovError *error);

#endif
