/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/event.h"

#include "serve/frame.h"
#include "serve/request.h"

void lv_event_post(LlavaovSession *session, LvEvent *event)
{
    if (lv_linked(&event->in_session))
        return;
    lv_list_append(&session->events, &event->in_session);
    pthread_cond_signal(&session->engine->events);
}

static void deliver_frame(LlavaovSession *session, LlavaovFrame *frame, LlavaovFrameStage stage)
{
    LlavaovEngine *engine = session->engine;
    LvFrameRemains remains = {0};
    if (stage == LLAVAOV_FRAME_FAILED && !frame->in_slice)
        remains = lv_frame_strip(frame);
    frame->pins++;
    pthread_mutex_unlock(&engine->lock);

    lv_frame_bury(engine, &remains);
    if (session->on_frame)
        session->on_frame(session->data, frame->data, stage);

    pthread_mutex_lock(&engine->lock);
    if (lv_frame_unpin(frame)) {
        pthread_mutex_unlock(&engine->lock);
        lv_frame_free(frame);
        pthread_mutex_lock(&engine->lock);
    }
}

void lv_event_deliver(LlavaovSession *session)
{
    LvEvent *event = LV_LIST_FIRST(&session->events, LvEvent, in_session);
    lv_list_remove(&event->in_session);
    session->delivering = true;
    switch (event->kind) {
    case LV_EVENT_FRAME:
        deliver_frame(session, event->owner, event->stage);
        break;
    case LV_EVENT_TEXT:
        lv_request_deliver_text(event->owner);
        break;
    case LV_EVENT_DONE:
        lv_request_deliver_done(event->owner);
        break;
    }
    session->delivering = false;
    pthread_cond_broadcast(&session->engine->idle);
}

/* A session with an event that nobody delivers. */
static LlavaovSession *next_session(LlavaovEngine *engine)
{
    LlavaovSession *session;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    if (!session->delivering && !lv_list_empty(&session->events))
        return session;
    return NULL;
}

void *lv_event_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        LlavaovSession *session = next_session(engine);
        if (!session) {
            pthread_cond_wait(&engine->events, &engine->lock);
            continue;
        }
        /* To the end of the line, so that no session's events starve another's. */
        lv_list_remove(&session->in_engine);
        lv_list_append(&engine->sessions, &session->in_engine);
        lv_event_deliver(session);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
