/* SPDX-License-Identifier: Apache-2.0 */
#include "config-schema.h"
#include "json-place.h"

#include <stdlib.h>
#include <string.h>

typedef struct SchemaCheck {
    const json_t *root; /* of the schema */
    ConfigSchemaWrong wrong;
    gpointer data;
} SchemaCheck;

static gboolean check(
    SchemaCheck *c, const json_t *schema, const json_t *value, const gchar *pointer);

G_GNUC_PRINTF(3, 4)
static gboolean say(SchemaCheck *c, const gchar *pointer, const gchar *format, ...)
{
    va_list list;
    gchar *reason;

    if (!c->wrong)
        return FALSE;
    va_start(list, format);
    reason = g_strdup_vprintf(format, list);
    va_end(list);
    c->wrong(c->data, pointer, reason);
    g_free(reason);
    return FALSE;
}

static const gchar *type_of(const json_t *value)
{
    static const gchar *const names[] = {
        "object", "array", "string", "integer", "number", "boolean", "boolean", "null"};

    return names[json_typeof(value)];
}

static gboolean is_type(const json_t *value, const gchar *type)
{
    return strcmp(type_of(value), type) == 0 ||
           (strcmp(type, "number") == 0 && json_is_integer(value));
}

static gboolean check_type(
    SchemaCheck *c, const json_t *type, const json_t *value, const gchar *pointer)
{
    GString *names;
    const json_t *item;
    size_t i;

    if (json_is_string(type))
        return is_type(value, json_string_value(type)) ||
               say(c, pointer, "expected %s, got %s", json_string_value(type), type_of(value));
    names = g_string_new(NULL);
    json_array_foreach(type, i, item)
    {
        if (is_type(value, json_string_value(item))) {
            g_string_free(names, TRUE);
            return TRUE;
        }
        g_string_append_printf(names, "%s%s", i ? " or " : "", json_string_value(item));
    }
    say(c, pointer, "expected %s, got %s", names->str, type_of(value));
    g_string_free(names, TRUE);
    return FALSE;
}

static gboolean check_enum(
    SchemaCheck *c, const json_t *list, const json_t *value, const gchar *pointer)
{
    const json_t *item;
    char *text;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_equal(item, value))
            return TRUE;
    }
    text = json_dumps(list, JSON_ENCODE_ANY);
    say(c, pointer, "not one of %s", text ? text : "its values");
    free(text);
    return FALSE;
}

static gboolean check_object(
    SchemaCheck *c, const json_t *schema, const json_t *value, const gchar *pointer)
{
    const json_t *properties = json_object_get(schema, "properties"),
                 *required = json_object_get(schema, "required"),
                 *more = json_object_get(schema, "additionalProperties"), *item;
    gboolean good = TRUE;
    const char *name;
    json_t *member;
    size_t i;

    json_array_foreach(required, i, item)
    {
        if (!json_object_get(value, json_string_value(item)))
            good = say(c, pointer, "\"%s\" is missing", json_string_value(item));
    }
    json_object_foreach((json_t *)value, name, member)
    {
        const json_t *of = json_object_get(properties, name);
        gchar *place = json_place_member(pointer, name);

        if (!of && json_is_false(more))
            good = say(c, place, "there is no \"%s\" here", name);
        else if (of || json_is_object(more))
            good = check(c, of ? of : more, member, place) && good;
        g_free(place);
    }
    return good;
}

static gboolean check_array(
    SchemaCheck *c, const json_t *schema, const json_t *value, const gchar *pointer)
{
    const json_t *items = json_object_get(schema, "items"),
                 *least = json_object_get(schema, "minItems"),
                 *most = json_object_get(schema, "maxItems"), *item;
    gboolean good = TRUE;
    size_t i;

    if (least && json_array_size(value) < (size_t)json_integer_value(least))
        good = say(c, pointer, "fewer than %d items", (int)json_integer_value(least));
    if (most && json_array_size(value) > (size_t)json_integer_value(most))
        return say(c, pointer, "more than %d items", (int)json_integer_value(most));
    if (!items)
        return good;
    json_array_foreach(value, i, item)
    {
        gchar *place = json_place_item(pointer, i);

        good = check(c, items, item, place) && good;
        g_free(place);
    }
    return good;
}

