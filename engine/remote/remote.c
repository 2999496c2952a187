/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/remote.h"

#include "base/status.h"

#if LV_REMOTE_BUILT
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "remote/outcome.h"
#include "remote/servers.h"

#define SECOND UINT64_C(1000000000)
#define MILLISECOND UINT64_C(1000000)

struct LvRemote {
    LlavaovRemoteOptions options; /* strings are owned, but for url, which `servers` has */
    LvServers servers;
    LvRemoteTimes times;
    CURLM *multi;
    struct curl_slist *headers; /* with the key */
    char *key;                  /* or NULL */
    char *authorities;          /* a file of certificates in place of the system's, or NULL */
    LvRemoteCall *calls;        /* all, the newest first */
    unsigned n_calls;
};

/* A request, over all its attempts; or a look at a server that was down. */
struct LvRemoteCall {
    LvRemoteCall *next;
    LvRemote *remote;
    LvRemoteAsk ask;
    bool probe;
    CURL *easy; /* of the attempt under way; NULL: the next one begins at `due` */
    uint64_t due;
    unsigned server, attempts;
    char *url;
    char curl_error[CURL_ERROR_SIZE];
    uint64_t last_byte;   /* 0: none has come */
    uint64_t retry_after; /* the server wishes to be left alone for so long */
    LvChatReply reply;
    LlavaovStatus status; /* of reading the reply */
    LlavaovError error;
    bool unwanted;
};

/* ---- an attempt ---- */

static long http_code(const LvRemoteCall *call)
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
        return http_code(call) == 200 ? 0 : n; /* enough is known */
    if (!call->last_byte)
        call->reply.stream = http_code(call) == 200 && is_event_stream(call);
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

static bool begin_attempt(LvRemoteCall *call, uint64_t now)
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

static void end_attempt(LvRemoteCall *call)
{
    if (!call->easy)
        return;
    curl_multi_remove_handle(call->remote->multi, call->easy);
    curl_easy_cleanup(call->easy);
    call->easy = NULL;
    call->remote->servers.list[call->server].busy -= !call->probe;
}

/* ---- calls ---- */

static void unlink_call(LvRemoteCall *call)
{
    LvRemoteCall **link = &call->remote->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    call->remote->n_calls--;
}

void lv_remote_drop(LvRemote *remote, LvRemoteCall *call)
{
    end_attempt(call);
    unlink_call(call);
    lv_chat_reply_free(&call->reply);
    lv_free(call->ask.body);
    lv_free(call->url);
    lv_free(call);
}

static LvRemoteCall *add_call(LvRemote *remote, unsigned server)
{
    LvRemoteCall *call = lv_calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->remote = remote;
    call->server = server;
    call->next = remote->calls;
    remote->calls = call;
    remote->n_calls++;
    return call;
}

static LlavaovStatus all_down(LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_DOWN, LLAVAOV_ABOUT_OPTION, "remote-url",
        "remote-url: no server answers at present");
}

LlavaovStatus lv_remote_ask(
    LvRemote *remote, const LvRemoteAsk *ask, LvRemoteCall **result, LlavaovError *error)
{
    const int server = lv_servers_choose(&remote->servers, -1);
    *result = NULL;
    if (server < 0) {
        lv_free(ask->body);
        return all_down(error);
    }
    LvRemoteCall *call = add_call(remote, (unsigned)server);
    if (!call) {
        lv_free(ask->body);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
    }
    call->ask = *ask;
    if (!begin_attempt(call, lv_now_ns())) {
        lv_remote_drop(remote, call);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
    }
    *result = call;
    return LLAVAOV_OK;
}

static void finish(LvRemoteCall *call, LlavaovStatus status, const LlavaovError *error)
{
    LvRemote *remote = call->remote;
    if (!call->probe)
        call->ask.on_done(call->ask.data, status, &call->reply, error);
    lv_remote_drop(remote, call);
}

/* Whether there is another attempt: at another server at once, at the same one after a pause. */
static bool try_again(LvRemoteCall *call, uint64_t now)
{
    LvServers *servers = &call->remote->servers;
    if (call->attempts > call->remote->options.retries)
        return false;
    const int server = lv_servers_choose(servers, (int)call->server);
    if (server < 0)
        return false;
    const uint64_t pause = call->retry_after ? call->retry_after
                                             : call->remote->times.pause
                                                   << (call->attempts < 8 ? call->attempts - 1 : 7);
    call->due = (unsigned)server == call->server ? now + pause : now;
    call->server = (unsigned)server;
    return !call->ask.until || call->due < call->ask.until;
}

