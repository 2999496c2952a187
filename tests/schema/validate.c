/* SPDX-License-Identifier: Apache-2.0 */
#include "validate.h"

#include <string.h>

static size_t code_points(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static bool one_of(const json_t *values, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (same(json_array_get(values, i), value))
            return true;
    return false;
}

static double number(const json_t *schema, const char *name, double fallback)
{
    const json_t *value = json_object_get(schema, name);
    return value ? json_number_value(value) : fallback;
}

static bool between(const json_t *schema, double x, const char *least_name, const char *most_name,
    double most_fallback)
{
    const double least = number(schema, least_name, -1e300);
    const double most = number(schema, most_name, most_fallback > least ? most_fallback : least);
    return x >= least && x <= most;
}

static bool is_object_of(const json_t *schema, const json_t *value)
{
    json_t *properties = json_object_get(schema, "properties"), *part;
    const char *name;
    void *at = json_object_iter((json_t *)value);
    json_object_foreach(properties, name, part)
    {
        if (!at || strcmp(json_object_iter_key(at), name) ||
            !validate(part, json_object_iter_value(at)))
            return false;
        at = json_object_iter_next((json_t *)value, at);
    }
    return json_is_object(value) && !at;
}

static bool is_list_of(const json_t *schema, const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!validate(json_object_get(schema, "items"), json_array_get(value, i)))
            return false;
    return json_is_array(value) &&
           between(schema, (double)json_array_size(value), "minItems", "maxItems", 16);
}

bool validate(const json_t *schema, const json_t *value)
{
    const json_t *any_of = json_object_get(schema, "anyOf");
    const json_t *values = json_object_get(schema, "enum");
    const json_t *constant = json_object_get(schema, "const");
    if (any_of)
        return validate(json_array_get(any_of, 0), value) ||
               validate(json_array_get(any_of, 1), value);
    if (values && !one_of(values, value))
        return false;
    if (constant && !same(constant, value))
        return false;
    if (values || constant)
        return true;
    const char *type = json_string_value(json_object_get(schema, "type"));
    if (!strcmp(type, "object"))
        return is_object_of(schema, value);
    if (!strcmp(type, "array"))
        return is_list_of(schema, value);
    if (!strcmp(type, "string"))
        return json_is_string(value) &&
               between(schema, (double)code_points(json_string_value(value)), "minLength",
                   "maxLength", 200);
    if (!strcmp(type, "integer"))
        return json_is_integer(value) &&
               between(schema, json_number_value(value), "minimum", "maximum", 1e15);
    if (!strcmp(type, "number"))
        return json_is_number(value) &&
               between(schema, json_number_value(value), "minimum", "maximum", 1e15);
    return !strcmp(type, "boolean") ? json_is_boolean(value) : json_is_null(value);
}

/* Past a string; NULL: an escape or a character that is not written so. */
static const char *past_string(const char *c)
{
    for (c++; *c != '"'; c++) {
        if ((unsigned char)*c < 0x20)
            return NULL;
        if (*c == '\\' && !strchr("\"\\nrt", *++c))
            return NULL;
    }
    return c + 1;
}

bool spelled_once(const char *text)
{
    for (const char *c = text; *c;) {
        if (*c == '"') {
            c = past_string(c);
            if (!c)
                return false;
        } else if (*c == ',' || *c == ':') {
            if (c[1] != ' ' || c[2] == ' ')
                return false;
            c += 2;
        } else if (strchr(" \t\r\nE+", *c) ||
                   (*c == 'e' && c > text && strchr("0123456789", c[-1]))) {
            return false;
        } else {
            c++;
        }
    }
    return true;
}
