/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor.h"

#include <string.h>

struct Monitor {
    RecordFlow *flow;
    MonitorEvents events;
    CameraHooks hooks;
    GPtrArray *cameras;
};

static void on_line(gpointer data, const gchar *json, gsize length)
{
    Record *record = record_new(json, length);

    if (!record) {
        g_printerr("camera-monitor: not a record: %.*s\n", (int)MIN(length, 200), json);
        return;
    }
    flow_record(((Monitor *)data)->flow, record);
    record_unref(record);
}

static void on_status(gpointer data, Camera *camera)
{
    flow_camera(((Monitor *)data)->flow, camera);
}

static void on_built(gpointer data, Camera *camera)
{
    flow_built(((Monitor *)data)->flow, camera);
}

static void on_stopping(gpointer data, Camera *camera)
{
    flow_stopping(((Monitor *)data)->flow, camera);
}

static void on_drop(gpointer data, Camera *camera, const gchar *reason)
{
    flow_drop(((Monitor *)data)->flow, camera, reason);
}

static void on_finished(gpointer data)
{
    Monitor *monitor = data;

    for (guint i = 0; i < monitor->cameras->len; i++)
        if (camera_status(monitor->cameras->pdata[i]).state != CAMERA_ENDED)
            return;
    monitor->events.on_finished(monitor->events.data);
}

static void on_fatal(gpointer data, const gchar *camera, const gchar *text)
{
    Monitor *monitor = data;
    gchar *both = g_strdup_printf("%s: %s", camera, text);

    monitor->events.on_fatal(monitor->events.data, both);
    g_free(both);
}

Monitor *monitor_new(RecordFlow *flow, const MonitorEvents *events)
{
    Monitor *monitor = g_new0(Monitor, 1);

    monitor->flow = flow;
    monitor->events = *events;
    monitor->hooks = (CameraHooks){.on_line = on_line,
        .on_status = on_status,
        .on_built = on_built,
        .on_stopping = on_stopping,
        .on_drop = on_drop,
        .on_finished = on_finished,
        .on_fatal = on_fatal,
        .data = monitor};
    monitor->cameras = g_ptr_array_new();
    return monitor;
}

static void drop(Monitor *monitor, Camera *camera)
{
    flow_gone(monitor->flow, camera);
    camera_free(camera);
}

void monitor_apply(Monitor *monitor, const Config *config)
{
    GPtrArray *now = g_ptr_array_new(), *fresh = g_ptr_array_new();

    for (guint i = 0; i < config->cameras->len; i++) {
        const ConfigCamera *wanted = config->cameras->pdata[i];
        Camera *camera = monitor_find(monitor, wanted->name);

        if (camera && config_camera_equal(camera_settings(camera), wanted)) {
            g_ptr_array_remove(monitor->cameras, camera);
        } else {
            camera = camera_new(wanted, &monitor->hooks);
            g_ptr_array_add(fresh, camera);
        }
        g_ptr_array_add(now, camera);
    }
    for (guint i = 0; i < monitor->cameras->len; i++)
        drop(monitor, monitor->cameras->pdata[i]);
    g_ptr_array_unref(monitor->cameras);
    monitor->cameras = now;
    for (guint i = 0; i < fresh->len; i++) {
        flow_camera(monitor->flow, fresh->pdata[i]);
        camera_start(fresh->pdata[i]);
    }
    g_ptr_array_unref(fresh);
}

const GPtrArray *monitor_cameras(const Monitor *monitor)
{
    return monitor->cameras;
}

Camera *monitor_find(const Monitor *monitor, const gchar *name)
{
    for (guint i = 0; i < monitor->cameras->len; i++)
        if (strcmp(camera_name(monitor->cameras->pdata[i]), name) == 0)
            return monitor->cameras->pdata[i];
    return NULL;
}

void monitor_stop(Monitor *monitor)
{
    while (monitor->cameras->len)
        drop(monitor, g_ptr_array_remove_index_fast(monitor->cameras, monitor->cameras->len - 1));
}

void monitor_free(Monitor *monitor)
{
    monitor_stop(monitor);
    g_ptr_array_unref(monitor->cameras);
    g_free(monitor);
}
