/* SPDX-License-Identifier: Apache-2.0 */
#include "delivery.h"
#include "homeassistant.h"
#include "mqtt-topics.h"
#include "questions.h"

#include <string.h>

#ifdef HAVE_MOSQUITTO
#include <mosquitto.h>
#endif
#ifdef HAVE_CURL
#include <curl/curl.h>
#endif

#define LAST_WORDS (4 * G_USEC_PER_SEC / 3)
#define TOPIC "llavaov"

typedef struct Outlet {
    Delivery *delivery;
    ConfigSink *settings;
    MqttBoard *board; /* NULL: not MQTT */
    gchar *discovery;
    Sink *sink;
} Outlet;

struct Delivery {
    DeliveryEvents events;
    Spool *spool;
    gboolean on_disk;
    GPtrArray *outlets, *sinks;
    Monitor *monitor;
};

static void init_libraries(void)
{
    static gsize once;

    if (!g_once_init_enter(&once))
        return;
#ifdef HAVE_MOSQUITTO
    mosquitto_lib_init();
#endif
#ifdef HAVE_CURL
    curl_global_init(CURL_GLOBAL_DEFAULT);
#endif
    g_once_init_leave(&once, 1);
}

static void on_record(gpointer data, Record *record)
{
    spool_put(((Delivery *)data)->spool, record);
}

static void on_camera(gpointer data, Camera *camera)
{
    Delivery *delivery = data;

    for (guint i = 0; i < delivery->outlets->len; i++) {
        Outlet *outlet = delivery->outlets->pdata[i];

        if (outlet->board)
            homeassistant_show(outlet->board, outlet->discovery, camera);
    }
}

static void on_gone(gpointer data, Camera *camera)
{
    Delivery *delivery = data;

    for (guint i = 0; i < delivery->outlets->len; i++) {
        Outlet *outlet = delivery->outlets->pdata[i];

        if (outlet->board)
            homeassistant_remove(
                outlet->board, delivery->monitor ? outlet->discovery : NULL, camera);
    }
}

/* A camera, or one of its questions, of whose name a topic was made. */
static Camera *camera_of(Delivery *delivery, const gchar *topic)
{
    const GPtrArray *cameras = monitor_cameras(delivery->monitor);

    for (guint i = 0; i < cameras->len; i++) {
        gchar *name = mqtt_topic_name(camera_name(cameras->pdata[i]));
        gboolean found = strcmp(name, topic) == 0;

        g_free(name);
        if (found)
            return cameras->pdata[i];
    }
    return NULL;
}

static gboolean set_prompt(Camera *camera, const gchar *topic, const gchar *prompt)
{
    CameraStatus status = camera_status(camera);

    if (!topic)
        return camera_set_prompt(camera, NULL, prompt);
    for (guint i = 0; i < status.n_questions; i++) {
        gchar *name = mqtt_topic_name(status.questions[i]);
        gboolean found = strcmp(name, topic) == 0;

        g_free(name);
        if (found)
            return camera_set_prompt(camera, status.questions[i], prompt);
    }
    return FALSE;
}

static void order(Delivery *delivery, const MqttOrder *order, const gchar *payload)
{
    Camera *camera = camera_of(delivery, order->camera);
    GstStructure *fields;

    if (!camera) {
        g_printerr("camera-monitor: a command over MQTT names a camera that is not there: %s\n",
            order->camera);
        return;
    }
    switch (order->verb) {
    case MQTT_ENABLE:
        camera_set_enabled(camera, order->on);
        break;
    case MQTT_PROMPT:
        if (!set_prompt(camera, order->question, payload))
            g_printerr("%s: a command over MQTT names a question that is not there\n",
                camera_name(camera));
        break;
    case MQTT_ASK:
        fields = questions_read_text(payload);
        if (fields) {
            camera_ask(camera, fields);
            gst_structure_free(fields);
        }
        break;
    }
}

static void on_command(gpointer data, const gchar *topic, const gchar *payload, gsize length)
{
    Outlet *outlet = data;
    MqttOrder read;

    if (!outlet->delivery->monitor)
        return;
    if (mqtt_order_read(&read, mqtt_board_prefix(outlet->board), topic, payload, length)) {
        order(outlet->delivery, &read, payload);
        mqtt_order_clear(&read);
    } else {
        g_printerr("camera-monitor: a command over MQTT is none: topic %s\n", topic);
    }
}

static void on_fatal(gpointer data, const gchar *text)
{
    Delivery *delivery = data;

    delivery->events.on_fatal(delivery->events.data, text);
}

static void outlet_free(Outlet *outlet)
{
    g_clear_pointer(&outlet->board, mqtt_board_free);
    config_sink_free(outlet->settings);
    g_free(outlet->discovery);
    g_free(outlet);
}

