/* SPDX-License-Identifier: Apache-2.0 */
#include "site-http.h"

#include "http.h"
#include "metrics-text.h"

#include <string.h>

struct SiteHttp {
    Metrics *metrics;
    HttpServer *page, *scraped; /* where both have one address, one */
};

static void reply_metrics(SiteHttp *http, HttpRequest *request)
{
    gsize length;
    gchar *text = metrics_text(http->metrics, &length);

    http_reply(request, 200, METRICS_TEXT_TYPE, g_bytes_new_take(text, length), NULL);
}

static void answer_scrape(gpointer data, HttpRequest *request)
{
    const gchar *path = http_request_path(request);

    if (http_request_is_post(request))
        http_reply_text(request, 405, "GET");
    else if (strcmp(path, "/metrics") == 0)
        reply_metrics(data, request);
    else
        http_reply_text(request, 404, "There is /metrics.");
}

static void count_server(GString *out, const gchar *name, HttpServer *server)
{
    gchar *labels = metrics_text_labels("server", name, NULL);
    guint open;
    guint64 refused, ended;

    http_server_count(server, &open, &refused, &ended);
    metrics_text_count(out, "llavaov_http_connections", labels, open);
    g_free(labels);
}

static void write_metrics(gpointer data, GString *out)
{
    SiteHttp *http = data;

    metrics_text_family(out, "llavaov_http_connections", "gauge", "Connections that are open.");
    if (http->page)
        count_server(out, "page", http->page);
    if (http->scraped && http->scraped != http->page)
        count_server(out, "metrics", http->scraped);
}

static HttpServer *serve(
    SiteHttp *http, const gchar *what, const gchar *address, const gchar *token, HttpAnswer answer)
{
    gchar *error;
    HttpServer *server = http_server_new(&(HttpSettings){address, token, answer, http}, &error);

    if (server)
        g_printerr(
            "camera-monitor: %s at port %u of %s\n", what, http_server_port(server), address);
    else
        g_printerr("camera-monitor: %s at %s: %s\n", what, address, error);
    g_free(error);
    return server;
}

SiteHttp *site_http_new(const Config *config, Metrics *metrics)
{
    SiteHttp *http = g_new0(SiteHttp, 1);
    gboolean good = TRUE;

    http->metrics = metrics;
    if (config->metrics) {
        http->scraped = serve(http, "metrics", config->metrics, config->page_token, answer_scrape);
        good = http->scraped != NULL;
    }
    if (good) {
        metrics_add_source(metrics, write_metrics, http);
        return http;
    }
    site_http_free(http);
    return NULL;
}

void site_http_free(SiteHttp *http)
{
    if (http->page && http->page != http->scraped)
        http_server_free(http->page);
    if (http->scraped)
        http_server_free(http->scraped);
    g_free(http);
}
