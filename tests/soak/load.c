/* SPDX-License-Identifier: Apache-2.0
 * Many live streams through one engine: how many windows are answered, how late, and whose.
 *
 *     soak-load [--streams N] [--seconds N] [--settle N] [--together] [--unequal] [--pictures N]
 *               [--leak BYTES] [--set property=value]...
 *
 * Streams of 640 x 360 I420 at 5 fps, window=4 s, frames=8 (load_streams.h), whose windows end
 * spread over 4 s, or together. Behind the first `settle` seconds (20) it is counted, for the other
 * `seconds` (60). One line of JSON. */
#include "load_streams.h"

#include <stdio.h>

/* Resident every second; sets *peak, kB. "a, b, c" in MB, to be freed. */
static gchar *watch_memory(gint seconds, gint64 *peak)
{
    GString *series = g_string_new(NULL);

    for (gint i = 0; i < seconds; i++) {
        g_usleep(G_USEC_PER_SEC);
        const gint64 now = soak_memory("Rss");

        *peak = MAX(*peak, now);
        g_string_append_printf(series, "%s%.1f", series->len ? ", " : "", now / 1024.0);
    }
    return g_string_free(series, FALSE);
}

static void report(const LoadOptions *options, const LoadCounts *c, gint64 base_kb, gint64 peak_kb,
    const gchar *series)
{
    printf("{\"streams\": %d, \"seconds\": %.1f, \"asked_per_s\": %.2f, \"answers_per_s\": %.2f, "
           "\"dropped\": %u, \"untold\": %" G_GUINT64_FORMAT ", \"latency_p50_ms\": %.0f, "
           "\"latency_p99_ms\": %.0f, \"equal_streams\": %d, \"equal_answers\": %u, "
           "\"fewest\": %u, \"most\": %u, \"longest_s\": %.1f, ",
        options->streams, c->seconds, options->streams / ((gdouble)LOAD_WINDOW / GST_SECOND),
        c->answers / c->seconds, c->dropped, c->untold, c->answers ? c->latency[0] : 0,
        c->answers ? c->latency[1] : 0, options->streams - (options->unequal ? 2 : 0),
        c->answers - c->special[0] - c->special[1], c->fewest, c->most, c->longest);
    if (options->unequal)
        printf("\"answers_32_frames\": %u, \"answers_long\": %u, ", c->special[0], c->special[1]);
    printf("\"frame_p50_ms\": %.3f, \"frame_p999_ms\": %.3f, \"fed_late_p999_ms\": %.3f, "
           "\"cpu_engine\": %.3f, \"cpu_pictures\": %.3f, \"cpu_feeder\": %.3f, "
           "\"cpu_other\": %.3f, \"sampled\": %" G_GUINT64_FORMAT
           ", \"encoded\": %" G_GUINT64_FORMAT ", \"base_mb\": %.1f, \"resident_mb\": %.1f, "
           "\"resident_series_mb\": [%s]}\n",
        c->pass[0], c->pass[1], c->feeder_late, c->cpu_engine, c->cpu_pictures, c->cpu_feeder,
        c->cpu_other, c->frames_sampled, c->frames_encoded, base_kb / 1024.0, peak_kb / 1024.0,
        series);
}

int main(int argc, char **argv)
{
    LoadOptions streams = {.streams = 16};
    gint seconds = 60, settle = 20, pictures = 0, leak = 0;
    GOptionEntry options[] = {
        {"streams", 0, 0, G_OPTION_ARG_INT, &streams.streams, "live streams (16)", "N"},
        {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "to count for (60)", "N"},
        {"settle", 0, 0, G_OPTION_ARG_INT, &settle, "before that (20)", "N"},
        {"together", 0, 0, G_OPTION_ARG_NONE, &streams.together, "all windows end together", NULL},
        {"unequal", 0, 0, G_OPTION_ARG_NONE, &streams.unequal,
            "one stream with 32 frames, one with long answers", NULL},
        {"pictures", 0, 0, G_OPTION_ARG_INT, &pictures,
            "each stream shows so many in turn (0: none is shown twice)", "N"},
        {"leak", 0, 0, G_OPTION_ARG_INT, &leak, "leak so much for each dropped window", "BYTES"},
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &streams.properties, "a property of every element",
            "NAME=VALUE"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);
    gint64 base = 0, peak = 0;
    LoadCounts counts;
    gchar *series;

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL) || streams.streams < 1 ||
        pictures < 0 || leak < 0 || (streams.unequal && streams.streams < 3))
        return 2;
    g_option_context_free(context);

    streams.pictures = (guint)pictures;
    streams.leak = (gsize)leak;
    Load *load = load_start(&streams, &base);
    g_usleep((gulong)settle * G_USEC_PER_SEC);
    load_count(load, TRUE);
    series = watch_memory(seconds, &peak);
    load_count(load, FALSE);
    load_stop(load, &counts);
    report(&streams, &counts, base, peak, series);
    g_free(series);
    g_strfreev(streams.properties);
    return 0;
}
