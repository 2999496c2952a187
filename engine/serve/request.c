/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include "base/alloc.h"
#include "base/status.h"
#include "base/clock.h"
#include "serve/json_answer.h"
#include "serve/remember.h"
#include "serve/reserve.h"
#include "serve/verify.h"

void lv_common_drop(LvCommon *common)
{
    if (!common || atomic_fetch_sub(&common->refs, 1) > 1)
        return;
    llavaov_reservation_free(common->reservation);
    lv_prefix_drop(common->prefix);
    lv_free(common);
}

void lv_request_free(LlavaovTicket *r)
{
    if (r->cache)
        r->engine->backend->ops->kv_close(r->engine->backend, r->cache);
    lv_sampler_close(&r->sampler);
    lv_json_answer_close(r);
    lv_tokens_free(&r->prompt_ids);
    lv_rendered_free(&r->rendered);
    lv_free(r->pieces);
    lv_free(r->tokens);
    lv_free(r->text);
    lv_free(r->pending);
    lv_prefix_drop(r->prefix);
    lv_common_drop(r->common);
    lv_free(r->rules);
    lv_choosing_free(r->choosing);
    lv_question_free(&r->question);
    llavaov_chat_template_unref(r->chat_template);
    if (r->engine)
        llavaov_engine_unref(r->engine);
    lv_free(r);
}

void lv_request_deliver_text(LlavaovSession *session, LvEvent *event)
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

void lv_request_deliver_done(LlavaovSession *session, LvEvent *event)
{
    LlavaovTicket *r = LV_CONTAINER(event, LlavaovTicket, done_event);
    LlavaovEngine *engine = r->engine;
    LlavaovHistory *history = NULL;
    pthread_mutex_unlock(&engine->lock);
    if (r->keeps_history && r->answer.status == LLAVAOV_OK)
        history = lv_remember(r);
    /* Early, because a caller may hold the ticket for long. */
    if (r->cache) {
        engine->backend->ops->kv_close(engine->backend, r->cache);
        r->cache = NULL;
    }
    lv_prefix_drop(r->prefix);
    r->prefix = NULL;
    r->answer.text = r->text ? r->text : "";
    r->answer.text_bytes = r->n_text;
    r->answer.history = history;
    r->on_done(r->data, &r->answer);
    llavaov_history_unref(history);
    pthread_mutex_lock(&engine->lock);

    r->session = NULL;
    for (size_t i = 0; i < r->question.n_frames; i++)
        lv_frame_drop(r->question.frames[i]);
    r->question.n_frames = 0;
    if (--r->refs == 0) {
        pthread_mutex_unlock(&engine->lock);
        lv_request_free(r);
        pthread_mutex_lock(&engine->lock);
    }
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

/* The last question ends the request. */
static void leave_common(LlavaovTicket *r, LlavaovStatus status)
{
    LvCommon *common = r->common;
    LvAdmission *admission = &r->engine->admission;
    common->answered |= status != LLAVAOV_ERROR_CANCELLED && status != LLAVAOV_ERROR_LATE;
    common->succeeded |= status == LLAVAOV_OK;
    lv_list_remove(&r->in_common);
    if (--common->n_unfinished > 0)
        return;
    if (r->engine->remote)
        return;
    if (common->reservation)
        lv_admission_end(admission, &common->reservation->window, common->answered, lv_now_ns());
    else if (common->succeeded)
        lv_admission_learn(admission,
            &(LvWorkDone){{(double)r->question.n_frames, common->rows, common->tokens, 0}});
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
    answer->frames_reused = 0;
    for (size_t i = 0; i < r->question.n_frames; i++) {
        answer->encode_ns += r->question.frames[i]->encode_ns;
        answer->frames_reused += r->question.frames[i]->reused;
    }
    leave_common(r, status);
    lv_list_remove(&r->in_session);
    session->n_requests--;
    if (status == LLAVAOV_OK)
        session->stats.answers++;
    else if (status != LLAVAOV_ERROR_CANCELLED)
        session->stats.failures++;
    session->stats.prompt_tokens += answer->prompt_tokens;
    session->stats.new_tokens += answer->new_tokens;
    session->stats.draft_tokens += answer->draft_tokens;
    session->stats.accepted_tokens += answer->accepted_tokens;
    if (status == LLAVAOV_OK && lv_request_drafts(r)) /* by the inference thread then */
        lv_drafts_keep(&session->drafts, r->draft_key, r->tokens, r->n_tokens);
    lv_event_post(session, &r->done_event);
}

void lv_request_cancel(LlavaovTicket *r)
{
    if (r->done || !r->session)
        return;
    lv_cancel_request(&r->cancel);
    if (r->running) {
        lv_cancel_request(&r->engine->slice.cancel);
        if (r->engine->remote)
            lv_remote_wake(r->engine->remote);
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
    LlavaovTicket *question;
    pthread_mutex_lock(&ticket->engine->lock);
    LV_LIST_EACH(&ticket->common->unfinished, LlavaovTicket, in_common, question)
    lv_request_cancel(question);
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
        lv_request_free(ticket);
}
