/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/attempt.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "remote/outcome.h"

#define MILLISECOND UINT64_C(1000000)

long lv_attempt_http_code(const LvRemoteCall *call)
{
    long code = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

static bool is_event_stream(const LvRemoteCall *call)
{
    char *type = NULL;
    curl_easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
    return type && !strncmp(type, "text/event-stream", strlen("text/event-stream"));
}

/* libcurl's: bytes that are not taken end the transfer. */
static size_t take_bytes(char *bytes, size_t one, size_t n, void *data)
{
    LvRemoteCall *call = data;
    const size_t n_text = call->reply.n_text;
    if (call->probe)
        return lv_attempt_http_code(call) == 200 ? 0 : n; /* enough is known */
    if (!call->last_byte)
        call->reply.stream = lv_attempt_http_code(call) == 200 && is_event_stream(call);
    call->last_byte = lv_now_ns();
    call->status = lv_chat_reply_feed(&call->reply, bytes, n, &call->error);
    if (call->status != LLAVAOV_OK)
        return 0;
    if (call->ask.on_text && call->reply.n_text > n_text)
        call->unwanted = !call->ask.on_text(call->ask.data, &call->reply);
    return call->unwanted ? 0 : n;
}

static size_t take_header(char *line, size_t one, size_t n, void *data)
{
    LvRemoteCall *call = data;
    call->retry_after = lv_outcome_retry_after(line, n, call->retry_after);
    return n;
}

static void set_common(LvRemoteCall *call)
{
    const LvRemote *remote = call->remote;
    CURL *easy = call->easy;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, remote->headers);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* Of a kept connection that breaks libcurl makes another attempt by itself. */
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (remote->authorities)
        curl_easy_setopt(easy, CURLOPT_CAINFO, remote->authorities);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(remote->times.connect / MILLISECOND));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

/* Of an attempt after the first not beyond `until`. */
static long timeout_ms(const LvRemoteCall *call, uint64_t now)
{
    uint64_t timeout = call->probe ? call->remote->times.connect : call->remote->options.timeout_ns;
    if (call->attempts > 1 && call->ask.until > now && call->ask.until - now < timeout)
        timeout = call->ask.until - now;
    timeout /= MILLISECOND;
    return timeout < 1 ? 1 : timeout > 0x7FFFFFFF ? 0x7FFFFFFF : (long)timeout;
}

bool lv_attempt_begin(LvRemoteCall *call, uint64_t now)
{
    LvRemote *remote = call->remote;
    const char *path = call->probe ? "/models" : "/chat/completions";
    LvServer *server = &remote->servers.list[call->server];
    const size_t n = strlen(server->url) + strlen(path) + 1;
    lv_chat_reply_free(&call->reply);
    call->status = LLAVAOV_OK;
    call->last_byte = call->retry_after = 0;
    call->curl_error[0] = '\0';
    call->attempts++;
    lv_free(call->url);
    call->url = lv_alloc(n, 1);
    call->easy = curl_easy_init();
    if (call->url && call->easy) {
        snprintf(call->url, n, "%s%s", server->url, path);
        set_common(call);
        curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, timeout_ms(call, now));
        if (!call->probe) {
            curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->ask.body);
            curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->ask.bytes);
        }
        if (curl_multi_add_handle(remote->multi, call->easy) == CURLM_OK) {
            server->busy += !call->probe;
            return true;
        }
    }
    curl_easy_cleanup(call->easy);
    call->easy = NULL;
    return false;
}

void lv_attempt_end(LvRemoteCall *call)
{
    if (!call->easy)
        return;
    curl_multi_remove_handle(call->remote->multi, call->easy);
    curl_easy_cleanup(call->easy);
    call->easy = NULL;
    call->remote->servers.list[call->server].busy -= !call->probe;
}
