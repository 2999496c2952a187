/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "config-internal.h"
#include "json-place.h"

#include <string.h>

#define MOST_BYTES (4 << 20)
#define MOST_SAID 50

gboolean config_wrong(ConfigReader *reader, const gchar *pointer, const gchar *format, ...)
{
    va_list list;
    gchar *reason;

    if (++reader->wrong > MOST_SAID)
        return FALSE;
    va_start(list, format);
    reason = g_strdup_vprintf(format, list);
    va_end(list);
    if (pointer && reader->text)
        g_printerr("camera-monitor: %s:%u: %s%s%s\n", reader->file,
            json_place_line(reader->text, pointer), pointer, *pointer ? ": " : "", reason);
    else
        g_printerr("camera-monitor: %s\n", reason);
    g_free(reason);
    return FALSE;
}

gchar *config_secret(
    ConfigReader *reader, const gchar *file, const gchar *variable, const gchar *pointer)
{
    const gchar *value = variable ? g_getenv(variable) : NULL;
    gchar *text = NULL;
    GError *error = NULL;
    gsize length = 0;

    if (variable && (!value || !*value)) {
        config_wrong(reader, pointer, "the environment variable %s is not set", variable);
        return NULL;
    }
    if (variable)
        return g_strdup(value);
    if (!g_file_get_contents(file, &text, &length, &error)) {
        config_wrong(reader, pointer, "%s", error->message);
        g_error_free(error);
        return NULL;
    }
    g_strchomp(text);
    if (!*text || strlen(text) > 4096 || strpbrk(text, "\r\n") ||
        !g_utf8_validate(text, -1, NULL)) {
        config_wrong(reader, pointer, "%s: not one line of text", file);
        g_clear_pointer(&text, g_free);
    }
    return text;
}

/* Without user, password and query, which may be secret. */
static gchar *name_of(const gchar *uri)
{
    GUri *parsed = g_uri_parse(uri, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED, NULL);
    gchar *name;

    if (!parsed)
        return NULL;
    name = g_uri_to_string_partial(parsed, G_URI_HIDE_USERINFO | G_URI_HIDE_PASSWORD);
    g_uri_unref(parsed);
    return name;
}

ConfigCamera *config_add_camera(
    ConfigReader *reader, const gchar *uri, const gchar *name, const gchar *pointer)
{
    ConfigCamera *camera = g_new0(ConfigCamera, 1);

    camera->uri = g_strdup(uri);
    camera->name = name ? g_strdup(name) : name_of(uri);
    camera->properties = g_ptr_array_new_with_free_func((GDestroyNotify)property_free);
    camera->enabled = TRUE;
    camera->pointer = g_strdup(pointer);
    if (!camera->name) {
        config_wrong(reader, pointer, "not a URI%s%s", pointer ? "" : ": ", pointer ? "" : uri);
        camera->name = g_strdup("");
    }
    g_ptr_array_add(reader->config->cameras, camera);
    return camera;
}

static void add_common(ConfigReader *reader, ConfigCamera *camera, gchar **properties)
{
    for (gchar **property = properties; property && *property; property++) {
        gchar **parts = g_strsplit(*property, "=", 2);

        if (parts[0] && parts[1])
            g_ptr_array_insert(camera->properties, (gint)(property - properties),
                property_new(parts[0], parts[1], NULL));
        else
            config_wrong(reader, NULL, "--set %s: not PROPERTY=VALUE", *property);
        g_strfreev(parts);
    }
}

static void replace(gchar **text, const gchar *by)
{
    if (!by)
        return;
    g_free(*text);
    *text = g_strdup(by);
}

