/* SPDX-License-Identifier: Apache-2.0
 * One stream of frames and its requests. All members belong to the engine's lock. */
#ifndef LV_SESSION_H
#define LV_SESSION_H

#include "serve/arrival.h"
#include "serve/drafts.h"
#include "serve/engine.h"
#include "serve/event.h"

/* Contents that a session keeps, at most, when no frame shows them any more. */
#define LV_LATEST_CONTENTS 4

typedef struct LvContent LvContent;

struct LlavaovSession {
    LlavaovEngine *engine;              /* a reference */
    LlavaovChatTemplate *chat_template; /* a reference */
    LvLink in_engine, in_active, in_events, in_pictures;
    void (*on_frame)(void *data, void *frame_data, LlavaovFrameStage stage);
    void *data;

    LvList frames; /* every living frame (LlavaovFrame.in_session) */
    size_t n_frames;
    LvList to_prepare; /* frames whose picture waits (in_queue) */
    LvList to_encode;  /* prepared frames that are encoded on arrival (in_queue) */
    LvList requests;   /* LlavaovTicket.in_session; the first one is served */
    size_t n_requests;
    LvList contents;                       /* what its frames show, by age (LvContent.in_session) */
    LvContent *latest[LV_LATEST_CONTENTS]; /* last shown first; references */
    uint64_t tile_bytes; /* of contents that wait: tiles and pictures in the backend */
    uint64_t kept_bytes; /* of contents that are encoded: tiles */

    LvList events; /* LvEvent.in_session */
    bool delivering;
    unsigned working; /* threads that work for this session alone with the lock dropped */
    bool closing;

    /* Fair shares (policy.c): computing time used, comparable between sessions, and within the
     * session. */
    uint64_t virtual_time, encode_time, request_time;

    LvDrafts drafts; /* the inference thread's */
    LvArrival arrival;
    uint64_t n_serials; /* given to frames */

    LvAdmissionStream admission; /* of a live stream: windows that were taken on */

    LlavaovSessionStats stats;
};

/* It may have work for the inference thread. Lock held. */
void lv_session_wake(LlavaovSession *session);

/* Ends a spell of work with the lock dropped: wakes a thread that closes the session. Lock held. */
void lv_session_rest(LlavaovSession *session);

#endif
