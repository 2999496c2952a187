/* SPDX-License-Identifier: Apache-2.0
 * Many questions about many short videos, through the element, in one process and on one engine.
 *
 * Standard input: one JSON object a line,
 *   {"source": "videotestsrc ... ! video/x-raw,...", "questions": ["..."], "properties": {"window":
 * 8000000000}} Standard output, per line read: the element's JSON line of every answer ("stream" is
 * the question's number), then
 *   {"done": true}  or  {"error": "..."}
 * The source is rendered once; one llavaovelement per question stands in a row behind it.
 */
#include <gst/app/gstappsink.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static GstFlowReturn on_text(GstAppSink *sink, gpointer data)
{
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstMapInfo map;

    if (sample && gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ)) {
        flockfile(stdout);
        fwrite(map.data, 1, map.size, stdout);
        if (map.size == 0 || map.data[map.size - 1] != '\n')
            fputc('\n', stdout);
        funlockfile(stdout);
        gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    }
    if (sample)
        gst_sample_unref(sample);
    return GST_FLOW_OK;
}

static void set_properties(GstElement *element, json_t *properties)
{
    const char *key;
    json_t *value;

    json_object_foreach(properties, key, value)
    {
        char *text = json_is_string(value) ? g_strdup(json_string_value(value))
                                           : json_dumps(value, JSON_ENCODE_ANY);

        gst_util_set_object_arg(G_OBJECT(element), key, text);
        free(text);
    }
}

/* A bin of the source's elements with their last pad as "src". Other open pads stay as they are: a
 * textoverlay whose text pad were brought out would wait for text. */
static GstElement *parse_source(const char *source, GError **error)
{
    /* Behind caps must come an element, for them to be a filter. */
    gchar *text = g_strdup_printf("%s ! identity name=end-of-source", source);
    GstElement *bin = gst_parse_bin_from_description(text, FALSE, error), *end;
    GstPad *pad;

    g_free(text);
    if (!bin)
        return NULL;
    end = gst_bin_get_by_name(GST_BIN(bin), "end-of-source");
    pad = gst_element_get_static_pad(end, "src");
    gst_element_add_pad(bin, gst_ghost_pad_new("src", pad));
    gst_object_unref(pad);
    gst_object_unref(end);
    return bin;
}

/* source ! element ! element ... ! fakesink, each element's text pad into an appsink. */
static GstElement *build(const char *source, json_t *questions, json_t *properties, GError **error)
{
    GstElement *pipeline = gst_pipeline_new(NULL), *last, *sink;
    GstCaps *json = gst_caps_new_empty_simple("application/x-json");
    json_t *question;
    size_t i;

    last = parse_source(source, error);
    if (!last) {
        gst_object_unref(pipeline);
        gst_caps_unref(json);
        return NULL;
    }
    gst_bin_add(GST_BIN(pipeline), last);
    json_array_foreach(questions, i, question)
    {
        GstElement *element = gst_element_factory_make("llavaovelement", NULL);
        GstElement *answers = gst_element_factory_make("appsink", NULL);
        gchar *name = g_strdup_printf("%zu", i);

        gst_bin_add_many(GST_BIN(pipeline), element, answers, NULL);
        set_properties(element, properties);
        g_object_set(element, "prompt", json_string_value(question), "stream-name", name, NULL);
        g_object_set(answers, "caps", json, "sync", FALSE, "async", FALSE, NULL);
        gst_app_sink_set_callbacks(
            GST_APP_SINK(answers), &(GstAppSinkCallbacks){.new_sample = on_text}, NULL, NULL);
        gst_element_link(last, element);
        gst_element_link_pads(element, "text", answers, "sink");
        last = element;
        g_free(name);
    }
    gst_caps_unref(json);
    sink = gst_element_factory_make("fakesink", NULL);
    gst_bin_add(GST_BIN(pipeline), sink);
    gst_element_link(last, sink);
    return pipeline;
}

static gchar *run(json_t *request)
{
    const char *source = json_string_value(json_object_get(request, "source"));
    GError *error = NULL;
    GstElement *pipeline = NULL;
    gchar *fault = NULL;

    if (source)
        pipeline = build(source, json_object_get(request, "questions"),
            json_object_get(request, "properties"), &error);
    if (pipeline) {
        GstBus *bus = gst_element_get_bus(pipeline);
        GstMessage *message;

        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        message = gst_bus_timed_pop_filtered(
            bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
            gst_message_parse_error(message, &error, NULL);
        gst_message_unref(message);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        gst_object_unref(bus);
        gst_object_unref(pipeline);
    }
    if (error || !source)
        fault = g_strdup(error ? error->message : "no source");
    g_clear_error(&error);
    return fault;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0;
    GstElement *keeper;

    gst_init(&argc, &argv);
    /* Keeps the engine loaded between the lines. */
    keeper = gst_element_factory_make("llavaovelement", NULL);
    if (!keeper) {
        fprintf(stderr, "there is no element llavaovelement\n");
        return 1;
    }
    gst_element_set_state(keeper, GST_STATE_PAUSED);
    while (getline(&line, &room, stdin) > 0) {
        json_t *request = json_loads(line, 0, NULL), *answer;
        gchar *fault = request ? run(request) : g_strdup("not JSON");
        char *text;

        answer = fault ? json_pack("{s:s}", "error", fault) : json_pack("{s:b}", "done", 1);
        text = json_dumps(answer, JSON_COMPACT);
        puts(text);
        fflush(stdout);
        free(text);
        json_decref(answer);
        json_decref(request);
        g_free(fault);
    }
    free(line);
    gst_element_set_state(keeper, GST_STATE_NULL);
    gst_object_unref(keeper);
    gst_deinit();
    return 0;
}
