/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/compile.h"

#include <stdio.h>
#include <string.h>

#include "schema/keywords.h"
#include "schema/scalars.h"

static LlavaovStatus compile(LvCompiler *c, json_t *schema, const LvPlace *place);

static LlavaovStatus enter_container(LvCompiler *c, const LvPlace *place)
{
    if (c->depth == LV_MAX_SCHEMA_DEPTH)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "objects and lists may be nested %u deep", LV_MAX_SCHEMA_DEPTH);
    c->depth++;
    return LLAVAOV_OK;
}

static LlavaovStatus compile_list(LvCompiler *c, json_t *schema, const LvPlace *place)
{
    uint32_t least, most;
    json_t *items = json_object_get(schema, "items");
    if (!items)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "has no items: a list must say what its elements are");
    LlavaovStatus status = lv_compiler_counts(c, schema, "minItems", "maxItems",
        LLAVAOV_JSON_MAX_ITEMS, LV_MAX_SCHEMA_ITEMS, place, &least, &most);
    if (status == LLAVAOV_OK)
        status = enter_container(c, place);
    if (status != LLAVAOV_OK)
        return status;
    const uint32_t outer = c->list, list = lv_program_add(c->program, LV_OP_LIST, outer);
    if (list == LV_NO_STEP)
        return lv_compiler_too_large(c, place);
    c->program->steps[list].least = least;
    c->program->steps[list].most = most;
    c->program->steps[list].level = c->level++;
    c->list = list;
    status = compile(c, items, &(LvPlace){place, "items"});
    if (status == LLAVAOV_OK)
        status = lv_compiler_add(c, LV_OP_NEXT, place, NULL);
    c->program->steps[list].next = (uint32_t)c->program->n_steps;
    c->level--;
    c->list = outer;
    c->depth--;
    return status;
}

/* A TEXT step of the text from `first` on. */
static LlavaovStatus end_text(LvCompiler *c, size_t first, const LvPlace *place)
{
    LvInstruction *step = NULL;
    LlavaovStatus status = lv_compiler_add(c, LV_OP_TEXT, place, &step);
    if (status == LLAVAOV_OK) {
        step->first = (uint32_t)first;
        step->n = (uint32_t)(c->program->n_text - first);
    }
    return status;
}

static LlavaovStatus add_text(LvCompiler *c, const char *text, const LvPlace *place)
{
    const size_t first = c->program->n_text;
    if (!lv_program_add_text(c->program, text, strlen(text)))
        return lv_compiler_too_large(c, place);
    return end_text(c, first, place);
}

/* What stands before a field's value. */
static LlavaovStatus add_name(
    LvCompiler *c, const char *before, const char *name, const LvPlace *place)
{
    const size_t first = c->program->n_text;
    if (!lv_program_add_text(c->program, before, strlen(before)))
        return lv_compiler_too_large(c, place);
    LlavaovStatus status = lv_compiler_spelled(c, lv_spell_string(c->program, name), place);
    if (status == LLAVAOV_OK && !lv_program_add_text(c->program, ": ", 2))
        status = lv_compiler_too_large(c, place);
    return status == LLAVAOV_OK ? end_text(c, first, place) : status;
}

static LlavaovStatus check_required(
    const LvCompiler *c, const json_t *schema, const json_t *properties, const LvPlace *place)
{
    const json_t *required = json_object_get(schema, "required"), *name;
    const LvPlace here = {place, "required"};
    size_t i;
    json_array_foreach(required, i, name)
    {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        if (!json_is_string(name) || !json_object_get(properties, json_string_value(name)))
            return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, &(LvPlace){&here, index},
                "is not the name of one of the properties");
        for (size_t k = 0; k < i; k++)
            if (json_equal(json_array_get(required, k), name))
                return lv_compiler_refuse(
                    c, LLAVAOV_ERROR_ARGUMENT, &(LvPlace){&here, index}, "is named before");
    }
    return LLAVAOV_OK;
}

static LlavaovStatus compile_object(LvCompiler *c, json_t *schema, const LvPlace *place)
{
    json_t *properties = json_object_get(schema, "properties"), *value;
    const char *name;
    if (!properties)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "has no properties: an object must say what its fields are");
    if (json_is_true(json_object_get(schema, "additionalProperties")))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED,
            &(LvPlace){place, "additionalProperties"},
            "only false is supported: no other fields are ever written");
    LlavaovStatus status = check_required(c, schema, properties, place);
    if (status == LLAVAOV_OK)
        status = enter_container(c, place);
    if (status != LLAVAOV_OK)
        return status;
    const LvPlace here = {place, "properties"};
    const char *before = "{";
    json_object_foreach(properties, name, value)
    {
        const LvPlace field = {&here, name};
        status = add_name(c, before, name, &field);
        if (status == LLAVAOV_OK)
            status = compile(c, value, &field);
        if (status != LLAVAOV_OK)
            return status;
        before = ", ";
    }
    c->depth--;
    return add_text(c, *before == '{' ? "{}" : "}", place);
}

static bool is_null(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    return json_is_string(type) && !strcmp(json_string_value(type), "null");
}

