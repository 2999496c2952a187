/* SPDX-License-Identifier: Apache-2.0 */
#include "camera.h"
#include "prompts.h"
#include "properties.h"

#include <gst/app/gstappsink.h>

#define FIRST_PAUSE 1
#define LONGEST_PAUSE 30
#define MOST_WAITING 8

struct Camera {
    ConfigCamera *settings;
    const CameraHooks *hooks;
    Prompts *prompts;
    CameraState state;
    gint64 since;
    gchar *reason;
    gboolean enabled;
    guint64 reconnects;
    GstElement *pipeline, *element;
    guint bus_watch, stall_timer, restart_timer;
    guint pause;    /* seconds before the next try */
    gint frames;    /* since the timer looked last; atomic */
    gint answered;  /* an answer came since the last start; atomic */
    gint seen;      /* a frame did; atomic */
    GQueue waiting; /* of GstStructure: questions, until one has */
    guint quiet_seconds;
};

static gboolean start(gpointer data);

static void stop(Camera *camera)
{
    if (camera->bus_watch)
        g_source_remove(camera->bus_watch);
    if (camera->stall_timer)
        g_source_remove(camera->stall_timer);
    if (camera->restart_timer)
        g_source_remove(camera->restart_timer);
    camera->bus_watch = camera->stall_timer = camera->restart_timer = 0;
    if (camera->pipeline) {
        if (camera->element && camera->hooks->on_stopping)
            camera->hooks->on_stopping(camera->hooks->data, camera);
        gst_element_set_state(camera->pipeline, GST_STATE_NULL);
        gst_object_unref(camera->pipeline);
    }
    camera->pipeline = camera->element = NULL;
}

static void tell(Camera *camera)
{
    if (camera->hooks->on_status)
        camera->hooks->on_status(camera->hooks->data, camera);
}

static void enter(Camera *camera, CameraState state, const gchar *reason)
{
    if (state != camera->state)
        camera->since = g_get_real_time();
    camera->state = state;
    g_free(camera->reason);
    camera->reason = g_strdup(reason);
    tell(camera);
}

/* A callback of the watch or the timer zeroes its own id first and then returns G_SOURCE_REMOVE. */
static void try_again_later(Camera *camera, const gchar *why)
{
    if (g_atomic_int_get(&camera->answered))
        camera->pause = FIRST_PAUSE;
    g_printerr("%s: %s; next try in %u s\n", camera->settings->name, why, camera->pause);
    stop(camera);
    camera->reconnects += camera->state == CAMERA_UP;
    enter(camera, CAMERA_RECONNECTING, why);
    camera->restart_timer = g_timeout_add_seconds(camera->pause, start, camera);
    camera->pause = MIN(camera->pause * 2, LONGEST_PAUSE);
}

static const gchar *prompt_of(const GstStructure *fields)
{
    const gchar *prompt = gst_structure_get_string(fields, "prompt");

    return prompt ? prompt : "its own question";
}

static void ask(Camera *camera, const GstStructure *fields)
{
    guint64 id = 0;

    g_signal_emit_by_name(camera->element, "ask", fields, &id);
    if (id == 0)
        g_printerr("%s: not asked: %s\n", camera->settings->name, prompt_of(fields));
}

static void ask_waiting(Camera *camera)
{
    GstStructure *fields;

    while (
        g_atomic_int_get(&camera->seen) && (fields = g_queue_pop_head(&camera->waiting)) != NULL) {
        ask(camera, fields);
        gst_structure_free(fields);
    }
}

static gboolean on_stall_timer(gpointer data)
{
    Camera *camera = data;

    ask_waiting(camera);
    if (camera->state != CAMERA_UP && g_atomic_int_get(&camera->seen))
        enter(camera, CAMERA_UP, NULL);
    camera->quiet_seconds =
        g_atomic_int_and((guint *)&camera->frames, 0) ? 0 : camera->quiet_seconds + 1;
    if (camera->quiet_seconds < camera->settings->stall_seconds)
        return G_SOURCE_CONTINUE;
    camera->stall_timer = 0;
    try_again_later(camera, "no frames");
    return G_SOURCE_REMOVE;
}