static gboolean start(Delivery *delivery, const ConfigSink *settings, const gchar *discovery)
{
    Outlet *outlet = g_new0(Outlet, 1);
    GError *error = NULL;

    outlet->delivery = delivery;
    outlet->settings = config_sink_copy(settings);
    if (g_str_has_prefix(settings->url, "mqtt")) {
        gchar *birth = discovery ? g_strconcat(discovery, "/status", NULL) : NULL;

        outlet->discovery = g_strdup(discovery);
        outlet->board =
            mqtt_board_new(settings->topic ? settings->topic : TOPIC, birth, on_command, outlet);
        g_free(birth);
        for (guint i = 0; delivery->monitor && i < monitor_cameras(delivery->monitor)->len; i++)
            homeassistant_show(
                outlet->board, discovery, monitor_cameras(delivery->monitor)->pdata[i]);
    }
    outlet->sink = sink_new(
        settings, delivery->spool, outlet->board, &(SinkEvents){on_fatal, delivery}, &error);
    if (!outlet->sink) {
        g_printerr(
            "camera-monitor: %s: %s\n", settings->name, error ? error->message : "cannot be made");
        g_clear_error(&error);
        outlet_free(outlet);
        return FALSE;
    }
    g_ptr_array_add(delivery->outlets, outlet);
    g_ptr_array_add(delivery->sinks, outlet->sink);
    return TRUE;
}

/* FALSE: its thread hangs, and whatever it may touch stays. */
static gboolean end(Delivery *delivery, Outlet *outlet, gboolean forget)
{
    if (!sink_join(outlet->sink)) {
        g_printerr("camera-monitor: %s: does not end; it is left behind\n", outlet->settings->name);
        return FALSE;
    }
    g_ptr_array_remove(delivery->sinks, outlet->sink);
    sink_free(outlet->sink, forget);
    outlet_free(outlet);
    return TRUE;
}

Delivery *delivery_new(const Config *config, RecordFlow *flow, const DeliveryEvents *events)
{
    Delivery *delivery = g_new0(Delivery, 1);
    SpoolSettings settings = {
        .folder = config->spool, .bytes = config->spool_bytes, .seconds = config->spool_seconds};
    GError *error = NULL;

    init_libraries();
    delivery->events = *events;
    delivery->on_disk = config->spool != NULL;
    delivery->outlets = g_ptr_array_new();
    delivery->sinks = g_ptr_array_new();
    delivery->spool = spool_new(&settings, &error);
    if (!delivery->spool) {
        g_printerr("camera-monitor: spool: %s\n", error->message);
        g_error_free(error);
        g_ptr_array_unref(delivery->outlets);
        g_ptr_array_unref(delivery->sinks);
        g_free(delivery);
        return NULL;
    }
    flow_add(flow,
        &(Observer){
            .on_record = on_record, .on_camera = on_camera, .on_gone = on_gone, .data = delivery});
    return delivery;
}

void delivery_command(Delivery *delivery, Monitor *monitor)
{
    delivery->monitor = monitor;
}

static gboolean is_wanted(const Outlet *outlet, const Config *config)
{
    for (guint i = 0; i < config->sinks->len; i++)
        if (config_sink_equal(outlet->settings, config->sinks->pdata[i]))
            return !outlet->board || g_strcmp0(outlet->discovery, config->homeassistant) == 0;
    return FALSE;
}

static gboolean has_name(const Config *config, const gchar *name)
{
    for (guint i = 0; i < config->sinks->len; i++)
        if (strcmp(((const ConfigSink *)config->sinks->pdata[i])->name, name) == 0)
            return TRUE;
    return FALSE;
}

static gboolean is_running(const Delivery *delivery, const gchar *name)
{
    for (guint i = 0; i < delivery->sinks->len; i++)
        if (strcmp(sink_name(delivery->sinks->pdata[i]), name) == 0)
            return TRUE;
    return FALSE;
}

gboolean delivery_apply(Delivery *delivery, const Config *config)
{
    GPtrArray *leaving = g_ptr_array_new();
    gboolean good = TRUE;

    for (guint i = 0; i < delivery->outlets->len; i++) {
        Outlet *outlet = delivery->outlets->pdata[i];

        if (is_wanted(outlet, config))
            continue;
        sink_stop(outlet->sink, g_get_monotonic_time());
        g_ptr_array_add(leaving, outlet);
    }
    for (guint i = 0; i < leaving->len; i++) {
        Outlet *outlet = leaving->pdata[i];

        g_ptr_array_remove(delivery->outlets, outlet);
        end(delivery, outlet, !has_name(config, outlet->settings->name));
    }
    g_ptr_array_unref(leaving);
    for (guint i = 0; i < config->sinks->len; i++) {
        const ConfigSink *sink = config->sinks->pdata[i];

        if (!is_running(delivery, sink->name))
            good = start(delivery, sink, config->homeassistant) && good;
    }
    return good;
}

const GPtrArray *delivery_sinks(const Delivery *delivery)
{
    return delivery->sinks;
}

Spool *delivery_spool(const Delivery *delivery)
{
    return delivery->spool;
}

void delivery_free(Delivery *delivery, gint64 since)
{
    gint64 until = (since ? since : g_get_monotonic_time()) + LAST_WORDS;
    gboolean ended = TRUE;
    guint64 waiting;

    for (guint i = 0; i < delivery->outlets->len; i++)
        sink_stop(((Outlet *)delivery->outlets->pdata[i])->sink, until);
    for (guint i = 0; i < delivery->outlets->len; i++)
        ended = end(delivery, delivery->outlets->pdata[i], FALSE) && ended;
    waiting = spool_stats(delivery->spool).waiting;
    if (waiting)
        g_printerr("camera-monitor: %" G_GUINT64_FORMAT " records are not delivered yet%s\n",
            waiting, delivery->on_disk ? ", and wait in the spool" : "");
    if (!ended) {
        spool_tick(delivery->spool);
        return;
    }
    spool_free(delivery->spool);
    g_ptr_array_unref(delivery->outlets);
    g_ptr_array_unref(delivery->sinks);
    g_free(delivery);
}
