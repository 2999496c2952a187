/* SPDX-License-Identifier: Apache-2.0
 * Connections that take too long are ended: of those that have no whole request yet the one that has had none for longest makes
 * room for a new one, and neither a request nor its answer may take for ever. All functions from any thread.
 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include <glib.h>

typedef struct HttpGuard HttpGuard;
typedef struct HttpGuarded HttpGuarded;

typedef enum HttpPhase {
    HTTP_ASKING,    /* no whole request yet: HTTP_GUARD_ASKING s */
    HTTP_ANSWERING, /* HTTP_GUARD_ANSWERING s */
    HTTP_STREAMING, /* as long as something is taken every HTTP_GUARD_ANSWERING s */
    HTTP_WAITING,   /* for us: as long as it takes */
} HttpPhase;

#define HTTP_GUARD_ASKING 20
#define HTTP_GUARD_ANSWERING 30

/* most: connections above which a new one ends an old one. */
HttpGuard *http_guard_new(guint most);
HttpGuarded *http_guard_add(HttpGuard *guard, int socket);
/* The connection is in this phase from now on; the same again: it goes on well. */
void http_guard_set_phase(HttpGuard *guard, HttpGuarded *connection, HttpPhase phase);
void http_guard_remove(HttpGuard *guard, HttpGuarded *connection);
/* Ends what has taken too long; to be called every second or so. */
void http_guard_look(HttpGuard *guard);
/* How many there are, and how many were ended so far. */
guint http_guard_n_open(HttpGuard *guard);
guint64 http_guard_n_ended(HttpGuard *guard);
void http_guard_free(HttpGuard *guard);

#endif
