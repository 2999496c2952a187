/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/turn.h"

#include <string.h>

#include "serve/decode.h"
#include "serve/encode.h"

/* A request that so many requests of other sessions have overtaken goes first. One of n sessions is
 * overtaken by no more than n in all: by at most 1 before, and from the slice on that makes it due
 * by each other session once, since what that asks next stands behind it. */
#define OVERTAKEN_AND_DUE 2

/* Where slices are short an answer under way has a step after each of them, whoever else is served,
 * and is not put before them: alone with the others that are due it would use the device badly, and
 * the more so the more streams there are, since all are overtaken then. */
static bool may_be_due(const LlavaovEngine *engine, bool decoding)
{
    return !decoding || !(engine->backend->info.slice_flops > 0);
}

/* Where an encoder call takes many tiles and few wait, so many slices of prompts go before it. */
#define PROMPTS_BEFORE_FRAMES 8

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
    LlavaovSession *session;
    bool arrival;           /* frames wait that are encoded on arrival */
    LlavaovTicket *request; /* NULL, or one that can go on */
    LvRequestNeed need;
    bool decoding; /* the request's next step is one of decoding */
    bool due;      /* the request has been overtaken enough */
} Work;

/* Encoding on arrival and the request share the session's time; whichever has none to do saves
 * nothing up. */
static bool find_work(LlavaovSession *session, Work *work)
{
    uint64_t *encode = &session->encode_time, *request = &session->request_time;
    work->session = session;
    work->arrival = !lv_list_empty(&session->to_encode);
    work->need = LV_REQUEST_FRAMES;
    work->request = head_request(session, &work->need);
    if (work->request && work->need == LV_REQUEST_FRAMES)
        work->request = NULL;
    work->decoding =
        work->request && work->need == LV_REQUEST_STEP && lv_request_decoding(work->request);
    work->due = work->request && work->request->overtaken >= OVERTAKEN_AND_DUE &&
                may_be_due(session->engine, work->decoding);
    if (!work->request)
        *request = *request > *encode ? *request : *encode;
    if (!work->arrival)
        *encode = *encode > *request ? *encode : *request;
    return work->arrival || work->request;
}

static bool arrival_first(const Work *work)
{
    if (!work->arrival || !work->request)
        return work->arrival;
    return !work->due && work->session->encode_time <= work->session->request_time;
}

/* Due ones before others, by how often they were overtaken; otherwise by the time used. */
static bool goes_before(const Work *a, const Work *b)
{
    if (a->due && b->due)
        return a->request->overtaken > b->request->overtaken;
    if (a->due || b->due)
        return a->due;
    return a->session->virtual_time < b->session->virtual_time;
}

_Static_assert(LV_MAX_SLICE_TILES <= LV_MAX_SLICE_REQUESTS, "a turn holds a session a tile");

static bool encodes(const Work *work)
{
    return work->arrival || (work->request && work->need == LV_REQUEST_ENCODE);
}

/* Keeps the first `most` in order. */
static void insert(Work *works, size_t *n, size_t most, const Work *work)
{
    size_t at = *n;
    while (at > 0 && goes_before(work, &works[at - 1]))
        at--;
    if (at == most)
        return;
    *n += *n < most;
    memmove(works + at + 1, works + at, (*n - 1 - at) * sizeof *works);
    works[at] = *work;
}

static void take(LvTurn *turn, LvTurnKind kind, const Work *works, size_t n)
{
    turn->kind = kind;
    turn->n = n;
    for (size_t i = 0; i < n; i++) {
        turn->sessions[i] = works[i].session;
        turn->requests[i] = works[i].request;
        if (kind == LV_TURN_ENCODE &&
            (works[i].need != LV_REQUEST_ENCODE || arrival_first(&works[i])))
            turn->requests[i] = NULL;
    }
}

void lv_turn_next(LlavaovEngine *engine, LvTurn *turn)
{
    Work best = {0}, prompt = {0}, decoding[LV_MAX_SLICE_REQUESTS], encoding[LV_MAX_SLICE_TILES];
    size_t n_decoding = 0, n_encoding = 0, n_works = 0, all_encoding = 0;
    const size_t most_decoding = lv_decode_most(engine), most_encoding = lv_encode_most(engine);
    LlavaovSession *session;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    {
        Work work;
        if (!find_work(session, &work)) {
            session->idle = true;
            continue;
        }
        if (session->idle && session->virtual_time < engine->virtual_time)
            session->virtual_time = engine->virtual_time;
        session->idle = false;
        if (!best.session || goes_before(&work, &best))
            best = work;
        if (work.request && work.need == LV_REQUEST_STEP && !work.decoding &&
            (!prompt.session || goes_before(&work, &prompt)))
            prompt = work;
        n_works += 1 + work.arrival;
        if (work.decoding)
            insert(decoding, &n_decoding, most_decoding, &work);
        if (encodes(&work)) {
            insert(encoding, &n_encoding, most_encoding, &work);
            all_encoding++;
        }
    }
    turn->kind = LV_TURN_NONE;
    if (!best.session)
        return;
    if (!best.due)
        engine->virtual_time = best.session->virtual_time;
    const bool arrival = arrival_first(&best);
    if (n_decoding > 0 && (!engine->slice.decoded || (best.decoding && !arrival)))
        take(turn, LV_TURN_DECODE, decoding, n_decoding);
    else if (!arrival && best.need != LV_REQUEST_ENCODE)
        take(turn, LV_TURN_PREFILL, &best, 1);
    else if (prompt.session && !best.due && all_encoding < most_encoding &&
             engine->slice.prompts < PROMPTS_BEFORE_FRAMES)
        take(turn, LV_TURN_PREFILL, &prompt, 1); /* so that more frames come together */
    else
        take(turn, LV_TURN_ENCODE, encoding, n_encoding); /* the best stands first */
    turn->alone = n_works == turn->n;
    turn->bounded = n_decoding > 0;
    turn->more_sessions = all_encoding - n_encoding;
    engine->slice.decoded = turn->kind == LV_TURN_DECODE;
    if (turn->kind != LV_TURN_DECODE)
        engine->slice.prompts = turn->kind == LV_TURN_PREFILL ? engine->slice.prompts + 1 : 0;
}

void lv_turn_charge(LlavaovSession *session, bool arrival, uint64_t used_ns)
{
    session->virtual_time += used_ns;
    *(arrival ? &session->encode_time : &session->request_time) += used_ns;
}

static bool is_finished(const LlavaovTicket *request, const LvStep *steps, size_t n)
{
    for (size_t i = 0; request->running && i < n; i++)
        if (steps[i].request == request)
            return steps[i].finished;
    return false;
}

void lv_turn_note_answers(LlavaovEngine *engine, const LvStep *steps, size_t n)
{
    unsigned answered = 0;
    for (size_t i = 0; i < n; i++)
        answered += steps[i].finished && steps[i].status != LLAVAOV_ERROR_CANCELLED;
    if (answered == 0)
        return;
    LlavaovSession *session;
    LV_LIST_EACH(&engine->sessions, LlavaovSession, in_engine, session)
    {
        LlavaovTicket *request = LV_LIST_FIRST(&session->requests, LlavaovTicket, in_session);
        const LlavaovError *error;
        if (request && !is_finished(request, steps, n) &&
            lv_request_need(request, &error) != LV_REQUEST_FRAMES)
            request->overtaken += answered;
    }
}
