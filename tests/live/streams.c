/* SPDX-License-Identifier: Apache-2.0
 * Runs a gst-launch line to its end and prints one JSON object per answer, in the order in which
 * the answers come:
 *   {"stream", "text", "at": ns, "waited": ns since the window's last frame came in}
 * and at last {"engines": how many inference threads the process has}.
 */
#include <gst/gst.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    const GstStructure *answer = gst_message_get_structure(message);
    guint64 waited = 0;
    json_t *line;
    char *text;

    if (!gst_message_has_name(message, "llavaov-answer"))
        return GST_BUS_PASS;
    gst_structure_get_uint64(answer, "answer-latency", &waited);
    /* One lock around clock and output: lines stand in the order of their times. */
    flockfile(stdout);
    line = json_pack("{s:s s:s s:I s:I}", "stream", gst_structure_get_string(answer, "stream"),
        "text", gst_structure_get_string(answer, "text"), "at",
        (json_int_t)g_get_monotonic_time() * 1000, "waited", (json_int_t)waited);
    text = json_dumps(line, JSON_COMPACT);
    puts(text);
    funlockfile(stdout);
    free(text);
    json_decref(line);
    return GST_BUS_PASS;
}

static int count_threads(const gchar *name)
{
    GDir *tasks = g_dir_open("/proc/self/task", 0, NULL);
    const gchar *task;
    int count = 0;

    while (tasks && (task = g_dir_read_name(tasks))) {
        gchar *path = g_strdup_printf("/proc/self/task/%s/comm", task), *comm = NULL;

        if (g_file_get_contents(path, &comm, NULL, NULL))
            count += strcmp(g_strchomp(comm), name) == 0;
        g_free(comm);
        g_free(path);
    }
    if (tasks)
        g_dir_close(tasks);
    return count;
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    GstElement *pipeline;
    GstMessage *message;
    GstBus *bus;

    gst_init(&argc, &argv);
    pipeline = argc == 2 ? gst_parse_launch(argv[1], &error) : NULL;
    if (!pipeline || error) {
        fprintf(stderr, "%s\n", error ? error->message : "one argument is wanted: the line");
        return 2;
    }
    bus = gst_element_get_bus(pipeline);
    gst_bus_set_sync_handler(bus, on_message, NULL, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    message =
        gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, NULL);
        fprintf(stderr, "%s\n", error->message);
    }
    printf("{\"engines\":%d}\n", count_threads("llavaov-infer"));
    gst_message_unref(message);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    return error ? 1 : 0;
}
