/* SPDX-License-Identifier: Apache-2.0
 * camera-monitor: asks every camera its question, prints one JSON line per answer and per alert
 * that is raised or cleared, delivers them to sinks, and comes back when a camera does.
 *
 *   camera-monitor [--set property=value]... [--sink URL]... URI QUESTION [URI QUESTION]...
 *   camera-monitor --config cameras.json
 *
 * cameras.json: camera-monitor.schema.json; SIGHUP reads it anew. With --ask, standard input brings questions: questions.h.
 *
 * Standard output carries these lines only; what happens to cameras goes to standard error. Ends with
 * status 0 on SIGINT, SIGTERM, after --count answers or at the end of the last file; with 1 when
 * the model cannot run, 2 on wrong usage or a broken configuration, 3 when a sink refuses the credentials.
 */
#include "delivery.h"
#include "monitor.h"
#include "options.h"
#include "questions.h"
#include "service.h"
#include "site.h"

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_REFUSED 3

typedef struct Program {
    GMainLoop *loop;
    MonitorOptions options;
    Config *config;
    Monitor *monitor;
    Service *service;
    gint64 ending;      /* g_get_monotonic_time() at which the end was asked for; 0: not yet */
    Delivery *delivery; /* NULL: there are no sinks */
    gint answers_left;  /* atomic; below 0 = without end */
    int status;
} Program;

static gboolean quit(gpointer data)
{
    Program *program = data;

    if (!program->ending)
        program->ending = g_get_monotonic_time();
    g_main_loop_quit(program->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean quit_once(gpointer data)
{
    quit(data);
    return G_SOURCE_REMOVE;
}

static void tell_ready(Program *program)
{
    gchar *lines = g_strdup_printf("READY=1\nSTATUS=%u cameras, %u sinks",
        program->config->cameras->len, program->config->sinks->len);

    service_tell(program->service, lines);
    g_free(lines);
}

static gboolean reload(gpointer data)
{
    Program *program = data;
    Config *config;

    service_reloading(program->service);
    program->options.config.probe = TRUE;
    config = config_read(&program->options.config);
    if (!config) {
        g_printerr("camera-monitor: everything stays as it was\n");
        service_tell(program->service,
            "READY=1\nSTATUS=The configuration is broken; the one before it is in force");
        return G_SOURCE_CONTINUE;
    }
    if (program->delivery && !delivery_apply(program->delivery, config))
        g_printerr("camera-monitor: not all sinks are there\n");
    monitor_apply(program->monitor, config);
    config_free(program->config);
    program->config = config;
    g_printerr("camera-monitor: read the configuration anew: %u cameras\n", config->cameras->len);
    tell_ready(program);
    return G_SOURCE_CONTINUE;
}

static void print_record(gpointer data, Record *record)
{
    Program *program = data;
    gint left = g_atomic_int_get(&program->answers_left);

    if (left == 0)
        return;
    if (left > 0 && record->kind == RECORD_ANSWER) {
        left = g_atomic_int_add(&program->answers_left, -1);
        if (left <= 0)
            return;
        if (left == 1)
            g_idle_add(quit_once, program);
    }
    flockfile(stdout);
    fwrite(record->line, 1, record->length, stdout);
    fputc('\n', stdout);
    fflush(stdout);
    funlockfile(stdout);
}

static void on_finished(gpointer data)
{
    quit(data);
}

static void on_fatal(gpointer data, const gchar *text)
{
    Program *program = data;

    g_printerr("%s\n", text);
    program->status = EXIT_FAILURE;
    g_idle_add(quit_once, program);
}

static void on_question(gpointer data, const gchar *name, const GstStructure *fields)
{
    const GPtrArray *cameras = monitor_cameras(((Program *)data)->monitor);
    gboolean found = FALSE;

    for (guint i = 0; i < cameras->len; i++) {
        Camera *camera = cameras->pdata[i];

        if (name && strcmp(name, camera_name(camera)) != 0)
            continue;
        found = TRUE;
        camera_ask(camera, fields);
    }
    if (!found)
        g_printerr("camera-monitor: there is no camera \"%s\" to be asked\n", name);
}

/* Any thread. */
static void on_refused(gpointer data, const gchar *text)
{
    Program *program = data;

    g_printerr("camera-monitor: %s\n", text);
    g_atomic_int_set(&program->status, EXIT_REFUSED);
    g_idle_add(quit_once, program);
}

static gboolean deliver(Program *program, RecordFlow *flow)
{
    if (program->config->sinks->len == 0 && !program->config->spool &&
        !program->options.config.file)
        return TRUE;
    program->delivery = delivery_new(program->config, flow, &(DeliveryEvents){on_refused, program});
    if (!program->delivery)
        return FALSE;
    delivery_command(program->delivery, program->monitor);
    return delivery_apply(program->delivery, program->config);
}

static void run(Program *program)
{
    RecordFlow *flow = flow_new();
    Site *site = NULL;

    program->loop = g_main_loop_new(NULL, FALSE);
    program->service = service_new();
    program->monitor = monitor_new(flow, &(MonitorEvents){on_finished, on_fatal, program});
    g_unix_signal_add(SIGINT, quit, program);
    g_unix_signal_add(SIGTERM, quit, program);
    g_unix_signal_add(SIGHUP, reload, program);
    if (deliver(program, flow)) {
        /* Behind the spool: what is printed is not lost any more. */
        flow_add(flow, &(Observer){.on_record = print_record, .data = program});
        site = site_new(program->config, program->monitor, program->delivery, flow);
    }
    if (site) {
        monitor_apply(program->monitor, program->config);
        if (program->options.ask)
            questions_read(on_question, program);
        tell_ready(program);
        g_main_loop_run(program->loop);
        service_tell(program->service, "STOPPING=1");
    } else {
        program->status = 2;
    }
    monitor_stop(program->monitor);
    if (site)
        site_free(site);
    if (program->delivery)
        delivery_free(program->delivery, program->ending);
    service_free(program->service);
    monitor_free(program->monitor);
    flow_free(flow);
    g_main_loop_unref(program->loop);
}

int main(int argc, char **argv)
{
    Program program = {.answers_left = -1};

    if (!options_read(&program.options, &argc, &argv)) {
        program.status = 2;
    } else {
        if (program.options.count > 0)
            program.answers_left = program.options.count;
        program.config = config_read(&program.options.config);
        if (!program.config) {
            if (!program.options.config.file)
                g_printerr("usage: camera-monitor [OPTIONS] URI QUESTION [URI QUESTION]..., or "
                           "--config FILE\n");
            program.status = 2;
        } else if (program.options.check) {
            g_print("%u cameras, %u sinks: nothing is wrong\n", program.config->cameras->len,
                program.config->sinks->len);
        } else {
            run(&program);
        }
    }
    g_clear_pointer(&program.config, config_free);
    options_clear(&program.options);
    gst_deinit();
    return program.status;
}
