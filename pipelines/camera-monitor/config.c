/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <jansson.h>
#include <stdlib.h>

/* ["yes", "no"] is yes|no. NULL: it is no list of texts, or a text has a '|' itself. */
static gchar *joined(const json_t *list)
{
    GString *text = g_string_new(NULL);
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item) || strchr(json_string_value(item), '|')) {
            g_string_free(text, TRUE);
            return NULL;
        }
        g_string_append_printf(text, "%s%s", i ? "|" : "", json_string_value(item));
    }
    return g_string_free(text, FALSE);
}

static gchar *text_of(const json_t *value)
{
    char *text;
    gchar *copy;

    if (json_is_string(value))
        return g_strdup(json_string_value(value));
    if (json_is_array(value))
        return joined(value);
    text = json_dumps(value, JSON_ENCODE_ANY);
    copy = g_strdup(text);
    free(text);
    return copy;
}

/* "window": 8000000000 as window=8000000000. */
static gboolean add_property(
    GPtrArray *list, const char *key, const json_t *value, const gchar *where)
{
    gchar *text;

    if (json_is_null(value))
        return TRUE;
    text = text_of(value);
    if (text)
        g_ptr_array_add(list, g_strdup_printf("%s=%s", key, text));
    else
        g_printerr("camera-monitor: %s: \"%s\" is no list of texts\n", where, key);
    g_free(text);
    return text != NULL;
}

static gboolean is_own(const char *key)
{
    return !strcmp(key, "uri") || !strcmp(key, "prompt") || !strcmp(key, "name") ||
           !strcmp(key, "properties");
}

/* The properties of all cameras, then this one's. NULL: something was wrong. */
static gchar **properties_of(json_t *camera, gchar **common, const gchar *where)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    gboolean good = TRUE;
    const char *key;
    json_t *value;

    for (gchar **property = common; property && *property; property++)
        g_ptr_array_add(list, g_strdup(*property));
    json_object_foreach(json_object_get(camera, "properties"), key, value)
    {
        good = add_property(list, key, value, where) && good;
    }
    json_object_foreach(camera, key, value)
    {
        good = (is_own(key) || add_property(list, key, value, where)) && good;
    }
    if (!good) {
        g_ptr_array_unref(list);
        return NULL;
    }
    g_ptr_array_add(list, NULL);
    return (gchar **)g_ptr_array_free(list, FALSE);
}

static gboolean read_camera(
    json_t *camera, gchar **common, const gchar *where, ConfigAdd add, gpointer data)
{
    const char *uri = NULL, *prompt = NULL, *name = NULL;
    json_t *more = NULL;
    json_error_t error;
    gchar **properties;

    if (json_unpack_ex(camera, &error, 0, "{s:s, s:s, s?s, s?o}", "uri", &uri, "prompt", &prompt,
            "name", &name, "properties", &more) != 0) {
        g_printerr("camera-monitor: %s: %s\n", where, error.text);
        return FALSE;
    }
    if (more && !json_is_object(more)) {
        g_printerr("camera-monitor: %s: \"properties\" is no object\n", where);
        return FALSE;
    }
    properties = properties_of(camera, common, where);
    return properties && add(data, uri, prompt, name, properties);
}

gboolean config_read(const gchar *path, gchar **common, ConfigAdd add, gpointer data)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *camera;
    gboolean good = json_is_array(root);
    size_t i;

    if (!root)
        g_printerr("camera-monitor: %s, line %d: %s\n", path, error.line, error.text);
    else if (!good)
        g_printerr("camera-monitor: %s: not a list of cameras\n", path);
    json_array_foreach(root, i, camera)
    {
        gchar *where = g_strdup_printf("%s, camera %zu", path, i);

        good = read_camera(camera, common, where, add, data) && good;
        g_free(where);
    }
    json_decref(root);
    return good;
}
