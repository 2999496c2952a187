/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <gst/gst.h>

gboolean options_read(MonitorOptions *options, int *argc, char ***argv)
{
    ConfigOptions *c = &options->config;
    GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &c->file, "cameras, questions and sinks as JSON",
            "FILE"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &options->check, "say what is wrong with that, and end",
            NULL},
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &c->properties,
            "a property of llavaov, for all cameras", "PROPERTY=VALUE"},
        {"sink", 0, 0, G_OPTION_ARG_STRING_ARRAY, &c->sinks,
            "deliver to file:, mqtt:, mqtts:, http:, https: or kafka: as well; more than once",
            "URL"},
        {"spool", 0, 0, G_OPTION_ARG_FILENAME, &c->spool, "keep on disk what is not delivered yet",
            "FOLDER"},
        {"spool-bytes", 0, 0, G_OPTION_ARG_INT64, &c->spool_bytes, "its size at most (67108864)",
            "N"},
        {"spool-age", 0, 0, G_OPTION_ARG_INT64, &c->spool_seconds,
            "seconds that a record may wait (86400)", "N"},
        {"homeassistant", 0, 0, G_OPTION_ARG_NONE, &c->homeassistant,
            "tell Home Assistant over MQTT", NULL},
        {"metrics", 0, 0, G_OPTION_ARG_STRING, &c->metrics, "serve metrics for Prometheus",
            "HOST:PORT"},
        {"metrics-file", 0, 0, G_OPTION_ARG_FILENAME, &c->metrics_file, "write them to a file",
            "FILE"},
        {"metrics-names", 0, 0, G_OPTION_ARG_STRING, &c->metrics_names,
            "vllm: vLLM's names as well", "NAMES"},
        {"http", 0, 0, G_OPTION_ARG_STRING, &c->page, "serve a page to look at", "HOST:PORT"},
        {"http-token-file", 0, 0, G_OPTION_ARG_FILENAME, &c->page_token_file,
            "what other hosts must know for it", "FILE"},
        {"count", 'n', 0, G_OPTION_ARG_INT, &options->count, "end after so many answers", "N"},
        {"ask", 'a', 0, G_OPTION_ARG_NONE, &options->ask,
            "read questions from standard input, a JSON object a line", NULL},
        {"stall", 0, 0, G_OPTION_ARG_INT, &c->stall_seconds,
            "seconds without a frame after which a camera counts as gone (10)", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new("[URI QUESTION]...");
    GError *error = NULL;
    gboolean good;

    c->stall_seconds = 10;
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    good = g_option_context_parse(context, argc, argv, &error);
    g_option_context_free(context);
    if (!good) {
        g_printerr("camera-monitor: %s\n", error->message);
        g_error_free(error);
        return FALSE;
    }
    if ((c->spool_bytes && c->spool_bytes < 65536) || c->spool_seconds < 0) {
        g_printerr("camera-monitor: --spool-bytes is 65536 at least, --spool-age 1\n");
        return FALSE;
    }
    c->cameras = g_strdupv(*argc > 1 ? *argv + 1 : (gchar *[]){NULL});
    c->probe = options->check;
    return TRUE;
}

void options_clear(MonitorOptions *options)
{
    gchar **texts[] = {&options->config.file, &options->config.spool, &options->config.metrics,
        &options->config.metrics_file, &options->config.metrics_names, &options->config.page,
        &options->config.page_token_file};

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(*texts[i]);
    g_strfreev(options->config.properties);
    g_strfreev(options->config.sinks);
    g_strfreev(options->config.cameras);
}
