/* SPDX-License-Identifier: Apache-2.0 */
#include "http-access.h"

#include "http-address.h"

#include <string.h>

#define LEAST_TOKEN 16
#define MOST_TOKEN 512
#define BEARER "Bearer "

const gchar *const http_verdicts[] = {
    [HTTP_ALLOWED] = "",
    [HTTP_LET_IN] = "",
    [HTTP_WRONG_HOST] = "This server is not known under this name.",
    [HTTP_WRONG_ORIGIN] = "Only pages of this server may change something.",
    [HTTP_WRONG_TOKEN] = "This is not the token.",
    [HTTP_NO_TOKEN] = "A token is needed.",
};

struct HttpAccess {
    gchar *token; /* NULL: none is demanded */
    gchar *cookie_name, *cookie;
};

/* What a token is exchanged for: nobody who sees it learns the token, and another token ends it. */
static gchar *digest_of(const gchar *text, const gchar *key)
{
    return g_compute_hmac_for_string(
        G_CHECKSUM_SHA256, (const guchar *)key, strlen(key), text, (gssize)strlen(text));
}

HttpAccess *http_access_new(const gchar *token, guint16 port)
{
    HttpAccess *access = g_new0(HttpAccess, 1);

    access->token = g_strdup(token);
    access->cookie_name = g_strdup_printf("llavaov-%u", port);
    if (token) {
        gchar *value = digest_of("camera-monitor", token);

        access->cookie = g_strdup_printf("%s=%s", access->cookie_name, value);
        g_free(value);
    }
    return access;
}

void http_access_free(HttpAccess *access)
{
    g_free(access->token);
    g_free(access->cookie_name);
    g_free(access->cookie);
    g_free(access);
}

const gchar *http_access_cookie(const HttpAccess *access)
{
    return access->cookie;
}

/* How long it takes says nothing about where they differ. */
static gboolean is_same(const gchar *given, const gchar *wanted)
{
    gchar *a = digest_of(given, wanted), *b = digest_of(wanted, wanted);
    guchar different = 0;

    for (gsize i = 0; b[i]; i++)
        different |= (guchar)(a[i] ^ b[i]);
    g_free(a);
    g_free(b);
    return different == 0;
}

static gboolean has_cookie(const HttpAccess *access, const gchar *cookies)
{
    gchar **each = g_strsplit(cookies, ";", 64);
    gboolean found = FALSE;

    for (gchar **cookie = each; *cookie; cookie++) {
        g_strstrip(*cookie);
        found =
            (g_str_has_prefix(*cookie, "llavaov-") && is_same(*cookie, access->cookie)) || found;
    }
    g_strfreev(each);
    return found;
}

static HttpVerdict judge_token(const HttpAccess *access, const HttpAsked *asked)
{
    if (asked->authorization &&
        g_ascii_strncasecmp(asked->authorization, BEARER, strlen(BEARER)) == 0)
        return is_same(asked->authorization + strlen(BEARER), access->token) ? HTTP_ALLOWED
                                                                             : HTTP_WRONG_TOKEN;
    if (asked->token && !asked->changes)
        return is_same(asked->token, access->token) ? HTTP_LET_IN : HTTP_WRONG_TOKEN;
    if (asked->cookie && has_cookie(access, asked->cookie))
        return HTTP_ALLOWED;
    return HTTP_NO_TOKEN;
}

static gboolean is_this_machine(const gchar *authority)
{
    gchar *host = NULL;
    gint port;
    gboolean good =
        authority && http_address_split(authority, &host, &port) && http_address_is_loopback(host);

    g_free(host);
    return good;
}

/* SCHEME://AUTHORITY of the page that asks, of which the authority must be the one that it asks. A proxy that adds TLS changes the
 * scheme alone. */
static gboolean is_own_page(const HttpAsked *asked)
{
    const gchar *authority;

    if (asked->fetch_site && strcmp(asked->fetch_site, "same-origin") != 0 &&
        strcmp(asked->fetch_site, "none") != 0)
        return FALSE;
    if (!asked->origin)
        return TRUE;
    authority = strstr(asked->origin, "://");
    return authority && asked->host && g_ascii_strcasecmp(authority + 3, asked->host) == 0;
}

HttpVerdict http_access_judge(const HttpAccess *access, const HttpAsked *asked)
{
    HttpVerdict verdict = HTTP_ALLOWED;

    if (access->token)
        verdict = judge_token(access, asked);
    else if (!is_this_machine(asked->host))
        verdict = HTTP_WRONG_HOST;
    if (verdict == HTTP_ALLOWED && asked->changes && !is_own_page(asked))
        verdict = HTTP_WRONG_ORIGIN;
    return verdict;
}

const gchar *http_access_check_token(const gchar *token)
{
    gsize length = strlen(token);

    if (length < LEAST_TOKEN || length > MOST_TOKEN)
        return "a token has 16 to 512 signs; `openssl rand -hex 16` makes one";
    for (gsize i = 0; i < length; i++)
        if (!g_ascii_isgraph(token[i]))
            return "a token has no blanks, and ASCII only; `openssl rand -hex 16` makes one";
    return NULL;
}
