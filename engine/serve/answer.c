/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/answer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/next_token.h"
#include "base/clock.h"
#include "serve/json_answer.h"

static bool grow(char **buffer, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return true;
    size_t wanted = needed + *capacity / 2 + 64;
    char *grown = lv_realloc(*buffer, wanted, 1);
    if (!grown)
        return false;
    *buffer = grown;
    *capacity = wanted;
    return true;
}

LlavaovStatus lv_answer_add_text(
    LlavaovTicket *r, const char *bytes, size_t n, bool finish, LlavaovError *error)
{
    bool grown = grow(&r->text, &r->text_capacity, r->n_text + 3 * (n + 4) + 1);
    if (!grown)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer's text");
    char *out = r->text + r->n_text;
    size_t added = finish ? lv_utf8_stream_finish(&r->utf8, out)
                          : lv_utf8_stream_push(&r->utf8, bytes, n, out);
    r->n_text += added;
    r->text[r->n_text] = '\0';
    if (!r->on_text || added == 0)
        return LLAVAOV_OK;
    pthread_mutex_lock(&r->engine->lock);
    grown = grow(&r->pending, &r->pending_capacity, r->n_pending + added);
    if (grown) {
        memcpy(r->pending + r->n_pending, out, added);
        r->n_pending += added;
        lv_event_post(r->session, &r->text_event);
    }
    pthread_mutex_unlock(&r->engine->lock);
    return grown ? LLAVAOV_OK
                 : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer's text");
}

static bool stops(const LlavaovIds *stop, int32_t token)
{
    for (size_t i = 0; i < stop->n; i++)
        if (stop->ids[i] == token)
            return true;
    return false;
}

LlavaovStatus lv_answer_take_token(
    LlavaovTicket *r, int32_t token, bool *finished, LlavaovError *error)
{
    LlavaovStatus status;
    if (r->n_tokens == 0)
        r->answer.first_token_ns = lv_now_ns() - r->asked_ns;
    r->tokens[r->n_tokens++] = token;
    if (!(r->json ? r->json->stopped : stops(&r->sampler.stop, token)))
        r->n_said = r->n_tokens;

    size_t n;
    bool special;
    const char *bytes = lv_tokenizer_token_bytes(r->engine->tokenizer, token, &n, &special);
    if (bytes && !special && !(r->json && r->json->stopped)) {
        status = lv_answer_add_text(r, bytes, n, false, error);
        if (status != LLAVAOV_OK)
            return status;
    }
    if (r->json ? r->json->ended : stops(&r->sampler.stop, token)) {
        r->answer.finish_reason = LLAVAOV_FINISH_STOP;
        *finished = true;
    } else if (r->input.n + r->n_tokens == r->capacity) {
        r->answer.finish_reason = LLAVAOV_FINISH_LENGTH;
        *finished = true;
    }
    status = *finished ? lv_answer_add_text(r, NULL, 0, true, error) : LLAVAOV_OK;
    return status == LLAVAOV_OK ? lv_json_answer_extend(r, finished, error) : status;
}

LlavaovStatus lv_answers_reserve_row(LlavaovEngine *engine, LlavaovError *error)
{
    if (engine->logits)
        return LLAVAOV_OK;
    engine->logits = lv_alloc(engine->model->config->text.vocab_size, sizeof *engine->logits);
    return engine->logits ? LLAVAOV_OK
                          : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for logits");
}

static LlavaovStatus reserve_row(
    LlavaovEngine *engine, const LvNextToken *choices, size_t n, LlavaovError *error)
{
    bool wanted = false;
    for (size_t i = 0; i < n; i++)
        wanted |= lv_next_token_on_host(engine->backend, choices[i].sampler);
    return wanted ? lv_answers_reserve_row(engine, error) : LLAVAOV_OK;
}

static void open_choices(const LvBatch *batch, LvStep *steps, LvNextToken *choices)
{
    for (size_t i = 0; i < batch->n_sequences; i++)
        choices[i] = (LvNextToken){&steps[i].request->sampler, &steps[i].error, LLAVAOV_OK, 0};
}

static void take_choices(const LvBatch *batch, const LvNextToken *choices, LvStep *steps)
{
    for (size_t i = 0; i < batch->n_sequences; i++) {
        LvStep *step = &steps[i];
        LlavaovTicket *r = step->request;
        r->n_cached += batch->sequences[i].n_rows;
        step->status = choices[i].status;
        if (step->status == LLAVAOV_OK && !lv_cancelled(&r->cancel))
            step->status = lv_answer_take_token(r, choices[i].token, &step->finished, &step->error);
        step->finished |= step->status != LLAVAOV_OK;
    }
}

LlavaovStatus lv_answers_extend(
    LlavaovEngine *engine, const LvRun *run, LvTensor hidden, const LvBatch *batch, LvStep *steps)
{
    LvNextToken choices[LV_MAX_SLICE_REQUESTS];
    open_choices(batch, steps, choices);
    LlavaovStatus status = reserve_row(engine, choices, batch->n_sequences, run->error);
    if (status == LLAVAOV_OK)
        status = lv_decoder_next(engine->model, run, hidden, batch, choices, engine->logits);
    if (status == LLAVAOV_OK)
        take_choices(batch, choices, steps);
    return status;
}

LlavaovStatus lv_answers_continue(LlavaovEngine *engine, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, bool ahead, LvStep *steps)
{
    LvNextToken choices[LV_MAX_SLICE_REQUESTS];
    open_choices(batch, steps, choices);
    LlavaovStatus status = reserve_row(engine, choices, batch->n_sequences, run->error);
    if (status == LLAVAOV_OK)
        status = lv_decoder_step(engine->model, run, ids, batch, ahead, choices, engine->logits);
    if (status == LLAVAOV_OK)
        take_choices(batch, choices, steps);
    return status;
}
