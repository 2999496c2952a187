/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/json_schema.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/alloc.h"
#include "base/status.h"
#include "schema/spelling.h"

struct LlavaovJsonSchema {
    atomic_uint refs;
    LvProgram program;
};

/* The place in the schema, as a JSON pointer: a list of names from the inside out. */
typedef struct Place {
    const struct Place *outer; /* NULL: the schema itself */
    const char *name;
} Place;

typedef struct Compiler {
    LvProgram *program;
    LlavaovError *error;
    unsigned depth; /* objects and lists around */
    uint32_t list;  /* the innermost list around, LV_NO_STEP: none */
    uint32_t level; /* lists around */
} Compiler;

/* Writes the pointer as far as it fits; returns its end. */
static size_t write_place(const Place *place, char *text, size_t size)
{
    if (!place->outer) {
        text[0] = '#';
        text[1] = '\0';
        return 1;
    }
    size_t n = write_place(place->outer, text, size);
    if (n + 3 < size)
        text[n++] = '/';
    for (const char *c = place->name; *c && n + 3 < size; c++) {
        if (*c == '~' || *c == '/') {
            text[n++] = '~';
            text[n++] = *c == '~' ? '0' : '1';
        } else {
            text[n++] = *c;
        }
    }
    text[n] = '\0';
    return n;
}

static LlavaovStatus refuse(const Compiler *c, LlavaovStatus status, const Place *place,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

static LlavaovStatus refuse(
    const Compiler *c, LlavaovStatus status, const Place *place, const char *format, ...)
{
    char pointer[400], text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_place(place, pointer, sizeof pointer);
    return lv_fail_about(
        c->error, status, LLAVAOV_ABOUT_OPTION, "json-schema", "json-schema %s: %s", pointer, text);
}

static LlavaovStatus no_memory(const Compiler *c)
{
    return lv_fail(c->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON schema");
}

/* What ran out when the program could not grow. */
static LlavaovStatus too_large(const Compiler *c, const Place *place)
{
    if (c->program->n_steps >= LV_MAX_SCHEMA_STEPS ||
        c->program->n_literals >= LV_MAX_SCHEMA_LITERALS)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "the schema is too large from here on: it may have about %u fields and %u values of "
            "enums",
            LV_MAX_SCHEMA_STEPS / 2, LV_MAX_SCHEMA_LITERALS);
    return no_memory(c);
}

static LlavaovStatus add_step(Compiler *c, LvOperation op, const Place *place, LvInstruction **step)
{
    const uint32_t at = lv_program_add(c->program, op, c->list);
    if (at == LV_NO_STEP)
        return too_large(c, place);
    if (step)
        *step = &c->program->steps[at];
    return LLAVAOV_OK;
}

/* ---- keywords ---- */

enum {
    ANNOTATION = 1 << 0, /* says nothing about documents */
    ANY = 1 << 1,        /* allowed with every type */
    OBJECT = 1 << 2,
    LIST = 1 << 3,
    STRING = 1 << 4,
    NUMBER = 1 << 5, /* and integers */
    ENUM = 1 << 6,   /* enum, const */
    ANY_OF = 1 << 7
};

typedef enum Kind { TEXT, LIST_OF_ANY, BOOLEAN, ANYTHING, COUNT, REAL, OBJECT_OF_ANY } Kind;

static const struct Keyword {
    const char *name;
    unsigned with; /* types beside which it may stand */
    Kind kind;     /* of its value */
} keywords[] = {
    {"$schema", ANNOTATION, TEXT},
    {"$id", ANNOTATION, TEXT},
    {"$comment", ANNOTATION, TEXT},
    {"title", ANNOTATION, TEXT},
    {"description", ANNOTATION, TEXT},
    {"default", ANNOTATION, ANYTHING},
    {"examples", ANNOTATION, LIST_OF_ANY},
    {"deprecated", ANNOTATION, BOOLEAN},
    {"readOnly", ANNOTATION, BOOLEAN},
    {"writeOnly", ANNOTATION, BOOLEAN},
    {"type", ANY | ENUM, TEXT},
    {"enum", ENUM, LIST_OF_ANY},
    {"const", ENUM, ANYTHING},
    {"anyOf", ANY_OF, LIST_OF_ANY},
    {"properties", OBJECT, OBJECT_OF_ANY},
    {"required", OBJECT, LIST_OF_ANY},
    {"additionalProperties", OBJECT, BOOLEAN},
    {"items", LIST, ANYTHING},
    {"minItems", LIST, COUNT},
    {"maxItems", LIST, COUNT},
    {"minLength", STRING, COUNT},
    {"maxLength", STRING, COUNT},
    {"minimum", NUMBER, REAL},
    {"maximum", NUMBER, REAL},
};

static const struct Type {
    const char *name;
    unsigned with;
} types[] = {
    {"object", OBJECT},
    {"array", LIST},
    {"string", STRING},
    {"integer", NUMBER},
    {"number", NUMBER},
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

static const struct Type *find_type(const char *name)
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

/* Every keyword is known, stands beside its type, and has a value of its kind. `kind` names what it
 * stands beside. */
static LlavaovStatus check_keywords(
    const Compiler *c, json_t *schema, unsigned with, const char *kind, const Place *place)
{
    const char *name;
    json_t *value;
    json_object_foreach(schema, name, value)
    {
        const Place here = {place, name};
        const struct Keyword *keyword = find_keyword(name);
        if (!keyword)
            return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &here,
                "this keyword is not supported; docs/json.md lists those that are");
        if (!(keyword->with & (with | ANNOTATION)))
            return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &here, "cannot stand beside %s", kind);
        const char *must = wanted(keyword->kind, value);
        if (must)
            return refuse(c, LLAVAOV_ERROR_ARGUMENT, &here, "%s", must);
    }
    return LLAVAOV_OK;
}