/* Errors of the model are the element's own; those of a decoder inside it are the camera's. */
static gboolean is_fatal(Camera *camera, GstMessage *message)
{
    GstElementFactory *factory;

    if (!GST_IS_ELEMENT(GST_MESSAGE_SRC(message)))
        return FALSE;
    factory = gst_element_get_factory(GST_ELEMENT(GST_MESSAGE_SRC(message)));
    return factory && g_str_has_prefix(GST_OBJECT_NAME(factory), "llavaov");
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    Camera *camera = data;
    GError *error = NULL;

    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
        gst_message_parse_error(message, &error, NULL);
        camera->bus_watch = 0;
        if (is_fatal(camera, message))
            camera->hooks->on_fatal(camera->hooks->data, camera->settings->name, error->message);
        else
            try_again_later(camera, error->message);
        g_error_free(error);
        return G_SOURCE_REMOVE;
    case GST_MESSAGE_EOS:
        camera->bus_watch = 0;
        if (g_str_has_prefix(camera->settings->uri, "file:")) {
            stop(camera);
            enter(camera, CAMERA_ENDED, NULL);
            camera->hooks->on_finished(camera->hooks->data);
        } else {
            try_again_later(camera, "the stream ended");
        }
        return G_SOURCE_REMOVE;
    case GST_MESSAGE_WARNING:
        gst_message_parse_warning(message, &error, NULL);
        g_printerr("%s: %s\n", camera->settings->name, error->message);
        g_error_free(error);
        return G_SOURCE_CONTINUE;
    case GST_MESSAGE_QOS:
        if (camera->hooks->on_drop &&
            gst_structure_has_field(gst_message_get_structure(message), "reason"))
            camera->hooks->on_drop(camera->hooks->data, camera,
                gst_structure_get_string(gst_message_get_structure(message), "reason"));
        return G_SOURCE_CONTINUE;
    case GST_MESSAGE_ELEMENT:
        if (gst_message_has_name(message, "llavaov-no-answer"))
            g_printerr("%s: no answer: %s\n", camera->settings->name,
                prompt_of(gst_message_get_structure(message)));
        return G_SOURCE_CONTINUE;
    default:
        return G_SOURCE_CONTINUE;
    }
}

static GstFlowReturn on_text(GstAppSink *sink, gpointer data)
{
    Camera *camera = data;
    GstSample *sample = gst_app_sink_pull_sample(sink);
    GstMapInfo map;

    if (!sample)
        return GST_FLOW_EOS;
    if (gst_buffer_map(gst_sample_get_buffer(sample), &map, GST_MAP_READ)) {
        gsize length = map.size;

        while (length > 0 && map.data[length - 1] == '\n')
            length--;
        if (length > 0) {
            g_atomic_int_set(&camera->answered, TRUE);
            camera->hooks->on_line(camera->hooks->data, (const gchar *)map.data, length);
        }
        gst_buffer_unmap(gst_sample_get_buffer(sample), &map);
    }
    gst_sample_unref(sample);
    return GST_FLOW_OK;
}

static GstPadProbeReturn on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    /* Frames that `decode` leaves out are GAP events. */
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM &&
        GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_GAP)
        return GST_PAD_PROBE_OK;
    g_atomic_int_inc(&((Camera *)data)->frames);
    g_atomic_int_set(&((Camera *)data)->seen, TRUE);
    return GST_PAD_PROBE_OK;
}

/* The element's template refuses sound, so the first pad that links is the picture. */
static void on_source_pad(GstElement *source, GstPad *pad, gpointer data)
{
    GstPad *sink = gst_element_get_static_pad(GST_ELEMENT(data), "sink");

    if (!gst_pad_is_linked(sink))
        gst_pad_link(pad, sink);
    gst_object_unref(sink);
}

static GstElement *add(Camera *camera, const gchar *factory)
{
    GstElement *element = gst_element_factory_make(factory, NULL);

    if (element)
        gst_bin_add(GST_BIN(camera->pipeline), element);
    else
        g_printerr("camera-monitor: there is no element \"%s\"\n", factory);
    return element;
}

static gboolean set_property(Camera *camera, const gchar *name, const gchar *text)
{
    const gchar *wrong = property_set(camera->element, name, text);

    if (wrong)
        g_printerr("%s: %s=%s: %s\n", camera->settings->name, name, text, wrong);
    return wrong == NULL;
}

static gboolean set_properties(Camera *camera)
{
    const GPtrArray *properties = camera->settings->properties;

    for (guint i = 0; i < properties->len; i++) {
        const Property *property = properties->pdata[i];

        if (prompts_stand_for(camera->prompts, property->name))
            continue;
        if (!set_property(camera, property->name, property->text))
            return FALSE;
    }
    g_object_set(
        camera->element, "stream-name", camera->settings->name, "enabled", camera->enabled, NULL);
    prompts_apply(camera->prompts, camera->element);
    return TRUE;
}

/* Whether the element does not decode all. */
static gboolean leaves_out(const Camera *camera)
{
    gint decode = 0;

    g_object_get(camera->element, "decode", &decode, NULL);
    return decode != 0;
}

/* What is left out must not be decoded in front of the element. */
static const gchar *source_of(const Camera *camera)
{
    if (g_str_has_prefix(camera->settings->uri, "rtsp"))
        return "rtspsrc";
    return leaves_out(camera) ? "urisourcebin" : "uridecodebin";
}

