/* SPDX-License-Identifier: Apache-2.0 */
#include "homeassistant.h"
#include "mqtt-topics.h"
#include "properties.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* States are no longer there. */
#define MOST_STATE 250

typedef struct Device {
    const gchar *prefix;
    gchar *camera; /* in topics */
    json_t *parts; /* by the names of entities */
} Device;

G_GNUC_PRINTF(1, 2)
static json_t *text(const gchar *format, ...)
{
    va_list list;
    gchar *string;
    json_t *json;

    va_start(list, format);
    string = g_strdup_vprintf(format, list);
    va_end(list);
    json = json_string(string);
    g_free(string);
    return json;
}

/* An entity of the device, under what is unique among its own. */
static json_t *add(Device *device, const gchar *platform, const gchar *id, const gchar *name)
{
    json_t *entity = json_object();

    json_object_set_new(entity, "p", json_string(platform));
    json_object_set_new(entity, "uniq_id", text("llavaov_%s_%s", device->camera, id));
    json_object_set_new(entity, "name", json_string(name));
    json_object_set_new(device->parts, id, entity);
    return entity;
}

static void set_topic(Device *device, json_t *entity, const gchar *member, const gchar *rest)
{
    json_object_set_new(entity, member, text("%s/%s/%s", device->prefix, device->camera, rest));
}

/* Of no use while the camera is away. */
static void needs_camera(Device *device, json_t *entity)
{
    json_object_set_new(entity, "avty",
        json_pack("[{s:o},{s:o}]", "t", text("%s/available", device->prefix), "t",
            text("%s/%s/available", device->prefix, device->camera)));
    json_object_set_new(entity, "avty_mode", json_string("all"));
}

/* A list, or what stands between '|'. */
static json_t *labels_of(const json_t *choices)
{
    json_t *labels = json_array();
    gchar **parts;

    if (json_is_array(choices)) {
        json_array_extend(labels, (json_t *)choices);
        return labels;
    }
    parts = g_strsplit(json_is_string(choices) ? json_string_value(choices) : "", "|", -1);
    for (gchar **part = parts; *part && **part; part++)
        json_array_append_new(labels, json_string(g_strstrip(*part)));
    g_strfreev(parts);
    return labels;
}

/* A property of a question, as JSON. */
static json_t *setting(
    const Camera *camera, json_t *questions, const gchar *question, const gchar *name)
{
    const gchar *value;

    if (questions && question)
        return json_incref(json_object_get(json_object_get(questions, question), name));
    value = properties_text(camera_settings(camera)->properties, name);
    return value ? json_string(value) : NULL;
}

static void add_question(
    Device *device, const Camera *camera, json_t *questions, const gchar *question)
{
    gchar *id = mqtt_topic_name(question), *topic = g_strconcat(id, "/state", NULL),
          *alert_topic = g_strconcat("alert/", id, NULL),
          *alert_id = g_strconcat(id, "_alert", NULL);
    json_t *choices = setting(camera, questions, question, "choices"), *labels = labels_of(choices),
           *alert = setting(camera, questions, question, "alert-on"), *entity;

    entity = add(device, "sensor", id, question ? question : "Answer");
    set_topic(device, entity, "stat_t", topic);
    set_topic(device, entity, "json_attr_t", topic);
    if (json_array_size(labels)) {
        json_object_set_new(entity, "dev_cla", json_string("enum"));
        json_object_set(entity, "ops", labels);
        json_object_set_new(entity, "val_tpl", json_string("{{ value_json.text }}"));
    } else {
        json_object_set_new(entity, "val_tpl", text("{{ value_json.text[:%d] }}", MOST_STATE));
    }
    needs_camera(device, entity);
    if (alert) {
        gchar *name = g_strdup_printf("%s alert", question ? question : "Answer");

        entity = add(device, "binary_sensor", alert_id, name);
        set_topic(device, entity, "stat_t", alert_topic);
        set_topic(device, entity, "json_attr_t", topic);
        needs_camera(device, entity);
        g_free(name);
    }
    json_decref(choices);
    json_decref(alert);
    json_decref(labels);
    g_free(id);
    g_free(topic);
    g_free(alert_topic);
    g_free(alert_id);
}

static gchar *prompt_topic(const gchar *question, const gchar *end)
{
    gchar *id = question ? mqtt_topic_name(question) : NULL,
          *topic = g_strdup_printf("%s%sprompt%s", id ? id : "", id ? "/" : "", end);

    g_free(id);
    return topic;
}

static void add_prompt(Device *device, const gchar *question)
{
    gchar *id = mqtt_topic_name(question), *full = g_strconcat(id, "_prompt", NULL),
          *state = prompt_topic(question, ""), *command = prompt_topic(question, "/set"),
          *name = question ? g_strdup_printf("%s prompt", question) : g_strdup("Prompt");
    json_t *entity = add(device, "text", full, name);

    set_topic(device, entity, "stat_t", state);
    set_topic(device, entity, "cmd_t", command);
    json_object_set_new(entity, "max", json_integer(255));
    json_object_set_new(entity, "ent_cat", json_string("config"));
    g_free(id);
    g_free(full);
    g_free(state);
    g_free(command);
    g_free(name);
}

