/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remote.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status.h"
#include "serve/answer.h"
#include "serve/remote_answer.h"
#include "serve/remote_prompt.h"
#include "serve/request.h"
#include "serve/reserve.h"

/* How long the thread sleeps when nothing is to be expected. */
#define IDLE_NS (UINT64_C(60) * 1000000000)

/* Lock held. */
static void start(LlavaovTicket *r)
{
    r->running = true;
    r->common->started = true;
    r->session->working++;
}

/* Lock held. */
static void stop(LlavaovTicket *r, LlavaovStatus status, const LlavaovError *error)
{
    LlavaovSession *session = r->session;
    r->running = false;
    r->call = NULL;
    if (lv_cancelled(&r->cancel))
        lv_request_cancel(r);
    else
        lv_request_finish(r, status, error);
    lv_session_rest(session);
}

/* ---- the client's calls ---- */

static bool on_text(void *data, const LvChatReply *reply)
{
    LlavaovTicket *r = data;
    LlavaovError error;
    if (lv_cancelled(&r->cancel))
        return false;
    if (!r->answer.first_token_ns)
        r->answer.first_token_ns = lv_now_ns() - r->asked_ns;
    /* What is wrong with it shows again at the end. */
    if (r->on_text && !r->json && !r->choosing)
        lv_remote_answer_extend(r, reply, &error);
    return true;
}

static LlavaovStatus send_request(LlavaovTicket *r, LlavaovError *error);

static void on_done(
    void *data, LlavaovStatus status, const LvChatReply *reply, const LlavaovError *failure)
{
    LlavaovTicket *r = data;
    LlavaovError error;
    bool more = false;
    lv_error_clear(&error);
    if (status != LLAVAOV_OK)
        error = *failure;
    else if (!lv_cancelled(&r->cancel))
        status = lv_remote_answer_take(r, reply, &more, &error);
    r->call = NULL;
    if (status == LLAVAOV_OK && more && !lv_cancelled(&r->cancel)) {
        status = send_request(r, &error);
        if (status == LLAVAOV_OK)
            return;
    }
    r->answer.decode_ns = lv_now_ns() - r->asked_ns;
    pthread_mutex_lock(&r->engine->lock);
    stop(r, status, &error);
    pthread_mutex_unlock(&r->engine->lock);
}

/* ---- requests ---- */

static LlavaovStatus send_request(LlavaovTicket *r, LlavaovError *error)
{
    LvRemoteAsk ask = {.on_text = on_text, .on_done = on_done, .data = r};
    if (r->common->reservation)
        ask.until = r->common->reservation->until;
    LlavaovStatus status = lv_remote_prompt_make(r, &ask.body, &ask.bytes, error);
    return status == LLAVAOV_OK ? lv_remote_ask(r->engine->remote, &ask, &r->call, error) : status;
}

/* As lv_request_need, but frames need not be encoded. */
static LvRequestNeed need(const LlavaovTicket *r, const LlavaovError **error)
{
    for (size_t i = 0; i < r->question.n_frames; i++) {
        const LlavaovFrame *frame = r->question.frames[i];
        if (frame->state == LV_FRAME_FAILED) {
            *error = &frame->error;
            return LV_REQUEST_FAILED;
        }
        if (frame->state != LV_FRAME_PREPARED)
            return LV_REQUEST_FRAMES;
    }
    return LV_REQUEST_STEP;
}

/* The next of a session that can go. Those that cannot any more are finished on the way. */
static LlavaovTicket *find_ready(LlavaovSession *session)
{
    LlavaovTicket *r;
    LV_LIST_EACH(&session->requests, LlavaovTicket, in_session, r)
    {
        const LlavaovError *error;
        if (r->running)
            continue;
        const LvRequestNeed wanted = need(r, &error);
        if (wanted == LV_REQUEST_FAILED)
            lv_request_finish(r, error->status, error);
        else if (wanted == LV_REQUEST_STEP)
            return r;
    }
    return NULL;
}

/* Lock held, dropped meanwhile. */
static void send_ready(LlavaovEngine *engine, LlavaovTicket *r)
{
    LlavaovError error;
    lv_error_clear(&error);
    start(r);
    pthread_mutex_unlock(&engine->lock);
    const LlavaovStatus status = send_request(r, &error);
    pthread_mutex_lock(&engine->lock);
    if (status != LLAVAOV_OK)
        stop(r, status, &error);
}

static unsigned count_running(LlavaovEngine *engine)
{
    unsigned n = 0;
    LlavaovSession *session;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    n += session->working; /* and the pictures thread's */
    return n;
}

/* Lock held, dropped meanwhile. */
static void send_all(LlavaovEngine *engine)
{
    LlavaovSession *session;
    while ((session = LV_LIST_FIRST(&engine->active, LlavaovSession, in_active)) &&
           count_running(engine) < LV_MAX_REMOTE_CALLS) {
        LlavaovTicket *r = find_ready(session);
        lv_list_remove(&session->in_active);
        if (!r)
            continue;
        lv_list_append(&engine->active, &session->in_active); /* behind the others */
        send_ready(engine, r);
    }
}

static void drop_cancelled_of(LlavaovSession *session)
{
    LlavaovTicket *r;
    LV_LIST_EACH(&session->requests, LlavaovTicket, in_session, r)
    {
        if (!r->running || !lv_cancelled(&r->cancel))
            continue;
        lv_remote_drop(session->engine->remote, r->call);
        stop(r, LLAVAOV_ERROR_CANCELLED, NULL);
    }
}

/* Lock held. */
static void drop_cancelled(LlavaovEngine *engine)
{
    LlavaovSession *session;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    drop_cancelled_of(session);
}

void *lv_remote_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        drop_cancelled(engine);
        send_all(engine);
        pthread_mutex_unlock(&engine->lock);
        lv_remote_run(engine->remote, IDLE_NS);
        pthread_mutex_lock(&engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
