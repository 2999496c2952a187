/* SPDX-License-Identifier: Apache-2.0
 * Calls: asking, trying again, and what is due when. */
#include "remote/remote.h"

#include "base/status.h"

#if LV_REMOTE_BUILT
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "remote/attempt.h"
#include "remote/outcome.h"

#define MILLISECOND UINT64_C(1000000)

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
    lv_attempt_end(call);
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
    if (!lv_attempt_begin(call, lv_now_ns())) {
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
    LvOutcome outcome = {.http = lv_attempt_http_code(call),
        .transfer = done,
        .why = call->curl_error[0] ? call->curl_error : curl_easy_strerror(done),
        .url = servers->list[call->server].url,
        .key = call->remote->key,
        .attempts = call->attempts};
    if (call->unwanted) {
        lv_attempt_end(call);
        return; /* until its owner drops it */
    }
    if (call->probe) {
        lv_servers_report(servers, call->server, outcome.http > 0 && outcome.http < 500, now);
        finish(call, LLAVAOV_OK, NULL);
        return;
    }
    const LlavaovStatus status =
        lv_outcome_judge(&outcome, &call->reply, call->status, &call->error);
    lv_attempt_end(call);
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
        if (!lv_attempt_begin(call, now)) {
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
        if (call && lv_attempt_begin(call, now))
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
#else
LlavaovStatus lv_remote_ask(
    LvRemote *remote, const LvRemoteAsk *ask, LvRemoteCall **call, LlavaovError *error)
{
    *call = NULL;
    return lv_fail(error, LLAVAOV_ERROR_INTERNAL, NULL, "there is no client of servers to ask");
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
