/* SPDX-License-Identifier: Apache-2.0
 * Runs a pipeline with llavaov elements and writes down what they see and say, a JSON object a
 * line:
 *
 *   viewer LINE
 *
 *   {"e": "frame", "by", "t"}   a raw frame enters llavaovelement; t: its running time
 *   {"e": "answer", "by", "text", "start", "stream", "duration", "times": [...], "base",
 *    "utc", "wall"}   wall: the wall clock now
 *   {"e": "told", "by", "kind": "no-frames" | "qos" | "warning", "reason", "start", "duration"}
 *   {"e": "error", "by", "text", "debug"}, {"e": "eos"}, {"e": "state", "name"}
 *   {"e": "end", "stop_ms", "threads": [names], "files": [names], "alive": [types]}
 *
 * Times are in ns; every object has "at", the monotonic clock. By: an element's factory, and its
 * name. The last object says what is left when the pipeline is gone: threads of the plugin's and
 * the engine's, files and sockets, objects (with GST_TRACERS=leaks). Lines of the standard input:
 * pause, play, null, eos, flush, set ELEMENT PROPERTY VALUE, quit; its end is quit.
 */
#include <gst/gst.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static GMainLoop *loop;
static GstElement *pipeline;
static GMutex lock;

static void say(json_t *object)
{
    json_object_set_new(object, "at", json_integer(g_get_monotonic_time() * 1000));
    g_mutex_lock(&lock);
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    g_mutex_unlock(&lock);
    json_decref(object);
}

static json_t *by(GstObject *source)
{
    GstElementFactory *factory =
        GST_IS_ELEMENT(source) ? gst_element_get_factory(GST_ELEMENT(source)) : NULL;

    return json_sprintf("%s %s", factory ? GST_OBJECT_NAME(factory) : "", GST_OBJECT_NAME(source));
}

static json_t *event(const char *name, GstObject *source)
{
    json_t *object = json_object();

    json_object_set_new(object, "e", json_string(name));
    if (source)
        json_object_set_new(object, "by", by(source));
    return object;
}

static void copy_number(
    json_t *object, const char *key, const GstStructure *from, const char *field)
{
    guint64 value;

    if (gst_structure_get_uint64(from, field, &value))
        json_object_set_new(object, key, json_integer(value));
}

static void say_element(GstMessage *message)
{
    const GstStructure *from = gst_message_get_structure(message);
    const GValue *times = gst_structure_get_value(from, "frame-times");
    json_t *object, *list;
    gboolean answer = gst_structure_has_name(from, "llavaov-answer");

    if (!answer && !gst_structure_has_name(from, "llavaov-no-frames"))
        return;
    object = event(answer ? "answer" : "told", GST_MESSAGE_SRC(message));
    copy_number(object, "start", from, "running-time");
    copy_number(object, "stream", from, "stream-time");
    copy_number(object, "duration", from, "duration");
    if (!answer) {
        json_object_set_new(object, "kind", json_string("no-frames"));
        json_object_set_new(
            object, "reason", json_string(gst_structure_get_string(from, "reason")));
        say(object);
        return;
    }
    json_object_set_new(object, "text", json_string(gst_structure_get_string(from, "text")));
    copy_number(object, "utc", from, "utc-start");
    json_object_set_new(object, "wall", json_integer(g_get_real_time() * 1000));
    json_object_set_new(object, "base", json_integer(gst_element_get_base_time(pipeline)));
    list = json_array();
    for (guint i = 0; times && i < gst_value_array_get_size(times); i++)
        json_array_append_new(
            list, json_integer(g_value_get_uint64(gst_value_array_get_value(times, i))));
    json_object_set_new(object, "times", list);
    say(object);
}

static void say_qos(GstMessage *message)
{
    const GstStructure *from = gst_message_get_structure(message);
    json_t *object = event("told", GST_MESSAGE_SRC(message));
    guint64 start = 0, duration = 0;

    if (!gst_structure_has_field(from, "reason")) {
        json_decref(object); /* a frame that some other element left out */
        return;
    }
    gst_message_parse_qos(message, NULL, &start, NULL, NULL, &duration);
    json_object_set_new(object, "kind", json_string("qos"));
    json_object_set_new(object, "reason", json_string(gst_structure_get_string(from, "reason")));
    json_object_set_new(object, "start", json_integer(start));
    json_object_set_new(object, "duration", json_integer(duration));
    say(object);
}

