/* SPDX-License-Identifier: Apache-2.0 */
#include "http-guard.h"

#include <sys/socket.h>

struct HttpGuarded {
    GList link;
    int socket;
    HttpPhase phase;
    gint64 since;
    gboolean ended;
};

struct HttpGuard {
    GMutex lock;
    GQueue connections; /* of HttpGuarded, the oldest first */
    guint most;
    guint64 n_ended;
};

HttpGuard *http_guard_new(guint most)
{
    HttpGuard *guard = g_new0(HttpGuard, 1);

    g_mutex_init(&guard->lock);
    g_queue_init(&guard->connections);
    guard->most = most;
    return guard;
}

/* The socket stays open until its owner has noticed. */
static void end(HttpGuard *guard, HttpGuarded *connection)
{
    if (connection->ended)
        return;
    connection->ended = TRUE;
    guard->n_ended++;
    shutdown(connection->socket, SHUT_RDWR);
}

static void make_room(HttpGuard *guard)
{
    HttpGuarded *oldest = NULL;

    for (GList *walk = guard->connections.head; walk; walk = walk->next) {
        HttpGuarded *connection = walk->data;

        if (connection->phase == HTTP_ASKING && !connection->ended &&
            (!oldest || connection->since < oldest->since))
            oldest = connection;
    }
    if (oldest)
        end(guard, oldest);
}

HttpGuarded *http_guard_add(HttpGuard *guard, int socket)
{
    HttpGuarded *connection = g_new0(HttpGuarded, 1);

    connection->link.data = connection;
    connection->socket = socket;
    connection->since = g_get_monotonic_time();
    g_mutex_lock(&guard->lock);
    if (guard->connections.length >= guard->most)
        make_room(guard);
    g_queue_push_tail_link(&guard->connections, &connection->link);
    g_mutex_unlock(&guard->lock);
    return connection;
}

void http_guard_set_phase(HttpGuard *guard, HttpGuarded *connection, HttpPhase phase)
{
    g_mutex_lock(&guard->lock);
    connection->phase = phase;
    connection->since = g_get_monotonic_time();
    g_mutex_unlock(&guard->lock);
}

void http_guard_remove(HttpGuard *guard, HttpGuarded *connection)
{
    g_mutex_lock(&guard->lock);
    g_queue_unlink(&guard->connections, &connection->link);
    g_mutex_unlock(&guard->lock);
    g_free(connection);
}

void http_guard_look(HttpGuard *guard)
{
    gint64 now = g_get_monotonic_time();

    g_mutex_lock(&guard->lock);
    for (GList *walk = guard->connections.head; walk; walk = walk->next) {
        HttpGuarded *connection = walk->data;
        gint64 seconds = (now - connection->since) / G_USEC_PER_SEC;

        if ((connection->phase == HTTP_ASKING && seconds >= HTTP_GUARD_ASKING) ||
            ((connection->phase == HTTP_ANSWERING || connection->phase == HTTP_STREAMING) &&
                seconds >= HTTP_GUARD_ANSWERING))
            end(guard, connection);
    }
    g_mutex_unlock(&guard->lock);
}

guint http_guard_n_open(HttpGuard *guard)
{
    guint n;

    g_mutex_lock(&guard->lock);
    n = guard->connections.length;
    g_mutex_unlock(&guard->lock);
    return n;
}

guint64 http_guard_n_ended(HttpGuard *guard)
{
    guint64 n;

    g_mutex_lock(&guard->lock);
    n = guard->n_ended;
    g_mutex_unlock(&guard->lock);
    return n;
}

void http_guard_free(HttpGuard *guard)
{
    g_assert(guard->connections.length == 0);
    g_mutex_clear(&guard->lock);
    g_free(guard);
}
