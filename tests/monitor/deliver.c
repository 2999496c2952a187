/* SPDX-License-Identifier: Apache-2.0
 * The spool and the sinks without cameras: made-up records go in, and each number is printed once the spool has its record.
 *
 *   deliver [--spool FOLDER] [--bytes N] [--from K] [--count N] [--every MICROSECONDS] [--stay] URL...
 *
 * A sink's password is in its URL, its HMAC's key in $SECRET. Every tenth record is an alert. Ends after the last, once all is
 * delivered; with --stay on SIGTERM only.
 */
#include "sink.h"
#include "mqtt-board.h"

#include <curl/curl.h>
#include <glib-unix.h>
#include <mosquitto.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

typedef struct Run {
    gchar *spool;
    gint64 bytes, from, count, every;
    gboolean stay, stop;
    gint refused;
} Run;

static gboolean on_signal(gpointer data)
{
    ((Run *)data)->stop = TRUE;
    return G_SOURCE_CONTINUE;
}

static void on_fatal(gpointer data, const gchar *text)
{
    g_printerr("fatal: %s\n", text);
    g_atomic_int_set(&((Run *)data)->refused, TRUE);
}

static void put(Spool *spool, gint64 n)
{
    gchar *line =
        n % 10 == 9 ? g_strdup_printf("{\"stream\":\"cam %d\",\"seq\":%" G_GINT64_FORMAT
                                      ",\"state\":\"raised\",\"utc-since\":%" G_GINT64_FORMAT "}",
                          (int)(n % 4), n, 1000 + n)
                    : g_strdup_printf(
                          "{\"stream\":\"cam %d\",\"seq\":%" G_GINT64_FORMAT
                          ",\"text\":\"Ein \\\"Ball\\\", 球\",\"utc-start\":%" G_GINT64_FORMAT "}",
                          (int)(n % 4), n, 1000 + n);
    Record *record = record_new(line, strlen(line));

    spool_put(spool, record);
    printf("%" G_GINT64_FORMAT "\n", n);
    fflush(stdout);
    record_unref(record);
    g_free(line);
}

static ConfigSink *settings_of(const gchar *url)
{
    GUri *uri = g_uri_parse(url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED, NULL);
    ConfigSink *sink = g_new0(ConfigSink, 1);

    sink->url = (gchar *)url;
    sink->name = g_uri_to_string_partial(uri, G_URI_HIDE_USERINFO | G_URI_HIDE_PASSWORD);
    sink->user = g_strdup(g_uri_get_user(uri));
    sink->password = g_strdup(g_uri_get_password(uri));
    sink->secret = g_strdup(g_getenv("SECRET"));
    sink->ca_file = g_strdup(g_getenv("CA_FILE"));
    if (strcmp(g_uri_get_scheme(uri), "kafka") == 0)
        sink->topic = g_strdup(g_uri_get_path(uri) + 1);
    g_uri_unref(uri);
    return sink;
}

static void on_command(gpointer data, const gchar *topic, const gchar *payload, gsize length)
{
    g_printerr("command %s %s\n", topic, payload);
}

int main(int argc, char **argv)
{
    Run run = {.bytes = 64 << 20, .count = G_MAXINT64};
    GOptionEntry entries[] = {
        {"spool", 0, 0, G_OPTION_ARG_FILENAME, &run.spool, NULL, NULL},
        {"bytes", 0, 0, G_OPTION_ARG_INT64, &run.bytes, NULL, NULL},
        {"from", 0, 0, G_OPTION_ARG_INT64, &run.from, NULL, NULL},
        {"count", 0, 0, G_OPTION_ARG_INT64, &run.count, NULL, NULL},
        {"every", 0, 0, G_OPTION_ARG_INT64, &run.every, NULL, NULL},
        {"stay", 0, 0, G_OPTION_ARG_NONE, &run.stay, NULL, NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new("URL...");
    GPtrArray *sinks = g_ptr_array_new();
    MqttBoard *boards[16] = {NULL};
    GError *error = NULL;
    struct rusage usage;
    Spool *spool;
    gint64 until, next;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        g_error("%s", error->message);
    g_option_context_free(context);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    mosquitto_lib_init();
    spool = spool_new(
        &(SpoolSettings){.folder = run.spool, .bytes = (guint64)run.bytes, .seconds = 24 * 3600},
        &error);
    if (!spool)
        g_error("%s", error->message);
    for (int i = 1; i < argc; i++) {
        ConfigSink *settings = settings_of(argv[i]);
        Sink *sink;

        boards[i] = mqtt_board_new("llavaov", "homeassistant/status", on_command, NULL);
        sink = sink_new(settings, spool, boards[i], &(SinkEvents){on_fatal, &run}, &error);
        if (!sink)
            g_error("%s", error->message);
        g_ptr_array_add(sinks, sink);
    }
    g_unix_signal_add(SIGTERM, on_signal, &run);
    next = g_get_monotonic_time();
    for (gint64 n = run.from; !run.stop && !g_atomic_int_get(&run.refused);) {
        g_main_context_iteration(NULL, FALSE);
        if (n < run.count && g_get_monotonic_time() >= next) {
            put(spool, n++);
            next += run.every;
        } else if (n >= run.count && !run.stay && spool_stats(spool).waiting == 0) {
            break;
        } else {
            g_usleep((gulong)CLAMP(next - g_get_monotonic_time(), 200, 5000));
        }
    }
    until = g_get_monotonic_time() + 3 * G_USEC_PER_SEC / 2;
    for (guint i = 0; i < sinks->len; i++)
        sink_stop(sinks->pdata[i], until);
    for (guint i = 0; i < sinks->len; i++) {
        if (!sink_join(sinks->pdata[i]))
            g_error("a sink does not end");
        SinkStats stats = sink_stats(sinks->pdata[i]);
        g_printerr("sink %s sent %" G_GUINT64_FORMAT " refused %" G_GUINT64_FORMAT
                   " failures %" G_GUINT64_FORMAT " lost %" G_GUINT64_FORMAT "\n",
            sink_name(sinks->pdata[i]), stats.sent, stats.refused, stats.failures, stats.lost);
        sink_free(sinks->pdata[i], FALSE);
        mqtt_board_free(boards[i + 1]);
    }
    SpoolStats stats = spool_stats(spool);
    getrusage(RUSAGE_SELF, &usage);
    g_printerr("spool records %" G_GUINT64_FORMAT " answers-dropped %" G_GUINT64_FORMAT
               " alerts-dropped %" G_GUINT64_FORMAT " damaged %" G_GUINT64_FORMAT
               " waiting %" G_GUINT64_FORMAT " bytes %" G_GUINT64_FORMAT " maxrss %ld\n",
        stats.counts.records, stats.counts.dropped_answers, stats.counts.dropped_alerts,
        stats.counts.damaged, stats.waiting, stats.bytes, usage.ru_maxrss);
    spool_free(spool);
    return g_atomic_int_get(&run.refused) ? 3 : 0;
}
