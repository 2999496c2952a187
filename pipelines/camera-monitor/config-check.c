/* SPDX-License-Identifier: Apache-2.0 */
#include "config-internal.h"
#include "http-access.h"
#include "http-address.h"
#include "json-place.h"
#include "prompts.h"
#include "sink.h"

#include <gst/gst.h>
#include <string.h>

#define PATIENCE (100 * GST_MSECOND)

static void check_properties(ConfigReader *reader, const ConfigCamera *camera, GstElement *element)
{
    for (guint i = 0; i < camera->properties->len; i++) {
        const Property *property = camera->properties->pdata[i];
        const gchar *wrong = property_set(element, property->name, property->text);

        if (!wrong && strcmp(property->name, "stream-name") == 0)
            wrong = "`name` is what the camera is called";
        if (wrong && property->pointer)
            config_wrong(
                reader, property->pointer, "%s: %.200s: %s", camera->name, property->text, wrong);
        else if (wrong)
            config_wrong(
                reader, NULL, "--set %s=%.200s: %s", property->name, property->text, wrong);
    }
}

/* The camera's place, or of its member. */
static gchar *place_of(const ConfigCamera *camera, const gchar *member)
{
    if (!camera->pointer)
        return NULL;
    return member ? json_place_member(camera->pointer, member) : g_strdup(camera->pointer);
}

static void check_questions(ConfigReader *reader, const ConfigCamera *camera)
{
    static const gchar *const sources[] = {"prompt", "prompt-file", "questions", "questions-file"};
    guint n = camera->prompt != NULL;
    const gchar *last = "prompt";
    gchar *place;

    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        if (properties_text(camera->properties, sources[i])) {
            last = sources[i];
            n++;
        }
    }
    place = place_of(camera, n > 1 ? last : NULL);
    if (n == 0)
        config_wrong(reader, place, "\"prompt\" is missing, or \"questions\"");
    else if (n > 1)
        config_wrong(reader, place,
            "%s: of prompt, prompt-file, questions and questions-file one only", camera->name);
    g_free(place);
}

static void check_sinks(ConfigReader *reader, GHashTable *names)
{
    gboolean mqtt = FALSE;

    g_hash_table_remove_all(names);
    for (guint i = 0; i < reader->config->sinks->len; i++) {
        const ConfigSink *sink = reader->config->sinks->pdata[i];
        const gchar *missing = sink_missing(sink->url);

        if (missing)
            config_wrong(reader, sink->pointer, "%s: this camera-monitor was built without %s",
                sink->name, missing);
        if (!g_hash_table_add(names, sink->name))
            config_wrong(reader, sink->pointer, "another sink is \"%s\", too", sink->name);
        mqtt |= g_str_has_prefix(sink->url, "mqtt");
    }
    if (reader->config->homeassistant && !mqtt)
        config_wrong(reader, reader->text ? "/homeassistant" : NULL,
            "Home Assistant needs a sink with mqtt: or mqtts:");
}

static void check_address(
    ConfigReader *reader, const gchar *pointer, const gchar *option, const gchar *text)
{
    const gchar *wrong = text ? http_address_check(text, reader->config->page_token) : NULL;

    if (wrong)
        config_wrong(reader, reader->text ? pointer : NULL, "%s %.300s: %s", option, text, wrong);
}

static void check_served(ConfigReader *reader)
{
    const gchar *token = reader->config->page_token,
                *wrong = token ? http_access_check_token(token) : NULL;

#ifndef HAVE_MICROHTTPD
    if (reader->config->page || reader->config->metrics)
        config_wrong(reader, NULL,
            "this camera-monitor was built without libmicrohttpd: no --http and no --metrics, but "
            "--metrics-file");
#endif
    check_address(reader, "/page/address", "--http", reader->config->page);
    check_address(reader, "/metrics/address", "--metrics", reader->config->metrics);
    if (wrong)
        config_wrong(
            reader, reader->text ? "/page/token-file" : NULL, "--http-token-file: %s", wrong);
}

void config_check(ConfigReader *reader)
{
    GHashTable *names = g_hash_table_new(g_str_hash, g_str_equal);
    GPtrArray *cameras = reader->config->cameras;
    GstElement *element;

    if (cameras->len == 0)
        config_wrong(reader, reader->text ? "" : NULL, "there is no camera");
    for (guint i = 0; i < cameras->len; i++) {
        const ConfigCamera *camera = cameras->pdata[i];
        gchar *place = place_of(camera, "name");

        if (!g_hash_table_add(names, camera->name))
            config_wrong(reader, place, "another camera is \"%s\", too", camera->name);
        g_free(place);
        check_questions(reader, camera);
        element = gst_element_factory_make("llavaov", NULL);
        if (!element) {
            config_wrong(
                reader, NULL, "there is no element \"llavaov\": is the plugin in GST_PLUGIN_PATH?");
            break;
        }
        check_properties(reader, camera, element);
        gst_object_unref(element);
    }
    check_sinks(reader, names);
    check_served(reader);
    g_hash_table_unref(names);
}

/* Of "alert-on: there is no label ..." alert-on, where that is a property. */
static gchar *subject_of(GstElement *element, const gchar *text)
{
    gchar *word = g_strndup(text, strcspn(text, ": "));

    if (!g_object_class_find_property(G_OBJECT_GET_CLASS(element), word))
        g_clear_pointer(&word, g_free);
    return word;
}

static void probe(ConfigReader *reader, const ConfigCamera *camera)
{
    GstElement *pipeline = gst_pipeline_new(NULL),
               *element = gst_element_factory_make("llavaov", NULL);
    GstBus *bus = gst_element_get_bus(pipeline);
    Prompts *prompts = prompts_new(camera);
    GstMessage *message;

    gst_bin_add(GST_BIN(pipeline), element);
    for (guint i = 0; i < camera->properties->len; i++) {
        const Property *property = camera->properties->pdata[i];

        if (!prompts_stand_for(prompts, property->name))
            property_set(element, property->name, property->text);
    }
    prompts_apply(prompts, element);
    if (gst_element_set_state(pipeline, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE) {
        message = gst_bus_timed_pop_filtered(bus, PATIENCE, GST_MESSAGE_ERROR);
        if (message) {
            GError *error = NULL;
            gchar *subject, *place;

            gst_message_parse_error(message, &error, NULL);
            subject = subject_of(element, error->message);
            place = place_of(camera, subject);
            config_wrong(reader, place, "%s: %s", camera->name, error->message);
            g_free(place);
            g_free(subject);
            g_error_free(error);
            gst_message_unref(message);
        } else {
            config_wrong(reader, camera->pointer, "%s: cannot start", camera->name);
        }
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    prompts_free(prompts);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
}

void config_probe(ConfigReader *reader)
{
    for (guint i = 0; i < reader->config->cameras->len; i++)
        probe(reader, reader->config->cameras->pdata[i]);
}