/* ---- values ---- */

static LlavaovStatus spelled(const Compiler *c, LvSpelled how, const Place *place)
{
    switch (how) {
    case LV_SPELLED:
        return LLAVAOV_OK;
    case LV_SPELLED_NO_MEMORY:
        return too_large(c, place);
    case LV_SPELLED_CONTROL:
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "holds a control character; of these only \\n, \\r and \\t can be written");
    case LV_SPELLED_DIGITS:
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "cannot be written with %d digits and without an exponent", LV_NUMBER_DIGITS);
    case LV_SPELLED_CONTAINER:
        break;
    }
    return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
        "objects and lists are not supported here: give strings, numbers, true, false or null");
}

static bool is_of_type(const json_t *value, const char *type)
{
    if (!strcmp(type, "string"))
        return json_is_string(value);
    if (!strcmp(type, "integer")) /* 3.0 is one, too */
        return json_is_integer(value) ||
               (json_is_real(value) && json_real_value(value) > -1e15 &&
                   json_real_value(value) < 1e15 &&
                   (double)(int64_t)json_real_value(value) == json_real_value(value));
    if (!strcmp(type, "number"))
        return json_is_number(value);
    if (!strcmp(type, "boolean"))
        return json_is_boolean(value);
    if (!strcmp(type, "null"))
        return json_is_null(value);
    return !strcmp(type, "array") ? json_is_array(value) : json_is_object(value);
}

/* The LITERALS step of the literals from `first` on. */
static LlavaovStatus end_literals(Compiler *c, uint32_t first, const Place *place)
{
    const uint32_t n = (uint32_t)c->program->n_literals - first;
    if (!lv_program_sort_literals(c->program, first, n))
        return refuse(c, LLAVAOV_ERROR_ARGUMENT, place, "holds a value twice");
    LvInstruction *step = NULL;
    LlavaovStatus status = add_step(c, LV_OP_LITERALS, place, &step);
    if (status == LLAVAOV_OK) {
        step->first = first;
        step->n = n;
    }
    return status;
}

