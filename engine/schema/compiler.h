/* SPDX-License-Identifier: Apache-2.0
 * What the parts of the compiler share: the program as it grows, and errors that name the place in
 * the schema. */
#ifndef LV_COMPILER_H
#define LV_COMPILER_H

#include <jansson.h>

#include "schema/spelling.h"

/* The place in the schema, as a JSON pointer: a list of names from the inside out. */
typedef struct LvPlace {
    const struct LvPlace *outer; /* NULL: the schema itself */
    const char *name;
} LvPlace;

typedef struct LvCompiler {
    LvProgram *program;
    LlavaovError *error;
    unsigned depth; /* objects and lists around */
    uint32_t list;  /* the innermost list around, LV_NO_STEP: none */
    uint32_t level; /* lists around */
} LvCompiler;

/* Fills the error, "json-schema #/a/b: ...", and returns status. */
LlavaovStatus lv_compiler_refuse(const LvCompiler *c, LlavaovStatus status, const LvPlace *place,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The program could not grow: a bound was met, or memory ran out. */
LlavaovStatus lv_compiler_too_large(const LvCompiler *c, const LvPlace *place);
/* What came of spelling something. */
LlavaovStatus lv_compiler_spelled(const LvCompiler *c, LvSpelled how, const LvPlace *place);

/* Appends a step; `step` may be NULL. */
LlavaovStatus lv_compiler_add(
    LvCompiler *c, LvOperation op, const LvPlace *place, LvInstruction **step);

/* The place as a JSON pointer into documents, with LV_PATH_INDEX for elements: appended to the
 * program's text. UNSUPPORTED: it is longer than LV_MAX_SCHEMA_PATH. */
LlavaovStatus lv_compiler_add_path(const LvCompiler *c, const LvPlace *place, LvInstruction *step);

/* Bounds on characters or elements: `fallback` counts where the greatest is absent, or the least
 * where that is more. */
LlavaovStatus lv_compiler_counts(const LvCompiler *c, const json_t *schema, const char *least_name,
    const char *most_name, uint32_t fallback, uint32_t limit, const LvPlace *place, uint32_t *least,
    uint32_t *most);

#endif
