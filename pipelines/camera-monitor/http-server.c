/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "http-address.h"
#include "http-internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MEMORY 16384
/* Above it the oldest that asks nothing goes. */
#define CROWDED (HTTP_MOST_CONNECTIONS * 3 / 4)
/* News that come at once are sent together. */
#define PAUSE (100 * G_TIME_SPAN_MILLISECOND)

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode code)
{
    HttpServer *server = data;
    const union MHD_ConnectionInfo *info;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = info ? http_guard_add(server->guard, info->connect_fd) : NULL;
    } else if (*context) {
        http_guard_remove(server->guard, *context);
        *context = NULL;
    }
}

/* What clients do wrong is theirs to know. */
static void log_nothing(void *data, const char *format, va_list arguments)
{
}

static int listen_at(const HttpAddress *address)
{
    int yes = 1, no = 0;
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (address->socket.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (bind(fd, (const struct sockaddr *)&address->socket, address->length) == 0 &&
        listen(fd, 128) == 0)
        return fd;
    yes = errno;
    close(fd);
    errno = yes;
    return -1;
}

static guint16 port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                         : ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* Whether it is time to tell streams; waits for that a second at most. */
static gboolean await_news(HttpServer *server, gint64 heartbeat)
{
    gint64 end = g_get_monotonic_time() + G_TIME_SPAN_SECOND;
    gboolean woken;

    g_mutex_lock(&server->wake_lock);
    while (!server->woken && !server->stopped)
        if (!g_cond_wait_until(&server->wake_cond, &server->wake_lock, end))
            break;
    woken = server->woken;
    server->woken = FALSE;
    g_mutex_unlock(&server->wake_lock);
    return woken || g_get_monotonic_time() >= heartbeat;
}

static gboolean is_stopped(HttpServer *server)
{
    gboolean stopped;

    g_mutex_lock(&server->wake_lock);
    stopped = server->stopped;
    g_mutex_unlock(&server->wake_lock);
    return stopped;
}

static gpointer run_clock(gpointer data)
{
    HttpServer *server = data;
    gint64 heartbeat = 0;

    while (!is_stopped(server)) {
        if (await_news(server, heartbeat)) {
            heartbeat = g_get_monotonic_time() + HTTP_HEARTBEAT * G_TIME_SPAN_SECOND;
            http_streams_resume(server);
            g_usleep(PAUSE);
        }
        http_guard_look(server->guard);
    }
    return NULL;
}

void http_wake(HttpServer *server)
{
    g_mutex_lock(&server->wake_lock);
    server->woken = TRUE;
    g_cond_signal(&server->wake_cond);
    g_mutex_unlock(&server->wake_lock);
}

static HttpServer *start(const HttpSettings *settings, int fd)
{
    HttpServer *server = g_new0(HttpServer, 1);

    server->answer = settings->answer;
    server->data = settings->data;
    server->port = port_of(fd);
    server->access = http_access_new(settings->token, server->port);
    server->guard = http_guard_new(CROWDED);
    g_mutex_init(&server->lock);
    g_mutex_init(&server->wake_lock);
    g_cond_init(&server->wake_cond);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        http_on_request, server, MHD_OPTION_EXTERNAL_LOGGER, log_nothing, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_MOST_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, server,
        MHD_OPTION_END);
    if (server->daemon)
        server->clock = g_thread_new("http-clock", run_clock, server);
    return server;
}

HttpServer *http_server_new(const HttpSettings *settings, gchar **error)
{
    const gchar *wrong = http_address_check(settings->address, settings->token);
    HttpAddress address;
    HttpServer *server;
    int fd;

    *error = NULL;
    if (!wrong && settings->token)
        wrong = http_access_check_token(settings->token);
    if (wrong || !http_address_read(settings->address, &address)) {
        *error = g_strdup(wrong);
    } else if ((fd = listen_at(&address)) < 0) {
        *error = g_strdup(g_strerror(errno));
    } else {
        server = start(settings, fd);
        if (server->daemon)
            return server;
        close(fd);
        http_server_free(server);
        *error = g_strdup("the server does not start");
    }
    return NULL;
}

guint16 http_server_port(const HttpServer *server)
{
    return server->port;
}

void http_server_count(HttpServer *server, guint *open, guint64 *refused, guint64 *ended)
{
    *open = http_guard_n_open(server->guard);
    *refused = (guint64)g_atomic_int_get(&server->refused);
    *ended = http_guard_n_ended(server->guard);
}

void http_server_free(HttpServer *server)
{
    g_mutex_lock(&server->wake_lock);
    server->stopped = TRUE;
    g_cond_signal(&server->wake_cond);
    g_mutex_unlock(&server->wake_lock);
    if (server->clock)
        g_thread_join(server->clock);
    http_streams_end(server);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    http_guard_free(server->guard);
    http_access_free(server->access);
    g_mutex_clear(&server->lock);
    g_mutex_clear(&server->wake_lock);
    g_cond_clear(&server->wake_cond);
    g_free(server);
}