static LlavaovStatus add_literal(
    Compiler *c, const json_t *value, const char *type, const Place *place)
{
    if (type && !is_of_type(value, type))
        return refuse(c, LLAVAOV_ERROR_ARGUMENT, place, "is not of the type \"%s\"", type);
    return spelled(c, lv_spell_literal(c->program, value), place);
}

static LlavaovStatus compile_enum(Compiler *c, json_t *schema, const char *type, const Place *place)
{
    const uint32_t first = (uint32_t)c->program->n_literals;
    const json_t *values = json_object_get(schema, "enum"), *value;
    const json_t *constant = json_object_get(schema, "const");
    const Place here = {place, values ? "enum" : "const"};
    LlavaovStatus status = LLAVAOV_OK;
    if (values && constant)
        return refuse(
            c, LLAVAOV_ERROR_UNSUPPORTED, &(Place){place, "const"}, "cannot stand beside enum");
    if (constant)
        status = add_literal(c, constant, type, &here);
    else if (json_array_size(values) == 0)
        return refuse(c, LLAVAOV_ERROR_ARGUMENT, &here, "must hold a value");
    size_t i;
    json_array_foreach(values, i, value)
    {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        status = add_literal(c, value, type, &(Place){&here, index});
        if (status != LLAVAOV_OK)
            break;
    }
    return status == LLAVAOV_OK ? end_literals(c, first, &here) : status;
}

static LlavaovStatus compile_words(Compiler *c, const char *a, const char *b, const Place *place)
{
    const uint32_t first = (uint32_t)c->program->n_literals;
    if (!lv_program_add_literal(c->program, a, strlen(a)) ||
        (b && !lv_program_add_literal(c->program, b, strlen(b))))
        return too_large(c, place);
    return end_literals(c, first, place);
}

/* A bound on characters or elements; `fallback` where it is absent. */
static LlavaovStatus read_count(const Compiler *c, const json_t *schema, const char *name,
    uint32_t fallback, uint32_t most, const Place *place, uint32_t *count)
{
    const json_t *value = json_object_get(schema, name);
    *count = fallback;
    if (!value)
        return LLAVAOV_OK;
    if (json_integer_value(value) > most)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &(Place){place, name},
            "is %lld; at most %u is supported", (long long)json_integer_value(value), most);
    *count = (uint32_t)json_integer_value(value);
    return LLAVAOV_OK;
}

static LlavaovStatus read_counts(const Compiler *c, const json_t *schema, const char *least_name,
    const char *most_name, uint32_t fallback, uint32_t limit, const Place *place, uint32_t *least,
    uint32_t *most)
{
    LlavaovStatus status = read_count(c, schema, least_name, 0, limit, place, least);
    if (status == LLAVAOV_OK)
        status = read_count(
            c, schema, most_name, fallback > *least ? fallback : *least, limit, place, most);
    if (status == LLAVAOV_OK && *least > *most)
        return refuse(c, LLAVAOV_ERROR_ARGUMENT, &(Place){place, least_name},
            "is %u, and %s is %u: no value fits", *least, most_name, *most);
    return status;
}

static LlavaovStatus compile_string(Compiler *c, const json_t *schema, const Place *place)
{
    uint32_t least, most;
    LlavaovStatus status = read_counts(c, schema, "minLength", "maxLength", LLAVAOV_JSON_MAX_LENGTH,
        LV_MAX_SCHEMA_CHARACTERS, place, &least, &most);
    LvInstruction *step = NULL;
    if (status == LLAVAOV_OK)
        status = add_step(c, LV_OP_STRING, place, &step);
    if (status == LLAVAOV_OK) {
        step->least = least;
        step->most = most;
    }
    return status;
}

static LlavaovStatus read_bound(
    const Compiler *c, const json_t *schema, const char *name, const Place *place, LvDecimal *bound)
{
    const json_t *value = json_object_get(schema, name);
    if (json_is_integer(value))
        *bound = lv_decimal_from_integer(json_integer_value(value));
    else if (value && !lv_decimal_from_double(json_real_value(value), bound))
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &(Place){place, name},
            "takes more than %d digits, or more than %d behind the point", LV_NUMBER_DIGITS,
            LV_NUMBER_DIGITS);
    return LLAVAOV_OK;
}

