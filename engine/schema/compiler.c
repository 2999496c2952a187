/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/compiler.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"

/* Writes the pointer as far as it fits; returns its end. */
static size_t write_place(const LvPlace *place, char *text, size_t size)
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

LlavaovStatus lv_compiler_refuse(
    const LvCompiler *c, LlavaovStatus status, const LvPlace *place, const char *format, ...)
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

/* What a name in the place of a schema is. */
typedef enum PlacePart { KEYWORD, PROPERTY, BRANCH, BEYOND } PlacePart;

static bool add_name(LvProgram *program, const char *name)
{
    bool added = lv_program_add_text(program, "/", 1);
    for (; *name && added; name++)
        added = *name == '~'   ? lv_program_add_text(program, "~0", 2)
                : *name == '/' ? lv_program_add_text(program, "~1", 2)
                               : lv_program_add_text(program, name, 1);
    return added;
}

/* Returns what the next name is. */
static PlacePart add_part(LvProgram *program, const LvPlace *place, bool *added)
{
    static const char index[] = {'/', LV_PATH_INDEX};
    if (!place->outer)
        return KEYWORD;
    switch (add_part(program, place->outer, added)) {
    case PROPERTY:
        *added = *added && add_name(program, place->name);
        return KEYWORD;
    case BRANCH:
        return KEYWORD;
    case BEYOND:
        return BEYOND;
    case KEYWORD:
        break;
    }
    if (!strcmp(place->name, "properties"))
        return PROPERTY;
    if (!strcmp(place->name, "anyOf"))
        return BRANCH;
    if (strcmp(place->name, "items"))
        return BEYOND;
    *added = *added && lv_program_add_text(program, index, sizeof index);
    return KEYWORD;
}

LlavaovStatus lv_compiler_add_path(const LvCompiler *c, const LvPlace *place, LvInstruction *step)
{
    bool added = true;
    step->path = (uint32_t)c->program->n_text;
    add_part(c->program, place, &added);
    if (!added)
        return lv_compiler_too_large(c, place);
    step->n_path = (uint32_t)c->program->n_text - step->path;
    return step->n_path <= LV_MAX_SCHEMA_PATH
               ? LLAVAOV_OK
               : lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
                     "the names on the way to it take %u bytes; at most %u are supported",
                     step->n_path, LV_MAX_SCHEMA_PATH);
}

LlavaovStatus lv_compiler_too_large(const LvCompiler *c, const LvPlace *place)
{
    if (c->program->n_steps >= LV_MAX_SCHEMA_STEPS ||
        c->program->n_literals >= LV_MAX_SCHEMA_LITERALS)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "the schema is too large from here on: it may have about %u fields and %u values of "
            "enums",
            LV_MAX_SCHEMA_STEPS / 2, LV_MAX_SCHEMA_LITERALS);
    return lv_fail(c->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a JSON schema");
}

LlavaovStatus lv_compiler_spelled(const LvCompiler *c, LvSpelled how, const LvPlace *place)
{
    switch (how) {
    case LV_SPELLED:
        return LLAVAOV_OK;
    case LV_SPELLED_NO_MEMORY:
        return lv_compiler_too_large(c, place);
    case LV_SPELLED_CONTROL:
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "holds a control character; of these only \\n, \\r and \\t can be written");
    case LV_SPELLED_DIGITS:
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
            "cannot be written with %d digits and without an exponent", LV_NUMBER_DIGITS);
    case LV_SPELLED_CONTAINER:
        break;
    }
    return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, place,
        "objects and lists are not supported here: give strings, numbers, true, false or null");
}

LlavaovStatus lv_compiler_add(
    LvCompiler *c, LvOperation op, const LvPlace *place, LvInstruction **step)
{
    const uint32_t at = lv_program_add(c->program, op, c->list);
    if (at == LV_NO_STEP)
        return lv_compiler_too_large(c, place);
    if (step)
        *step = &c->program->steps[at];
    return LLAVAOV_OK;
}

/* A bound on characters or elements; `fallback` where it is absent. */
static LlavaovStatus read_count(const LvCompiler *c, const json_t *schema, const char *name,
    uint32_t fallback, uint32_t most, const LvPlace *place, uint32_t *count)
{
    const json_t *value = json_object_get(schema, name);
    *count = fallback;
    if (!value)
        return LLAVAOV_OK;
    if (json_integer_value(value) > most)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &(LvPlace){place, name},
            "is %lld; at most %u is supported", (long long)json_integer_value(value), most);
    *count = (uint32_t)json_integer_value(value);
    return LLAVAOV_OK;
}

LlavaovStatus lv_compiler_counts(const LvCompiler *c, const json_t *schema, const char *least_name,
    const char *most_name, uint32_t fallback, uint32_t limit, const LvPlace *place, uint32_t *least,
    uint32_t *most)
{
    LlavaovStatus status = read_count(c, schema, least_name, 0, limit, place, least);
    if (status == LLAVAOV_OK)
        status = read_count(
            c, schema, most_name, fallback > *least ? fallback : *least, limit, place, most);
    if (status == LLAVAOV_OK && *least > *most)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, &(LvPlace){place, least_name},
            "is %u, and %s is %u: no value fits", *least, most_name, *most);
    return status;
}
