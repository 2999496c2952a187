/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/verify.h"

#include "backend/rope.h"
#include "model/scratch.h"
#include "model/try.h"
#include "serve/answer.h"
#include "serve/json_answer.h"

bool lv_request_drafts(const LlavaovTicket *r)
{
    return r->engine->backend->info.exact_rows > 1 && !r->choosing &&
           r->generation.temperature == 0 && !r->generation.without_drafts;
}

/* Rows whose bits are those of rows of their own, from the request's next one on. */
static size_t alike_rows(const LlavaovTicket *r, size_t most)
{
    const LvRope *rope = &r->engine->model->config->text.rope;
    const uint32_t end = r->n_cached + 1, variant = lv_rope_variant(rope, end);
    size_t n = 1;
    while (n < most && lv_rope_variant(rope, end + (uint32_t)n) == variant)
        n++;
    return n;
}

static uint32_t draft(const LlavaovTicket *r, size_t most, int32_t *ids)
{
    /* The row behind the last guess gives a token, too. */
    const size_t room = r->capacity - (uint32_t)r->input.n - r->n_tokens - 1;
    most = room < most ? room : most;
    most = alike_rows(r, 1 + most) - 1;
    const LvDrafts *drafts = &r->session->drafts;
    const size_t n = lv_drafts_propose(drafts, r->draft_key, r->tokens, r->n_tokens, most, ids);
    const size_t credit = lv_drafts_credit(drafts, r->draft_key);
    return (uint32_t)(n ? n : lv_json_answer_forced(r, credit < most ? credit : most, ids));
}

bool lv_guess(const LvStep *steps, size_t n, LvGuesses *guesses)
{
    const LlavaovEngine *engine = steps[0].request->engine;
    const size_t rows = engine->backend->info.exact_rows;
    guesses->n = 0;
    if (n > LV_MAX_DRAFTING || rows <= n)
        return false;
    const size_t most = rows / n - 1 < LV_MAX_DRAFT ? rows / n - 1 : LV_MAX_DRAFT;
    for (size_t i = 0; i < n; i++) {
        const LlavaovTicket *r = steps[i].request;
        guesses->ids[guesses->n++] = r->tokens[r->n_tokens - 1];
        guesses->drafted[i] = lv_request_drafts(r) ? draft(r, most, guesses->ids + guesses->n) : 0;
        guesses->n += guesses->drafted[i];
    }
    return guesses->n > n;
}

/* The tokens that follow the rows from `row` on, as far as these were guessed. */
static LlavaovStatus take_rows(LlavaovEngine *engine, const LvRun *run, LvTensor scores,
    const int32_t *ids, uint32_t drafted, LvStep *step)
{
    LlavaovTicket *r = step->request;
    LvBackend *b = engine->backend;
    uint32_t accepted = 0;
    for (uint32_t i = 0; i <= drafted; i++) {
        int32_t token;
        LlavaovStatus status =
            b->ops->download(b, run, engine->logits, lv_tensor_rows(scores, i, 1));
        if (status != LLAVAOV_OK)
            return status;
        r->n_cached++;
        step->status = lv_sampler_next(&r->sampler, engine->logits, &token, &step->error);
        if (step->status == LLAVAOV_OK && !lv_cancelled(&r->cancel))
            step->status = lv_answer_take_token(r, token, &step->finished, &step->error);
        step->finished |= step->status != LLAVAOV_OK;
        if (step->finished || r->ways_due || lv_cancelled(&r->cancel) || i == drafted ||
            token != ids[1 + i])
            break;
        accepted++;
    }
    r->answer.draft_tokens += drafted;
    r->answer.accepted_tokens += accepted;
    if (lv_request_drafts(r))
        lv_drafts_judge(&r->session->drafts, r->draft_key, drafted, accepted);
    return LLAVAOV_OK;
}

LlavaovStatus lv_answers_verify(
    LlavaovEngine *engine, const LvRun *run, const LvGuesses *guesses, LvStep *steps, size_t n)
{
    const LvModel *model = engine->model;
    const size_t n_vocab = model->config->text.vocab_size;
    /* Once the first sampler has advanced, the call cannot be repeated. */
    const LvRun uncancelled = {.error = run->error};
    LvSequence sequences[LV_MAX_DRAFTING];
    const LvBatch batch = {sequences, n};
    LvScratch scratch = lv_scratch(engine->backend, run->error);
    LlavaovStatus status;
    uint32_t row = 0;
    for (size_t i = 0; i < n; row += sequences[i++].n_rows) {
        const LlavaovTicket *r = steps[i].request;
        sequences[i] = (LvSequence){r->cache, row, 1 + guesses->drafted[i], r->n_cached, 0};
    }
    LV_TRY(lv_answers_reserve_row(engine, run->error));
    LvTensor hidden = lv_scratch_tensor(&scratch, guesses->n, model->config->text.hidden_size);
    const LvTensor scores = lv_scratch_tensor(&scratch, guesses->n, n_vocab);
    LV_TRY(scratch.status);
    LV_TRY(engine->backend->ops->embed_tokens(
        engine->backend, run, hidden, guesses->ids, model->decoder.embed));
    LV_TRY(lv_decoder_logits(model, run, hidden, &batch, LV_LOGITS_ALL, scores));
    for (size_t i = 0; i < n; i++) {
        const LvSequence *s = &sequences[i];
        LV_TRY(take_rows(engine, &uncancelled, lv_tensor_rows(scores, s->first_row, s->n_rows),
            guesses->ids + s->first_row, guesses->drafted[i], &steps[i]));
    }
done:
    lv_scratch_free(&scratch);
    return status;
}