static LlavaovStatus compile_number(
    Compiler *c, const json_t *schema, bool integer, const Place *place)
{
    LvNumberBounds bounds = {
        lv_decimal_from_integer(INT64_MIN), lv_decimal_from_integer(INT64_MAX), integer};
    LlavaovStatus status = read_bound(c, schema, "minimum", place, &bounds.least);
    if (status == LLAVAOV_OK)
        status = read_bound(c, schema, "maximum", place, &bounds.most);
    if (status != LLAVAOV_OK)
        return status;
    if (lv_number_closing(&bounds, &(LvNumber){0}) == LV_NUMBER_NEVER)
        return refuse(c, LLAVAOV_ERROR_ARGUMENT,
            &(Place){place, json_object_get(schema, "minimum") ? "minimum" : "maximum"},
            "no %s of at most %d digits lies within minimum and maximum",
            integer ? "integer" : "number", LV_NUMBER_DIGITS);
    LvInstruction *step = NULL;
    status = add_step(c, LV_OP_NUMBER, place, &step);
    if (status == LLAVAOV_OK)
        step->bounds = bounds;
    return status;
}

static LlavaovStatus compile(Compiler *c, json_t *schema, const Place *place);

static LlavaovStatus enter_container(Compiler *c, const Place *place)
{
    if (c->depth == LV_MAX_SCHEMA_DEPTH)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "objects and lists may be nested %u deep", LV_MAX_SCHEMA_DEPTH);
    c->depth++;
    return LLAVAOV_OK;
}

static LlavaovStatus compile_list(Compiler *c, json_t *schema, const Place *place)
{
    uint32_t least, most;
    json_t *items = json_object_get(schema, "items");
    if (!items)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "has no items: a list must say what its elements are");
    LlavaovStatus status = read_counts(c, schema, "minItems", "maxItems", LLAVAOV_JSON_MAX_ITEMS,
        LV_MAX_SCHEMA_ITEMS, place, &least, &most);
    if (status == LLAVAOV_OK)
        status = enter_container(c, place);
    if (status != LLAVAOV_OK)
        return status;
    const uint32_t outer = c->list, list = lv_program_add(c->program, LV_OP_LIST, outer);
    if (list == LV_NO_STEP)
        return too_large(c, place);
    c->program->steps[list].least = least;
    c->program->steps[list].most = most;
    c->program->steps[list].level = c->level++;
    c->list = list;
    status = compile(c, items, &(Place){place, "items"});
    if (status == LLAVAOV_OK)
        status = add_step(c, LV_OP_NEXT, place, NULL);
    c->program->steps[list].next = (uint32_t)c->program->n_steps;
    c->level--;
    c->list = outer;
    c->depth--;
    return status;
}

/* A TEXT step of the text from `first` on. */
static LlavaovStatus end_text(Compiler *c, size_t first, const Place *place)
{
    LvInstruction *step = NULL;
    LlavaovStatus status = add_step(c, LV_OP_TEXT, place, &step);
    if (status == LLAVAOV_OK) {
        step->first = (uint32_t)first;
        step->n = (uint32_t)(c->program->n_text - first);
    }
    return status;
}

static LlavaovStatus add_text(Compiler *c, const char *text, const Place *place)
{
    const size_t first = c->program->n_text;
    if (!lv_program_add_text(c->program, text, strlen(text)))
        return too_large(c, place);
    return end_text(c, first, place);
}

/* What stands before a field's value. */
static LlavaovStatus add_name(Compiler *c, const char *before, const char *name, const Place *place)
{
    const size_t first = c->program->n_text;
    if (!lv_program_add_text(c->program, before, strlen(before)))
        return too_large(c, place);
    LlavaovStatus status = spelled(c, lv_spell_string(c->program, name), place);
    if (status == LLAVAOV_OK && !lv_program_add_text(c->program, ": ", 2))
        status = too_large(c, place);
    return status == LLAVAOV_OK ? end_text(c, first, place) : status;
}