static void say_trouble(GstMessage *message, gboolean is_error)
{
    json_t *object = event(is_error ? "error" : "told", GST_MESSAGE_SRC(message));
    GError *error = NULL;
    gchar *debug = NULL;

    if (is_error) {
        gst_message_parse_error(message, &error, &debug);
    } else {
        gst_message_parse_warning(message, &error, &debug);
        json_object_set_new(object, "kind", json_string("warning"));
    }
    json_object_set_new(object, "text", json_string(error->message));
    json_object_set_new(object, "debug", json_string(debug ? debug : ""));
    say(object);
    g_error_free(error);
    g_free(debug);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ELEMENT:
        say_element(message);
        break;
    case GST_MESSAGE_QOS:
        say_qos(message);
        break;
    case GST_MESSAGE_WARNING:
        say_trouble(message, FALSE);
        break;
    case GST_MESSAGE_ERROR:
        say_trouble(message, TRUE);
        g_main_loop_quit(loop);
        break;
    case GST_MESSAGE_EOS:
        say(event("eos", NULL));
        g_main_loop_quit(loop);
        break;
    case GST_MESSAGE_CLOCK_LOST:
        gst_element_set_state(pipeline, GST_STATE_PAUSED);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        break;
    default:
        break;
    }
    return G_SOURCE_CONTINUE;
}

/* ---- frames ---- */

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    GstEvent *sticky = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    GstObject *parent = gst_pad_get_parent(pad);
    const GstSegment *segment;
    json_t *object = event("frame", parent);

    if (sticky && GST_BUFFER_PTS_IS_VALID(buffer)) {
        gst_event_parse_segment(sticky, &segment);
        json_object_set_new(object, "t",
            json_integer((json_int_t)gst_segment_to_running_time(
                segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer))));
    }
    say(object);
    g_clear_pointer(&sticky, gst_event_unref);
    gst_object_unref(parent);
    return GST_PAD_PROBE_OK;
}

static void watch_element(GstElement *element)
{
    GstElementFactory *factory = gst_element_get_factory(element);
    GstPad *pad;

    if (!factory || !g_str_equal(GST_OBJECT_NAME(factory), "llavaovelement"))
        return;
    pad = gst_element_get_static_pad(element, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, NULL, NULL);
    gst_object_unref(pad);
}

static void watch_frames(void)
{
    GstIterator *all = gst_bin_iterate_recurse(GST_BIN(pipeline));
    GValue value = G_VALUE_INIT;

    while (gst_iterator_next(all, &value) == GST_ITERATOR_OK) {
        watch_element(g_value_get_object(&value));
        g_value_reset(&value);
    }
    g_value_unset(&value);
    gst_iterator_free(all);
}

/* ---- commands ---- */

static void set_state(GstState state)
{
    json_t *object = event("state", NULL);

    json_object_set_new(object, "name", json_string(gst_element_state_get_name(state)));
    say(object);
    gst_element_set_state(pipeline, state);
}

static void flush(void)
{
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");

    say(event("flush", NULL));
    gst_element_seek_simple(
        sink ? sink : pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT, 0);
    gst_clear_object(&sink);
}

static void set_property(gchar **words)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), words[1]);

    if (element)
        gst_util_set_object_arg(G_OBJECT(element), words[2], words[3]);
    gst_clear_object(&element);
}

static gboolean on_line(GIOChannel *channel, GIOCondition condition, gpointer data)
{
    gchar *line = NULL, **words;
    gsize end = 0;

    if (g_io_channel_read_line(channel, &line, NULL, &end, NULL) != G_IO_STATUS_NORMAL) {
        g_main_loop_quit(loop);
        return G_SOURCE_REMOVE;
    }
    line[end] = '\0';
    words = g_strsplit(line, " ", 4);
    if (g_str_equal(line, "pause")) {
        set_state(GST_STATE_PAUSED);
    } else if (g_str_equal(line, "play")) {
        set_state(GST_STATE_PLAYING);
    } else if (g_str_equal(line, "null")) {
        set_state(GST_STATE_NULL);
    } else if (g_str_equal(line, "eos")) {
        gst_element_send_event(pipeline, gst_event_new_eos());
    } else if (g_str_equal(line, "flush")) {
        flush();
    } else if (g_strv_length(words) == 4 && g_str_equal(words[0], "set")) {
        set_property(words);
    } else {
        g_main_loop_quit(loop);
    }
    g_strfreev(words);
    g_free(line);
    return G_SOURCE_CONTINUE;
}

/* ---- what is left ---- */

