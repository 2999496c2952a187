/* SPDX-License-Identifier: Apache-2.0
 * The client of servers that compute in place of this machine: HTTP, attempts, timeouts.
 *
 * One thread makes and drops calls and runs them; callbacks run there, inside lv_remote_run. Only
 * lv_remote_wake and what is constant may be used by others. */
#ifndef LV_REMOTE_H
#define LV_REMOTE_H

#include "remote/chat_reply.h"

typedef struct LvRemote LvRemote;
typedef struct LvRemoteCall LvRemoteCall;

/* Errors: ARGUMENT about an option; UNSUPPORTED, where the build has no libcurl; MEMORY. No server is
 * asked. */
LlavaovStatus lv_remote_open(
    const LlavaovRemoteOptions *options, LvRemote **remote, LlavaovError *error);
/* There are no calls. NULL is allowed. */
void lv_remote_close(LvRemote *remote);

/* The options as they are used; constant. */
const LlavaovRemoteOptions *lv_remote_options(const LvRemote *remote);

typedef struct LvRemoteAsk {
    char *body; /* lv_free; the call's */
    size_t bytes;
    uint64_t until; /* no further attempt goes on beyond this time; 0: for ever */
    /* More of the answer's text is there, since the attempt began. false: nobody wants it, and the
     * call ends without on_done once the caller drops it. May be NULL. */
    bool (*on_text)(void *data, const LvChatReply *reply);
    /* Once. The call is gone then. Errors: REMOTE, REMOTE_DOWN, MEMORY. */
    void (*on_done)(
        void *data, LlavaovStatus status, const LvChatReply *reply, const LlavaovError *error);
    void *data;
} LvRemoteAsk;

/* Takes the body in any case. Never waits, and calls nothing back. Errors: REMOTE_DOWN, MEMORY. */
LlavaovStatus lv_remote_ask(
    LvRemote *remote, const LvRemoteAsk *ask, LvRemoteCall **call, LlavaovError *error);
/* Ends it without a callback. */
void lv_remote_drop(LvRemote *remote, LvRemoteCall *call);

/* Does what there is to do, then waits for more until something comes or lv_remote_wake is called,
 * `most_ns` at most. */
void lv_remote_run(LvRemote *remote, uint64_t most_ns);
void lv_remote_wake(LvRemote *remote);

/* For tests: how long to connect and to be silent in a stream, before a second attempt at the same
 * server, and from a look at a server that is down to the next, at first and at most. */
typedef struct LvRemoteTimes {
    uint64_t connect, silence, pause, first_wait, longest_wait;
} LvRemoteTimes;
void lv_remote_set_times(LvRemote *remote, const LvRemoteTimes *times);

#endif
