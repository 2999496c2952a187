/* SPDX-License-Identifier: Apache-2.0 */
#include "http-internal.h"

#include <string.h>

#define NO_POLICY "default-src 'none'; frame-ancestors 'none'"

gboolean http_request_is_post(const HttpRequest *request)
{
    return request->post;
}

const gchar *http_request_path(const HttpRequest *request)
{
    return request->path;
}

const gchar *http_request_query(const HttpRequest *request, const gchar *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const gchar *http_request_header(const HttpRequest *request, const gchar *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const gchar *http_request_body(const HttpRequest *request, gsize *length)
{
    *length = request->body->len;
    return request->body->str;
}

void http_add_header(HttpRequest *request, const gchar *name, const gchar *value)
{
    g_ptr_array_add(request->headers, g_strdup(name));
    g_ptr_array_add(request->headers, g_strdup(value));
}

HttpGuarded *http_guarded(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static void add_headers(HttpRequest *request, struct MHD_Response *response, const gchar *policy)
{
    const gchar *const always[][2] = {
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy", policy ? policy : NO_POLICY},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(always); i++)
        MHD_add_response_header(response, always[i][0], always[i][1]);
    for (guint i = 0; i + 1 < request->headers->len; i += 2)
        MHD_add_response_header(
            response, request->headers->pdata[i], request->headers->pdata[i + 1]);
}

static void free_bytes(void *bytes)
{
    g_bytes_unref(bytes);
}

void http_reply(
    HttpRequest *request, guint status, const gchar *type, GBytes *body, const gchar *policy)
{
    gsize size;
    gpointer data = (gpointer)g_bytes_get_data(body, &size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(size, data, free_bytes, body);
    HttpGuarded *guarded = http_guarded(request->connection);

    request->answered = TRUE;
    if (!response) {
        g_bytes_unref(body);
        return;
    }
    add_headers(request, response, policy);
    MHD_add_response_header(response, "Content-Type", type);
    if (guarded)
        http_guard_set_phase(request->server->guard, guarded, HTTP_ANSWERING);
    MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
}

void http_reply_text(HttpRequest *request, guint status, const gchar *text)
{
    gchar *line = g_strdup_printf("%s\n", text);

    http_reply(
        request, status, "text/plain; charset=utf-8", g_bytes_new_take(line, strlen(line)), NULL);
}

static const gchar login[] =
    "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\"><title>camera-monitor</title><form method=\"get\" "
    "action=\"/\"><p>%s</p><p><label>Token <input "
    "name=\"token\" type=\"password\" autofocus required></label> "
    "<button>Open</button></p></form></html>";

/* A person at a browser is asked for the token, everybody else is told. */
static void refuse(HttpRequest *request, HttpVerdict verdict)
{
    gboolean token = verdict == HTTP_WRONG_TOKEN || verdict == HTTP_NO_TOKEN;

    g_atomic_int_inc(&request->server->refused);
    if (token)
        http_add_header(request, "WWW-Authenticate", "Bearer realm=\"camera-monitor\"");
    if (token && !request->post && strcmp(request->path, "/") == 0) {
        gchar *page = g_strdup_printf(login, http_verdicts[verdict]);

        http_reply(request, MHD_HTTP_UNAUTHORIZED, "text/html; charset=utf-8",
            g_bytes_new_take(page, strlen(page)),
            "default-src 'none'; form-action 'self'; frame-ancestors 'none'");
        return;
    }
    http_reply_text(
        request, token ? MHD_HTTP_UNAUTHORIZED : MHD_HTTP_FORBIDDEN, http_verdicts[verdict]);
}

static void let_in(HttpRequest *request)
{
    gboolean secure = g_strcmp0(http_request_header(request, "X-Forwarded-Proto"), "https") == 0;
    gchar *cookie = g_strdup_printf("%s; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000%s",
        http_access_cookie(request->server->access), secure ? "; Secure" : "");

    http_add_header(request, "Set-Cookie", cookie);
    http_add_header(request, "Location", "/");
    http_reply_text(request, MHD_HTTP_SEE_OTHER, "Come in.");
    g_free(cookie);
}

/* Of what has come so far, which is all but the body. */
static void look_at_head(HttpRequest *request, const gchar *method)
{
    const gchar *length = http_request_header(request, "Content-Length");
    const gchar *type = http_request_header(request, "Content-Type");
    HttpVerdict verdict = http_access_judge(
        request->server->access, &(HttpAsked){
                                     .host = http_request_header(request, "Host"),
                                     .origin = http_request_header(request, "Origin"),
                                     .fetch_site = http_request_header(request, "Sec-Fetch-Site"),
                                     .authorization = http_request_header(request, "Authorization"),
                                     .cookie = http_request_header(request, "Cookie"),
                                     .token = http_request_query(request, "token"),
                                     .changes = request->post,
                                 });

    if (verdict == HTTP_LET_IN)
        let_in(request);
    else if (verdict != HTTP_ALLOWED)
        refuse(request, verdict);
    else if (!request->post && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        http_reply_text(request, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or POST");
    else if (length && g_ascii_strtoull(length, NULL, 10) > HTTP_MOST_BODY)
        http_reply_text(request, 413, "This is too much.");
    else if (request->post && (!type || !g_str_has_prefix(type, "application/json")))
        http_reply_text(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "application/json is wanted.");
}

static HttpRequest *request_new(
    HttpServer *server, struct MHD_Connection *connection, const gchar *url, const gchar *method)
{
    HttpRequest *request = g_new0(HttpRequest, 1);

    request->server = server;
    request->connection = connection;
    request->path = g_strdup(url);
    request->post = strcmp(method, "POST") == 0;
    request->body = g_string_new(NULL);
    request->headers = g_ptr_array_new_with_free_func(g_free);
    return request;
}

static void answer(HttpRequest *request)
{
    if (request->body->len > HTTP_MOST_BODY)
        http_reply_text(request, 413, "This is too much.");
    else
        request->server->answer(request->server->data, request);
}

enum MHD_Result http_on_request(void *data, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *size, void **state)
{
    HttpServer *server = data;
    HttpRequest *request = *state;

    if (!request) {
        *state = request = request_new(server, connection, url, method);
        look_at_head(request, method);
        return MHD_YES;
    }
    if (*size > 0) {
        if (request->body->len <= HTTP_MOST_BODY)
            g_string_append_len(request->body, upload, (gssize)*size);
        *size = 0;
        return MHD_YES;
    }
    if (request->later) {
        HttpLater *later = request->later;

        http_reply_text(request, later->status, later->text);
        http_later_forget(request);
    } else if (!request->answered) {
        answer(request);
    }
    return MHD_YES;
}

void http_on_completed(void *data, struct MHD_Connection *connection, void **state,
    enum MHD_RequestTerminationCode code)
{
    HttpServer *server = data;
    HttpRequest *request = *state;
    HttpGuarded *guarded = http_guarded(connection);

    if (guarded)
        http_guard_set_phase(server->guard, guarded, HTTP_ASKING);
    if (!request)
        return;
    http_later_forget(request);
    g_string_free(request->body, TRUE);
    g_ptr_array_unref(request->headers);
    g_free(request->path);
    g_free(request);
    *state = NULL;
}
