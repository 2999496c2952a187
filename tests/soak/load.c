/* SPDX-License-Identifier: Apache-2.0
 * Many live streams through one engine: how many windows are answered, how late, and whose.
 *
 *     soak-load [--streams N] [--seconds N] [--settle N] [--together] [--set property=value]...
 *
 * Every stream is a pipeline of its own: 640 x 360 I420 at 5 fps with eight made-up pictures (one
 * thread feeds all of them), llavaovelement with window=4 s and frames=8, fakesink. They start
 * spread over 4 s, or together. Behind the first `settle` seconds (20) it is counted, for the other
 * `seconds` (60): windows asked for, answers, what was told of drops, the latency of answers, the
 * fewest and most answers of a stream, the longest that a stream was without, frames that came late
 * to their sink, resident memory at both ends. One line of JSON. */
#include "soak.h"

#include <gst/app/gstappsrc.h>
#include <stdio.h>

#define PICTURES 8
#define WIDTH 640
#define HEIGHT 360
#define FPS 5
#define WINDOW (4 * GST_SECOND)

typedef struct Stream {
    GstElement *pipeline, *source, *element;
    gdouble next; /* to be fed */
    guint fed;
    guint answers, dropped; /* told, when counting */
    gdouble last_answer, longest;
} Stream;

typedef struct Run {
    Stream *streams;
    gint n_streams;
    GstBuffer *pictures[PICTURES];
    GMutex lock;
    GArray *latencies, *lateness; /* ms */
    gboolean counting, stop;
} Run;

static Run run;

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    Stream *stream = data;
    const GstStructure *structure = gst_message_get_structure(message);
    guint64 latency;

    g_mutex_lock(&run.lock);
    if (run.counting && GST_MESSAGE_TYPE(message) == GST_MESSAGE_QOS &&
        GST_MESSAGE_SRC(message) == GST_OBJECT(stream->element))
        stream->dropped++;
    if (run.counting && GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT && structure &&
        gst_structure_has_name(structure, "llavaov-answer") &&
        gst_structure_get_uint64(structure, "answer-latency", &latency)) {
        const gdouble now = soak_now(), ms = latency / 1e6;

        stream->answers++;
        stream->longest = MAX(stream->longest, now - stream->last_answer);
        stream->last_answer = now;
        g_array_append_val(run.latencies, ms);
    }
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        GError *error = NULL;

        gst_message_parse_error(message, &error, NULL);
        fprintf(stderr, "soak-load: %s\n", error->message);
        exit(2);
    }
    g_mutex_unlock(&run.lock);
    gst_message_unref(message);
    return GST_BUS_DROP;
}

/* How late a frame is when it leaves the element. */
static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Stream *stream = data;
    GstClock *clock = gst_element_get_clock(stream->pipeline);
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);

    if (clock && run.counting) {
        const gdouble ms = ((gdouble)gst_clock_get_time(clock) -
                               (gdouble)gst_element_get_base_time(stream->pipeline) -
                               (gdouble)GST_BUFFER_PTS(buffer)) /
                           1e6;
        g_mutex_lock(&run.lock);
        g_array_append_val(run.lateness, ms);
        g_mutex_unlock(&run.lock);
    }
    g_clear_pointer(&clock, gst_object_unref);
    return GST_PAD_PROBE_OK;
}

static void open_stream(Stream *stream, gchar **properties)
{
    GstBus *bus;
    GstPad *pad;

    stream->pipeline =
        soak_launch("appsrc name=s is-live=true do-timestamp=true format=time "
                    "caps=video/x-raw,format=I420,width=640,height=360,framerate=5/1 "
                    "! llavaovelement name=l window=4000000000 frames=8 "
                    "! fakesink sync=false");
    stream->source = gst_bin_get_by_name(GST_BIN(stream->pipeline), "s");
    stream->element = gst_bin_get_by_name(GST_BIN(stream->pipeline), "l");
    soak_apply(stream->element, properties);
    bus = gst_element_get_bus(stream->pipeline);
    gst_bus_set_sync_handler(bus, on_message, stream, NULL);
    gst_object_unref(bus);
    pad = gst_element_get_static_pad(stream->element, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, stream, NULL);
    gst_object_unref(pad);
}

static void make_pictures(void)
{
    const gsize bytes = WIDTH * HEIGHT * 3 / 2;

    for (guint p = 0; p < PICTURES; p++) {
        GstMapInfo map;

        run.pictures[p] = gst_buffer_new_allocate(NULL, bytes, NULL);
        gst_buffer_map(run.pictures[p], &map, GST_MAP_WRITE);
        for (gsize i = 0; i < bytes; i++)
            map.data[i] = (guint8)(i / 7 + (i % WIDTH) * (p + 1) / 3 + 31 * p);
        gst_buffer_unmap(run.pictures[p], &map);
    }
}

