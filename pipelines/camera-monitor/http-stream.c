/* SPDX-License-Identifier: Apache-2.0 */
#include "http-internal.h"

#define ENDING "The program ends."

static void set_phase(HttpStream *stream, HttpPhase phase)
{
    HttpGuarded *guarded = http_guarded(stream->connection);

    if (guarded)
        http_guard_set_phase(stream->server->guard, guarded, phase);
}

static ssize_t on_pull(void *data, uint64_t position, char *buffer, size_t size)
{
    HttpStream *stream = data;
    HttpServer *server = stream->server;
    gsize n = 0;

    g_mutex_lock(&server->lock);
    if (server->closing) {
        g_mutex_unlock(&server->lock);
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    n = stream->pull(stream->data, buffer, size);
    if (n > 0) {
        set_phase(stream, HTTP_STREAMING);
    } else {
        stream->suspended = TRUE;
        set_phase(stream, HTTP_WAITING);
        MHD_suspend_connection(stream->connection);
    }
    g_mutex_unlock(&server->lock);
    return (ssize_t)n;
}

static void on_free(void *data)
{
    HttpStream *stream = data;

    g_mutex_lock(&stream->server->lock);
    g_queue_remove(&stream->server->streams, stream);
    g_mutex_unlock(&stream->server->lock);
    stream->done(stream->data);
    g_free(stream);
}

/* With the lock. */
static void resume(HttpStream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = FALSE;
    set_phase(stream, HTTP_STREAMING);
    MHD_resume_connection(stream->connection);
}

void http_stream(HttpRequest *request, HttpPull pull, gpointer data, GDestroyNotify done)
{
    HttpServer *server = request->server;
    HttpStream *stream;
    struct MHD_Response *response;
    guint n;

    g_mutex_lock(&server->lock);
    n = server->streams.length;
    g_mutex_unlock(&server->lock);
    if (n >= HTTP_MOST_STREAMS) {
        done(data);
        http_add_header(request, "Retry-After", "30");
        http_reply_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "Too many are looking already.");
        return;
    }
    stream = g_new0(HttpStream, 1);
    *stream = (HttpStream){server, request, request->connection, pull, data, done, FALSE};
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 8192, on_pull, stream, on_free);
    request->answered = TRUE;
    g_mutex_lock(&server->lock);
    g_queue_push_tail(&server->streams, stream);
    g_mutex_unlock(&server->lock);
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx would hold events back */
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    set_phase(stream, HTTP_STREAMING);
    MHD_queue_response(request->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
}

/* With the lock. */
static void resume_all(HttpServer *server)
{
    for (GList *walk = server->streams.head; walk; walk = walk->next)
        resume(walk->data);
}

void http_streams_resume(HttpServer *server)
{
    g_mutex_lock(&server->lock);
    resume_all(server);
    g_mutex_unlock(&server->lock);
}

static void unref(HttpLater *later)
{
    if (--later->references > 0)
        return;
    g_free(later->text);
    g_free(later);
}

HttpLater *http_later(HttpRequest *request)
{
    HttpServer *server = request->server;
    HttpGuarded *guarded = http_guarded(request->connection);
    HttpLater *later = g_new0(HttpLater, 1);

    later->references = 2;
    later->server = server;
    later->request = request;
    later->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    g_mutex_lock(&server->lock);
    request->later = later;
    if (guarded)
        http_guard_set_phase(server->guard, guarded, HTTP_WAITING);
    if (server->closing) {
        later->answered = TRUE;
        later->text = g_strdup(ENDING);
    } else {
        g_queue_push_tail(&server->laters, later);
        MHD_suspend_connection(request->connection);
    }
    g_mutex_unlock(&server->lock);
    return later;
}

/* With the lock. */
static void finish(HttpLater *later, guint status, const gchar *text)
{
    later->answered = TRUE;
    later->status = status;
    later->text = g_strdup(text);
    g_queue_remove(&later->server->laters, later);
    MHD_resume_connection(later->request->connection);
}

void http_later_done(HttpLater *later, guint status, const gchar *text)
{
    HttpServer *server = later->server;

    /* Without a server, nobody else holds it: http_streams_end(). */
    if (!server) {
        unref(later);
        return;
    }
    g_mutex_lock(&server->lock);
    if (!later->answered && later->request)
        finish(later, status, text);
    unref(later);
    g_mutex_unlock(&server->lock);
}

void http_later_forget(HttpRequest *request)
{
    HttpLater *later = request->later;

    if (!later)
        return;
    g_mutex_lock(&request->server->lock);
    request->later = NULL;
    later->request = NULL;
    if (request->server->closing)
        later->server = NULL;
    unref(later);
    g_mutex_unlock(&request->server->lock);
}

void http_streams_end(HttpServer *server)
{
    g_mutex_lock(&server->lock);
    server->closing = TRUE;
    resume_all(server);
    while (server->laters.length)
        finish(g_queue_peek_head(&server->laters), MHD_HTTP_SERVICE_UNAVAILABLE, ENDING);
    g_mutex_unlock(&server->lock);
}
