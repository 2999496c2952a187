/* SPDX-License-Identifier: Apache-2.0 */
#include "model/next_token.h"

#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"

/* Tokens that the device chose, -1 where it could not. */
static void take(LvNextToken *choices, const int32_t *tokens, size_t n, size_t n_vocab)
{
    for (size_t i = 0; i < n; i++) {
        LvNextToken *choice = &choices[i];
        choice->token = tokens[i];
        if (tokens[i] >= 0 && (size_t)tokens[i] < n_vocab) {
            lv_sampler_note(choice->sampler, tokens[i]);
            choice->status = LLAVAOV_OK;
        } else {
            choice->status = lv_fail_about(choice->error, LLAVAOV_ERROR_NUMERIC,
                LLAVAOV_ABOUT_TENSOR, "logits", "the model gave logits that are not finite");
        }
    }
}

bool lv_next_token_on_host(const LvBackend *backend, const LvSampler *sampler)
{
    return sampler->filter || !backend->ops->sample || !lv_generation_simple(&sampler->generation);
}

/* NULL when memory ran out. */
static LvDraw *open_draws(const LvNextToken *choices, size_t n)
{
    LvDraw *draws = lv_alloc(n, sizeof *draws);
    for (size_t i = 0; draws && i < n; i++) {
        const LvSampler *s = choices[i].sampler;
        draws[i] = (LvDraw){&s->generation, s->draws, s->seen};
    }
    return draws;
}

/* Rows [first, first + n) of the scores. */
static LlavaovStatus choose_on_device(LvBackend *b, const LvRun *run, LvTensor scores, size_t first,
    size_t n, LvNextToken *choices, int32_t *tokens)
{
    LvDraw *draws = open_draws(choices + first, n);
    if (!draws)
        return lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a batch");
    LlavaovStatus status = b->ops->sample(b, run, tokens, lv_tensor_rows(scores, first, n), draws);
    lv_free(draws);
    if (status == LLAVAOV_OK)
        take(choices + first, tokens, n, scores.cols);
    return status;
}

static LlavaovStatus choose_here(
    LvBackend *b, const LvRun *run, LvTensor scores, size_t i, LvNextToken *choice, float *row)
{
    LlavaovStatus status = b->ops->download(b, run, row, lv_tensor_rows(scores, i, 1));
    if (status == LLAVAOV_OK)
        choice->status = lv_sampler_next(choice->sampler, row, &choice->token, choice->error);
    return status;
}

/* Chooses each row's token where possible on the device, consecutive rows in one call. */
static LlavaovStatus choose(LvBackend *b, const LvRun *run, LvTensor scores, LvNextToken *choices,
    int32_t *tokens, float *row)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < scores.rows && status == LLAVAOV_OK;) {
        size_t end = i;
        while (end < scores.rows && !lv_next_token_on_host(b, choices[end].sampler))
            end++;
        if (end > i) {
            status = choose_on_device(b, run, scores, i, end - i, choices, tokens);
            i = end;
        } else {
            status = choose_here(b, run, scores, i, &choices[i], row);
            i++;
        }
    }
    return status;
}

LlavaovStatus lv_decoder_next(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvNextToken *choices, float *row)
{
    LvBackend *b = model->backend;
    const size_t n = batch->n_sequences, n_vocab = model->config->text.vocab_size;
    /* Once the first sampler has advanced, the call cannot be repeated. */
    const LvRun uncancelled = {.error = run->error};
    LvScratch scratch = lv_scratch(b, run->error);
    bool greedy = b->ops->norm_linear_greedy;
    for (size_t i = 0; i < n; i++)
        greedy = greedy && !choices[i].sampler->filter &&
                 lv_generation_greedy(&choices[i].sampler->generation);
    LlavaovStatus status = LLAVAOV_OK;
    int32_t *tokens = lv_alloc(n, sizeof *tokens);
    if (!tokens)
        LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a batch"));
    if (greedy) {
        LV_TRY(lv_decoder_greedy(model, run, hidden, batch, tokens));
        take(choices, tokens, n, n_vocab);
    } else {
        const LvTensor scores = lv_scratch_tensor(&scratch, n, n_vocab);
        LV_TRY(scratch.status);
        LV_TRY(lv_decoder_logits(model, run, hidden, batch, LV_LOGITS_LAST, scores));
        LV_TRY(choose(b, &uncancelled, scores, choices, tokens, row));
    }
done:
    lv_free(tokens);
    lv_scratch_free(&scratch);
    return status;
}

