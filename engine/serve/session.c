/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/session.h"

#include "base/alloc.h"
#include "base/status.h"
#include "serve/frame.h"
#include "serve/request.h"

void lv_session_rest(LlavaovSession *session)
{
    session->working--;
    pthread_cond_broadcast(&session->engine->idle);
}

LlavaovStatus llavaov_session_open(LlavaovEngine *engine, const LlavaovSessionOptions *options,
    LlavaovSession **session_out, LlavaovError *error)
{
    *session_out = NULL;
    LlavaovSession *session = lv_calloc(1, sizeof *session);
    if (!session)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a session");
    session->engine = lv_engine_keep(engine);
    if (options) {
        session->on_frame = options->on_frame;
        session->data = options->data;
    }
    session->idle = true;
    lv_list_init(&session->frames);
    lv_list_init(&session->to_prepare);
    lv_list_init(&session->to_encode);
    lv_list_init(&session->requests);
    lv_list_init(&session->events);
    pthread_mutex_lock(&engine->lock);
    lv_list_append(&engine->sessions, &session->in_engine);
    pthread_mutex_unlock(&engine->lock);
    *session_out = session;
    return LLAVAOV_OK;
}

static void cancel_all(LlavaovSession *session)
{
    LlavaovTicket *request;
    LV_LIST_EACH(&session->requests, LlavaovTicket, in_session, request)
    lv_request_cancel(request);
    LlavaovFrame *frame;
    LV_LIST_EACH(&session->frames, LlavaovFrame, in_session, frame)
    lv_frame_cancel(frame);
}

void llavaov_session_cancel(LlavaovSession *session)
{
    pthread_mutex_lock(&session->engine->lock);
    cancel_all(session);
    pthread_mutex_unlock(&session->engine->lock);
}

void llavaov_session_close(LlavaovSession *session)
{
    if (!session)
        return;
    LlavaovEngine *engine = session->engine;
    pthread_mutex_lock(&engine->lock);
    session->closing = true;
    cancel_all(session);
    while (session->working > 0 || session->delivering || !lv_list_empty(&session->events)) {
        if (!session->delivering && !lv_list_empty(&session->events))
            lv_event_deliver(session);
        else
            pthread_cond_wait(&engine->idle, &engine->lock);
    }
    /* What callers still hold becomes an empty shell; what is in a slice will by its end. */
    while (!lv_list_empty(&session->frames)) {
        LlavaovFrame *frame = LV_LIST_FIRST(&session->frames, LlavaovFrame, in_session);
        LvFrameRemains remains = {0};
        if (!frame->in_slice)
            remains = lv_frame_strip(frame);
        lv_list_remove(&frame->in_session);
        frame->session = NULL;
        pthread_mutex_unlock(&engine->lock);
        lv_frame_bury(engine, &remains);
        pthread_mutex_lock(&engine->lock);
    }
    lv_list_remove(&session->in_engine);
    pthread_mutex_unlock(&engine->lock);
    lv_free(session);
    llavaov_engine_unref(engine);
}

void llavaov_session_stats(LlavaovSession *session, LlavaovSessionStats *stats)
{
    pthread_mutex_lock(&session->engine->lock);
    *stats = session->stats;
    pthread_mutex_unlock(&session->engine->lock);
}
