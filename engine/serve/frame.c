/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/frame.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"

LvDeferredFrees lv_frame_detach(LlavaovFrame *frame)
{
    const LvDeferredFrees frees = {
        frame->source, frame->has_source, lv_content_drop(frame->content)};
    frame->has_source = false;
    frame->content = NULL;
    return frees;
}

void lv_frame_release(LlavaovEngine *engine, LvDeferredFrees *frees)
{
    if (frees->has_source && frees->source.release)
        frees->source.release(frees->source.data);
    lv_content_free(engine, frees->content);
}

void lv_frame_fail(LlavaovFrame *frame, const LlavaovError *error)
{
    frame->state = LV_FRAME_FAILED;
    frame->error = *error;
    lv_list_remove(&frame->in_queue);
    if (!frame->session)
        return;
    frame->session->stats.frames_failed++;
    lv_event_post(frame->session, &frame->failed);
    lv_session_wake(frame->session);
}

/* Stops an encoder call once all of its frames are cancelled. */
static void notice_cancel(LlavaovEngine *engine)
{
    LvSlice *slice = &engine->slice;
    if (slice->n_parts == 0)
        return;
    for (size_t i = 0; i < slice->n_parts; i++)
        if (!lv_cancelled(&slice->parts[i].frame->cancel))
            return;
    lv_cancel_request(&slice->cancel);
}

void lv_frame_cancel(LlavaovFrame *frame)
{
    lv_cancel_request(&frame->cancel);
    notice_cancel(frame->engine);
    if (frame->refs == 0 || frame->state == LV_FRAME_PREPARING ||
        frame->state == LV_FRAME_ENCODED || frame->state == LV_FRAME_FAILED)
        return;
    LlavaovError error;
    lv_fail(&error, LLAVAOV_ERROR_CANCELLED, NULL, "the frame was cancelled");
    lv_frame_fail(frame, &error);
}

void lv_frame_set_encoded(LlavaovFrame *frame, bool reused)
{
    LlavaovSession *session = frame->session;
    frame->state = LV_FRAME_ENCODED;
    frame->reused = reused;
    lv_list_remove(&frame->in_queue);
    if (!session)
        return;
    if (reused) {
        session->stats.frames_reused++;
        lv_admission_spare(&session->admission, frame->content->tiles.n);
    } else {
        session->stats.frames_encoded++;
    }
    lv_event_post(session, &frame->encoded);
}

void lv_frames_share(const LvContent *content)
{
    LlavaovFrame *frame;
    if (content->session)
        LV_LIST_EACH(&content->session->frames, LlavaovFrame, in_session, frame)
    if (frame->content == content && frame->state == LV_FRAME_PREPARED)
        lv_frame_set_encoded(frame, true);
}

void lv_frame_set_prepared(LlavaovFrame *frame, LvContent *content)
{
    LlavaovSession *session = frame->session;
    frame->content = content;
    if (session->tile_bytes > LV_MAX_SESSION_TILE_BYTES) {
        LlavaovError error;
        lv_fail(&error, LLAVAOV_ERROR_MEMORY, NULL, "too many prepared frames wait in one session");
        lv_frame_fail(frame, &error);
        return;
    }
    frame->state = LV_FRAME_PREPARED;
    session->stats.frames_prepared++;
    lv_event_post(session, &frame->prepared);
    if (content->encoded)
        lv_frame_set_encoded(frame, true);
    else if (frame->encode == LLAVAOV_ENCODE_ON_ARRIVAL)
        lv_list_append(&session->to_encode, &frame->in_queue);
    lv_session_wake(session);
}

LlavaovFrame *lv_frame_keep(LlavaovFrame *frame)
{
    frame->refs++;
    return frame;
}

/* Nobody can ask for the frame any more: take it off every list and stop what is being done for it.
 */
static bool gone(LlavaovFrame *frame)
{
    if (frame->refs > 0)
        return false;
    lv_cancel_request(&frame->cancel);
    notice_cancel(frame->engine);
    lv_list_remove(&frame->in_queue);
    if (frame->session) {
        lv_event_forget(frame->session, &frame->prepared);
        lv_event_forget(frame->session, &frame->encoded);
        lv_event_forget(frame->session, &frame->failed);
    }
    if (frame->pins > 0)
        return false;
    if (frame->session) {
        lv_list_remove(&frame->in_session);
        frame->session->n_frames--;
        frame->session = NULL;
    }
    frame->content = lv_content_drop(frame->content);
    return true;
}

/* Lock held, given back. The thread that has the frame pinned may be one of the engine's own, which
 * cannot end the engine: the reference goes with this thread. */
static void drop_and_unlock(LlavaovFrame *frame)
{
    LlavaovEngine *engine = frame->engine;
    frame->refs--;
    const bool last = gone(frame), left = !last && frame->refs == 0;
    if (left)
        frame->has_engine = false;
    pthread_mutex_unlock(&engine->lock);
    if (last)
        lv_frame_free(frame);
    if (left)
        llavaov_engine_unref(engine);
}

void lv_frame_drop(LlavaovFrame *frame)
{
    LlavaovEngine *engine = frame->engine;
    drop_and_unlock(frame);
    pthread_mutex_lock(&engine->lock);
}