/* The rows of a decoding step: one token each. */
static LlavaovStatus embed(const LvModel *model, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, LvScratch *scratch, LvTensor *hidden)
{
    LvBackend *b = model->backend;
    *hidden = lv_scratch_tensor(scratch, batch->n_sequences, model->config->text.hidden_size);
    return scratch->status == LLAVAOV_OK
               ? b->ops->embed_tokens(b, run, *hidden, ids, model->decoder.embed)
               : scratch->status;
}

/* What a step computes, as far as its scores or tokens. */
static LlavaovStatus compute(const LvModel *model, const LvRun *run, const LvDecodeStep *step)
{
    LvScratch scratch = lv_scratch(model->backend, run->error);
    LvTensor hidden;
    LlavaovStatus status;
    LV_TRY(embed(model, run, step->row_ids, &step->rows, &scratch, &hidden));
    if (step->greedy)
        LV_TRY(lv_decoder_greedy(model, run, hidden, &step->rows, NULL));
    else
        LV_TRY(lv_decoder_logits(model, run, hidden, &step->rows, LV_LOGITS_LAST, step->scores));
done:
    lv_scratch_free(&scratch);
    return status;
}

static LlavaovStatus take_step(
    const LvModel *model, const LvRun *run, LvDecodeStep *step, int32_t *tokens)
{
    LvBackend *b = model->backend;
    const LvRun inside = {.cancel = run->cancel, .error = run->error, .step = step};
    LlavaovStatus status;
    do {
        status = b->ops->step_begin(b, run, step);
        if (status != LLAVAOV_OK)
            return status;
        if (!step->replayed)
            status = compute(model, &inside, step);
        status = b->ops->step_end(b, run, step, status, tokens);
    } while (status == LLAVAOV_OK && step->again);
    return status;
}

static LlavaovStatus step_on_device(const LvModel *model, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, bool ahead, LvNextToken *choices)
{
    const size_t n = batch->n_sequences, n_vocab = model->config->text.vocab_size;
    LvDraw *draws = open_draws(choices, n);
    int32_t *tokens = lv_alloc(n, sizeof *tokens);
    LlavaovStatus status = LLAVAOV_OK;
    if (!draws || !tokens)
        LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a batch"));
    LvDecodeStep step = {.batch = batch,
        .ids = ids,
        .draws = draws,
        .n_vocab = n_vocab,
        .model = model,
        .ahead = ahead};
    LV_TRY(take_step(model, run, &step, tokens));
    take(choices, tokens, n, n_vocab);
done:
    lv_free(draws);
    lv_free(tokens);
    return status;
}

LlavaovStatus lv_decoder_step(const LvModel *model, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, bool ahead, LvNextToken *choices, float *row)
{
    LvBackend *b = model->backend;
    bool on_device = b->ops->step_begin && batch->n_sequences <= b->info.preferred_sequences;
    for (size_t i = 0; i < batch->n_sequences; i++)
        on_device = on_device && !lv_next_token_on_host(b, choices[i].sampler);
    if (on_device)
        return step_on_device(model, run, ids, batch, ahead, choices);
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor hidden;
    LlavaovStatus status;
    LV_TRY(embed(model, run, ids, batch, &scratch, &hidden));
    LV_TRY(lv_decoder_next(model, run, hidden, batch, choices, row));
done:
    lv_scratch_free(&scratch);
    return status;
}
