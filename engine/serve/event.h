/* SPDX-License-Identifier: Apache-2.0
 * Callbacks in the order of their causes. Each session has a queue; one thread of the engine
 * delivers them, or the thread that closes the session, so that closing waits for no other
 * session's callback. */
#ifndef LV_EVENT_H
#define LV_EVENT_H

#include "serve/list.h"
#include "llavaov.h"

/* Lives inside its owner, so that reporting cannot fail. */
typedef struct LvEvent {
    LvLink in_session;
    /* Runs the callback. Lock held, dropped meanwhile; whose the event is may be gone afterwards. */
    void (*deliver)(LlavaovSession *session, struct LvEvent *event);
} LvEvent;

/* Queues an event unless it is queued already. Lock held. */
void lv_event_post(LlavaovSession *session, LvEvent *event);

/* Takes it back, if it has not been delivered. Lock held. */
void lv_event_forget(LlavaovSession *session, LvEvent *event);

/* Runs the first callback of a session that has one and that no thread is delivering for. Lock
 * held; it is dropped during the callback. */
void lv_event_deliver(LlavaovSession *session);

/* The event thread. */
void *lv_event_main(void *engine);

#endif
