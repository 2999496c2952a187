/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"
#include "base/clock.h"
#include "serve/json_answer.h"
#include "serve/reserve.h"
#include "serve/settings.h"

static LlavaovStatus check(LlavaovSession *session, const LlavaovRequest *request,
    LvQuestion *question, LlavaovError *error)
{
    if (!request->on_done)
        return lv_fail_about(
            error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "on_done", "there is no on_done");
    LlavaovStatus status = lv_question_read(request, question, error);
    if (status != LLAVAOV_OK)
        return status;
    pthread_mutex_lock(&session->engine->lock);
    status = lv_question_check_frames(question, session, error);
    pthread_mutex_unlock(&session->engine->lock);
    return status;
}

/* Frees everything but frames, which need the lock. */
static void free_request(LlavaovTicket *r)
{
    if (r->cache)
        r->engine->backend->ops->kv_close(r->engine->backend, r->cache);
    lv_sampler_close(&r->sampler);
    lv_json_answer_close(r);
    lv_tokens_free(&r->prompt_ids);
    lv_free(r->pieces);
    lv_free(r->tokens);
    lv_free(r->text);
    lv_free(r->pending);
    llavaov_reservation_free(r->reservation);
    lv_free(r->rules);
    lv_choosing_free(r->choosing);
    lv_question_free(&r->question);
    llavaov_chat_template_unref(r->chat_template);
    if (r->engine)
        llavaov_engine_unref(r->engine);
    lv_free(r);
}

static LlavaovStatus settle(LlavaovTicket *r, const LlavaovEngine *engine,
    const LlavaovGeneration *asked, LlavaovError *error)
{
    LlavaovGeneration read;
    LlavaovRules rules;
    LlavaovStatus status = lv_settings_read(asked, &read, &rules, error);
    if (status == LLAVAOV_OK)
        status = lv_settings_settle(lv_checkpoint_generation(engine->checkpoint),
            engine->model->config->text.vocab_size, &read, &r->generation, error);
    if (status != LLAVAOV_OK)
        return status;
    if (r->generation.rules == &rules) {
        r->rules = lv_rules_copy(&rules);
        if (!r->rules)
            return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
        r->generation.rules = r->rules;
    }
    r->stop = lv_settings_stop(engine, &read, &r->generation);
    return LLAVAOV_OK;
}

/* What decides on the answer: labels, or the settings of generation. *hinted: the prompt as it is
 * then, a new text, or NULL. */
static LlavaovStatus settle_answer(LlavaovTicket *r, LlavaovEngine *engine,
    const LlavaovRequest *request, char **hinted, LlavaovError *error)
{
    if (!request->choices) {
        LlavaovStatus settled = settle(r, engine, request->generation, error);
        return settled == LLAVAOV_OK ? lv_json_answer_open(r, engine, request->json_schema, error)
                                     : settled;
    }
    if (request->json_schema)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "choices",
            "choices and json-schema: an answer is one of the labels or a document, not both");
    if (request->generation)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "choices",
            "choices: nothing is generated, so that there are no settings for it");
    LlavaovStatus status = lv_choosing_open(engine, request->choices, &r->choosing, error);
    return status == LLAVAOV_OK ? lv_choosing_hint(r->choosing, request->prompt, hinted, error)
                                : status;
}

static void deliver_text(LlavaovSession *session, LvEvent *event)
{
    LlavaovTicket *r = LV_CONTAINER(event, LlavaovTicket, text_event);
    LlavaovEngine *engine = r->engine;
    char *text = r->pending;
    const size_t bytes = r->n_pending;
    r->pending = NULL;
    r->n_pending = r->pending_capacity = 0;
    if (bytes == 0)
        return;
    pthread_mutex_unlock(&engine->lock);
    r->on_text(r->data, text, bytes);
    lv_free(text);
    pthread_mutex_lock(&engine->lock);
}

static void deliver_done(LlavaovSession *session, LvEvent *event)
{
    LlavaovTicket *r = LV_CONTAINER(event, LlavaovTicket, done_event);
    LlavaovEngine *engine = r->engine;
    pthread_mutex_unlock(&engine->lock);
    /* Early, because a caller may hold the ticket for long. */
    if (r->cache) {
        engine->backend->ops->kv_close(engine->backend, r->cache);
        r->cache = NULL;
    }
    r->answer.text = r->text ? r->text : "";
    r->answer.text_bytes = r->n_text;
    r->on_done(r->data, &r->answer);
    pthread_mutex_lock(&engine->lock);

    r->session = NULL;
    for (size_t i = 0; i < r->question.n_frames; i++)
        lv_frame_drop(r->question.frames[i]);
    r->question.n_frames = 0;
    if (--r->refs == 0) {
        pthread_mutex_unlock(&engine->lock);
        free_request(r);
        pthread_mutex_lock(&engine->lock);
    }
}

