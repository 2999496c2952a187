/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/policy.h"

#include <string.h>

#include "base/status.h"
#include "base/clock.h"
#include "serve/reserve.h"
#include "serve/chunk.h"

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

/* Nothing has been computed for the request's window, and now it is too late. */
static bool too_late(const LlavaovTicket *request)
{
    const LvCommon *common = request->common;
    return common->reservation && !common->started &&
           request->n_encoded < request->question.n_frames &&
           lv_admission_too_late(
               &request->engine->admission, &common->reservation->window, lv_now_ns());
}

/* The request at the head of the line once those whose frames failed, and those that are too late,
 * are out of it. */
static LlavaovTicket *head_request(LlavaovSession *session, LvRequestNeed *need)
{
    LlavaovTicket *request;
    LV_LIST_EACH(&session->requests, LlavaovTicket, in_session, request)
    {
        const LlavaovError *error;
        LlavaovError late;
        *need = lv_request_need(request, &error);
        if (*need != LV_REQUEST_FAILED) {
            if (!too_late(request))
                return request;
            lv_fail(&late, LLAVAOV_ERROR_LATE, NULL,
                "the engine has more to do than it can: it did not come to this window in time");
            error = &late;
        }
        lv_request_finish(request, error->status, error);
    }
    return NULL;
}

void lv_policy_give_up(LlavaovSession *session)
{
    LvRequestNeed need;
    head_request(session, &need);
}

/* Of the questions of the request at the head of the line, which all go on together, the one that is
 * furthest behind. */
static LlavaovTicket *last_question(LlavaovTicket *head)
{
    LlavaovTicket *question, *last = head;
    LV_LIST_EACH(&head->common->unfinished, LlavaovTicket, in_common, question)
    {
        if (lv_request_stage(question) < lv_request_stage(last))
            last = question;
    }
    return last;
}

typedef struct Work {
    LlavaovSession *session;
    bool arrival;           /* frames wait that are encoded on arrival */
    LlavaovTicket *request; /* NULL, or one that can go on; of several questions the last one */
    LvRequestNeed need;
    bool decoding; /* the request's next step is one of decoding */
    bool due;      /* the request has been overtaken enough */
    bool last;     /* all others go before it */
} Work;

static bool is_decoding(const LlavaovTicket *request)
{
    return lv_request_stage(request) == LV_STAGE_DECODE;
}

/* Encoding on arrival and the request share the session's time; whichever has none to do saves
 * nothing up. */
static bool find_work(LlavaovSession *session, Work *work)
{
    uint64_t *encode = &session->encode_time, *request = &session->request_time;
    work->session = session;
    work->last = false;
    work->arrival = !lv_list_empty(&session->to_encode);
    work->need = LV_REQUEST_FRAMES;
    work->request = head_request(session, &work->need);
    if (work->request && work->need == LV_REQUEST_FRAMES)
        work->request = NULL;
    if (work->request && work->need == LV_REQUEST_STEP)
        work->request = last_question(work->request);
    work->decoding = work->request && work->need == LV_REQUEST_STEP && is_decoding(work->request);
    work->due = work->request && work->request->common->overtaken >= OVERTAKEN_AND_DUE &&
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
        return a->request->common->overtaken > b->request->common->overtaken;
    if (a->due || b->due)
        return a->due;
    if (a->last != b->last)
        return b->last;
    return a->session->virtual_time < b->session->virtual_time;
}

_Static_assert(LV_MAX_SLICE_TILES <= LV_MAX_SLICE_REQUESTS, "a slice holds a session a tile");

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

static void add(LvNextSlice *next, LlavaovSession *session, LlavaovTicket *request)
{
    next->sessions[next->n] = session;
    next->requests[next->n++] = request;
    if (request)
        request->common->started = true;
}

static void take_encode(LvNextSlice *next, const Work *works, size_t n)
{
    next->kind = LV_SLICE_ENCODE;
    for (size_t i = 0; i < n; i++) {
        const bool own = works[i].need == LV_REQUEST_ENCODE && !arrival_first(&works[i]);
        add(next, works[i].session, own ? works[i].request : NULL);
    }
}

/* As many questions of these sessions' requests as a step holds. */
static void take_decode(LvNextSlice *next, const Work *works, size_t n, size_t most)
{
    next->kind = LV_SLICE_DECODE;
    for (size_t i = 0; i < n; i++) {
        LlavaovTicket *question;
        LV_LIST_EACH(&works[i].request->common->unfinished, LlavaovTicket, in_common, question)
        {
            if (next->n < most)
                add(next, works[i].session, question);
        }
    }
}

