/* SPDX-License-Identifier: Apache-2.0
 * A request comes in: its questions are read and stand in their session's line. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/structs.h"
#include "model/try.h"
#include "serve/json_answer.h"
#include "serve/request.h"
#include "serve/reserve.h"
#include "serve/settings.h"

static LlavaovStatus check(LlavaovSession *session, const LlavaovRequest *request,
    LvQuestion *question, LlavaovError *error)
{
    if (!request->on_done)
        return lv_fail_about(
            error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "on_done", "there is no on_done");
    if (request->history && request->history->engine != session->engine)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "history",
            "the history is of another engine");
    LlavaovStatus status = lv_question_read(request, question, error);
    if (status != LLAVAOV_OK)
        return status;
    pthread_mutex_lock(&session->engine->lock);
    status = lv_question_check_frames(question, session, error);
    pthread_mutex_unlock(&session->engine->lock);
    return status;
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

/* Question `index` of the request, as a request that has no other. */
static LlavaovStatus read_question(
    const LlavaovRequest *request, size_t index, LlavaovRequest *alone, LlavaovError *error)
{
    *alone = *request;
    if (!request->questions)
        return LLAVAOV_OK;
    LlavaovQuestion question;
    const char *questions = (const char *)request->questions;
    LlavaovStatus status = lv_struct_read(&question, sizeof question,
        questions + index * request->questions->size, "LlavaovQuestion", error);
    if (status != LLAVAOV_OK)
        return status;
    alone->prompt = question.prompt;
    alone->generation = question.generation;
    alone->choices = question.choices;
    alone->json_schema = question.json_schema;
    alone->on_done = question.on_done;
    alone->on_text = question.on_text;
    alone->data = question.data;
    return LLAVAOV_OK;
}

static LlavaovStatus check_questions(const LlavaovRequest *request, LlavaovError *error)
{
    if (!request->questions && request->n_questions == 0)
        return LLAVAOV_OK;
    if (!request->questions || request->n_questions == 0 || request->n_questions > LV_MAX_QUESTIONS)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "questions",
            "%zu questions: 1 to %u are wanted", request->questions ? request->n_questions : 0,
            LV_MAX_QUESTIONS);
    if (request->prompt || request->messages || request->generation || request->choices ||
        request->json_schema || request->on_done || request->on_text || request->data)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "questions",
            "questions stand in place of prompt, messages, generation, choices, json-schema and "
            "callbacks, not beside them");
    return LLAVAOV_OK;
}

static LlavaovStatus open_question(LlavaovSession *session, LvCommon *common,
    const LlavaovRequest *given, LlavaovTicket **question, LlavaovError *error)
{
    LlavaovEngine *engine = session->engine;
    LlavaovRequest request = *given;
    char *hinted = NULL;
    LlavaovTicket *r = *question = lv_calloc(1, sizeof *r);
    if (!r)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
    r->on_text = request.on_text;
    r->on_done = request.on_done;
    r->data = request.data;
    r->keeps_history = request.keep_history != 0 && !engine->remote;
    r->text_event = (LvEvent){.deliver = lv_request_deliver_text};
    r->done_event = (LvEvent){.deliver = lv_request_deliver_done};
    r->common = common;
    atomic_fetch_add(&common->refs, 1);
    LlavaovStatus status = settle_answer(r, engine, &request, &hinted, error);
    if (hinted)
        request.prompt = hinted;
    if (status == LLAVAOV_OK)
        status = check(session, &request, &r->question, error);
    lv_free(hinted);
    return status;
}

/* Which of several questions the error is about. */
static void name_question(const LlavaovRequest *request, size_t index, LlavaovError *error)
{
    if (!error || !request->questions)
        return;
    char message[sizeof error->message];
    memcpy(message, error->message, sizeof message);
    snprintf(error->message, sizeof error->message, "question %zu: %.*s", index + 1,
        (int)(sizeof message - 32), message);
}

/* Puts them into the session's line. Lock held. */
static LlavaovStatus queue(
    LlavaovSession *session, LvCommon *common, LlavaovTicket *const *questions, LlavaovError *error)
{
    if (session->closing)
        return lv_fail(error, LLAVAOV_ERROR_CANCELLED, NULL, "the session is closing");
    if (session->n_requests + common->n_questions > LV_MAX_REQUESTS_PER_SESSION)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "one session holds at most %u requests",
            LV_MAX_REQUESTS_PER_SESSION);
    const uint64_t now = lv_now_ns();
    for (size_t i = 0; i < common->n_questions; i++) {
        LlavaovTicket *r = questions[i];
        for (size_t k = 0; k < r->question.n_frames; k++)
            lv_frame_keep(r->question.frames[k]);
        r->chat_template = llavaov_chat_template_ref(session->chat_template);
        r->engine = lv_engine_keep(session->engine);
        r->session = session;
        r->asked_ns = now;
        r->refs = 1;
        lv_list_append(&session->requests, &r->in_session);
        lv_list_append(&common->unfinished, &r->in_common);
    }
    common->n_unfinished = common->n_questions;
    session->n_requests += common->n_questions;
    session->stats.requests += common->n_questions;
    return LLAVAOV_OK;
}

LlavaovStatus llavaov_session_ask(LlavaovSession *session, const LlavaovRequest *given,
    LlavaovTicket **ticket, LlavaovError *error)
{
    LlavaovEngine *engine = session->engine;
    LlavaovRequest request, alone;
    LlavaovTicket *questions[LV_MAX_QUESTIONS] = {0};
    size_t n = 0;
    LvCommon *common = NULL;
    LlavaovStatus status;
    if (ticket)
        *ticket = NULL;
    LV_TRY(lv_struct_read(&request, sizeof request, given, "LlavaovRequest", error));
    LV_TRY(check_questions(&request, error));
    common = lv_calloc(1, sizeof *common);
    if (!common)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request"));
    atomic_init(&common->refs, 1);
    lv_list_init(&common->unfinished);
    common->n_questions = request.questions ? request.n_questions : 1;
    for (; n < common->n_questions; n++) {
        status = read_question(&request, n, &alone, error);
        if (status == LLAVAOV_OK)
            status = open_question(session, common, &alone, &questions[n], error);
        if (status != LLAVAOV_OK) {
            name_question(&request, n, error);
            goto done;
        }
    }

    pthread_mutex_lock(&engine->lock);
    status = queue(session, common, questions, error);
    if (status == LLAVAOV_OK) {
        common->reservation = request.reservation;
        if (common->reservation && !engine->remote)
            lv_admission_ended(
                &engine->admission, &common->reservation->window, questions[0]->asked_ns);
        if (ticket) {
            *ticket = questions[0];
            questions[0]->refs = 2;
        }
        memset(questions, 0, sizeof questions);
        lv_session_wake(session);
    }
    pthread_mutex_unlock(&engine->lock);
done:
    for (size_t i = 0; i < LV_MAX_QUESTIONS; i++)
        if (questions[i])
            lv_request_free(questions[i]);
    lv_common_drop(common);
    return status;
}