/* Of listed values: null is one more of them. */
static bool is_listed(const json_t *schema)
{
    const json_t *type = json_object_get(schema, "type");
    return json_object_get(schema, "enum") || json_object_get(schema, "const") ||
           (json_is_string(type) && !strcmp(json_string_value(type), "boolean"));
}

/* Two schemas, of which one is that of null. */
static LlavaovStatus compile_any_of(LvCompiler *c, json_t *schema, const LvPlace *place)
{
    json_t *of = json_object_get(schema, "anyOf");
    const LvPlace here = {place, "anyOf"};
    json_t *first = json_array_get(of, 0), *second = json_array_get(of, 1);
    if (json_array_size(of) != 2 || is_null(first) == is_null(second))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &here,
            "must hold two schemas, of which one is {\"type\": \"null\"}");
    json_t *null = is_null(first) ? first : second, *value = is_null(first) ? second : first;
    LlavaovStatus status = lv_keywords_check(
        c, null, LV_WITH_TYPE, "the type \"null\"", &(LvPlace){&here, is_null(first) ? "0" : "1"});
    const LvPlace other = {&here, is_null(first) ? "1" : "0"};
    if (status == LLAVAOV_OK && is_listed(value)) {
        status = compile(c, value, &other);
        return status == LLAVAOV_OK ? lv_compile_or_null(c, &other) : status;
    }
    if (status == LLAVAOV_OK)
        status = lv_compiler_add(c, LV_OP_OPTION, &here, NULL);
    const size_t null_step = c->program->n_steps;
    if (status == LLAVAOV_OK)
        status = add_text(c, "null", &here);
    if (status == LLAVAOV_OK)
        status = compile(c, value, &other);
    if (status != LLAVAOV_OK)
        return status;
    c->program->steps[null_step].next = (uint32_t)c->program->n_steps;
    /* Of the two the first byte decides. */
    return c->program->steps[null_step + 1].op == LV_OP_OPTION
               ? lv_compiler_refuse(
                     c, LLAVAOV_ERROR_UNSUPPORTED, &other, "holds null a second time")
               : LLAVAOV_OK;
}

static LlavaovStatus compile_type(
    LvCompiler *c, json_t *schema, const char *type, const LvPlace *place)
{
    if (!strcmp(type, "object"))
        return compile_object(c, schema, place);
    if (!strcmp(type, "array"))
        return compile_list(c, schema, place);
    if (!strcmp(type, "string"))
        return lv_compile_string(c, schema, place);
    if (!strcmp(type, "boolean"))
        return lv_compile_words(c, "true", "false", place);
    if (!strcmp(type, "null"))
        return lv_compile_words(c, "null", NULL, place);
    return lv_compile_number(c, schema, !strcmp(type, "integer"), place);
}

static LlavaovStatus compile(LvCompiler *c, json_t *schema, const LvPlace *place)
{
    if (!json_is_object(schema))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, place, "a schema must be an object");
    json_t *type = json_object_get(schema, "type");
    const LvPlace at_type = {place, "type"};
    if (type && !json_is_string(type))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &at_type,
            "must be the name of one type; for a value that may be null write anyOf");
    const LvSchemaType *known = lv_keywords_type(json_string_value(type));
    if (type && !known)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, &at_type,
            "there is no type \"%.100s\"; there are object, array, string, integer, number, "
            "boolean and null",
            json_string_value(type));
    char kind[40];
    snprintf(kind, sizeof kind, "the type \"%s\"", known ? known->name : "");
    const bool has_enum = json_object_get(schema, "enum") || json_object_get(schema, "const");
    const bool has_any_of = json_object_get(schema, "anyOf");
    const unsigned with = has_any_of ? LV_WITH_ANY_OF
                          : has_enum ? LV_WITH_VALUES
                                     : LV_WITH_TYPE | (known ? known->with : 0);
    LlavaovStatus status = lv_keywords_check(c, schema, with,
        has_any_of ? "anyOf"
        : has_enum ? "enum or const"
                   : kind,
        place);
    if (status != LLAVAOV_OK)
        return status;
    if (has_any_of)
        return compile_any_of(c, schema, place);
    if (has_enum)
        return lv_compile_values(c, schema, known ? known->name : NULL, place);
    if (!known)
        return lv_compiler_refuse(
            c, LLAVAOV_ERROR_UNSUPPORTED, place, "has no type, enum, const or anyOf");
    return compile_type(c, schema, known->name, place);
}

LlavaovStatus lv_compile_schema(LvProgram *program, json_t *schema, LlavaovError *error)
{
    LvCompiler compiler = {program, error, 0, LV_NO_STEP, 0}, *c = &compiler;
    const LvPlace root = {NULL, NULL};
    LlavaovStatus status = compile(c, schema, &root);
    if (status == LLAVAOV_OK)
        status = lv_compiler_add(c, LV_OP_END, &root, NULL);
    if (status == LLAVAOV_OK && lv_program_link(c->program) > LV_MAX_SCHEMA_CLOSING)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &root,
            "the shortest value of a part takes more than %u bytes: lower minLength or minItems",
            LV_MAX_SCHEMA_CLOSING);
    return status;
}