/* What came of the attempt; `done` is libcurl's word on the transfer. */
static void judge(LvRemoteCall *call, CURLcode done, uint64_t now)
{
    LvServers *servers = &call->remote->servers;
    LvOutcome outcome = {.http = http_code(call),
        .transfer = done,
        .why = call->curl_error[0] ? call->curl_error : curl_easy_strerror(done),
        .url = servers->list[call->server].url,
        .key = call->remote->key,
        .attempts = call->attempts};
    if (call->unwanted) {
        end_attempt(call);
        return; /* until its owner drops it */
    }
    if (call->probe) {
        lv_servers_report(servers, call->server, outcome.http > 0 && outcome.http < 500, now);
        finish(call, LLAVAOV_OK, NULL);
        return;
    }
    const LlavaovStatus status =
        lv_outcome_judge(&outcome, &call->reply, call->status, &call->error);
    end_attempt(call);
    if (outcome.health != LV_HEALTH_UNKNOWN)
        lv_servers_report(servers, call->server, outcome.health == LV_HEALTH_WELL, now);
    if (status != LLAVAOV_OK && outcome.again && try_again(call, now))
        return;
    finish(call, status, &call->error);
}

/* ---- time ---- */

static bool is_silent(const LvRemoteCall *call, uint64_t now)
{
    return call->easy && call->last_byte && call->reply.stream &&
           now - call->last_byte >= call->remote->times.silence;
}

/* The calls whose time has come. They may go, and others may go with them: begin anew after each. */
static bool check_one(LvRemote *remote, uint64_t now)
{
    for (LvRemoteCall *call = remote->calls; call; call = call->next) {
        if (is_silent(call, now)) {
            snprintf(call->curl_error, sizeof call->curl_error, "the stream fell silent");
            judge(call, CURLE_OPERATION_TIMEDOUT, now);
            return true;
        }
        if (call->easy || call->unwanted || call->due > now)
            continue;
        if (remote->servers.list[call->server].open) {
            all_down(&call->error);
            finish(call, LLAVAOV_ERROR_REMOTE_DOWN, &call->error);
            return true;
        }
        if (!begin_attempt(call, now)) {
            lv_fail(&call->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
            finish(call, LLAVAOV_ERROR_MEMORY, &call->error);
        }
        return true;
    }
    return false;
}

static void look_at_servers(LvRemote *remote, uint64_t now)
{
    int server;
    while ((server = lv_servers_probe(&remote->servers, now)) >= 0) {
        LvRemoteCall *call = add_call(remote, (unsigned)server);
        if (call)
            call->probe = true;
        if (call && begin_attempt(call, now))
            continue;
        if (call)
            lv_remote_drop(remote, call);
        lv_servers_report(&remote->servers, (unsigned)server, false, now);
    }
}

static void sooner(uint64_t *next, uint64_t time)
{
    if (time < *next)
        *next = time;
}

/* When there is something to do even if nothing comes. */
static uint64_t next_time(const LvRemote *remote, uint64_t now, uint64_t most_ns)
{
    uint64_t next = most_ns > UINT64_MAX - now ? UINT64_MAX : now + most_ns;
    if (lv_servers_next_probe(&remote->servers))
        sooner(&next, lv_servers_next_probe(&remote->servers));
    for (const LvRemoteCall *call = remote->calls; call; call = call->next) {
        if (call->easy && call->last_byte)
            sooner(&next, call->last_byte + remote->times.silence);
        else if (!call->easy && !call->unwanted)
            sooner(&next, call->due);
    }
    return next;
}

void lv_remote_run(LvRemote *remote, uint64_t most_ns)
{
    int running, left;
    CURLMsg *message;
    bool changed = false;
    curl_multi_perform(remote->multi, &running);
    while ((message = curl_multi_info_read(remote->multi, &left))) {
        char *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        const CURLcode done = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        judge((LvRemoteCall *)(void *)call, done, lv_now_ns());
        changed = true;
    }
    while (check_one(remote, lv_now_ns()))
        changed = true;
    look_at_servers(remote, lv_now_ns());
    if (changed)
        return;
    const uint64_t now = lv_now_ns(), next = next_time(remote, now, most_ns);
    const uint64_t ms = next > now ? (next - now + MILLISECOND - 1) / MILLISECOND : 0;
    curl_multi_poll(remote->multi, NULL, 0, ms > 60000 ? 60000 : (int)ms, NULL);
}

void lv_remote_wake(LvRemote *remote)
{
    curl_multi_wakeup(remote->multi);
}

void lv_remote_set_times(LvRemote *remote, const LvRemoteTimes *times)
{
    remote->times = *times;
    remote->servers.first_wait = times->first_wait;
    remote->servers.longest_wait = times->longest_wait;
}

/* ---- opening ---- */

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool add_header(LvRemote *remote, const char *line)
{
    struct curl_slist *longer = curl_slist_append(remote->headers, line);
    if (longer)
        remote->headers = longer;
    return longer != NULL;
}

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a client of servers");
}