static gpointer feed(gpointer data)
{
    while (!g_atomic_int_get(&run.stop)) {
        const gdouble now = soak_now();
        gdouble next = now + 0.02;

        for (gint i = 0; i < run.n_streams; i++) {
            Stream *stream = &run.streams[i];

            if (stream->next <= now) {
                /* Shares the memory; the timestamp is appsrc's. */
                gst_app_src_push_buffer(GST_APP_SRC(stream->source),
                    gst_buffer_copy(run.pictures[stream->fed++ % PICTURES]));
                stream->next += 1.0 / FPS;
            }
            next = MIN(next, stream->next);
        }
        if (next > now)
            g_usleep((gulong)((next - now) * 1e6) + 1);
    }
    return NULL;
}

static void count(gboolean counting)
{
    const gdouble now = soak_now();

    g_mutex_lock(&run.lock);
    run.counting = counting;
    for (gint i = 0; i < run.n_streams; i++) {
        Stream *stream = &run.streams[i];

        if (!counting)
            stream->longest = MAX(stream->longest, now - stream->last_answer);
        stream->last_answer = now;
    }
    g_mutex_unlock(&run.lock);
}

static void report(gdouble seconds, gint64 resident_before, gint64 resident)
{
    guint answers = 0, dropped = 0, fewest = G_MAXUINT, most = 0;
    gdouble longest = 0;

    for (gint i = 0; i < run.n_streams; i++) {
        const Stream *stream = &run.streams[i];

        answers += stream->answers;
        dropped += stream->dropped;
        fewest = MIN(fewest, stream->answers);
        most = MAX(most, stream->answers);
        longest = MAX(longest, stream->longest);
    }
    printf("{\"streams\": %d, \"seconds\": %.1f, \"asked_per_s\": %.2f, \"answers_per_s\": %.2f, "
           "\"dropped\": %u, \"latency_p50_ms\": %.0f, \"latency_p99_ms\": %.0f, \"fewest\": %u, "
           "\"most\": %u, \"longest_s\": %.1f, \"frame_late_p50_ms\": %.3f, "
           "\"frame_late_p999_ms\": %.3f, \"resident_mb\": %.0f, \"grown_mb\": %.1f}\n",
        run.n_streams, seconds, run.n_streams / ((gdouble)WINDOW / GST_SECOND), answers / seconds,
        dropped, soak_percentile(run.latencies, 0.5), soak_percentile(run.latencies, 0.99), fewest,
        most, longest, soak_percentile(run.lateness, 0.5), soak_percentile(run.lateness, 0.999),
        resident / 1024.0, (resident - resident_before) / 1024.0);
}

int main(int argc, char **argv)
{
    gint n = 16, seconds = 60, settle = 20;
    gboolean together = FALSE;
    gchar **properties = NULL;
    GOptionEntry options[] = {
        {"streams", 0, 0, G_OPTION_ARG_INT, &n, "live streams (16)", "N"},
        {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "to count for (60)", "N"},
        {"settle", 0, 0, G_OPTION_ARG_INT, &settle, "before that (20)", "N"},
        {"together", 0, 0, G_OPTION_ARG_NONE, &together, "all windows end together", NULL},
        {"set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &properties, "a property of every element",
            "NAME=VALUE"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL) || n < 1)
        return 2;
    g_option_context_free(context);

    make_pictures();
    run.n_streams = n;
    run.streams = g_new0(Stream, n);
    run.latencies = g_array_new(FALSE, FALSE, sizeof(gdouble));
    run.lateness = g_array_new(FALSE, FALSE, sizeof(gdouble));
    for (gint i = 0; i < n; i++) {
        open_stream(&run.streams[i], properties);
        gst_element_set_state(run.streams[i].pipeline, GST_STATE_PLAYING);
    }
    for (gint i = 0; i < n; i++)
        run.streams[i].next = soak_now() + (together ? 0 : 4.0 * i / n);
    GThread *feeder = g_thread_new("feeder", feed, NULL);

    g_usleep((gulong)settle * G_USEC_PER_SEC);
    const gint64 before = soak_memory("Rss");
    const gdouble start = soak_now();
    count(TRUE);
    g_usleep((gulong)seconds * G_USEC_PER_SEC);
    count(FALSE);
    const gdouble counted = soak_now() - start;
    const gint64 after = soak_memory("Rss");
    g_atomic_int_set(&run.stop, TRUE);
    g_thread_join(feeder);
    report(counted, before, after);
    for (gint i = 0; i < n; i++) {
        soak_stop(run.streams[i].pipeline);
        gst_object_unref(run.streams[i].source);
        gst_object_unref(run.streams[i].element);
    }
    for (guint p = 0; p < PICTURES; p++)
        gst_buffer_unref(run.pictures[p]);
    g_strfreev(properties);
    return 0;
}
