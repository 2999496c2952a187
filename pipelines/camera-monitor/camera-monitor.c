/* SPDX-License-Identifier: Apache-2.0
 * camera-monitor: asks every camera its question, prints one JSON line per answer and per alert
 * that is raised or cleared, and comes back when a camera does.
 *
 *   camera-monitor [--set property=value]... URI QUESTION [URI QUESTION]...
 *   camera-monitor --config cameras.json
 *
 * cameras.json: config.h. With --ask, standard input brings questions: questions.h.
 *
 * Standard output carries these lines only; what happens to cameras goes to standard error. Ends with
 * status 0 on SIGINT, SIGTERM, after --count answers or at the end of the last file; with 1 when
 * the model cannot run, 2 on wrong usage.
 */
#include "camera.h"
#include "config.h"
#include "questions.h"

#include <glib-unix.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Monitor {
    GMainLoop *loop;
    GPtrArray *cameras;
    CameraHooks hooks;
    guint stall_seconds;
    guint running;     /* cameras that are not files at their end */
    gint answers_left; /* atomic; below 0 = without end */
    int status;
} Monitor;

static gboolean quit(gpointer data)
{
    g_main_loop_quit(((Monitor *)data)->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean quit_once(gpointer data)
{
    quit(data);
    return G_SOURCE_REMOVE;
}

/* Of alerts, lines have a state. */
static gboolean is_answer(const gchar *line, gsize length)
{
    json_t *record = json_loadb(line, length, 0, NULL);
    gboolean answer = !json_object_get(record, "state");

    json_decref(record);
    return answer;
}

static void on_line(gpointer data, const gchar *json, gsize length)
{
    Monitor *monitor = data;
    gint left = g_atomic_int_get(&monitor->answers_left);

    if (left == 0)
        return;
    if (left > 0 && is_answer(json, length)) {
        left = g_atomic_int_add(&monitor->answers_left, -1);
        if (left <= 0)
            return;
        if (left == 1)
            g_idle_add(quit_once, monitor);
    }
    flockfile(stdout);
    fwrite(json, 1, length, stdout);
    fputc('\n', stdout);
    fflush(stdout);
    funlockfile(stdout);
}

static void on_finished(gpointer data)
{
    Monitor *monitor = data;

    if (--monitor->running == 0)
        g_main_loop_quit(monitor->loop);
}

static void on_fatal(gpointer data, const gchar *camera, const gchar *text)
{
    Monitor *monitor = data;

    g_printerr("%s: %s\n", camera, text);
    monitor->status = EXIT_FAILURE;
    g_idle_add(quit_once, monitor);
}

static void on_question(gpointer data, const gchar *name, const GstStructure *fields)
{
    Monitor *monitor = data;
    gboolean found = FALSE;

    for (guint i = 0; i < monitor->cameras->len; i++) {
        Camera *camera = monitor->cameras->pdata[i];

        if (name && strcmp(name, camera_name(camera)) != 0)
            continue;
        found = TRUE;
        camera_ask(camera, fields);
    }
    if (!found)
        g_printerr("camera-monitor: there is no camera \"%s\" to be asked\n", name);
}

/* A camera's name for people: no user, no password. */
static gchar *name_of(const gchar *uri)
{
    GUri *parsed = g_uri_parse(uri, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED, NULL);
    gchar *name;

    if (!parsed)
        return NULL;
    name = g_uri_to_string_partial(parsed, G_URI_HIDE_USERINFO | G_URI_HIDE_PASSWORD);
    g_uri_unref(parsed);
    return name;
}

static gboolean add_camera(
    gpointer data, const gchar *uri, const gchar *prompt, const gchar *name, gchar **properties)
{
    Monitor *monitor = data;
    CameraSettings settings = {
        .uri = g_strdup(uri),
        .prompt = g_strdup(prompt),
        .name = name ? g_strdup(name) : name_of(uri),
        .properties = properties,
        .stall_seconds = monitor->stall_seconds,
    };

    if (!settings.name) {
        g_printerr("camera-monitor: not a URI: %s\n", uri);
        return FALSE;
    }
    g_ptr_array_add(monitor->cameras, camera_new(&settings, &monitor->hooks));
    return TRUE;
}

int main(int argc, char **argv)
{
    Monitor monitor = {.answers_left = -1};
    gchar *config = NULL, **common = NULL;
    gint count = 0, stall_seconds = 10;
    GError *error = NULL;
    gboolean good = TRUE, ask = FALSE;
    GOptionEntry entries[] = {
        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config, "cameras and questions as JSON", "FILE"},
        {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &common,
            "a property of llavaov, for all cameras", "PROPERTY=VALUE"},
        {"count", 'n', 0, G_OPTION_ARG_INT, &count, "end after so many answers", "N"},
        {"ask", 'a', 0, G_OPTION_ARG_NONE, &ask,
            "read questions from standard input, a JSON object a line", NULL},
        {"stall", 0, 0, G_OPTION_ARG_INT, &stall_seconds,
            "seconds without a frame after which a camera counts as gone (10)", "N"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    GOptionContext *context = g_option_context_new("[URI QUESTION]...");

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_group(context, gst_init_get_option_group());
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        g_printerr("camera-monitor: %s\n", error->message);
        return 2;
    }
    g_option_context_free(context);

    monitor.loop = g_main_loop_new(NULL, FALSE);
    monitor.cameras = g_ptr_array_new_with_free_func((GDestroyNotify)camera_free);
    monitor.hooks = (CameraHooks){on_line, on_finished, on_fatal, &monitor};
    monitor.stall_seconds = (guint)MAX(stall_seconds, 1);
    if (count > 0)
        monitor.answers_left = count;
    if (config)
        good = config_read(config, common, add_camera, &monitor);
    for (int i = 1; i + 1 < argc; i += 2)
        good = add_camera(&monitor, argv[i], argv[i + 1], NULL, g_strdupv(common)) && good;
    if (!good || argc % 2 == 0 || monitor.cameras->len == 0) {
        g_printerr(
            "usage: camera-monitor [OPTIONS] URI QUESTION [URI QUESTION]..., or --config FILE\n");
        monitor.status = 2;
    } else {
        monitor.running = monitor.cameras->len;
        g_unix_signal_add(SIGINT, quit, &monitor);
        g_unix_signal_add(SIGTERM, quit, &monitor);
        for (guint i = 0; i < monitor.cameras->len; i++)
            camera_start(monitor.cameras->pdata[i]);
        if (ask)
            questions_read(on_question, &monitor);
        g_main_loop_run(monitor.loop);
    }
    g_ptr_array_unref(monitor.cameras);
    g_main_loop_unref(monitor.loop);
    g_strfreev(common);
    g_free(config);
    gst_deinit();
    return monitor.status;
}
