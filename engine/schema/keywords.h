/* SPDX-License-Identifier: Apache-2.0
 * The keywords of JSON Schema that are supported, and what they may stand beside. */
#ifndef LV_KEYWORDS_H
#define LV_KEYWORDS_H

#include "schema/compiler.h"

/* Kinds of schemas. */
enum {
    LV_WITH_NOTHING = 1 << 0, /* annotations say nothing about documents */
    LV_WITH_TYPE = 1 << 1,    /* any type */
    LV_WITH_OBJECT = 1 << 2,
    LV_WITH_LIST = 1 << 3,
    LV_WITH_STRING = 1 << 4,
    LV_WITH_NUMBER = 1 << 5, /* and integers */
    LV_WITH_VALUES = 1 << 6, /* enum, const */
    LV_WITH_ANY_OF = 1 << 7
};

/* A type of JSON Schema, and the kind of its schemas beyond LV_WITH_TYPE. */
typedef struct LvSchemaType {
    const char *name;
    unsigned with;
} LvSchemaType;

/* NULL: there is none of the name, or name is NULL. */
const LvSchemaType *lv_keywords_type(const char *name);

/* Every keyword of the object is known, may stand in a schema of these kinds, and has a value of its
 * kind. `kind` names the schema's for errors. */
LlavaovStatus lv_keywords_check(
    const LvCompiler *c, json_t *schema, unsigned with, const char *kind, const LvPlace *place);

#endif
