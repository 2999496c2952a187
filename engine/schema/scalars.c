/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/scalars.h"

#include <stdio.h>
#include <string.h>

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
static LlavaovStatus end_literals(LvCompiler *c, uint32_t first, const LvPlace *place)
{
    const uint32_t n = (uint32_t)c->program->n_literals - first;
    if (!lv_program_sort_literals(c->program, first, n))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, place, "holds a value twice");
    LvInstruction *step = NULL;
    LlavaovStatus status = lv_compiler_add(c, LV_OP_LITERALS, place, &step);
    if (status != LLAVAOV_OK)
        return status;
    step->first = first;
    step->n = n;
    lv_program_share(c->program, step);
    return lv_compiler_add_path(c, place, step);
}

LlavaovStatus lv_compile_or_null(LvCompiler *c, const LvPlace *place)
{
    LvInstruction *step = &c->program->steps[c->program->n_steps - 1];
    if (!lv_program_add_literal(c->program, "null", 4))
        return lv_compiler_too_large(c, place);
    step->n++;
    if (!lv_program_sort_literals(c->program, step->first, step->n))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, place, "holds null a second time");
    lv_program_share(c->program, step);
    return LLAVAOV_OK;
}

static LlavaovStatus add_literal(
    LvCompiler *c, const json_t *value, const char *type, const LvPlace *place)
{
    if (type && !is_of_type(value, type))
        return lv_compiler_refuse(
            c, LLAVAOV_ERROR_ARGUMENT, place, "is not of the type \"%s\"", type);
    return lv_compiler_spelled(c, lv_spell_literal(c->program, value), place);
}

LlavaovStatus lv_compile_values(
    LvCompiler *c, json_t *schema, const char *type, const LvPlace *place)
{
    const uint32_t first = (uint32_t)c->program->n_literals;
    const json_t *values = json_object_get(schema, "enum"), *value;
    const json_t *constant = json_object_get(schema, "const");
    const LvPlace here = {place, values ? "enum" : "const"};
    LlavaovStatus status = LLAVAOV_OK;
    if (values && constant)
        return lv_compiler_refuse(
            c, LLAVAOV_ERROR_UNSUPPORTED, &(LvPlace){place, "const"}, "cannot stand beside enum");
    if (constant)
        status = add_literal(c, constant, type, &here);
    else if (json_array_size(values) == 0)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT, &here, "must hold a value");
    size_t i;
    json_array_foreach(values, i, value)
    {
        char index[24];
        snprintf(index, sizeof index, "%zu", i);
        status = add_literal(c, value, type, &(LvPlace){&here, index});
        if (status != LLAVAOV_OK)
            break;
    }
    return status == LLAVAOV_OK ? end_literals(c, first, &here) : status;
}

LlavaovStatus lv_compile_words(LvCompiler *c, const char *a, const char *b, const LvPlace *place)
{
    const uint32_t first = (uint32_t)c->program->n_literals;
    if (!lv_program_add_literal(c->program, a, strlen(a)) ||
        (b && !lv_program_add_literal(c->program, b, strlen(b))))
        return lv_compiler_too_large(c, place);
    return end_literals(c, first, place);
}

LlavaovStatus lv_compile_string(LvCompiler *c, const json_t *schema, const LvPlace *place)
{
    uint32_t least, most;
    LlavaovStatus status = lv_compiler_counts(c, schema, "minLength", "maxLength",
        LLAVAOV_JSON_MAX_LENGTH, LV_MAX_SCHEMA_CHARACTERS, place, &least, &most);
    LvInstruction *step = NULL;
    if (status == LLAVAOV_OK)
        status = lv_compiler_add(c, LV_OP_STRING, place, &step);
    if (status == LLAVAOV_OK) {
        step->least = least;
        step->most = most;
    }
    return status;
}

static LlavaovStatus read_bound(const LvCompiler *c, const json_t *schema, const char *name,
    const LvPlace *place, LvDecimal *bound)
{
    const json_t *value = json_object_get(schema, name);
    if (json_is_integer(value))
        *bound = lv_decimal_from_integer(json_integer_value(value));
    else if (value && !lv_decimal_from_double(json_real_value(value), bound))
        return lv_compiler_refuse(c, LLAVAOV_ERROR_UNSUPPORTED, &(LvPlace){place, name},
            "takes more than %d digits, or more than %d behind the point", LV_NUMBER_DIGITS,
            LV_NUMBER_DIGITS);
    return LLAVAOV_OK;
}

LlavaovStatus lv_compile_number(
    LvCompiler *c, const json_t *schema, bool integer, const LvPlace *place)
{
    LvNumberBounds bounds = {
        lv_decimal_from_integer(INT64_MIN), lv_decimal_from_integer(INT64_MAX), integer};
    LlavaovStatus status = read_bound(c, schema, "minimum", place, &bounds.least);
    if (status == LLAVAOV_OK)
        status = read_bound(c, schema, "maximum", place, &bounds.most);
    if (status != LLAVAOV_OK)
        return status;
    if (lv_number_closing(&bounds, &(LvNumber){0}) == LV_NUMBER_NEVER)
        return lv_compiler_refuse(c, LLAVAOV_ERROR_ARGUMENT,
            &(LvPlace){place, json_object_get(schema, "minimum") ? "minimum" : "maximum"},
            "no %s of at most %d digits lies within minimum and maximum",
            integer ? "integer" : "number", LV_NUMBER_DIGITS);
    LvInstruction *step = NULL;
    status = lv_compiler_add(c, LV_OP_NUMBER, place, &step);
    if (status == LLAVAOV_OK)
        step->bounds = bounds;
    return status;
}