static LlavaovStatus check_required(
    const Compiler *c, const json_t *schema, const json_t *properties, const Place *place)
{
    const json_t *required = json_object_get(schema, "required"), *name;
    const Place here = {place, "required"};
    size_t i;
    json_array_foreach(required, i, name)
    {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        if (!json_is_string(name) || !json_object_get(properties, json_string_value(name)))
            return refuse(c, LLAVAOV_ERROR_ARGUMENT, &(Place){&here, index},
                "is not the name of one of the properties");
        for (size_t k = 0; k < i; k++)
            if (json_equal(json_array_get(required, k), name))
                return refuse(c, LLAVAOV_ERROR_ARGUMENT, &(Place){&here, index}, "is named before");
    }
    return LLAVAOV_OK;
}

static LlavaovStatus compile_object(Compiler *c, json_t *schema, const Place *place)
{
    json_t *properties = json_object_get(schema, "properties"), *value;
    const char *name;
    if (!properties)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "has no properties: an object must say what its fields are");
    if (json_is_true(json_object_get(schema, "additionalProperties")))
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &(Place){place, "additionalProperties"},
            "only false is supported: no other fields are ever written");
    LlavaovStatus status = check_required(c, schema, properties, place);
    if (status == LLAVAOV_OK)
        status = enter_container(c, place);
    if (status != LLAVAOV_OK)
        return status;
    const Place here = {place, "properties"};
    const char *before = "{";
    json_object_foreach(properties, name, value)
    {
        const Place field = {&here, name};
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

/* Two schemas, of which one is that of null. */
static LlavaovStatus compile_any_of(Compiler *c, json_t *schema, const Place *place)
{
    json_t *of = json_object_get(schema, "anyOf");
    const Place here = {place, "anyOf"};
    json_t *first = json_array_get(of, 0), *second = json_array_get(of, 1);
    if (json_array_size(of) != 2 || is_null(first) == is_null(second))
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &here,
            "must hold two schemas, of which one is {\"type\": \"null\"}");
    json_t *null = is_null(first) ? first : second, *value = is_null(first) ? second : first;
    LlavaovStatus status = check_keywords(
        c, null, ANY, "the type \"null\"", &(Place){&here, is_null(first) ? "0" : "1"});
    if (status != LLAVAOV_OK)
        return status;
    status = add_step(c, LV_OP_OPTION, &here, NULL);
    const size_t null_step = c->program->n_steps;
    if (status == LLAVAOV_OK)
        status = add_text(c, "null", &here);
    const Place other = {&here, is_null(first) ? "1" : "0"};
    if (status == LLAVAOV_OK)
        status = compile(c, value, &other);
    if (status != LLAVAOV_OK)
        return status;
    c->program->steps[null_step].next = (uint32_t)c->program->n_steps;
    /* Of the two the first byte decides. */
    const LvInstruction *step = &c->program->steps[null_step + 1];
    for (uint32_t i = 0; step->op == LV_OP_LITERALS && i < step->n; i++)
        if (c->program->text[c->program->literals[step->first + i].first] == 'n')
            return refuse(c, LLAVAOV_ERROR_ARGUMENT, &other, "holds null a second time");
    return step->op == LV_OP_OPTION
               ? refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &other, "holds null a second time")
               : LLAVAOV_OK;
}

static LlavaovStatus compile_type(Compiler *c, json_t *schema, const char *type, const Place *place)
{
    if (!strcmp(type, "object"))
        return compile_object(c, schema, place);
    if (!strcmp(type, "array"))
        return compile_list(c, schema, place);
    if (!strcmp(type, "string"))
        return compile_string(c, schema, place);
    if (!strcmp(type, "boolean"))
        return compile_words(c, "true", "false", place);
    if (!strcmp(type, "null"))
        return compile_words(c, "null", NULL, place);
    return compile_number(c, schema, !strcmp(type, "integer"), place);
}