static json_t *threads_left(void)
{
    GDir *dir = g_dir_open("/proc/self/task", 0, NULL);
    json_t *list = json_array();
    const gchar *name;

    while (dir && (name = g_dir_read_name(dir))) {
        gchar *path = g_strdup_printf("/proc/self/task/%s/comm", name), *text = NULL;

        if (atoi(name) != getpid() && g_file_get_contents(path, &text, NULL, NULL) &&
            (g_str_has_prefix(text, "llavaov") || g_str_has_prefix(text, "lv-") ||
                g_str_has_prefix(text, "fake-session")))
            json_array_append_new(list, json_string(g_strchomp(text)));
        g_free(text);
        g_free(path);
    }
    if (dir)
        g_dir_close(dir);
    return list;
}

static json_t *files_left(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    json_t *list = json_array();
    const gchar *name;

    while (dir && (name = g_dir_read_name(dir))) {
        gchar *path = g_build_filename("/proc/self/fd", name, NULL);
        gchar *target = g_file_read_link(path, NULL);

        if (target && atoi(name) > 2 &&
            (g_str_has_prefix(target, "socket:") || g_str_has_prefix(target, g_get_tmp_dir())))
            json_array_append_new(list, json_string(target));
        g_free(target);
        g_free(path);
    }
    if (dir)
        g_dir_close(dir);
    return list;
}

/* The registry's, and caps, many of which are typefinders' and so the registry's, too. */
static gboolean of_registry(GType type)
{
    return type == GST_TYPE_CAPS || g_type_is_a(type, GST_TYPE_PLUGIN_FEATURE) ||
           g_type_is_a(type, GST_TYPE_PLUGIN) || g_type_is_a(type, GST_TYPE_PAD_TEMPLATE) ||
           g_type_is_a(type, GST_TYPE_REGISTRY);
}

static json_t *objects_left(void)
{
    GList *tracers = gst_tracing_get_active_tracers();
    json_t *list = json_array();

    for (GList *walk = tracers; walk; walk = walk->next) {
        GstStructure *found = NULL;
        const GValue *objects;

        if (!g_str_equal(G_OBJECT_TYPE_NAME(walk->data), "GstLeaksTracer"))
            continue;
        g_signal_emit_by_name(walk->data, "get-live-objects", &found);
        objects = found ? gst_structure_get_value(found, "live-objects-list") : NULL;
        for (guint i = 0; objects && i < gst_value_list_get_size(objects); i++) {
            const GstStructure *one = gst_value_get_structure(gst_value_list_get_value(objects, i));
            const GValue *object = gst_structure_get_value(one, "object");

            if (!of_registry(G_VALUE_TYPE(object)))
                json_array_append_new(list, json_string(G_VALUE_TYPE_NAME(object)));
        }
        /* Not freed: it holds references to objects of the registry that it never took. */
    }
    g_list_free_full(tracers, gst_object_unref);
    return list;
}

static void end(void)
{
    json_t *object = event("end", NULL);
    gint64 start = g_get_monotonic_time();

    gst_element_set_state(pipeline, GST_STATE_NULL);
    json_object_set_new(object, "stop_ms", json_integer((g_get_monotonic_time() - start) / 1000));
    gst_object_unref(pipeline);
    /* An engine that is still loading, and GStreamer's own tasks, end soon but not at once. */
    for (int i = 0; i < 100; i++) {
        json_t *threads = threads_left();
        gboolean gone = json_array_size(threads) == 0;

        json_decref(threads);
        if (gone)
            break;
        g_usleep(50000);
    }
    g_usleep(100000);
    json_object_set_new(object, "threads", threads_left());
    json_object_set_new(object, "files", files_left());
    json_object_set_new(object, "alive", objects_left());
    say(object);
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    GIOChannel *input;
    GstBus *bus;
    guint watch;

    gst_init(&argc, &argv);
    if (argc != 2)
        return 2;
    pipeline = gst_parse_launch(argv[1], &error);
    if (!pipeline || error) {
        fprintf(stderr, "viewer: %s\n", error ? error->message : "no pipeline");
        return 2;
    }
    if (!GST_IS_PIPELINE(pipeline))
        return 2;
    loop = g_main_loop_new(NULL, FALSE);
    bus = gst_element_get_bus(pipeline);
    watch = gst_bus_add_watch(bus, on_message, NULL);
    gst_object_unref(bus);
    input = g_io_channel_unix_new(0);
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, NULL);
    g_io_channel_unref(input);
    watch_frames();
    set_state(GST_STATE_PLAYING);
    g_main_loop_run(loop);
    g_source_remove(watch);
    end();
    g_main_loop_unref(loop);
    return 0;
}
