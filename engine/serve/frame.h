/* SPDX-License-Identifier: Apache-2.0
 * One picture of a session: mapped and cut into tiles once, encoded once, its embeddings kept for
 * as long as somebody holds the frame. Overlapping windows share frames and so encode nothing
 * twice; frames that show the same share their content (content.h).
 *
 * A frame whose last reference goes is dropped silently: no further stage is reported. */
#ifndef LV_FRAME_H
#define LV_FRAME_H

#include "serve/content.h"

typedef enum LvFrameState {
    LV_FRAME_QUEUED,
    LV_FRAME_PREPARING,
    LV_FRAME_PREPARED,
    LV_FRAME_ENCODING,
    LV_FRAME_ENCODED,
    LV_FRAME_FAILED
} LvFrameState;

struct LlavaovFrame {
    LlavaovEngine *engine;
    bool has_engine;         /* a reference to it */
    LlavaovSession *session; /* NULL once closed */
    unsigned refs;           /* of callers and requests */
    unsigned pins; /* of the engine's threads while they use the frame with the lock dropped */
    LvFrameState state;
    bool in_slice; /* the encoder works on its content */
    LvLink in_session, in_queue;
    uint64_t serial; /* in its session, from 1 on */
    LvCancel cancel;

    LlavaovFrameSource source;
    bool has_source; /* not released yet */
    LlavaovLayout layout;
    LlavaovEncode encode;
    double reuse_below;
    void *data;

    LvContent *content; /* a reference; from PREPARED on, unless it failed */
    bool reused;        /* ENCODED without an encoder call of its own */
    uint64_t encode_ns;
    LlavaovError error; /* FAILED */
    LvEvent prepared, encoded, failed;
};

/* Takes a frame's owned memory away so that it can be freed with the lock dropped. Not while it is
 * in a slice. Lock held. */
typedef struct LvDeferredFrees {
    LlavaovFrameSource source;
    bool has_source;
    LvContent *content;
} LvDeferredFrees;
LvDeferredFrees lv_frame_detach(LlavaovFrame *frame);
/* Frees it and releases the source. Lock not held. */
void lv_frame_release(LlavaovEngine *engine, LvDeferredFrees *frees);

/* Marks a frame failed and tells so. Lock held; not while its picture is being prepared. */
void lv_frame_fail(LlavaovFrame *frame, const LlavaovError *error);

/* Raises the frame's cancel flag and fails it at once, unless its picture is being prepared: then
 * that thread will. An encoder call with the frame in it goes on, for the others' sake. Lock held.
 */
void lv_frame_cancel(LlavaovFrame *frame);

/* Moves a frame to the state after preparing, or beyond if its content is encoded; the reference is
 * the frame's from then on, whatever becomes of it. Lock held. */
void lv_frame_set_prepared(LlavaovFrame *frame, LvContent *content);
/* ... or encoding; reused: that of another frame. Lock held. */
void lv_frame_set_encoded(LlavaovFrame *frame, bool reused);
/* The content is encoded: so are the prepared frames that show it. Lock held. */
void lv_frames_share(const LvContent *content);

LlavaovFrame *lv_frame_keep(LlavaovFrame *frame);
/* Drops a reference. Lock held, dropped meanwhile; somebody keeps the engine. */
void lv_frame_drop(LlavaovFrame *frame);
/* Drops a pin; true when the frame has to go with lv_frame_free (lock not held). Lock held. */
bool lv_frame_unpin(LlavaovFrame *frame);
void lv_frame_free(LlavaovFrame *frame);

#endif
