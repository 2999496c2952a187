/* SPDX-License-Identifier: Apache-2.0 */
#include "config-internal.h"
#include "config-schema.h"
#include "json-place.h"

#include <gio/gio.h>
#include <stdlib.h>
#include <string.h>

static void on_wrong(gpointer data, const gchar *pointer, const gchar *reason)
{
    config_wrong(data, pointer, "%s", reason);
}

static gboolean fits_schema(ConfigReader *reader, json_t *root)
{
    GBytes *text = g_resources_lookup_data(
        "/llavaov/camera-monitor.schema.json", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    json_t *schema = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text), 0, NULL);
    gboolean good = config_schema_check(schema, root, on_wrong, reader);

    json_decref(schema);
    g_bytes_unref(text);
    return good;
}

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

static gboolean is_own(const char *key)
{
    static const gchar *const own[] = {
        "uri", "prompt", "name", "properties", "enabled", "stall", NULL};

    return g_strv_contains(own, key);
}

/* "window": 8000000000 as window and 8000000000. What is the camera's own, in an object that may have that, is left out. */
static void add_properties(
    ConfigReader *reader, ConfigCamera *camera, json_t *from, gboolean own, const gchar *pointer)
{
    const char *key;
    json_t *value;

    json_object_foreach(from, key, value)
    {
        gchar *place = json_place_member(pointer, key), *text;

        if (!json_is_null(value) && !(own && is_own(key))) {
            text = text_of(value);
            if (text)
                g_ptr_array_add(camera->properties, property_new(key, text, place));
            else
                config_wrong(reader, place, "\"%s\" is no list of texts without '|'", key);
            g_free(text);
        }
        g_free(place);
    }
}

static void read_camera(ConfigReader *reader, json_t *root, json_t *from, const gchar *pointer)
{
    const gchar *prompt = json_string_value(json_object_get(from, "prompt"));
    json_t *stall = json_object_get(from, "stall");
    gchar *place = json_place_member(pointer, "properties");
    ConfigCamera *camera =
        config_add_camera(reader, json_string_value(json_object_get(from, "uri")),
            json_string_value(json_object_get(from, "name")), pointer);

    camera->prompt = g_strdup(prompt);
    camera->enabled = !json_is_false(json_object_get(from, "enabled"));
    if (!stall)
        stall = json_object_get(root, "stall");
    camera->stall_seconds = (guint)json_integer_value(stall);
    add_properties(reader, camera, json_object_get(root, "engine"), FALSE, "/engine");
    add_properties(reader, camera, json_object_get(root, "properties"), FALSE, "/properties");
    add_properties(reader, camera, json_object_get(from, "properties"), FALSE, place);
    add_properties(reader, camera, from, TRUE, pointer);
    g_free(place);
}

static gchar *text_in(json_t *root, const char *object, const char *name)
{
    return g_strdup(json_string_value(json_object_get(json_object_get(root, object), name)));
}

static void read_rest(ConfigReader *reader, json_t *root)
{
    Config *config = reader->config;
    json_t *spool = json_object_get(root, "spool"), *home = json_object_get(root, "homeassistant"),
           *sink;
    const gchar *token =
        json_string_value(json_object_get(json_object_get(root, "page"), "token-file"));
    size_t i;

    json_array_foreach(json_object_get(root, "sinks"), i, sink)
    {
        gchar *place = json_place_item("/sinks", i);
        const gchar *url =
            json_string_value(json_is_string(sink) ? sink : json_object_get(sink, "url"));

        config_add_sink(reader, url, sink, place);
        g_free(place);
    }
    config->spool = text_in(root, "spool", "path");
    if (json_object_get(spool, "bytes"))
        config->spool_bytes = (guint64)json_integer_value(json_object_get(spool, "bytes"));
    if (json_object_get(spool, "seconds"))
        config->spool_seconds = (guint64)json_integer_value(json_object_get(spool, "seconds"));
    if (json_is_true(home) || json_is_object(home)) {
        const gchar *prefix = json_string_value(json_object_get(home, "prefix"));

        config->homeassistant = g_strdup(prefix ? prefix : "homeassistant");
    }
    config->metrics = text_in(root, "metrics", "address");
    config->metrics_file = text_in(root, "metrics", "file");
    config->metrics_vllm =
        g_strcmp0(json_string_value(json_object_get(json_object_get(root, "metrics"), "names")),
            "vllm") == 0;
    config->page = text_in(root, "page", "address");
    if (token)
        config->page_token = config_secret(reader, token, NULL, "/page/token-file");
}

static gboolean too_deep(const json_t *value, guint depth)
{
    const json_t *item;
    const char *key;
    json_t *member;
    size_t i;

    if (depth == 0)
        return TRUE;
    json_array_foreach(value, i, item)
    {
        if (too_deep(item, depth - 1))
            return TRUE;
    }
    json_object_foreach((json_t *)value, key, member)
    {
        if (too_deep(member, depth - 1))
            return TRUE;
    }
    return FALSE;
}

void config_file_read(ConfigReader *reader, const gchar *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error), *cameras, *camera;
    size_t i;

    if (!root) {
        reader->wrong++;
        g_printerr("camera-monitor: %s:%d: %s\n", reader->file, error.line, error.text);
        return;
    }
    reader->text = text;
    if (too_deep(root, 64))
        config_wrong(reader, "", "objects and lists more than 64 deep");
    else if (fits_schema(reader, root)) {
        cameras = json_is_array(root) ? root : json_object_get(root, "cameras");
        json_array_foreach(cameras, i, camera)
        {
            gchar *place = json_place_item(json_is_array(root) ? "" : "/cameras", i);

            read_camera(reader, root, camera, place);
            g_free(place);
        }
        read_rest(reader, root);
    }
    json_decref(root);
}
