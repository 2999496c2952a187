/* SPDX-License-Identifier: Apache-2.0
 * Frames are encoded once, and when they arrive.
 *
 *   arrival --model DIR [--period SECONDS] [--frames N]
 *
 * First: frames come one per period (6 s), the stream ends right after the last one; its first
 * token must follow within one encode and the prefill, plus 20 %. Then: windows that overlap by
 * half; the encoder must have run as often as there are distinct frames in all answers.
 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>

#define SIZE 384

typedef struct Result {
    guint answers;
    gdouble first_token; /* seconds after the question */
    GHashTable *times;   /* distinct frame times */
} Result;

static void take_answer(GstMessage *message, Result *result)
{
    const GstStructure *answer = gst_message_get_structure(message);
    const GValue *times = gst_structure_get_value(answer, "frame-times");
    guint64 value = 0;

    result->answers++;
    gst_structure_get_uint64(answer, "time-to-first-token", &value);
    result->first_token = value / 1e9;
    for (guint i = 0; times && i < gst_value_array_get_size(times); i++) {
        gint64 *key = g_new(gint64, 1);

        *key = (gint64)g_value_get_uint64(gst_value_array_get_value(times, i));
        g_hash_table_add(result->times, key);
    }
}

/* Until EOS or an error, which ends the program. */
static Result collect(GstElement *pipeline)
{
    GstBus *bus = gst_element_get_bus(pipeline);
    Result result = {.times = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL)};
    gboolean going = TRUE;

    while (going) {
        GstMessage *message = gst_bus_timed_pop_filtered(
            bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);

        if (gst_message_has_name(message, "llavaov-answer"))
            take_answer(message, &result);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
            GError *error = NULL;

            gst_message_parse_error(message, &error, NULL);
            fprintf(stderr, "%s\n", error->message);
            exit(2);
        }
        going = GST_MESSAGE_TYPE(message) != GST_MESSAGE_EOS;
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    return result;
}

static GstBuffer *noise(guint64 pts)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, SIZE * SIZE * 3, NULL);
    GstMapInfo map;

    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (gsize i = 0; i < map.size; i++)
        map.data[i] = (guint8)g_random_int();
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = pts;
    return buffer;
}

static gboolean paced_frames(const gchar *model, gdouble period, guint frames)
{
    gchar *text = g_strdup_printf(
        "appsrc name=in format=time caps=video/x-raw,format=RGB,width=%d,height=%d,framerate=0/1 ! "
        "llavaovelement name=x window=%" G_GUINT64_FORMAT " frames=%u max-new-tokens=8 ! fakesink",
        SIZE, SIZE, (guint64)(frames * period * GST_SECOND), frames);
    GstElement *pipeline = soak_launch(text), *source, *element;
    GstFlowReturn flow;
    gboolean ready = FALSE;
    Result result;
    gdouble encode, prefill, limit;

    source = gst_bin_get_by_name(GST_BIN(pipeline), "in");
    element = gst_bin_get_by_name(GST_BIN(pipeline), "x");
    g_object_set(element, "model-path", model, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    while (!ready) {
        g_usleep(1000);
        g_object_get(element, "ready", &ready, NULL);
    }
    for (guint i = 0; i < frames; i++) {
        GstBuffer *buffer = noise((guint64)((i + 0.5) * period * GST_SECOND));

        if (i > 0)
            g_usleep((gulong)(period * G_USEC_PER_SEC));
        g_signal_emit_by_name(source, "push-buffer", buffer, &flow);
        gst_buffer_unref(buffer);
    }
    g_signal_emit_by_name(source, "end-of-stream", &flow);
    result = collect(pipeline);
    encode = soak_stat(element, "encode-time") / 1e9 / MAX(soak_stat(element, "frames-encoded"), 1);
    prefill = soak_stat(element, "prefill-time") / 1e9;
    limit = 1.2 * (encode + prefill);
    gst_object_unref(source);
    gst_object_unref(element);
    soak_stop(pipeline);
    g_hash_table_unref(result.times);
    g_free(text);
    return soak_verdict(result.answers == 1 && result.first_token <= limit,
        "%u frames, one per %.1f s: first token %.2f s after the last (encode %.2f + prefill %.2f, "
        "+20 %% = %.2f)",
        frames, period, result.first_token, encode, prefill, limit);
}

static gboolean overlapping_windows(const gchar *model)
{
    GstElement *pipeline = soak_launch(
        "videotestsrc pattern=ball num-buffers=50 ! video/x-raw,width=384,height=384,framerate=5/1 "
        "! "
        "llavaovelement name=x window=4000000000 interval=2000000000 frames=4 max-new-tokens=4 ! "
        "fakesink");
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), "x");
    Result result;
    guint64 encoded;
    guint distinct;

    g_object_set(element, "model-path", model, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    result = collect(pipeline);
    encoded = soak_stat(element, "frames-encoded");
    distinct = g_hash_table_size(result.times);
    gst_object_unref(element);
    soak_stop(pipeline);
    g_hash_table_unref(result.times);
    return soak_verdict(result.answers > 2 && encoded == distinct,
        "overlapping windows: %u answers about %u distinct frames, %" G_GUINT64_FORMAT " encoded",
        result.answers, distinct, encoded);
}

int main(int argc, char **argv)
{
    gchar *model = NULL;
    gdouble period = 6;
    gint frames = 4;
    GOptionEntry options[] = {
        {"model", 0, 0, G_OPTION_ARG_FILENAME, &model, "checkpoint folder", "DIR"},
        {"period", 0, 0, G_OPTION_ARG_DOUBLE, &period, "seconds between frames (6)", "N"},
        {"frames", 0, 0, G_OPTION_ARG_INT, &frames, "how many (4)", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new(NULL);
    gboolean good;

    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, NULL) || !model || frames < 1)
        return 2;
    g_option_context_free(context);
    good = paced_frames(model, period, (guint)frames);
    good &= overlapping_windows(model);
    return good ? 0 : 1;
}
