/* SPDX-License-Identifier: Apache-2.0
 * A request up to its first token: ids, memory, prefill. */
#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"
#include "serve/answer.h"
#include "serve/json_answer.h"
#include "base/clock.h"
#include "serve/settings.h"
#include "serve/chunk.h"

static LlavaovStatus open_sampler(LlavaovTicket *r, LlavaovError *error)
{
    LlavaovStatus status = lv_sampler_open(
        &r->sampler, &r->generation, r->engine->model->config->text.vocab_size, error);
    if (status != LLAVAOV_OK)
        return status;
    r->sampler.stop = r->stop;
    r->sampler.max_length = r->capacity;
    lv_sampler_see(&r->sampler, r->prompt_ids.ids, r->prompt_ids.n);
    return LLAVAOV_OK;
}

/* Everything that needs no arithmetic: ids, room in the context, memory. */
static LlavaovStatus begin(LlavaovTicket *r, LlavaovError *error)
{
    const LlavaovEngine *engine = r->engine;
    const LvTextConfig *text = &engine->model->config->text;
    LlavaovStatus status;
    r->pieces = lv_alloc(r->question.n_frames + r->question.n_visuals, sizeof *r->pieces);
    if (!r->pieces)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt"));
    LV_TRY(lv_question_prompt(
        engine, r->chat_template, &r->question, &r->prompt_ids, r->pieces, &r->input, error));
    const size_t n = r->prompt_ids.n;
    if (n >= text->context_length)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_CONTEXT_FULL, LLAVAOV_ABOUT_PROMPT, "prompt",
            "the prompt with its frames takes %zu tokens, the model's context holds %u", n,
            text->context_length));
    LV_TRY(lv_prompt_check(engine->model, &r->input, error));

    const uint32_t room = text->context_length - (uint32_t)n;
    uint32_t new_tokens;
    if (r->choosing) {
        new_tokens = lv_choosing_depth(r->choosing);
        if (new_tokens > room)
            LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_CONTEXT_FULL, LLAVAOV_ABOUT_PROMPT, "prompt",
                "the prompt with its frames takes %zu tokens, the labels up to %u more, and the "
                "model's context holds %u",
                n, new_tokens, text->context_length));
    } else {
        LV_TRY(lv_settings_new_tokens(&r->generation, n, &new_tokens, error));
        new_tokens = new_tokens < room ? new_tokens : room;
    }
    r->capacity = (uint32_t)n + new_tokens;
    r->tokens = lv_alloc(new_tokens, sizeof *r->tokens);
    if (!r->tokens)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer"));
    if (!r->choosing)
        LV_TRY(open_sampler(r, error));
    LV_TRY(lv_json_answer_start(r, new_tokens, error));
    r->spare = lv_json_answer_spare(r, text->context_length - r->capacity);
    LV_TRY(engine->backend->ops->kv_open(engine->backend, text->n_layers, text->n_kv_heads,
        text->head_dim, r->capacity + r->spare, &r->cache, error));
done:
    return status;
}

/* Runs the next `count` prompt positions; the last of them give the first token. */
static LlavaovStatus prefill(LvStep *step, size_t count, LlavaovError *error)
{
    LlavaovTicket *r = step->request;
    const LvModel *model = r->engine->model;
    const LvRun run = {.cancel = &r->cancel, .error = error};
    const LvSequence sequence = {r->cache, 0, (uint32_t)count, r->n_cached, (uint32_t)r->input.n};
    const LvBatch batch = {&sequence, 1};
    LvScratch scratch = lv_scratch(r->engine->backend, error);
    LvTensor hidden = lv_scratch_tensor(&scratch, count, model->config->text.hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(lv_decoder_embed(model, &run, hidden, &r->input, r->n_cached));
    if (r->n_cached + count == r->input.n) {
        status = r->choosing ? lv_choose_first(step, &run, hidden, &batch)
                             : lv_answers_extend(r->engine, &run, hidden, &batch, step);
    } else {
        LV_TRY(lv_decoder_run(model, &run, hidden, &batch, LV_LOGITS_NONE, NULL));
        r->n_cached += (uint32_t)count;
    }
done:
    lv_scratch_free(&scratch);
    return status;
}

void lv_request_step(LvStep *step, bool bounded)
{
    LlavaovTicket *r = step->request;
    LlavaovStatus status;
    LlavaovError error;
    lv_error_clear(&error);
    const uint64_t start = lv_now_ns();
    const bool prompted = r->begun && r->n_cached >= r->input.n;
    if (!r->begun) {
        status = begin(r, &error);
        r->begun = true;
    } else if (prompted) {
        const LvRun run = {.cancel = &r->cancel, .error = &error};
        status = r->choosing ? lv_choose_next(step, &run) : lv_json_answer_ways(step, &run);
    } else {
        const size_t rows = lv_chunk_rows(&r->engine->backend->info,
            &r->engine->model->config->text, r->n_cached, r->input.n - r->n_cached, bounded);
        status = prefill(step, rows, &error);
    }
    *(prompted ? &r->answer.decode_ns : &r->answer.prefill_ns) += lv_now_ns() - start;
    if (status == LLAVAOV_OK)
        return;
    step->status = status;
    step->error = error;
    step->finished = true;
}