static gboolean build(Camera *camera)
{
    gboolean rtsp = g_str_has_prefix(camera->settings->uri, "rtsp");
    GstElement *source, *video, *text;
    GstCaps *json = gst_caps_new_empty_simple("application/x-json");
    GstPad *pad;
    gboolean linked;

    camera->pipeline = gst_pipeline_new(camera->settings->name);
    camera->element = add(camera, "llavaov");
    video = add(camera, "fakesink");
    text = add(camera, "appsink");
    source = camera->element && set_properties(camera) ? add(camera, source_of(camera)) : NULL;
    if (!source || !video || !text) {
        gst_caps_unref(json);
        return FALSE;
    }
    g_object_set(source, rtsp ? "location" : "uri", camera->settings->uri, NULL);
    g_object_set(video, "sync", FALSE, "enable-last-sample", FALSE, NULL);
    g_object_set(text, "sync", FALSE, "async", FALSE, "caps", json, NULL);
    gst_caps_unref(json);
    gst_app_sink_set_callbacks(
        GST_APP_SINK(text), &(GstAppSinkCallbacks){.new_sample = on_text}, camera, NULL);
    g_signal_connect_object(
        source, "pad-added", G_CALLBACK(on_source_pad), camera->element, (GConnectFlags)0);
    linked = gst_element_link(camera->element, video) &&
             gst_element_link_pads(camera->element, "text", text, "sink");
    pad = gst_element_get_static_pad(camera->element, "src");
    gst_pad_add_probe(pad,
        GST_PAD_PROBE_TYPE_BUFFER | (leaves_out(camera) ? GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM : 0),
        on_frame, camera, NULL);
    gst_object_unref(pad);
    return linked;
}

static gboolean start(gpointer data)
{
    Camera *camera = data;
    GstBus *bus;

    camera->restart_timer = 0;
    camera->quiet_seconds = 0;
    g_atomic_int_set(&camera->frames, 0);
    g_atomic_int_set(&camera->answered, FALSE);
    g_atomic_int_set(&camera->seen, FALSE);
    if (!build(camera)) {
        stop(camera);
        camera->hooks->on_fatal(
            camera->hooks->data, camera->settings->name, "the pipeline cannot be built");
        return G_SOURCE_REMOVE;
    }
    if (camera->hooks->on_built)
        camera->hooks->on_built(camera->hooks->data, camera);
    bus = gst_element_get_bus(camera->pipeline);
    camera->bus_watch = gst_bus_add_watch(bus, on_message, camera);
    gst_object_unref(bus);
    camera->stall_timer = g_timeout_add_seconds(1, on_stall_timer, camera);
    /* A failure leaves its message on the bus. */
    gst_element_set_state(camera->pipeline, GST_STATE_PLAYING);
    return G_SOURCE_REMOVE;
}

Camera *camera_new(const ConfigCamera *settings, const CameraHooks *hooks)
{
    Camera *camera = g_new0(Camera, 1);

    camera->settings = config_camera_copy(settings);
    camera->hooks = hooks;
    camera->prompts = prompts_new(settings);
    camera->enabled = settings->enabled;
    camera->since = g_get_real_time();
    camera->pause = FIRST_PAUSE;
    g_queue_init(&camera->waiting);
    return camera;
}

void camera_start(Camera *camera)
{
    start(camera);
}

const gchar *camera_name(const Camera *camera)
{
    return camera->settings->name;
}

void camera_ask(Camera *camera, const GstStructure *fields)
{
    if (camera->waiting.length >= MOST_WAITING) {
        g_printerr("%s: not asked, since %u questions wait for a picture: %s\n",
            camera->settings->name, camera->waiting.length, prompt_of(fields));
        return;
    }
    g_queue_push_tail(&camera->waiting, gst_structure_copy(fields));
    if (camera->element)
        ask_waiting(camera);
}

CameraStatus camera_status(const Camera *camera)
{
    return (CameraStatus){
        .state = camera->state,
        .since = camera->since,
        .reason = camera->reason,
        .enabled = camera->enabled,
        .reconnects = camera->reconnects,
        .n_questions = camera->prompts->n,
        .questions = (const gchar *const *)camera->prompts->names,
        .prompts = (const gchar *const *)camera->prompts->texts,
    };
}

const ConfigCamera *camera_settings(const Camera *camera)
{
    return camera->settings;
}

GstElement *camera_element(const Camera *camera)
{
    return camera->element;
}

void camera_set_enabled(Camera *camera, gboolean enabled)
{
    camera->enabled = enabled;
    if (camera->element)
        g_object_set(camera->element, "enabled", enabled, NULL);
    tell(camera);
}

gboolean camera_set_prompt(Camera *camera, const gchar *question, const gchar *prompt)
{
    if (!prompts_set(camera->prompts, question, prompt))
        return FALSE;
    if (camera->element)
        prompts_apply(camera->prompts, camera->element);
    tell(camera);
    return TRUE;
}

void camera_free(Camera *camera)
{
    stop(camera);
    while (camera->waiting.length)
        gst_structure_free(g_queue_pop_head(&camera->waiting));
    prompts_free(camera->prompts);
    config_camera_free(camera->settings);
    g_free(camera->reason);
    g_free(camera);
}
