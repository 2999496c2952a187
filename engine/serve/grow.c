/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/grow.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/status.h"
#include "serve/policy.h"

/* Sessions whose prompts are computed early at once: each holds a cache. */
#define MOST_SESSIONS 2

/* The next frame, once it is encoded. What was computed of frames that are gone is dropped. */
static LlavaovFrame *next_frame(LlavaovSession *session)
{
    LvArrival *a = &session->arrival;
    LlavaovFrame *frame, *next = NULL;
    const uint64_t last = a->n_grown ? a->serials[a->n_grown - 1] : a->after;
    uint32_t alive = 0;
    LV_LIST_EACH(&session->frames, LlavaovFrame, in_session, frame)
    {
        if (frame->refs == 0)
            continue;
        if (alive < a->n_grown && frame->serial == a->serials[alive])
            alive++;
        else if (!next && frame->serial > last)
            next = frame;
    }
    if (alive < a->n_grown) {
        lv_arrival_miss(a);
        return NULL;
    }
    const bool grows = next && a->n_grown < a->n_frames && next->state == LV_FRAME_ENCODED &&
                       next->layout == LLAVAOV_LAYOUT_VIDEO &&
                       next->content->embeddings.rows == a->cuts.each;
    return grows ? next : NULL;
}

/* Of those that already have some of it, or as long as there are few of these. */
static LlavaovSession *find_session(LlavaovEngine *engine, LlavaovFrame **frame)
{
    LlavaovSession *session;
    size_t n = 0;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    n += session->arrival.prefix != NULL;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    {
        const LvArrival *a = &session->arrival;
        if (session->closing || !a->ids || (!a->prefix && n >= MOST_SESSIONS) ||
            (a->skip && a->mode != LLAVAOV_PREFILL_ARRIVAL))
            continue;
        *frame = next_frame(session);
        if (*frame)
            return session;
    }
    return NULL;
}

static LlavaovStatus grow(
    LlavaovEngine *engine, LvArrival *a, LvTensor embeddings, const LvRun *run)
{
    LvTensor pieces[LV_MAX_EARLY_FRAMES] = {0};
    LlavaovStatus status = LLAVAOV_OK;
    if (!a->prefix)
        status = lv_prefix_open(engine, a->ids, a->n, a->n, &a->prefix, run->error);
    if (status != LLAVAOV_OK)
        return status;
    for (uint32_t i = 0; i < a->n_grown; i++)
        pieces[i].rows = embeddings.rows; /* passed over */
    pieces[a->n_grown] = embeddings;
    const LvPrompt prompt = {.ids = a->ids,
        .n = a->n,
        .image_token = a->image_token,
        .video_token = a->video_token,
        .visual = {pieces, a->n_grown + 1}};
    const size_t end = a->cuts.first + (size_t)a->n_grown * a->cuts.each,
                 most = engine->backend->info.preferred_rows;
    while (a->prefix->n_cached < end && status == LLAVAOV_OK)
        status = lv_prefix_run(engine, a->prefix, &prompt,
            lv_arrival_pass(a->cuts, a->prefix->n_cached, a->n - a->prefix->n_cached, most), run);
    return status;
}

bool lv_grow_step(LlavaovEngine *engine)
{
    LlavaovFrame *frame;
    if (engine->backend->info.slice_flops > 0 ||
        lv_admission_overloaded(&engine->admission, lv_now_ns()))
        return false;
    LlavaovSession *session = find_session(engine, &frame);
    if (!session)
        return false;
    LvArrival *a = &session->arrival;
    LlavaovError error;
    lv_error_clear(&error);
    const LvRun run = {.cancel = &engine->slice.cancel, .error = &error};
    const uint64_t serial = frame->serial, start = lv_now_ns();
    const uint32_t before = a->prefix ? a->prefix->n_cached : 0;
    atomic_store(&engine->slice.cancel.requested, false);
    lv_frame_keep(frame);
    session->working++;
    a->growing = true;
    const LvTensor embeddings = frame->content->embeddings;
    pthread_mutex_unlock(&engine->lock);
    const LlavaovStatus status = grow(engine, a, embeddings, &run);
    const uint64_t used = lv_now_ns() - start;
    pthread_mutex_lock(&engine->lock);
    a->growing = false;
    session->stats.prefill_ns += used;
    const uint32_t rows = a->prefix ? a->prefix->n_cached - before : 0;
    session->stats.early_tokens += rows;
    lv_policy_charge(session, false, LV_WORK_ROW, rows, used);
    a->used_ns += used;
    if (status == LLAVAOV_OK) {
        a->serials[a->n_grown++] = serial;
    } else { /* cancelled, no memory, a failing device: the request will tell */
        lv_arrival_miss(a);
        lv_free(a->ids);
        a->ids = NULL;
    }
    lv_frame_drop(frame);
    lv_session_rest(session);
    return true;
}