static LlavaovStatus compile(Compiler *c, json_t *schema, const Place *place)
{
    if (!json_is_object(schema))
        return refuse(c, LLAVAOV_ERROR_ARGUMENT, place, "a schema must be an object");
    json_t *type = json_object_get(schema, "type");
    const Place at_type = {place, "type"};
    if (type && !json_is_string(type))
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &at_type,
            "must be the name of one type; for a value that may be null write anyOf");
    const struct Type *known = find_type(json_string_value(type));
    if (type && !known)
        return refuse(c, LLAVAOV_ERROR_ARGUMENT, &at_type,
            "there is no type \"%.100s\"; there are object, array, string, integer, number, "
            "boolean and null",
            json_string_value(type));
    char kind[40];
    snprintf(kind, sizeof kind, "the type \"%s\"", known ? known->name : "");
    const bool has_enum = json_object_get(schema, "enum") || json_object_get(schema, "const");
    const bool has_any_of = json_object_get(schema, "anyOf");
    const unsigned with = has_any_of ? ANY_OF : has_enum ? ENUM : ANY | (known ? known->with : 0);
    LlavaovStatus status = check_keywords(c, schema, with,
        has_any_of ? "anyOf"
        : has_enum ? "enum or const"
                   : kind,
        place);
    if (status != LLAVAOV_OK)
        return status;
    if (has_any_of)
        return compile_any_of(c, schema, place);
    if (has_enum)
        return compile_enum(c, schema, known ? known->name : NULL, place);
    if (!known)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place, "has no type, enum, const or anyOf");
    return compile_type(c, schema, known->name, place);
}

static LlavaovStatus compile_document(Compiler *c, json_t *schema)
{
    const Place root = {NULL, NULL};
    LlavaovStatus status = compile(c, schema, &root);
    if (status == LLAVAOV_OK)
        status = add_step(c, LV_OP_END, &root, NULL);
    if (status == LLAVAOV_OK && lv_program_link(c->program) > LV_MAX_SCHEMA_CLOSING)
        return refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &root,
            "the shortest value of a part takes more than %u bytes: lower minLength or minItems",
            LV_MAX_SCHEMA_CLOSING);
    return status;
}

/* ---- the schema ---- */

LlavaovStatus lv_json_schema_parse(
    const char *text, size_t bytes, LlavaovJsonSchema **schema_out, LlavaovError *error)
{
    *schema_out = NULL;
    if (bytes > LV_MAX_SCHEMA_BYTES)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "json-schema",
            "json-schema: %zu bytes are more than the %u that a schema may have", bytes,
            LV_MAX_SCHEMA_BYTES);
    json_error_t cause;
    json_t *root = json_loadb(text, bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &cause);
    if (!root)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "json-schema",
            "json-schema: broken JSON at line %d, column %d: %s", cause.line, cause.column,
            cause.text);
    LlavaovJsonSchema *schema = lv_calloc(1, sizeof *schema);
    LlavaovStatus status = LLAVAOV_OK;
    if (schema) {
        atomic_init(&schema->refs, 1);
        Compiler compiler = {&schema->program, error, 0, LV_NO_STEP, 0};
        status = compile_document(&compiler, root);
    } else {
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON schema");
    }
    json_decref(root);
    if (status == LLAVAOV_OK)
        *schema_out = schema;
    else
        llavaov_json_schema_unref(schema);
    return status;
}

LlavaovStatus llavaov_json_schema_open(
    const char *text, LlavaovJsonSchema **schema, LlavaovError *error)
{
    return lv_json_schema_parse(text ? text : "", text ? strlen(text) : 0, schema, error);
}

LlavaovJsonSchema *llavaov_json_schema_ref(LlavaovJsonSchema *schema)
{
    atomic_fetch_add(&schema->refs, 1);
    return schema;
}

void llavaov_json_schema_unref(LlavaovJsonSchema *schema)
{
    if (!schema || atomic_fetch_sub(&schema->refs, 1) != 1)
        return;
    lv_program_free(&schema->program);
    lv_free(schema);
}

const LvProgram *lv_json_schema_program(const LlavaovJsonSchema *schema)
{
    return &schema->program;
}