LlavaovStatus llavaov_session_ask(LlavaovSession *session, const LlavaovRequest *given,
    LlavaovTicket **ticket, LlavaovError *error)
{
    if (ticket)
        *ticket = NULL;
    LlavaovRequest known;
    LlavaovStatus status = lv_struct_read(&known, sizeof known, given, "LlavaovRequest", error);
    if (status != LLAVAOV_OK)
        return status;
    const LlavaovRequest *request = &known;
    char *hinted = NULL;
    LlavaovEngine *engine = session->engine;
    LlavaovTicket *r = lv_calloc(1, sizeof *r);
    if (!r)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
    r->asked_ns = lv_now_ns();
    r->on_text = request->on_text;
    r->on_done = request->on_done;
    r->data = request->data;
    r->text_event = (LvEvent){.deliver = deliver_text};
    r->done_event = (LvEvent){.deliver = deliver_done};

    status = settle_answer(r, engine, request, &hinted, error);
    if (hinted)
        known.prompt = hinted;
    if (status == LLAVAOV_OK)
        status = check(session, request, &r->question, error);
    lv_free(hinted);
    if (status != LLAVAOV_OK) {
        free_request(r);
        return status;
    }

    pthread_mutex_lock(&engine->lock);
    if (session->closing)
        status = lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "the session is closing");
    else if (session->n_requests >= LV_MAX_REQUESTS_PER_SESSION)
        status = lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "one session holds at most %u requests",
            LV_MAX_REQUESTS_PER_SESSION);
    if (status != LLAVAOV_OK) {
        pthread_mutex_unlock(&engine->lock);
        free_request(r);
        return status;
    }
    for (size_t i = 0; i < r->question.n_frames; i++)
        lv_frame_keep(r->question.frames[i]);
    r->chat_template = llavaov_chat_template_ref(session->chat_template);
    r->engine = lv_engine_keep(engine);
    r->session = session;
    r->reservation = request->reservation;
    if (r->reservation)
        lv_admission_ended(&engine->admission, &r->reservation->window, r->asked_ns);
    r->refs = ticket ? 2 : 1;
    lv_list_append(&session->requests, &r->in_session);
    session->n_requests++;
    session->stats.requests++;
    if (ticket)
        *ticket = r;
    lv_session_wake(session);
    pthread_mutex_unlock(&engine->lock);
    return LLAVAOV_OK;
}

LvRequestNeed lv_request_need(LlavaovTicket *r, const LlavaovError **error)
{
    for (; r->n_encoded < r->question.n_frames; r->n_encoded++) {
        const LlavaovFrame *frame = r->question.frames[r->n_encoded];
        if (frame->state == LV_FRAME_FAILED) {
            *error = &frame->error;
            return LV_REQUEST_FAILED;
        }
        if (frame->state == LV_FRAME_PREPARED)
            return LV_REQUEST_ENCODE;
        if (frame->state != LV_FRAME_ENCODED)
            return LV_REQUEST_FRAMES;
    }
    return LV_REQUEST_STEP;
}

void lv_request_finish(LlavaovTicket *r, LlavaovStatus status, const LlavaovError *error)
{
    LlavaovSession *session = r->session;
    LlavaovAnswer *answer = &r->answer;
    r->done = true;
    answer->status = status;
    if (status != LLAVAOV_OK) {
        answer->error = *error;
        if (error->status == LLAVAOV_OK)
            lv_fail(&answer->error, status, NULL, "%s", llavaov_status_name(status));
        answer->finish_reason = LLAVAOV_FINISH_CANCELLED;
        answer->json = NULL;
        answer->truncated = false;
    }
    answer->total_ns = lv_now_ns() - r->asked_ns;
    answer->prompt_tokens = (uint32_t)r->prompt_ids.n;
    answer->new_tokens = r->n_tokens;
    answer->prompt_ids = r->prompt_ids.ids;
    answer->tokens = r->tokens;
    answer->encode_ns = 0;
    for (size_t i = 0; i < r->question.n_frames; i++)
        answer->encode_ns += r->question.frames[i]->encode_ns;
    if (r->reservation)
        lv_admission_end(&r->engine->admission, &r->reservation->window,
            status != LLAVAOV_ERROR_CANCELLED && status != LLAVAOV_ERROR_LATE, lv_now_ns());
    else if (status == LLAVAOV_OK)
        lv_admission_learn(&r->engine->admission,
            &(LvWorkDone){{(double)r->question.n_frames, answer->prompt_tokens, r->n_tokens, 0}});
    lv_list_remove(&r->in_session);
    session->n_requests--;
    if (status == LLAVAOV_OK)
        session->stats.answers++;
    else if (status != LLAVAOV_ERROR_CANCELLED)
        session->stats.failures++;
    session->stats.prompt_tokens += answer->prompt_tokens;
    session->stats.new_tokens += answer->new_tokens;
    lv_event_post(session, &r->done_event);
}

void lv_request_cancel(LlavaovTicket *r)
{
    if (r->done || !r->session)
        return;
    lv_cancel_request(&r->cancel);
    if (r->running) {
        lv_cancel_request(&r->engine->slice.cancel);
        return;
    }
    LlavaovError error;
    lv_fail(&error, LLAVAOV_ERROR_CANCELLED, NULL, "the request was cancelled");
    lv_request_finish(r, LLAVAOV_ERROR_CANCELLED, &error);
}

void llavaov_ticket_cancel(LlavaovTicket *ticket)
{
    if (!ticket)
        return;
    pthread_mutex_lock(&ticket->engine->lock);
    lv_request_cancel(ticket);
    pthread_mutex_unlock(&ticket->engine->lock);
}

void llavaov_ticket_unref(LlavaovTicket *ticket)
{
    if (!ticket)
        return;
    LlavaovEngine *engine = ticket->engine;
    pthread_mutex_lock(&engine->lock);
    bool last = --ticket->refs == 0;
    pthread_mutex_unlock(&engine->lock);
    if (last)
        free_request(ticket);
}
