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
#include "serve/verify.h"
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

/* Where the prompt is cut, so that what stands before is computed once for all questions about the
 * same frames. A question alone is cut there, too, since that decides how rows round; but not on a
 * device where company does that anyway (LvBackendInfo.slice_flops), as one pass more takes time. */
static size_t prefix_end(const LlavaovTicket *r)
{
    const bool alone = r->common->n_questions == 1;
    const size_t frames = r->question.n_frames;
    return alone && r->engine->backend->info.slice_flops > 0 ? 0
           : r->cuts.each ? r->cuts.first + (frames - 1) * r->cuts.each
                          : lv_prompt_visual_end(&r->input);
}

/* A prompt with one clip of several frames and no other picture is cut behind each frame, so that it
 * can be computed as they come (arrival.h); what ends the clip is one of the rows behind them. Not
 * where slices are bounded: frames would be short ones. */
static LvFrameCuts frame_cuts(const LlavaovTicket *r)
{
    const LvQuestion *q = &r->question;
    const LvPrompt *input = &r->input;
    if (q->n_visuals != 1 || q->visuals[0].layout != LLAVAOV_LAYOUT_VIDEO || q->n_frames < 2 ||
        r->engine->backend->info.slice_flops > 0)
        return (LvFrameCuts){0};
    const uint32_t each = (uint32_t)q->frames[0]->content->embeddings.rows;
    const size_t rows = lv_prompt_visual_rows(input);
    return (LvFrameCuts){(uint32_t)(lv_prompt_visual_end(input) - rows) + each, each};
}

/* Its cache, or its part in the request's prefix, which the first question opens. */
static LlavaovStatus open_cache(LlavaovTicket *r, LlavaovError *error)
{
    const LlavaovEngine *engine = r->engine;
    const LvTextConfig *text = &engine->model->config->text;
    LvPrefix **common = &r->common->prefix;
    if (r->question.history) {
        r->n_shared = lv_history_share(r->question.history, &r->input, &r->prefix);
        r->answer.cached_tokens = r->n_shared;
        if (r->n_shared > 0)
            return LLAVAOV_OK;
    }
    r->cuts = frame_cuts(r);
    const uint32_t n = r->n_shared = (uint32_t)prefix_end(r), length = (uint32_t)r->input.n;
    if (n == 0)
        return engine->backend->ops->kv_open(engine->backend, text->n_layers, text->n_kv_heads,
            text->head_dim, r->capacity + r->spare, &r->cache, error);
    if (*common && lv_prefix_fits(*common, engine, r->input.ids, n, length)) {
        r->prefix = lv_prefix_keep(*common);
        return LLAVAOV_OK;
    }
    LlavaovStatus status = LLAVAOV_OK;
    r->prefix = lv_arrival_take(r, r->cuts, n);
    if (!r->prefix)
        status = lv_prefix_open(engine, r->input.ids, n, length, &r->prefix, error);
    if (status == LLAVAOV_OK && !*common)
        *common = lv_prefix_keep(r->prefix);
    return status;
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
    LV_TRY(lv_question_prompt(engine, r->chat_template, &r->question, &r->prompt_ids, r->pieces,
        &r->input, r->keeps_history ? &r->rendered : NULL, error));
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
    r->draft_key =
        lv_drafts_key(r->input.ids, r->input.n, r->input.image_token, r->input.video_token);
    if (lv_request_drafts(r))
        lv_drafts_begin(&r->session->drafts, r->draft_key);
    r->tokens = lv_alloc(new_tokens, sizeof *r->tokens);
    if (!r->tokens)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer"));
    if (!r->choosing)
        LV_TRY(open_sampler(r, error));
    LV_TRY(lv_json_answer_start(r, new_tokens, error));
    r->spare = lv_json_answer_spare(r, text->context_length - r->capacity);
    LV_TRY(open_cache(r, error));
done:
    return status;
}

