/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/keywords.h"

#include <string.h>

typedef enum Kind { TEXT, LIST_OF_ANY, BOOLEAN, ANYTHING, COUNT, REAL, OBJECT_OF_ANY } Kind;

static const struct Keyword {
    const char *name;
    unsigned with; /* types beside which it may stand */
    Kind kind;     /* of its value */
} keywords[] = {
    {"$schema", LV_WITH_NOTHING, TEXT},
    {"$id", LV_WITH_NOTHING, TEXT},
    {"$comment", LV_WITH_NOTHING, TEXT},
    {"title", LV_WITH_NOTHING, TEXT},
    {"description", LV_WITH_NOTHING, TEXT},
    {"default", LV_WITH_NOTHING, ANYTHING},
    {"examples", LV_WITH_NOTHING, LIST_OF_ANY},
    {"deprecated", LV_WITH_NOTHING, BOOLEAN},
    {"readOnly", LV_WITH_NOTHING, BOOLEAN},
    {"writeOnly", LV_WITH_NOTHING, BOOLEAN},
    {"type", LV_WITH_TYPE | LV_WITH_VALUES, TEXT},
    {"enum", LV_WITH_VALUES, LIST_OF_ANY},
    {"const", LV_WITH_VALUES, ANYTHING},
    {"anyOf", LV_WITH_ANY_OF, LIST_OF_ANY},
    {"properties", LV_WITH_OBJECT, OBJECT_OF_ANY},
    {"required", LV_WITH_OBJECT, LIST_OF_ANY},
    {"additionalProperties", LV_WITH_OBJECT, BOOLEAN},
    {"items", LV_WITH_LIST, ANYTHING},
    {"minItems", LV_WITH_LIST, COUNT},
    {"maxItems", LV_WITH_LIST, COUNT},
    {"minLength", LV_WITH_STRING, COUNT},
    {"maxLength", LV_WITH_STRING, COUNT},
    {"minimum", LV_WITH_NUMBER, REAL},
    {"maximum", LV_WITH_NUMBER, REAL},
};

static const LvSchemaType types[] = {
    {"object", LV_WITH_OBJECT},
    {"array", LV_WITH_LIST},
    {"string", LV_WITH_STRING},
    {"integer", LV_WITH_NUMBER},
    {"number", LV_WITH_NUMBER},
    {"boolean", 0},
    {"null", 0},
};

static const struct Keyword *find_keyword(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (!strcmp(keywords[i].name, name))
            return &keywords[i];
    return NULL;
}

const LvSchemaType *lv_keywords_type(const char *name)
{
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, name))
            return &types[i];
    return NULL;
}

static const char *wanted(Kind kind, const json_t *value)
{
    switch (kind) {
    case TEXT:
        return json_is_string(value) ? NULL : "must be a string";
    case LIST_OF_ANY:
        return json_is_array(value) ? NULL : "must be a list";
    case BOOLEAN:
        return json_is_boolean(value) ? NULL : "must be true or false";
    case COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0
                   ? NULL
                   : "must be an integer of at least 0";
    case REAL:
        return json_is_number(value) ? NULL : "must be a number";
    case OBJECT_OF_ANY:
        return json_is_object(value) ? NULL : "must be an object";
    case ANYTHING:
        break;
    }
    return NULL;
}

LlavaovStatus lv_keywords_check(
    const LvCompiler *c, json_t *schema, unsigned with, const char *kind, const LvPlace *place)
{
    const char *name;
    json_t *value;
    json_object_foreach(schema, name, value)
    {
        const LvPlace here = {place, name};
        const struct Keyword *keyword = find_keyword(name);
        if (!keyword)
            return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &here,
                "this keyword is not supported; docs/json.md lists those that are");
        if (!(keyword->with & (with | LV_WITH_NOTHING)))
            return lv_compiler_refuse(
                c, LLAVAOV_ERROR_UNSUPPORTED, &here, "cannot stand beside %s", kind);
        const char *must = wanted(keyword->kind, value);
        if (must)
            return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, &here, "%s", must);
    }
    return LLAVAOV_OK;
}