static void add_camera(Device *device)
{
    json_t *entity = add(device, "switch", "camera_enabled", "Enabled");

    set_topic(device, entity, "stat_t", "enabled");
    set_topic(device, entity, "cmd_t", "enabled/set");
    json_object_set_new(entity, "ent_cat", json_string("config"));
    entity = add(device, "binary_sensor", "camera_connection", "Connection");
    set_topic(device, entity, "stat_t", "available");
    json_object_set_new(entity, "pl_on", json_string("online"));
    json_object_set_new(entity, "pl_off", json_string("offline"));
    json_object_set_new(entity, "dev_cla", json_string("connectivity"));
    json_object_set_new(entity, "ent_cat", json_string("diagnostic"));
    entity = add(device, "text", "camera_ask", "Ask");
    set_topic(device, entity, "cmd_t", "ask");
    json_object_set_new(entity, "max", json_integer(255));
    needs_camera(device, entity);
    entity = add(device, "sensor", "camera_asked", "Asked");
    set_topic(device, entity, "stat_t", "ask/answer");
    set_topic(device, entity, "json_attr_t", "ask/answer");
    json_object_set_new(entity, "val_tpl", text("{{ value_json.text[:%d] }}", MOST_STATE));
}

static json_t *questions_of(const Camera *camera)
{
    const GPtrArray *properties = camera_settings(camera)->properties;
    const gchar *inline_text = properties_text(properties, "questions"),
                *file = properties_text(properties, "questions-file");

    return inline_text ? json_loads(inline_text, 0, NULL)
           : file      ? json_load_file(file, 0, NULL)
                       : NULL;
}

gchar *homeassistant_device(const gchar *prefix, const Camera *camera)
{
    Device device = {prefix, mqtt_topic_name(camera_name(camera)), json_object()};
    json_t *questions = questions_of(camera), *payload;
    CameraStatus status = camera_status(camera);
    gchar *copy;
    char *dump;

    for (guint i = 0; i < status.n_questions; i++) {
        add_question(&device, camera, questions, status.questions[i]);
        add_prompt(&device, status.questions[i]);
    }
    add_camera(&device);
    payload = json_pack("{s:{s:[o],s:s,s:s,s:s},s:{s:s,s:s},s:[{s:o}],s:o}", "dev", "ids",
        text("llavaov_%s", device.camera), "name", camera_name(camera), "mf", "llavaov", "mdl",
        "camera-monitor", "o", "name", "llavaov", "sw", VERSION, "avty", "t",
        text("%s/available", prefix), "cmps", device.parts);
    dump = json_dumps(payload, JSON_COMPACT);
    copy = g_strdup(dump);
    free(dump);
    json_decref(payload);
    json_decref(questions);
    g_free(device.camera);
    return copy;
}

static void show(MqttBoard *board, const gchar *camera, const gchar *rest, const gchar *payload)
{
    gchar *topic = g_strdup_printf("%s/%s/%s", mqtt_board_prefix(board), camera, rest);

    mqtt_board_set(board, topic, payload, MQTT_RETAINED);
    g_free(topic);
}

static void announce(
    MqttBoard *board, const gchar *discovery, const gchar *camera, const gchar *payload)
{
    gchar *topic = g_strdup_printf("%s/device/llavaov_%s/config", discovery, camera);

    mqtt_board_set(board, topic, payload, MQTT_ANNOUNCED);
    g_free(topic);
}

static void show_prompts(MqttBoard *board, const gchar *name, const CameraStatus *status)
{
    for (guint i = 0; i < status->n_questions; i++) {
        gchar *topic = prompt_topic(status->questions[i], ""),
              *prompt = g_utf8_substring(status->prompts[i] ? status->prompts[i] : "", 0,
                  MIN(g_utf8_strlen(status->prompts[i] ? status->prompts[i] : "", -1), MOST_STATE));

        show(board, name, topic, prompt);
        g_free(prompt);
        g_free(topic);
    }
}

void homeassistant_show(MqttBoard *board, const gchar *discovery, const Camera *camera)
{
    gchar *name = mqtt_topic_name(camera_name(camera));
    CameraStatus status = camera_status(camera);

    if (discovery) {
        gchar *device = homeassistant_device(mqtt_board_prefix(board), camera);

        announce(board, discovery, name, device);
        g_free(device);
    }
    show(board, name, "available", status.state == CAMERA_UP ? "online" : "offline");
    show(board, name, "enabled", status.enabled ? "ON" : "OFF");
    show_prompts(board, name, &status);
    g_free(name);
}

void homeassistant_remove(MqttBoard *board, const gchar *discovery, const Camera *camera)
{
    gchar *name = mqtt_topic_name(camera_name(camera));

    show(board, name, "available", "offline");
    if (discovery)
        announce(board, discovery, name, "");
    g_free(name);
}