/* So much of the prefix as can be in whole passes of `wanted` rows, one pass at least. */
static LlavaovStatus run_prefix(LlavaovTicket *r, const LvRun *run, size_t wanted)
{
    LvPrefix *prefix = r->prefix;
    const size_t end = prefix->n_cached + wanted;
    LlavaovStatus status;
    size_t rows = lv_arrival_pass(r->cuts, prefix->n_cached, prefix->n - prefix->n_cached, wanted);
    do {
        status = lv_prefix_run(r->engine, prefix, &r->input, rows, run);
        rows = lv_arrival_pass(r->cuts, prefix->n_cached, prefix->n - prefix->n_cached, wanted);
    } while (status == LLAVAOV_OK && rows > 0 && prefix->n_cached + rows <= end);
    return status;
}

static LlavaovStatus fork_prefix(LlavaovTicket *r, const LvRun *run)
{
    LvBackend *b = r->engine->backend;
    LlavaovStatus status =
        b->ops->kv_fork(b, run, r->prefix->cache, r->n_shared, r->capacity + r->spare, &r->cache);
    if (status == LLAVAOV_OK)
        r->n_cached = r->n_shared;
    return status;
}

/* Runs the next rows of the prompts of n questions, counts[i] each, in one pass. All end with these and
 * get their first token; or there is one question, which has more. */
static LlavaovStatus run_prompts(LvStep *steps, size_t n, const size_t *counts, const LvRun *run)
{
    const LlavaovEngine *engine = steps[0].request->engine;
    const LvModel *model = engine->model;
    LvSequence sequences[LV_MAX_SLICE_REQUESTS];
    const LvBatch batch = {sequences, n};
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        const LlavaovTicket *r = steps[i].request;
        sequences[i] = (LvSequence){
            r->cache, (uint32_t)rows, (uint32_t)counts[i], r->n_cached, (uint32_t)r->input.n};
        rows += counts[i];
    }
    const bool last = counts[0] == lv_request_rows_left(steps[0].request);
    LvScratch scratch = lv_scratch(engine->backend, run->error);
    LvTensor hidden = lv_scratch_tensor(&scratch, rows, model->config->text.hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    for (size_t i = 0; i < n; i++)
        LV_TRY(
            lv_decoder_embed(model, run, lv_tensor_rows(hidden, sequences[i].first_row, counts[i]),
                &steps[i].request->input, sequences[i].position));
    if (!last) {
        LV_TRY(lv_decoder_run(model, run, hidden, &batch, LV_LOGITS_NONE, NULL));
        steps[0].request->n_cached += (uint32_t)counts[0];
    } else {
        status = steps[0].request->choosing
                     ? lv_choose_first(steps, run, hidden, &batch)
                     : lv_answers_extend(steps[0].request->engine, run, hidden, &batch, steps);
    }
done:
    lv_scratch_free(&scratch);
    return status;
}

LvStage lv_request_stage(const LlavaovTicket *r)
{
    if (!r->begun)
        return LV_STAGE_BEGIN;
    if (!r->cache)
        return r->prefix->n_cached < r->prefix->n ? LV_STAGE_PREFIX : LV_STAGE_FORK;
    const size_t left = lv_request_rows_left(r), most = r->engine->backend->info.preferred_rows;
    if (left > LV_SHORT_ROWS || (most && left > most))
        return LV_STAGE_PROMPT;
    if (left > 0)
        return LV_STAGE_SHORT;
    return r->choosing || r->ways_due ? LV_STAGE_WAYS : LV_STAGE_DECODE;
}

size_t lv_request_rows_left(const LlavaovTicket *r)
{
    return r->n_cached < r->input.n ? r->input.n - r->n_cached : 0;
}