static LlavaovStatus read_key(LvRemote *remote, const char *variable, LlavaovError *error)
{
    const char *key = variable && *variable ? getenv(variable) : NULL;
    if (!key || !*key)
        return LLAVAOV_OK;
    const size_t n = strlen(key);
    bool plain = n <= LV_MAX_REMOTE_KEY;
    for (size_t i = 0; i < n && plain; i++)
        plain = key[i] > 0x20 && key[i] < 0x7F;
    if (!plain)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION,
            "remote-api-key-env",
            "remote-api-key-env=\"%.100s\": the key in this variable is too long, or has a space "
            "or a byte "
            "that no key has",
            variable);
    char *line = lv_alloc(n + 32, 1);
    remote->key = lv_strdup(key);
    bool added = false;
    if (line && remote->key) {
        snprintf(line, n + 32, "Authorization: Bearer %s", key);
        added = add_header(remote, line);
    }
    lv_free(line);
    return added ? LLAVAOV_OK : no_memory(error);
}

LlavaovStatus lv_remote_open(
    const LlavaovRemoteOptions *options, LvRemote **result, LlavaovError *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *result = NULL;
    LvRemote *remote = lv_calloc(1, sizeof *remote);
    if (!remote)
        return no_memory(error);
    LlavaovStatus status = lv_servers_open(options->url, &remote->servers, error);
    if (status == LLAVAOV_OK) {
        pthread_once(&once, start_curl);
        remote->options = *options;
        remote->options.url = remote->options.api_key_env = NULL;
        if (!remote->options.timeout_ns)
            remote->options.timeout_ns = 30 * SECOND;
        remote->options.model =
            options->model && *options->model ? lv_strdup(options->model) : NULL;
        lv_remote_set_times(remote,
            &(LvRemoteTimes){5 * SECOND, 10 * SECOND, 200 * MILLISECOND, 10 * SECOND, 60 * SECOND});
        remote->multi = curl_multi_init();
        if (!remote->multi || !add_header(remote, "Content-Type: application/json") ||
            !add_header(remote, "Expect:") ||
            (options->model && *options->model && !remote->options.model))
            status = no_memory(error);
    }
    if (status == LLAVAOV_OK)
        status = read_key(remote, options->api_key_env, error);
    /* As OpenSSL's programs have it; libcurl looks at no variable. */
    const char *authorities = getenv("SSL_CERT_FILE");
    if (status == LLAVAOV_OK && authorities && *authorities) {
        remote->authorities = lv_strdup(authorities);
        status = remote->authorities ? LLAVAOV_OK : no_memory(error);
    }
    if (status == LLAVAOV_OK)
        *result = remote;
    else
        lv_remote_close(remote);
    return status;
}

void lv_remote_close(LvRemote *remote)
{
    if (!remote)
        return;
    while (remote->calls) /* looks at servers */
        lv_remote_drop(remote, remote->calls);
    if (remote->multi)
        curl_multi_cleanup(remote->multi);
    curl_slist_free_all(remote->headers);
    lv_servers_close(&remote->servers);
    lv_free(remote->key);
    lv_free(remote->authorities);
    lv_free((char *)remote->options.model);
    lv_free(remote);
}

const LlavaovRemoteOptions *lv_remote_options(const LvRemote *remote)
{
    return &remote->options;
}
#else
static LlavaovStatus lacking(LlavaovError *error)
{
    return lv_fail_about(error, LLAVAOV_ERROR_UNSUPPORTED, LLAVAOV_ABOUT_OPTION, "device",
        "device=remote: this build cannot ask servers, since libcurl, libpng or libjpeg was "
        "missing "
        "when it was made. Install libcurl4-openssl-dev, libpng-dev and libjpeg62-turbo-dev and "
        "build again with -Dremote=enabled");
}

LlavaovStatus lv_remote_open(
    const LlavaovRemoteOptions *options, LvRemote **remote, LlavaovError *error)
{
    *remote = NULL;
    return lacking(error);
}

void lv_remote_close(LvRemote *remote)
{
}

const LlavaovRemoteOptions *lv_remote_options(const LvRemote *remote)
{
    return NULL;
}

LlavaovStatus lv_remote_ask(
    LvRemote *remote, const LvRemoteAsk *ask, LvRemoteCall **call, LlavaovError *error)
{
    *call = NULL;
    return lacking(error);
}

void lv_remote_drop(LvRemote *remote, LvRemoteCall *call)
{
}

void lv_remote_run(LvRemote *remote, uint64_t most_ns)
{
}

void lv_remote_wake(LvRemote *remote)
{
}

void lv_remote_set_times(LvRemote *remote, const LvRemoteTimes *times)
{
}
#endif
