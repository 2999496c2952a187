/* SPDX-License-Identifier: Apache-2.0
 * Who may ask what over HTTP. Requests are untrusted.
 *
 * - Without a token a request must name this machine as its Host: a page of another site whose name
 *   was made to resolve to 127.0.0.1 names that site (DNS rebinding).
 * - With a token it must bring it: "Authorization: Bearer TOKEN", or the cookie that ?token=TOKEN is exchanged for.
 * - What changes something must come from a page of this server, where a browser says where it comes from.
 */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include <glib.h>

typedef struct HttpAccess HttpAccess;

/* Of a request; what it does not have is NULL. */
typedef struct HttpAsked {
    const gchar *host, *origin, *fetch_site, *authorization, *cookie;
    const gchar *token; /* of the query */
    gboolean changes;   /* it is no GET or HEAD */
} HttpAsked;

typedef enum HttpVerdict {
    HTTP_ALLOWED,
    HTTP_LET_IN, /* by the query's token: it gets the cookie, and the address without the token */
    HTTP_WRONG_HOST, /* the four others are refused */
    HTTP_WRONG_ORIGIN,
    HTTP_WRONG_TOKEN,
    HTTP_NO_TOKEN,
} HttpVerdict;

/* What is to be said to people of each. */
extern const gchar *const http_verdicts[];

/* token NULL: none is demanded; then Host must be this machine. port: part of the cookie's name, which all ports of a host share. */
HttpAccess *http_access_new(const gchar *token, guint16 port);
HttpVerdict http_access_judge(const HttpAccess *access, const HttpAsked *asked);
/* What lets a browser in for good: NAME=VALUE; as long as the access lives. */
const gchar *http_access_cookie(const HttpAccess *access);
void http_access_free(HttpAccess *access);

/* Why a token is none: too short, or signs that no header can have. NULL: it is good. */
const gchar *http_access_check_token(const gchar *token);

#endif