/* They may take this step together with the first (lv_request_step). */
static bool goes_along(const LlavaovTicket *first, const LlavaovTicket *other)
{
    const LvStage stage = lv_request_stage(first);
    return lv_request_stage(other) == stage &&
           (stage == LV_STAGE_BEGIN || stage == LV_STAGE_FORK ||
               (stage == LV_STAGE_SHORT && !first->choosing == !other->choosing));
}

static void take_prefill(LvNextSlice *next, const Work *work)
{
    LlavaovTicket *first = work->request, *other;
    const LvBackendInfo *info = &first->engine->backend->info;
    const size_t most = lv_chunk_most_requests(info);
    size_t rows = first->cache ? lv_request_rows_left(first) : 0;
    next->kind = LV_SLICE_PREFILL;
    add(next, work->session, first);
    LV_LIST_EACH(&first->common->unfinished, LlavaovTicket, in_common, other)
    {
        if (other == first || !goes_along(first, other) || next->n == most)
            continue;
        rows += other->cache ? lv_request_rows_left(other) : 0;
        if (lv_chunk_rows(info, &first->engine->model->config->text, first->n_cached, rows,
                next->bounded) == rows)
            add(next, work->session, other);
    }
}

/* What an engine past its capacity does: it finishes what was started, and starts as much as it
 * needs to be busy. Of the windows that were taken on, which have been shared out already, one whose
 * frames are encoded is next, then the stream that has been without an answer for most windows, then
 * the freshest; between it and requests of others, the session that has used the least. Frames are
 * encoded on demand. */
typedef struct Backlog {
    bool overloaded;
    size_t waiting;       /* sessions whose requests wait to be started */
    LlavaovSession *next; /* whose request may be started; NULL: none now */
} Backlog;

static bool starts_before(const LlavaovSession *a, const LlavaovSession *b)
{
    const LlavaovTicket *x = LV_LIST_FIRST(&a->requests, LlavaovTicket, in_session),
                        *y = LV_LIST_FIRST(&b->requests, LlavaovTicket, in_session);
    const bool x_encoded = x->n_encoded == x->question.n_frames,
               y_encoded = y->n_encoded == y->question.n_frames;
    if (x_encoded != y_encoded)
        return x_encoded;
    if (a->admission.unanswered != b->admission.unanswered)
        return a->admission.unanswered > b->admission.unanswered;
    const LvAdmission *admission = &a->engine->admission;
    const uint64_t x_age = lv_admission_age(admission, &x->common->reservation->window),
                   y_age = lv_admission_age(admission, &y->common->reservation->window);
    return x_age != y_age
               ? x_age < y_age
               : x->common->reservation->window.before < y->common->reservation->window.before;
}

static Backlog find_backlog(LlavaovEngine *engine)
{
    const size_t most_encoding = lv_chunk_most_tiles(&engine->backend->info);
    Backlog backlog = {.overloaded = lv_admission_overloaded(&engine->admission, lv_now_ns())};
    size_t started = 0, decoding = 0;
    LlavaovSession *session, *reserved = NULL, *other = NULL;
    if (!backlog.overloaded)
        return backlog;
    LV_LIST_EACH(&engine->active, LlavaovSession, in_active, session)
    {
        LvRequestNeed need = LV_REQUEST_FRAMES;
        LlavaovTicket *request = head_request(session, &need);
        if (!request)
            continue;
        started += request->common->started;
        decoding += request->common->started && is_decoding(last_question(request));
        if (request->common->started || need == LV_REQUEST_FRAMES)
            continue;
        backlog.waiting++;
        if (request->common->reservation)
            reserved = !reserved || starts_before(session, reserved) ? session : reserved;
        else
            other = other && other->virtual_time <= session->virtual_time ? other : session;
    }
    const size_t at_once = most_encoding > 4 ? most_encoding / 4 : 1;
    if (started >= lv_chunk_most_requests(&engine->backend->info) || started - decoding >= at_once)
        return backlog;
    backlog.next =
        !reserved || (other && other->virtual_time < reserved->virtual_time) ? other : reserved;
    return backlog;
}

/* Leaves of a session's work what an engine past its capacity may do; false: nothing. Frames on
 * arrival come last, unless calls hold many: full ones cost less. */
static bool keep_urgent(const Backlog *backlog, Work *work)
{
    if (work->request && !work->request->common->started && backlog->next != work->session)
        work->request = NULL;
    work->arrival = work->arrival && !work->request;
    work->due = work->due && work->request;
    work->decoding = work->decoding && work->request;
    work->last = work->arrival && lv_chunk_most_tiles(&work->session->engine->backend->info) == 1;
    return work->request || work->arrival;
}

/* What there is to do, in order. */
typedef struct Scan {
    Work best, prompt; /* .session NULL: nothing */
    Work decoding[LV_MAX_SLICE_REQUESTS], encoding[LV_MAX_SLICE_TILES];
    size_t n_decoding, n_encoding, n_works, all_encoding;
} Scan;

