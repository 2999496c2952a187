/* SPDX-License-Identifier: Apache-2.0 */
#include "site.h"

#include "metrics-delivery.h"
#include "metrics-file.h"
#ifdef HAVE_MICROHTTPD
#include "site-http.h"
#endif

struct Site {
    const Monitor *monitor;
    const Delivery *delivery; /* NULL: nothing is delivered */
    Metrics *metrics;
    MetricsDelivery *delivered;
    MetricsFile *file;
#ifdef HAVE_MICROHTTPD
    SiteHttp *http;
    Page *page; /* NULL: there is none */
#endif
    guint timer;
};

/* The page's part of each piece of news: page.h, which builds without libmicrohttpd lack. */
#ifdef HAVE_MICROHTTPD
static void show_record(Site *site, const Record *record)
{
    if (site->page)
        page_state_take_record(page_state(site->page), record->stream, record->json);
}

static void show_camera(Site *site, const Camera *camera, const CameraStatus *status)
{
    static const gchar *const words[] = {
        [CAMERA_STARTING] = "starting",
        [CAMERA_UP] = "up",
        [CAMERA_RECONNECTING] = "reconnecting",
        [CAMERA_ENDED] = "ended",
    };

    if (!site->page)
        return;
    pictures_add(page_pictures(site->page), camera_name(camera));
    page_state_set_camera(page_state(site->page), camera_name(camera),
        &(PageCamera){words[status->state], status->reason, status->since, status->enabled,
            status->reconnects, status->n_questions, status->questions, status->prompts});
}

static void watch_pictures(Site *site, const Camera *camera)
{
    GstPad *pad;

    if (!site->page)
        return;
    page_state_begin_alerts(page_state(site->page), camera_name(camera));
    pad = gst_element_get_static_pad(camera_element(camera), "src");
    pictures_watch(page_pictures(site->page), camera_name(camera), pad);
    gst_object_unref(pad);
}

static void show_stats(Site *site, const Camera *camera, const GstStructure *stats)
{
    guint64 dropped = 0, failed = 0;

    if (!site->page)
        return;
    gst_structure_get_uint64(stats, "dropped-windows", &dropped);
    gst_structure_get_uint64(stats, "failed-windows", &failed);
    page_state_set_counts(page_state(site->page), camera_name(camera), dropped, failed);
}

static void forget_camera(Site *site, const Camera *camera)
{
    if (!site->page)
        return;
    page_state_remove_camera(page_state(site->page), camera_name(camera));
    pictures_forget(page_pictures(site->page), camera_name(camera));
}

static gboolean serve(Site *site, const Config *config, Monitor *monitor)
{
    if (config->page)
        site->page = page_new(monitor);
    site->http = site_http_new(config, site->metrics, site->page);
    return site->http != NULL;
}

static void stop_serving(Site *site)
{
    g_clear_pointer(&site->http, site_http_free);
    g_clear_pointer(&site->page, page_free);
}
#else
static void show_record(Site *site, const Record *record)
{
}

static void show_camera(Site *site, const Camera *camera, const CameraStatus *status)
{
}

static void watch_pictures(Site *site, const Camera *camera)
{
}

static void show_stats(Site *site, const Camera *camera, const GstStructure *stats)
{
}

static void forget_camera(Site *site, const Camera *camera)
{
}

/* config_check() has refused what would be served. */
static gboolean serve(Site *site, const Config *config, Monitor *monitor)
{
    return TRUE;
}

static void stop_serving(Site *site)
{
}
#endif

static void on_record(gpointer data, Record *record)
{
    Site *site = data;

    metrics_take_record(site->metrics, record->stream, record->json);
    show_record(site, record);
}

static void on_camera(gpointer data, Camera *camera)
{
    Site *site = data;
    CameraStatus status = camera_status(camera);

    metrics_set_stream(site->metrics, camera_name(camera),
        &(MetricsStream){status.state == CAMERA_UP, status.enabled, status.reconnects,
            status.questions, status.n_questions});
    show_camera(site, camera, &status);
}

static void on_built(gpointer data, Camera *camera)
{
    Site *site = data;

    metrics_begin_stats(site->metrics, camera_name(camera));
    watch_pictures(site, camera);
}

static void take_stats(Site *site, Camera *camera)
{
    GstStructure *stats = NULL;

    if (camera_element(camera))
        g_object_get(camera_element(camera), "stats", &stats, NULL);
    if (!stats)
        return;
    metrics_take_stats(site->metrics, camera_name(camera), stats);
    show_stats(site, camera, stats);
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
    forget_camera(data, camera);
}

static gboolean on_second(gpointer data)
{
    Site *site = data;
    const GPtrArray *cameras = monitor_cameras(site->monitor);

    for (guint i = 0; i < cameras->len; i++)
        take_stats(site, cameras->pdata[i]);
    if (site->delivery)
        metrics_delivery_take(site->delivered, site->delivery);
    return G_SOURCE_CONTINUE;
}

static void clear(Site *site)
{
    g_clear_pointer(&site->file, metrics_file_free);
    stop_serving(site);
    metrics_free(site->metrics);
    metrics_delivery_free(site->delivered);
    g_free(site);
}

Site *site_new(const Config *config, Monitor *monitor, const Delivery *delivery, RecordFlow *flow)
{
    Site *site = g_new0(Site, 1);

    site->monitor = monitor;
    site->delivery = delivery;
    site->metrics = metrics_new(config->metrics_vllm);
    site->delivered = metrics_delivery_new();
    metrics_add_source(site->metrics, metrics_delivery_write, site->delivered);
    if (!serve(site, config, monitor)) {
        clear(site);
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
    clear(site);
}
