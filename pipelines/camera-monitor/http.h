/* SPDX-License-Identifier: Apache-2.0
 * A small server: bounded connections, requests, clients that are slow. It knows who may ask (http-access.h) and nothing of
 * what is asked. Requests are untrusted.
 */
#ifndef HTTP_H
#define HTTP_H

#include "http-access.h"

#define HTTP_MOST_CONNECTIONS 256
#define HTTP_MOST_STREAMS 64
#define HTTP_MOST_BODY 65536

typedef struct HttpServer HttpServer;
typedef struct HttpRequest HttpRequest;
typedef struct HttpLater HttpLater;

/* Answers a request by exactly one of http_reply(), http_stream() and http_later(); on the server's thread. */
typedef void (*HttpAnswer)(gpointer data, HttpRequest *request);
/* Up to `size` bytes of a stream; 0: nothing now, asked again after http_wake() and every HTTP_HEARTBEAT s. On the server's thread. */
typedef gsize (*HttpPull)(gpointer data, gchar *buffer, gsize size);

#define HTTP_HEARTBEAT 10

typedef struct HttpSettings {
    const gchar *address; /* http-address.h */
    const gchar *token; /* NULL: none is demanded, which loopback addresses alone may do without */
    HttpAnswer answer;
    gpointer data;
} HttpSettings;

/* NULL: `error` (to be freed) says why. */
HttpServer *http_server_new(const HttpSettings *settings, gchar **error);
guint16 http_server_port(const HttpServer *server);
/* Streams have something to tell. From any thread; quick. */
void http_wake(HttpServer *server);
/* Connections now, and requests that were refused and connections that were ended so far. */
void http_server_count(HttpServer *server, guint *open, guint64 *refused, guint64 *ended);
/* On the thread that http_later_done() is called on. Ends everything that is under way. */
void http_server_free(HttpServer *server);

/* GET stands for HEAD, too; other methods than these and POST never arrive. */
gboolean http_request_is_post(const HttpRequest *request);
const gchar *http_request_path(const HttpRequest *request);
/* Of the query; NULL: it has none of this name. */
const gchar *http_request_query(const HttpRequest *request, const gchar *name);
const gchar *http_request_header(const HttpRequest *request, const gchar *name);
/* What was posted; zero-terminated behind its length. */
const gchar *http_request_body(const HttpRequest *request, gsize *length);

/* Takes the body. policy: Content-Security-Policy; NULL: the page may nothing. */
void http_reply(
    HttpRequest *request, guint status, const gchar *type, GBytes *body, const gchar *policy);
void http_reply_text(HttpRequest *request, guint status, const gchar *text);
/* Of the next reply. */
void http_add_header(HttpRequest *request, const gchar *name, const gchar *value);
/* A stream of events; `done` frees the data. Where there are too many already, the request is refused. */
void http_stream(HttpRequest *request, HttpPull pull, gpointer data, GDestroyNotify done);
/* The answer comes by http_later_done(), from one and the same other thread. */
HttpLater *http_later(HttpRequest *request);
void http_later_done(HttpLater *later, guint status, const gchar *text);

#endif