/* backlog: NULL, or look at what is urgent alone. */
static void scan(LlavaovEngine *engine, const Backlog *backlog, Scan *s)
{
    const size_t most_decoding = lv_chunk_most_requests(&engine->backend->info),
                 most_encoding = lv_chunk_most_tiles(&engine->backend->info);
    s->best.session = s->prompt.session = NULL;
    s->n_decoding = s->n_encoding = s->n_works = s->all_encoding = 0;
    LlavaovSession *session;
    LV_LIST_EACH(&engine->active, LlavaovSession, in_active, session)
    {
        Work work;
        if (!find_work(session, &work)) {
            lv_list_remove(&session->in_active);
            continue;
        }
        if (backlog && !keep_urgent(backlog, &work))
            continue;
        if (!s->best.session || goes_before(&work, &s->best))
            s->best = work;
        if (work.request && work.need == LV_REQUEST_STEP && !work.decoding &&
            (!s->prompt.session || goes_before(&work, &s->prompt)))
            s->prompt = work;
        s->n_works += 1 + work.arrival;
        if (work.decoding)
            insert(s->decoding, &s->n_decoding, most_decoding, &work);
        if (encodes(&work)) {
            insert(s->encoding, &s->n_encoding, most_encoding, &work);
            s->all_encoding++;
        }
    }
}

void lv_policy_next(LlavaovEngine *engine, LvNextSlice *next)
{
    const Backlog backlog = find_backlog(engine);
    Scan s;
    scan(engine, backlog.overloaded ? &backlog : NULL, &s);
    next->kind = LV_SLICE_NONE;
    if (!s.best.session)
        return;
    if (!s.best.due)
        engine->virtual_time = s.best.session->virtual_time;
    const bool arrival = arrival_first(&s.best);
    size_t n_works = 1;
    next->n = 0;
    next->bounded = s.n_decoding > 0;
    if (s.n_decoding > 0 && (!engine->slice.decoded || (s.best.decoding && !arrival))) {
        n_works = s.n_decoding;
        take_decode(next, s.decoding, n_works, lv_chunk_most_requests(&engine->backend->info));
    } else if (!arrival && s.best.need != LV_REQUEST_ENCODE)
        take_prefill(next, &s.best);
    else if (s.prompt.session && !s.best.due &&
             s.all_encoding < lv_chunk_most_tiles(&engine->backend->info) &&
             engine->slice.prompts < PROMPTS_BEFORE_FRAMES)
        take_prefill(next, &s.prompt); /* so that more frames come together */
    else {
        n_works = s.n_encoding;
        take_encode(next, s.encoding, n_works); /* the best stands first */
    }
    next->alone = s.n_works == n_works;
    next->more_sessions =
        s.all_encoding - s.n_encoding + (backlog.overloaded ? backlog.waiting : 0);
    engine->slice.decoded = next->kind == LV_SLICE_DECODE;
    if (next->kind != LV_SLICE_DECODE)
        engine->slice.prompts = next->kind == LV_SLICE_PREFILL ? engine->slice.prompts + 1 : 0;
}

void lv_policy_charge(
    LlavaovSession *session, bool arrival, LvWork work, double units, uint64_t used_ns)
{
    session->virtual_time += used_ns;
    lv_admission_spend(
        &session->engine->admission, &session->admission, work, units, (double)used_ns);
    *(arrival ? &session->encode_time : &session->request_time) += used_ns;
}

/* How many of the request's questions are finished by these steps. */
static size_t count_finished(const LvCommon *common, const LvStep *steps, size_t n)
{
    size_t finished = 0;
    for (size_t i = 0; i < n; i++)
        finished += steps[i].finished && steps[i].request->common == common;
    return finished;
}

static bool is_answered(const LvCommon *common, const LvStep *steps, size_t n)
{
    return count_finished(common, steps, n) == common->n_unfinished;
}

void lv_policy_note_answers(LlavaovEngine *engine, const LvStep *steps, size_t n)
{
    unsigned answered = 0;
    for (size_t i = 0; i < n; i++) {
        const LvCommon *common = steps[i].request->common;
        if (steps[i].finished && steps[i].status != LLAVAOV_ERROR_CANCELLED &&
            count_finished(common, steps, i) == 0)
            answered += is_answered(common, steps, n);
    }
    if (answered == 0)
        return;
    LlavaovSession *session;
    LV_LIST_EACH(&engine->active, LlavaovSession, in_active, session)
    {
        LlavaovTicket *request = LV_LIST_FIRST(&session->requests, LlavaovTicket, in_session);
        const LlavaovError *error;
        if (request && !is_answered(request->common, steps, n) &&
            lv_request_need(request, &error) != LV_REQUEST_FRAMES)
            request->common->overtaken += answered;
    }
}
