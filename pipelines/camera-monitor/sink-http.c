/* SPDX-License-Identifier: Apache-2.0
 * A webhook: each record is the body of a POST, one after another.
 */
#include "sink-driver.h"

#include <curl/curl.h>
#include <poll.h>
#include <string.h>

#define TIMEOUT 30
#define MOST_BODY (64 << 10)

typedef struct HttpSink {
    Sink *sink;
    CURL *curl;
    gchar *url, *secret, *token;
    gchar wrong[CURL_ERROR_SIZE];
    gsize body;
} HttpSink;

static int on_progress(void *data, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    return sink_must_end(((HttpSink *)data)->sink);
}

/* The answer's body says nothing to us; one without end is broken off. */
static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    HttpSink *http = data;

    http->body += size * count;
    return http->body > MOST_BODY ? 0 : size * count;
}

/* The address without what stands in front of the host. */
static gchar *bare(const gchar *url)
{
    GUri *uri = g_uri_parse(
        url, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_PARSE_RELAXED | G_URI_FLAGS_ENCODED, NULL);
    gchar *text = uri ? g_uri_to_string_partial(
                            uri, G_URI_HIDE_USERINFO | G_URI_HIDE_PASSWORD | G_URI_HIDE_FRAGMENT)
                      : NULL;

    g_clear_pointer(&uri, g_uri_unref);
    return text;
}

static gpointer create(const ConfigSink *settings, Sink *sink, MqttBoard *board, GError **error)
{
    HttpSink *http = g_new0(HttpSink, 1);

    http->sink = sink;
    http->url = bare(settings->url);
    http->secret = g_strdup(settings->secret);
    http->token = g_strdup(settings->token);
    http->curl = curl_easy_init();
    curl_easy_setopt(http->curl, CURLOPT_URL, http->url);
    curl_easy_setopt(http->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(http->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(http->curl, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(http->curl, CURLOPT_TIMEOUT, (long)TIMEOUT);
    curl_easy_setopt(http->curl, CURLOPT_ERRORBUFFER, http->wrong);
    curl_easy_setopt(http->curl, CURLOPT_USERAGENT, "camera-monitor");
    curl_easy_setopt(http->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(http->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(http->curl, CURLOPT_XFERINFODATA, http);
    curl_easy_setopt(http->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, http);
    if (settings->user)
        curl_easy_setopt(http->curl, CURLOPT_USERNAME, settings->user);
    if (settings->password)
        curl_easy_setopt(http->curl, CURLOPT_PASSWORD, settings->password);
    if (settings->ca_file)
        curl_easy_setopt(http->curl, CURLOPT_CAINFO, settings->ca_file);
    if (settings->cert_file)
        curl_easy_setopt(http->curl, CURLOPT_SSLCERT, settings->cert_file);
    if (settings->key_file)
        curl_easy_setopt(http->curl, CURLOPT_SSLKEY, settings->key_file);
    return http;
}

/* There is no connection before the first record. */
static SinkResult http_connect(gpointer self, GError **error)
{
    return SINK_OK;
}

static struct curl_slist *header(struct curl_slist *list, const gchar *name, const gchar *value)
{
    gchar *line = g_strdup_printf("%s: %s", name, value);

    list = curl_slist_append(list, line);
    g_free(line);
    return list;
}

static struct curl_slist *headers_of(HttpSink *http, const SpoolItem *item)
{
    struct curl_slist *list = curl_slist_append(NULL, "Content-Type: application/json");
    Record *record = record_read(item->text, item->length);
    gchar *text;

    /* No reply to wait for before the body. */
    list = curl_slist_append(list, "Expect:");
    if (record) {
        text = g_uri_escape_string(record->key, "/:", FALSE);
        list = header(list, "Idempotency-Key", text);
        g_free(text);
        record_unref(record);
    }
    if (http->secret) {
        gchar *sum = g_compute_hmac_for_data(G_CHECKSUM_SHA256, (const guchar *)http->secret,
            strlen(http->secret), (const guchar *)item->text, item->length);

        text = g_strconcat("sha256=", sum, NULL);
        list = header(list, "X-Llavaov-Signature-256", text);
        g_free(text);
        g_free(sum);
    }
    if (http->token) {
        text = g_strconcat("Bearer ", http->token, NULL);
        list = header(list, "Authorization", text);
        g_free(text);
    }
    return list;
}

static SinkResult judge(HttpSink *http, CURLcode code, guint64 n, GError **error)
{
    curl_off_t after = 0;
    long status = 0;

    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
    /* A body that is too long comes behind a status that counts. */
    if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status >= 200))
        return sink_error(
            error, SINK_RETRY, "%s", *http->wrong ? http->wrong : curl_easy_strerror(code));
    if (status >= 200 && status < 300) {
        sink_done(http->sink, n, NULL);
        return SINK_OK;
    }
    if (status == 401 || status == 403 || status == 407)
        return sink_error(
            error, SINK_FATAL, "the server refuses the credentials (status %ld)", status);
    if (status >= 400 && status < 500 && status != 408 && status != 429) {
        gchar *reason = g_strdup_printf("status %ld", status);

        sink_done(http->sink, n, reason);
        g_free(reason);
        return SINK_OK;
    }
    if (curl_easy_getinfo(http->curl, CURLINFO_RETRY_AFTER, &after) == CURLE_OK && after > 0)
        sink_wait_at_least(http->sink, (guint)MIN(after, 600));
    return sink_error(error, SINK_RETRY, "status %ld", status);
}

static SinkResult http_send(gpointer self, const SpoolItem *item, GError **error)
{
    HttpSink *http = self;
    struct curl_slist *headers = headers_of(http, item);
    CURLcode code;

    curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE, (long)item->length);
    curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, item->text);
    http->body = 0;
    *http->wrong = '\0';
    code = curl_easy_perform(http->curl);
    curl_slist_free_all(headers);
    return judge(http, code, item->n, error);
}

static SinkResult http_serve(gpointer self, int wake_fd, gint milliseconds, GError **error)
{
    struct pollfd wake = {wake_fd, POLLIN, 0};

    poll(&wake, 1, milliseconds);
    return SINK_OK;
}

static void http_disconnect(gpointer self)
{
    /* Each request opens its connection where there is none. */
}

static void destroy(gpointer self)
{
    HttpSink *http = self;

    curl_easy_cleanup(http->curl);
    g_free(http->url);
    g_free(http->secret);
    g_free(http->token);
    g_free(http);
}

const SinkDriver sink_http = {
    1, create, http_connect, http_send, http_serve, http_disconnect, destroy};