bool lv_frame_unpin(LlavaovFrame *frame)
{
    frame->pins--;
    return gone(frame);
}

void lv_frame_free(LlavaovFrame *frame)
{
    LvDeferredFrees frees = {frame->source, frame->has_source, frame->content};
    LlavaovEngine *engine = frame->has_engine ? frame->engine : NULL;
    lv_frame_release(frame->engine, &frees);
    lv_free(frame);
    llavaov_engine_unref(engine);
}

static void deliver_stage(LlavaovSession *session, LlavaovFrame *frame, LlavaovFrameStage stage)
{
    LlavaovEngine *engine = session->engine;
    LvDeferredFrees frees = {0};
    if (stage == LLAVAOV_FRAME_FAILED && !frame->in_slice)
        frees = lv_frame_detach(frame);
    frame->pins++;
    pthread_mutex_unlock(&engine->lock);

    lv_frame_release(engine, &frees);
    if (session->on_frame)
        session->on_frame(session->data, frame->data, stage);

    pthread_mutex_lock(&engine->lock);
    if (lv_frame_unpin(frame)) {
        pthread_mutex_unlock(&engine->lock);
        lv_frame_free(frame);
        pthread_mutex_lock(&engine->lock);
    }
}

static void deliver_prepared(LlavaovSession *session, LvEvent *event)
{
    deliver_stage(session, LV_CONTAINER(event, LlavaovFrame, prepared), LLAVAOV_FRAME_PREPARED);
}

static void deliver_encoded(LlavaovSession *session, LvEvent *event)
{
    deliver_stage(session, LV_CONTAINER(event, LlavaovFrame, encoded), LLAVAOV_FRAME_ENCODED);
}

static void deliver_failed(LlavaovSession *session, LvEvent *event)
{
    deliver_stage(session, LV_CONTAINER(event, LlavaovFrame, failed), LLAVAOV_FRAME_FAILED);
}

LlavaovStatus llavaov_session_push_frame(LlavaovSession *session, const LlavaovFrameSource *given,
    LlavaovFrame **frame_out, LlavaovError *error)
{
    *frame_out = NULL;
    LlavaovFrameSource source;
    LlavaovStatus status =
        lv_struct_read(&source, sizeof source, given, "LlavaovFrameSource", error);
    if (status == LLAVAOV_ERROR_ARGUMENT) /* how to release it is not known */
        return status;
    LlavaovFrame *frame = lv_calloc(1, sizeof *frame);
    if (status != LLAVAOV_OK)
        goto failed;
    if (!source.map)
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "source",
            "the frame has no map function");
    else if ((unsigned)source.layout > LLAVAOV_LAYOUT_IMAGES)
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "layout",
            "layout %d does not exist", (int)source.layout);
    else if (!(source.reuse_below >= 0 && source.reuse_below <= 255))
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "reuse-below",
            "reuse-below is %g, not between 0 and 255", source.reuse_below);
    else if (!frame)
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a frame");
    if (status != LLAVAOV_OK)
        goto failed;

    frame->source = source;
    frame->has_source = true;
    frame->layout = source.layout;
    frame->encode = source.encode;
    frame->reuse_below = source.reuse_below;
    frame->data = source.frame_data;
    frame->refs = 1;
    frame->prepared = (LvEvent){.deliver = deliver_prepared};
    frame->encoded = (LvEvent){.deliver = deliver_encoded};
    frame->failed = (LvEvent){.deliver = deliver_failed};

    LlavaovEngine *engine = session->engine;
    pthread_mutex_lock(&engine->lock);
    if (session->closing)
        status = lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "the session is closing");
    else if (session->n_frames >= LV_MAX_FRAMES_PER_SESSION)
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "one session holds at most %u frames",
            LV_MAX_FRAMES_PER_SESSION);
    if (status != LLAVAOV_OK) {
        pthread_mutex_unlock(&engine->lock);
        goto failed;
    }
    frame->engine = lv_engine_keep(engine);
    frame->has_engine = true;
    frame->session = session;
    frame->serial = ++session->n_serials;
    lv_list_append(&session->frames, &frame->in_session);
    lv_list_append(&session->to_prepare, &frame->in_queue);
    if (!lv_linked(&session->in_pictures))
        lv_list_append(&engine->with_pictures, &session->in_pictures);
    session->n_frames++;
    session->stats.frames_pushed++;
    pthread_cond_signal(&engine->pictures);
    pthread_mutex_unlock(&engine->lock);
    *frame_out = frame;
    return LLAVAOV_OK;

failed:
    lv_free(frame);
    if (source.release)
        source.release(source.data);
    return status;
}

LlavaovFrame *llavaov_frame_ref(LlavaovFrame *frame)
{
    pthread_mutex_lock(&frame->engine->lock);
    lv_frame_keep(frame);
    pthread_mutex_unlock(&frame->engine->lock);
    return frame;
}

void llavaov_frame_unref(LlavaovFrame *frame)
{
    if (!frame)
        return;
    pthread_mutex_lock(&frame->engine->lock);
    drop_and_unlock(frame);
}
