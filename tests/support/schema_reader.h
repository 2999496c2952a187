/* SPDX-License-Identifier: Apache-2.0
 * For tests: a schema that must open, and whether a text is a document of it. */
#ifndef SCHEMA_READER_H
#define SCHEMA_READER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "schema/json_schema.h"
#include "schema/walk.h"

static inline LlavaovJsonSchema *open_schema(const char *text)
{
    LlavaovJsonSchema *schema;
    LlavaovError error = {0};
    if (llavaov_json_schema_open(text, &schema, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", text, error.message);
    return schema;
}

/* Whether the whole text is a document. */
static inline bool reads(const LlavaovJsonSchema *schema, const char *text)
{
    const LvProgram *program = lv_json_schema_program(schema);
    LvWalk walk = lv_walk_start(program);
    for (; *text; text++)
        if (!lv_walk_step(program, &walk, (unsigned char)*text))
            return false;
    return lv_walk_closing(program, &walk) == 0;
}

#endif
