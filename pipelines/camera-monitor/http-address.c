/* SPDX-License-Identifier: Apache-2.0 */
#include "http-address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static gboolean read_port(const gchar *text, gint *port)
{
    guint64 value = 0;

    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT16, &value, NULL))
        return FALSE;
    *port = (gint)value;
    return TRUE;
}

gboolean http_address_split(const gchar *text, gchar **host, gint *port)
{
    const gchar *end, *rest;

    *host = NULL;
    *port = -1;
    if (*text == '[') {
        end = strchr(++text, ']');
        rest = end ? end + 1 : NULL;
    } else {
        end = strchr(text, ':');
        rest = end;
        if (!end)
            end = rest = text + strlen(text);
    }
    if (!end || (*rest && (*rest != ':' || !read_port(rest + 1, port))))
        return FALSE;
    *host = g_strndup(text, (gsize)(end - text));
    return TRUE;
}

gboolean http_address_is_loopback(const gchar *host)
{
    struct in_addr four;
    struct in6_addr six;

    if (g_ascii_strcasecmp(host, "localhost") == 0)
        return TRUE;
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &six) != 1)
        return FALSE;
    return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

static gboolean fill(HttpAddress *address, const gchar *host)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&address->socket;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&address->socket;

    if (g_ascii_strcasecmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (!*host)
        host = "::";
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(address->port);
        address->length = sizeof(*four);
    } else if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(address->port);
        address->length = sizeof(*six);
    } else {
        return FALSE;
    }
    address->loopback = http_address_is_loopback(host);
    return TRUE;
}

gboolean http_address_read(const gchar *text, HttpAddress *address)
{
    gchar *host = NULL;
    gint port = -1;
    gboolean good;

    memset(address, 0, sizeof(*address));
    good = http_address_split(text, &host, &port) && port >= 0;
    if (good) {
        address->port = (guint16)port;
        good = fill(address, host);
    }
    g_free(host);
    return good;
}

const gchar *http_address_check(const gchar *text, const gchar *token)
{
    HttpAddress address;

    if (!http_address_read(text, &address))
        return "an address is HOST:PORT, and HOST a number or localhost";
    return address.loopback || token
               ? NULL
               : "others than this machine reach this address: give a token with "
                 "--http-token-file (openssl rand -hex 16 makes one)";
}