static gboolean check_number(
    SchemaCheck *c, const json_t *schema, const json_t *value, const gchar *pointer)
{
    const json_t *least = json_object_get(schema, "minimum"),
                 *most = json_object_get(schema, "maximum");

    if (least && json_number_value(value) < json_number_value(least))
        return say(c, pointer, "less than %.15g", json_number_value(least));
    if (most && json_number_value(value) > json_number_value(most))
        return say(c, pointer, "more than %.15g", json_number_value(most));
    return TRUE;
}

static gboolean check_string(
    SchemaCheck *c, const json_t *schema, const json_t *value, const gchar *pointer)
{
    const json_t *least = json_object_get(schema, "minLength"),
                 *most = json_object_get(schema, "maxLength"),
                 *pattern = json_object_get(schema, "pattern"),
                 *says = json_object_get(schema, "x-says");
    glong length = g_utf8_strlen(json_string_value(value), -1);

    if (least && length < json_integer_value(least))
        return say(c, pointer, length ? "too short" : "empty");
    if (most && length > json_integer_value(most))
        return say(c, pointer, "longer than %d characters", (int)json_integer_value(most));
    if (pattern && !g_regex_match_simple(json_string_value(pattern), json_string_value(value),
                       G_REGEX_DOLLAR_ENDONLY, 0))
        return say(c, pointer, "%s", says ? json_string_value(says) : json_string_value(pattern));
    return TRUE;
}

/* One that is of the value's type says what is wrong. */
static gboolean check_any(
    SchemaCheck *c, const json_t *list, const json_t *value, const gchar *pointer)
{
    SchemaCheck silent = {c->root, NULL, NULL};
    const json_t *schema;
    size_t i;

    json_array_foreach(list, i, schema)
    {
        if (check(&silent, schema, value, pointer))
            return TRUE;
    }
    json_array_foreach(list, i, schema)
    {
        const json_t *reference = json_object_get(schema, "$ref"), *type;

        if (reference)
            schema = json_object_get(json_object_get(c->root, "$defs"),
                json_string_value(reference) + strlen("#/$defs/"));
        type = json_object_get(schema, "type");
        if (json_is_string(type) && is_type(value, json_string_value(type)))
            return check(c, schema, value, pointer);
    }
    return FALSE;
}

static gboolean check(
    SchemaCheck *c, const json_t *schema, const json_t *value, const gchar *pointer)
{
    const json_t *reference = json_object_get(schema, "$ref"),
                 *type = json_object_get(schema, "type"), *list = json_object_get(schema, "enum"),
                 *any = json_object_get(schema, "anyOf"), *says = json_object_get(schema, "x-says");

    if (reference)
        return check(c,
            json_object_get(json_object_get(c->root, "$defs"),
                json_string_value(reference) + strlen("#/$defs/")),
            value, pointer);
    if (type && !check_type(c, type, value, pointer))
        return FALSE;
    if (list && !check_enum(c, list, value, pointer))
        return FALSE;
    if (any && !check_any(says ? &(SchemaCheck){c->root, NULL, NULL} : c, any, value, pointer))
        return says ? say(c, pointer, "%s", json_string_value(says)) : FALSE;
    if (json_is_object(value))
        return check_object(c, schema, value, pointer);
    if (json_is_array(value))
        return check_array(c, schema, value, pointer);
    if (json_is_number(value))
        return check_number(c, schema, value, pointer);
    return !json_is_string(value) || check_string(c, schema, value, pointer);
}

gboolean config_schema_check(
    const json_t *schema, const json_t *document, ConfigSchemaWrong wrong, gpointer data)
{
    SchemaCheck c = {schema, wrong, data};

    return check(&c, schema, document, "");
}
