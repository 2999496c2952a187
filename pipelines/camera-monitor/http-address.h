/* SPDX-License-Identifier: Apache-2.0
 * Addresses to listen on, as they are written: 127.0.0.1:8088, [::1]:8088, localhost:8088, :8088 (all).
 */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <glib.h>
#include <sys/socket.h>

typedef struct HttpAddress {
    struct sockaddr_storage socket;
    socklen_t length;
    guint16 port; /* 0: any that is free */
    gboolean loopback;
} HttpAddress;

/* FALSE: it is none. */
gboolean http_address_read(const gchar *text, HttpAddress *address);
/* Why nothing may listen there; token NULL: there is none. NULL: it may. */
const gchar *http_address_check(const gchar *text, const gchar *token);
/* Whether a name or a literal address, with brackets or without, means this machine alone. */
gboolean http_address_is_loopback(const gchar *host);
/* HOST or HOST:PORT, as in a URL's authority, in its parts; host to be freed, without brackets; port -1: none. FALSE: it is none. */
gboolean http_address_split(const gchar *text, gchar **host, gint *port);

#endif
