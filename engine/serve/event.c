/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/event.h"

#include "serve/session.h"

void lv_event_post(LlavaovSession *session, LvEvent *event)
{
    if (lv_linked(&event->in_session))
        return;
    lv_list_append(&session->events, &event->in_session);
    if (!lv_linked(&session->in_events) && !session->delivering)
        lv_list_append(&session->engine->with_events, &session->in_events);
    pthread_cond_signal(&session->engine->events);
}

void lv_event_forget(LlavaovSession *session, LvEvent *event)
{
    lv_list_remove(&event->in_session);
    if (lv_list_empty(&session->events))
        lv_list_remove(&session->in_events);
}

void lv_event_deliver(LlavaovSession *session)
{
    LvEvent *event = LV_LIST_FIRST(&session->events, LvEvent, in_session);
    lv_list_remove(&event->in_session);
    lv_list_remove(&session->in_events);
    session->delivering = true;
    event->deliver(session, event);
    session->delivering = false;
    /* To the end of the line, so that no session's events starve another's. */
    if (!lv_list_empty(&session->events))
        lv_list_append(&session->engine->with_events, &session->in_events);
    pthread_cond_broadcast(&session->engine->idle);
}

void *lv_event_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        LlavaovSession *session = LV_LIST_FIRST(&engine->with_events, LlavaovSession, in_events);
        if (session)
            lv_event_deliver(session);
        else
            pthread_cond_wait(&engine->events, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