static void take_options(ConfigReader *reader, const ConfigOptions *options)
{
    Config *config = reader->config;

    for (gchar **sink = options->sinks; sink && *sink; sink++)
        config_add_sink(reader, *sink, NULL, NULL);
    for (gchar **camera = options->cameras; camera && camera[0]; camera += 2) {
        if (!camera[1]) {
            config_wrong(reader, NULL, "URI without a QUESTION behind it");
            break;
        }
        config_add_camera(reader, camera[0], NULL, NULL)->prompt = g_strdup(camera[1]);
    }
    for (guint i = 0; i < config->cameras->len; i++) {
        ConfigCamera *camera = config->cameras->pdata[i];

        add_common(reader, camera, options->properties);
        if (camera->stall_seconds == 0)
            camera->stall_seconds = (guint)MAX(options->stall_seconds, 1);
    }
    replace(&config->spool, options->spool);
    if (options->spool_bytes)
        config->spool_bytes = (guint64)options->spool_bytes;
    if (options->spool_seconds)
        config->spool_seconds = (guint64)options->spool_seconds;
    if (options->homeassistant && !config->homeassistant)
        config->homeassistant = g_strdup("homeassistant");
    replace(&config->metrics, options->metrics);
    replace(&config->metrics_file, options->metrics_file);
    if (options->metrics_names)
        config->metrics_vllm = strcmp(options->metrics_names, "vllm") == 0;
    if (options->metrics_names && !config->metrics_vllm &&
        strcmp(options->metrics_names, "llavaov") != 0)
        config_wrong(reader, NULL, "--metrics-names: llavaov or vllm");
    replace(&config->page, options->page);
    if (options->page_token_file) {
        g_free(config->page_token);
        config->page_token = config_secret(reader, options->page_token_file, NULL, NULL);
    }
}

static gchar *text_of(ConfigReader *reader, const gchar *file)
{
    GError *error = NULL;
    gchar *text = NULL;
    gsize length = 0;

    if (!g_file_get_contents(file, &text, &length, &error)) {
        config_wrong(reader, NULL, "%s", error->message);
        g_error_free(error);
    } else if (length > MOST_BYTES || strlen(text) != length) {
        config_wrong(reader, NULL, "%s: %s", file,
            length > MOST_BYTES ? "larger than 4 MiB" : "has a NUL character");
        g_clear_pointer(&text, g_free);
    }
    return text;
}

Config *config_read(const ConfigOptions *options)
{
    Config *config = g_new0(Config, 1);
    ConfigReader reader = {.file = options->file, .config = config};
    gchar *text = options->file ? text_of(&reader, options->file) : NULL;

    config->cameras = g_ptr_array_new_with_free_func((GDestroyNotify)config_camera_free);
    config->sinks = g_ptr_array_new_with_free_func((GDestroyNotify)config_sink_free);
    config->spool_bytes = 64 << 20;
    config->spool_seconds = 24 * 3600;
    if (text)
        config_file_read(&reader, text);
    if (reader.wrong == 0)
        take_options(&reader, options);
    if (reader.wrong == 0)
        config_check(&reader);
    if (reader.wrong == 0 && options->probe)
        config_probe(&reader);
    if (reader.wrong > MOST_SAID)
        g_printerr("camera-monitor: and %u things more\n", reader.wrong - MOST_SAID);
    g_free(text);
    if (reader.wrong == 0)
        return config;
    config_free(config);
    return NULL;
}

ConfigCamera *config_camera_copy(const ConfigCamera *camera)
{
    ConfigCamera *copy = g_new(ConfigCamera, 1);

    *copy = *camera;
    copy->name = g_strdup(camera->name);
    copy->uri = g_strdup(camera->uri);
    copy->prompt = g_strdup(camera->prompt);
    copy->pointer = g_strdup(camera->pointer);
    copy->properties = g_ptr_array_new_with_free_func((GDestroyNotify)property_free);
    for (guint i = 0; i < camera->properties->len; i++)
        g_ptr_array_add(copy->properties, property_copy(camera->properties->pdata[i]));
    return copy;
}

gboolean config_camera_equal(const ConfigCamera *a, const ConfigCamera *b)
{
    if (strcmp(a->name, b->name) || strcmp(a->uri, b->uri) || g_strcmp0(a->prompt, b->prompt) ||
        a->stall_seconds != b->stall_seconds || a->enabled != b->enabled ||
        a->properties->len != b->properties->len)
        return FALSE;
    for (guint i = 0; i < a->properties->len; i++) {
        const Property *one = a->properties->pdata[i], *other = b->properties->pdata[i];

        if (strcmp(one->name, other->name) || strcmp(one->text, other->text))
            return FALSE;
    }
    return TRUE;
}

void config_camera_free(ConfigCamera *camera)
{
    g_free(camera->name);
    g_free(camera->uri);
    g_free(camera->prompt);
    g_free(camera->pointer);
    g_ptr_array_unref(camera->properties);
    g_free(camera);
}

void config_free(Config *config)
{
    gchar **texts[] = {&config->spool, &config->homeassistant, &config->metrics,
        &config->metrics_file, &config->page, &config->page_token};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(*texts[i]);
    g_ptr_array_unref(config->cameras);
    g_ptr_array_unref(config->sinks);
    g_free(config);
}