/* A stage that each goes through by itself. */
static void step_each(LvStep *steps, size_t n, LvStage stage)
{
    for (size_t i = 0; i < n; i++) {
        LvStep *step = &steps[i];
        LlavaovTicket *r = step->request;
        const uint64_t start = lv_now_ns();
        const LvRun run = {.cancel = &r->cancel, .error = &step->error};
        step->status = stage == LV_STAGE_BEGIN ? begin(r, &step->error) : fork_prefix(r, &run);
        step->finished = step->status != LLAVAOV_OK;
        r->begun = true;
        r->answer.prefill_ns += lv_now_ns() - start;
    }
}

/* A stage that they go through in one pass. */
static LlavaovStatus step_together(
    LvStep *steps, size_t n, bool bounded, LvStage stage, LlavaovError *error)
{
    LlavaovTicket *r = steps[0].request;
    const LvBackendInfo *info = &r->engine->backend->info;
    const LvTextConfig *text = &r->engine->model->config->text;
    const LvRun run = {.cancel = &r->engine->slice.cancel,
        .error = error,
        .short_passes = stage == LV_STAGE_SHORT};
    size_t counts[LV_MAX_SLICE_REQUESTS] = {0};
    LlavaovStatus status;
    if (stage == LV_STAGE_WAYS)
        return r->choosing ? lv_choose_next(steps, &run) : lv_json_answer_ways(steps, &run);
    if (stage == LV_STAGE_PREFIX) {
        const uint32_t done = r->prefix->n_cached;
        const size_t wanted = lv_chunk_rows(info, text, done, r->prefix->n - done, bounded);
        status = run_prefix(r, &run, wanted);
        counts[0] = r->prefix->n_cached - done;
    } else {
        for (size_t i = 0; i < n; i++)
            counts[i] = lv_request_rows_left(steps[i].request);
        if (stage == LV_STAGE_PROMPT)
            counts[0] = lv_chunk_rows(info, text, r->n_cached, counts[0], bounded);
        status = run_prompts(steps, n, counts, &run);
    }
    for (size_t i = 0; i < n && status == LLAVAOV_OK; i++)
        steps[i].rows += (uint32_t)counts[i];
    return status;
}

static void run_stage(LvStep *steps, size_t n, bool bounded)
{
    const LvStage stage = lv_request_stage(steps[0].request);
    if (stage == LV_STAGE_BEGIN || stage == LV_STAGE_FORK) {
        step_each(steps, n, stage);
        return;
    }
    LlavaovError error;
    lv_error_clear(&error);
    const uint64_t start = lv_now_ns();
    const LlavaovStatus status = step_together(steps, n, bounded, stage, &error);
    const uint64_t used = (lv_now_ns() - start) / n;
    for (size_t i = 0; i < n; i++) {
        LlavaovAnswer *answer = &steps[i].request->answer;
        *(stage == LV_STAGE_WAYS ? &answer->decode_ns : &answer->prefill_ns) += used;
        /* CANCELLED: one of them was; the others have not advanced, and go on. */
        if (status == LLAVAOV_OK || status == LLAVAOV_ERROR_CANCELLED)
            continue;
        steps[i].status = status;
        steps[i].error = error;
        steps[i].finished = true;
    }
}

/* The question has come to its prefix's end, and what is left fits in the same slice. */
static bool crosses_cut(const LvStep *step, bool bounded)
{
    const LlavaovTicket *r = step->request;
    const LlavaovEngine *engine = r->engine;
    if (r->common->n_questions > 1 || step->finished || lv_cancelled(&engine->slice.cancel) ||
        !r->prefix)
        return false;
    const LvStage stage = lv_request_stage(r);
    const size_t rows = step->rows + lv_request_rows_left(r);
    return stage == LV_STAGE_FORK ||
           ((stage == LV_STAGE_PROMPT || stage == LV_STAGE_SHORT) && r->n_cached == r->n_shared &&
               lv_chunk_rows(&engine->backend->info, &engine->model->config->text, r->n_cached,
                   rows, bounded) == rows);
}

void lv_request_step(LvStep *steps, size_t n, bool bounded)
{
    do
        run_stage(steps, n, bounded);
    while (crosses_cut(steps, bounded));
}
