/* SPDX-License-Identifier: Apache-2.0 */
#include "site.h"

#include "metrics-file.h"
#include "site-http.h"

struct Site {
    const Monitor *monitor;
    Metrics *metrics;
    MetricsFile *file;
#ifdef HAVE_MICROHTTPD
    SiteHttp *http;
#endif
    guint timer;
};

static gboolean is_up(const CameraStatus *status)
{
    return status->state == CAMERA_UP;
}

static void on_record(gpointer data, Record *record)
{
    Site *site = data;

    metrics_take_record(site->metrics, record->stream, record->json);
}

static void on_camera(gpointer data, Camera *camera)
{
    Site *site = data;
    CameraStatus status = camera_status(camera);

    metrics_set_stream(site->metrics, camera_name(camera),
        &(MetricsStream){is_up(&status), status.enabled, status.reconnects, status.questions,
            status.n_questions});
}

static void on_built(gpointer data, Camera *camera)
{
    metrics_begin_stats(((Site *)data)->metrics, camera_name(camera));
}

static void take_stats(Site *site, Camera *camera)
{
    GstStructure *stats = NULL;

    if (camera_element(camera))
        g_object_get(camera_element(camera), "stats", &stats, NULL);
    if (!stats)
        return;
    metrics_take_stats(site->metrics, camera_name(camera), stats);
    gst_structure_free(stats);
}

static void on_stopping(gpointer data, Camera *camera)
{
    take_stats(data, camera);
}

static void on_drop(gpointer data, Camera *camera, const gchar *reason)
{
    metrics_take_drop(((Site *)data)->metrics, camera_name(camera), reason);
}

static void on_gone(gpointer data, Camera *camera)
{
    metrics_remove_stream(((Site *)data)->metrics, camera_name(camera));
}

static gboolean on_second(gpointer data)
{
    Site *site = data;
    const GPtrArray *cameras = monitor_cameras(site->monitor);

    for (guint i = 0; i < cameras->len; i++)
        take_stats(site, cameras->pdata[i]);
    return G_SOURCE_CONTINUE;
}

static gboolean serve(Site *site, const Config *config)
{
#ifdef HAVE_MICROHTTPD
    site->http = site_http_new(config, site->metrics);
    return site->http != NULL;
#else
    if (!config->page && !config->metrics)
        return TRUE;
    g_printerr("camera-monitor: %s: this build has no libmicrohttpd; --metrics-file it has\n",
        config->page ? "--http" : "--metrics");
    return FALSE;
#endif
}

Site *site_new(const Config *config, Monitor *monitor, RecordFlow *flow)
{
    Site *site = g_new0(Site, 1);

    site->monitor = monitor;
    site->metrics = metrics_new(config->metrics_vllm);
    if (!serve(site, config)) {
        metrics_free(site->metrics);
        g_free(site);
        return NULL;
    }
    if (config->metrics_file)
        site->file = metrics_file_new(config->metrics_file, site->metrics);
    site->timer = g_timeout_add_seconds(1, on_second, site);
    flow_add(flow, &(Observer){.on_record = on_record,
                       .on_camera = on_camera,
                       .on_built = on_built,
                       .on_stopping = on_stopping,
                       .on_drop = on_drop,
                       .on_gone = on_gone,
                       .data = site});
    return site;
}

void site_free(Site *site)
{
    g_source_remove(site->timer);
    g_clear_pointer(&site->file, metrics_file_free);
#ifdef HAVE_MICROHTTPD
    site_http_free(site->http);
#endif
    metrics_free(site->metrics);
    g_free(site);
}
