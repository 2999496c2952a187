/* SPDX-License-Identifier: Apache-2.0
 * Between http.c (requests), http-server.c (the server, its threads) and http-stream.c (what is answered bit by bit, or later).
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "http-guard.h"
#include "http.h"

#include <microhttpd.h>

typedef struct HttpStream {
    HttpServer *server;
    HttpRequest *request;
    struct MHD_Connection *connection;
    HttpPull pull;
    gpointer data;
    GDestroyNotify done;
    gboolean suspended;
} HttpStream;

struct HttpLater {
    gint references; /* two: of the request, and of who answers; with the lock */
    HttpServer *server;
    HttpRequest *request; /* NULL: it is gone */
    gboolean answered;
    guint status;
    gchar *text;
};

struct HttpRequest {
    HttpServer *server;
    struct MHD_Connection *connection;
    gchar *path;
    gboolean post, answered;
    GString *body;
    GPtrArray *headers; /* name, value, name, value, ... of the reply */
    HttpLater *later;   /* NULL, or whose answer is awaited */
};

struct HttpServer {
    HttpAnswer answer;
    gpointer data;
    HttpAccess *access;
    HttpGuard *guard;
    struct MHD_Daemon *daemon;
    guint16 port;
    GThread *clock;
    GMutex lock;    /* of streams and of what is answered later */
    GQueue streams; /* of HttpStream */
    GQueue laters;  /* of HttpLater whose request waits */
    gboolean closing;
    gint refused;     /* atomic */
    GMutex wake_lock; /* of these: nobody who wakes waits for a stream */
    GCond wake_cond;
    gboolean woken, stopped;
};

/* http.c: MHD's callbacks; `data` is the server. */
enum MHD_Result http_on_request(void *data, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *size, void **request);
void http_on_completed(void *data, struct MHD_Connection *connection, void **request,
    enum MHD_RequestTerminationCode code);
HttpGuarded *http_guarded(struct MHD_Connection *connection);

/* http-stream.c. */
void http_streams_resume(HttpServer *server);
/* Before the daemon stops: nothing is suspended behind it. */
void http_streams_end(HttpServer *server);
/* The request goes: its answer is not awaited any more. */
void http_later_forget(HttpRequest *request);

#endif
