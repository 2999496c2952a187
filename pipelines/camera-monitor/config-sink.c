/* SPDX-License-Identifier: Apache-2.0 */
#include "config-internal.h"
#include "json-place.h"

#include <string.h>

#define SINK_TEXTS 10

static gchar *text_of(json_t *more, const char *name)
{
    return g_strdup(json_string_value(json_object_get(more, name)));
}

/* NAME-file or NAME-env. */
static gchar *secret_of(ConfigReader *reader, json_t *more, const gchar *name, const gchar *pointer)
{
    gchar *file = g_strconcat(name, "-file", NULL), *variable = g_strconcat(name, "-env", NULL),
          *place, *secret = NULL;
    const gchar *in_file = json_string_value(json_object_get(more, file)),
                *in_variable = json_string_value(json_object_get(more, variable));

    place = pointer ? json_place_member(pointer, in_file ? file : variable) : NULL;
    if (in_file && in_variable)
        config_wrong(reader, place, "%s and %s: one of them only", file, variable);
    else if (in_file || in_variable)
        secret = config_secret(reader, in_file, in_variable, place);
    g_free(file);
    g_free(variable);
    g_free(place);
    return secret;
}

static void take_url(ConfigReader *reader, ConfigSink *sink, GUri *uri)
{
    const gchar *scheme = g_uri_get_scheme(uri);
    gboolean file = strcmp(scheme, "file") == 0;

    if (file ? !*g_uri_get_path(uri) : !g_uri_get_host(uri) || !*g_uri_get_host(uri))
        config_wrong(reader, sink->pointer, "%s: has no %s", sink->name, file ? "path" : "host");
    if (!sink->user)
        sink->user = g_strdup(g_uri_get_user(uri));
    if (!sink->password)
        sink->password = g_strdup(g_uri_get_password(uri));
    if (!sink->topic && strcmp(scheme, "kafka") == 0 && strlen(g_uri_get_path(uri)) > 1)
        sink->topic = g_strdup(g_uri_get_path(uri) + 1);
    if (g_str_has_prefix(scheme, "mqtt") && strlen(g_uri_get_path(uri)) > 1)
        config_wrong(reader, sink->pointer,
            "%s: an address of mqtt has no path; `topic` says what topics begin with", sink->name);
}

/* Of several brokers of Kafka the first, which is an address that can be parsed. */
static gchar *one_host(const gchar *url)
{
    const gchar *hosts = strstr(url, "://"), *end, *comma;

    if (!g_str_has_prefix(url, "kafka:") || !hosts)
        return g_strdup(url);
    end = hosts + 3 + strcspn(hosts + 3, "/?#");
    comma = hosts + 3 + strcspn(hosts + 3, ",");
    return comma < end ? g_strdup_printf("%.*s%s", (int)(comma - url), url, end) : g_strdup(url);
}

/* Without user, password and query. */
static gchar *name_of(const gchar *url, GUri *uri)
{
    const gchar *hosts = strstr(url, "://"), *at;

    if (!g_str_has_prefix(url, "kafka:") || !hosts)
        return g_uri_to_string_partial(
            uri, G_URI_HIDE_USERINFO | G_URI_HIDE_PASSWORD | G_URI_HIDE_QUERY);
    hosts += 3;
    at = memchr(hosts, '@', strcspn(hosts, "/?#"));
    hosts = at ? at + 1 : hosts;
    return g_strdup_printf("kafka://%.*s", (int)strcspn(hosts, "?#"), hosts);
}

void config_add_sink(ConfigReader *reader, const gchar *url, json_t *more, const gchar *pointer)
{
    gchar *first = one_host(url);
    GUri *uri = g_uri_parse(first, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED, NULL);
    static const gchar *const schemes[] = {"file", "mqtt", "mqtts", "http", "https", "kafka", NULL};
    ConfigSink *sink;

    g_free(first);
    if (!uri || !g_strv_contains(schemes, g_uri_get_scheme(uri))) {
        config_wrong(reader, pointer,
            "%snot an address of a sink: file:, mqtt:, mqtts:, http:, https: or kafka:",
            pointer ? "" : "--sink: ");
        g_clear_pointer(&uri, g_uri_unref);
        return;
    }
    sink = g_new0(ConfigSink, 1);
    sink->url = g_strdup(url);
    sink->pointer = g_strdup(pointer);
    sink->name = text_of(more, "name");
    if (!sink->name)
        sink->name = name_of(url, uri);
    sink->user = text_of(more, "user");
    sink->password = secret_of(reader, more, "password", pointer);
    sink->secret = secret_of(reader, more, "secret", pointer);
    sink->token = secret_of(reader, more, "token", pointer);
    sink->ca_file = text_of(more, "ca-file");
    sink->cert_file = text_of(more, "cert-file");
    sink->key_file = text_of(more, "key-file");
    sink->topic = text_of(more, "topic");
    sink->alerts_only =
        g_strcmp0(json_string_value(json_object_get(more, "records")), "alerts") == 0;
    g_ptr_array_add(reader->config->sinks, sink);
    take_url(reader, sink, uri);
    g_uri_unref(uri);
}

/* What it consists of, but for its place. */
static void sink_texts(const ConfigSink *sink, gchar **texts[SINK_TEXTS])
{
    ConfigSink *s = (ConfigSink *)sink;
    gchar **all[SINK_TEXTS] = {&s->url, &s->name, &s->user, &s->password, &s->secret, &s->token,
        &s->ca_file, &s->cert_file, &s->key_file, &s->topic};

    memcpy(texts, all, sizeof all);
}

ConfigSink *config_sink_copy(const ConfigSink *sink)
{
    ConfigSink *copy = g_new(ConfigSink, 1);
    gchar **texts[SINK_TEXTS];

    *copy = *sink;
    sink_texts(copy, texts);
    for (guint i = 0; i < SINK_TEXTS; i++)
        *texts[i] = g_strdup(*texts[i]);
    copy->pointer = g_strdup(sink->pointer);
    return copy;
}

gboolean config_sink_equal(const ConfigSink *a, const ConfigSink *b)
{
    gchar **of_a[SINK_TEXTS], **of_b[SINK_TEXTS];

    sink_texts(a, of_a);
    sink_texts(b, of_b);
    for (guint i = 0; i < SINK_TEXTS; i++)
        if (g_strcmp0(*of_a[i], *of_b[i]) != 0)
            return FALSE;
    return a->alerts_only == b->alerts_only;
}

void config_sink_free(ConfigSink *sink)
{
    gchar **texts[SINK_TEXTS];

    sink_texts(sink, texts);
    for (guint i = 0; i < SINK_TEXTS; i++)
        g_free(*texts[i]);
    g_free(sink->pointer);
    g_free(sink);
}
