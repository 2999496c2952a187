/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/scheduler.h"

#include "base/status.h"
#include "serve/encode.h"
#include "serve/thread.h"

void lv_scheduler_notice_cancel(LlavaovEngine *engine)
{
    LvSlice *slice = &engine->slice;
    if (!slice->session || slice->n_frames == 0)
        return;
    for (size_t i = 0; i < slice->n_frames; i++)
        if (!lv_cancelled(&slice->frames[i]->cancel))
            return;
    lv_cancel_request(&slice->cancel);
}

/* A request that so many requests of other sessions have overtaken goes first. Of n sessions at
 * most n - 2 can be ahead of it then, so it is overtaken by no more than n in all. */
#define OVERTAKEN_AND_DUE 2

/* The request at the head of the line once those whose frames failed are out of it. */
static LlavaovTicket *head_request(LlavaovSession *session, LvRequestNeed *need)
{
    LlavaovTicket *request;
    LV_LIST_EACH(&session->requests, LlavaovTicket, in_session, request)
    {
        const LlavaovError *error;
        *need = lv_request_need(request, &error);
        if (*need != LV_REQUEST_FAILED)
            return request;
        lv_request_finish(request, error->status, error);
    }
    return NULL;
}

typedef struct Work {
    bool encode;            /* frames wait that are encoded on arrival */
    LlavaovTicket *request; /* NULL, or one that can go on */
    LvRequestNeed need;
    bool due; /* the request has been overtaken enough */
} Work;

static bool find_work(LlavaovSession *session, Work *work)
{
    work->encode = !lv_list_empty(&session->to_encode);
    work->request = head_request(session, &work->need);
    if (work->request && work->need == LV_REQUEST_FRAMES)
        work->request = NULL;
    work->due = work->request && work->request->overtaken >= OVERTAKEN_AND_DUE;
    return work->encode || work->request;
}

/* Due ones before others, by how often they were overtaken; otherwise by the time used. */
static bool goes_before(
    const LlavaovSession *a, const Work *of_a, const LlavaovSession *b, const Work *of_b)
{
    if (of_a->due && of_b->due)
        return of_a->request->overtaken > of_b->request->overtaken;
    if (of_a->due || of_b->due)
        return of_a->due;
    return a->virtual_time < b->virtual_time;
}

/* The session whose turn it is. */
static LlavaovSession *next_session(LlavaovEngine *engine, Work *work)
{
    LlavaovSession *session, *best = NULL;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    {
        Work found;
        if (!find_work(session, &found)) {
            session->idle = true;
            continue;
        }
        if (session->idle && session->virtual_time < engine->virtual_time)
            session->virtual_time = engine->virtual_time;
        session->idle = false;
        if (!best || goes_before(session, &found, best, work)) {
            best = session;
            *work = found;
        }
    }
    return best;
}

/* Encoding on arrival and the request share the session's time; whichever has none to do saves
 * nothing up. */
static bool encode_first(LlavaovSession *session, const Work *work)
{
    uint64_t *encode = &session->encode_time, *request = &session->request_time;
    if (work->due)
        return false;
    if (work->encode && work->request)
        return *encode <= *request;
    if (work->encode)
        *request = *request > *encode ? *request : *encode;
    else
        *encode = *encode > *request ? *encode : *request;
    return work->encode;
}

/* A request of this session was answered while others' could have gone on. */
static void note_overtaking(LlavaovEngine *engine, const LlavaovSession *answered)
{
    LlavaovSession *session;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    {
        if (session == answered || lv_list_empty(&session->requests))
            continue;
        const LlavaovError *error;
        LlavaovTicket *request = LV_LIST_FIRST(&session->requests, LlavaovTicket, in_session);
        if (lv_request_need(request, &error) != LV_REQUEST_FRAMES)
            request->overtaken++;
    }
}

static void run_slice(LlavaovEngine *engine, LlavaovSession *session, const Work *work)
{
    LvSlice *slice = &engine->slice;
    const bool arrival = encode_first(session, work);
    const uint64_t start = lv_now_ns();
    if (!work->due)
        engine->virtual_time = session->virtual_time;
    slice->session = session;
    session->working++;

    if (arrival || work->need == LV_REQUEST_ENCODE) {
        lv_encode_collect(engine, slice, session, arrival ? NULL : work->request);
        lv_encode_run(engine, slice);
    } else {
        LlavaovTicket *request = slice->request = work->request;
        LlavaovStatus status;
        LlavaovError error;
        lv_error_clear(&error);
        const uint64_t prefill = request->answer.prefill_ns, decode = request->answer.decode_ns;
        request->running = true;
        pthread_mutex_unlock(&engine->lock);
        bool finished = lv_request_step(request, &status, &error);
        pthread_mutex_lock(&engine->lock);
        request->running = false;
        session->stats.prefill_ns += request->answer.prefill_ns - prefill;
        session->stats.decode_ns += request->answer.decode_ns - decode;
        if (finished) {
            lv_request_finish(request, status, &error);
            note_overtaking(engine, session);
        } else if (lv_cancelled(&request->cancel))
            lv_request_cancel(request);
        slice->request = NULL;
    }

    const uint64_t used = lv_now_ns() - start;
    session->virtual_time += used;
    *(arrival ? &session->encode_time : &session->request_time) += used;
    slice->session = NULL;
    lv_session_rest(session);
}

void *lv_scheduler_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping) {
        Work work;
        LlavaovSession *session = next_session(engine, &work);
        if (session)
            run_slice(engine, session, &work);
        else
            pthread_cond_wait(&engine->work, &engine->lock);
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
