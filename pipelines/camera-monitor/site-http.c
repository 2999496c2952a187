/* SPDX-License-Identifier: Apache-2.0 */
#include "site-http.h"

#include "http-address.h"
#include "http.h"
#include "metrics-text.h"

#include <string.h>

struct SiteHttp {
    Metrics *metrics;
    Page *shown;
    HttpServer *page, *scraped; /* at one address the page's serves both */
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

static void answer_page(gpointer data, HttpRequest *request)
{
    SiteHttp *http = data;

    if (!http_request_is_post(request) && strcmp(http_request_path(request), "/metrics") == 0)
        reply_metrics(http, request);
    else if (!page_serve(http->shown, request))
        http_reply_text(request, 404, "There is no such thing here.");
}

typedef struct ServerCounts {
    gchar *labels;
    guint open;
    guint64 refused, ended;
} ServerCounts;

static void write_metrics(gpointer data, GString *out)
{
    SiteHttp *http = data;
    HttpServer *servers[] = {http->page, http->scraped};
    const gchar *const names[] = {"page", "metrics"};
    ServerCounts counts[G_N_ELEMENTS(servers)] = {{0}};

    for (guint i = 0; i < G_N_ELEMENTS(servers); i++) {
        if (!servers[i])
            continue;
        counts[i].labels = metrics_text_labels("server", names[i], NULL);
        http_server_count(servers[i], &counts[i].open, &counts[i].refused, &counts[i].ended);
    }
#define SERVERS(name, type, help, member)                                                          \
    metrics_text_family(out, name, type, help);                                                    \
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++)                                              \
        if (servers[i])                                                                            \
    metrics_text_count(out, name, counts[i].labels, counts[i].member)
    SERVERS("llavaov_http_connections", "gauge", "Connections that are open.", open);
    SERVERS("llavaov_http_refused_total", "counter",
        "Requests without the token, or from where none may come.", refused);
    SERVERS("llavaov_http_ended_total", "counter", "Connections that took too long.", ended);
#undef SERVERS
    for (guint i = 0; i < G_N_ELEMENTS(servers); i++)
        g_free(counts[i].labels);
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

/* This machine alone needs none, whatever the page has. */
static const gchar *token_of_metrics(const Config *config)
{
    HttpAddress address;

    return http_address_read(config->metrics, &address) && address.loopback ? NULL
                                                                            : config->page_token;
}

SiteHttp *site_http_new(const Config *config, Metrics *metrics, Page *page)
{
    SiteHttp *http = g_new0(SiteHttp, 1);
    gboolean good = TRUE;

    http->metrics = metrics;
    http->shown = page;
    if (config->page) {
        http->page = serve(http, "page", config->page, config->page_token, answer_page);
        good = http->page != NULL;
        page_set_server(page, http->page);
    }
    if (good && config->metrics && g_strcmp0(config->metrics, config->page) != 0) {
        http->scraped =
            serve(http, "metrics", config->metrics, token_of_metrics(config), answer_scrape);
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
    if (http->shown)
        page_set_server(http->shown, NULL);
    g_clear_pointer(&http->page, http_server_free);
    g_clear_pointer(&http->scraped, http_server_free);
    g_free(http);
}
