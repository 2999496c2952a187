/* SPDX-License-Identifier: Apache-2.0
 * A request up to its first token: ids, memory, prefill. */
#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"
#include "serve/answer.h"
#include "serve/settings.h"
#include "serve/slice.h"
#include "serve/thread.h"
#include "text/chat.h"

LlavaovStatus lv_request_encode_prompt(const LlavaovEngine *engine, LlavaovLayout layout,
    const uint32_t *visual_tokens, size_t n_visuals, const char *system_prompt, const char *prompt,
    LvTokens *ids, LlavaovError *error)
{
    const LvConfig *config = engine->model->config;
    const LvChat chat = {
        .system_prompt = system_prompt,
        .prompt = prompt,
        .visual_token = layout == LLAVAOV_LAYOUT_VIDEO ? config->video_token : config->image_token,
        .visual_tokens_each = visual_tokens,
        .n_visuals = n_visuals,
    };
    return lv_chat_encode(engine->tokenizer, &chat, ids, error);
}

/* The frames' embeddings in prompt order; a video is one visual, ended by a newline, images are one
 * each. */
static LlavaovStatus gather_visuals(
    LlavaovTicket *r, uint32_t *tokens_each, size_t *n_visuals, LlavaovError *error)
{
    const bool video = r->layout == LLAVAOV_LAYOUT_VIDEO;
    r->pieces = lv_alloc(r->n_frames + 1, sizeof *r->pieces);
    if (!r->pieces)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    size_t n = 0, video_tokens = 1;
    for (; n < r->n_frames; n++) {
        r->pieces[n] = r->frames[n]->embeddings;
        tokens_each[n] = (uint32_t)r->pieces[n].rows;
        video_tokens += r->pieces[n].rows;
    }
    *n_visuals = n;
    if (video && n > 0) {
        r->pieces[n++] = r->engine->model->newline;
        tokens_each[0] = (uint32_t)video_tokens;
        *n_visuals = 1;
    }
    r->input.visual = (LvVisualRows){r->pieces, n};
    return LLAVAOV_OK;
}

/* Everything that needs no arithmetic: ids, room in the context, memory. */
static LlavaovStatus begin(LlavaovTicket *r, LlavaovError *error)
{
    const LlavaovEngine *engine = r->engine;
    const LvConfig *config = engine->model->config;
    const LvTextConfig *text = &config->text;
    LlavaovStatus status;
    size_t n_visuals = 0;
    uint32_t *tokens_each = lv_alloc(r->n_frames, sizeof *tokens_each);
    if (!tokens_each)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a prompt");
    LV_TRY(gather_visuals(r, tokens_each, &n_visuals, error));
    LV_TRY(lv_request_encode_prompt(engine, r->layout, tokens_each, n_visuals, r->system_prompt,
        r->prompt, &r->prompt_ids, error));
    const size_t n = r->prompt_ids.n;
    if (n >= text->context_length)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_CONTEXT_FULL, "prompt",
            "the prompt with its frames takes %zu tokens, the model's context holds %u", n,
            text->context_length));
    r->input.ids = r->prompt_ids.ids;
    r->input.n = n;
    r->input.visual_token = n_visuals == 0                      ? -1
                            : r->layout == LLAVAOV_LAYOUT_VIDEO ? config->video_token
                                                                : config->image_token;
    LV_TRY(lv_prompt_check(engine->model, &r->input, error));

    const uint32_t room = text->context_length - (uint32_t)n;
    uint32_t new_tokens;
    LV_TRY(lv_settings_new_tokens(&r->generation, n, &new_tokens, error));
    new_tokens = new_tokens < room ? new_tokens : room;
    r->capacity = (uint32_t)n + new_tokens;
    r->tokens = lv_alloc(new_tokens, sizeof *r->tokens);
    if (!r->tokens)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer"));
    LV_TRY(lv_sampler_open(&r->sampler, &r->generation, text->vocab_size, error));
    r->sampler.stop = r->stop;
    r->sampler.max_length = r->capacity;
    lv_sampler_see(&r->sampler, r->prompt_ids.ids, n);
    LV_TRY(engine->backend->ops->kv_open(engine->backend, text->n_layers, text->n_kv_heads,
        text->head_dim, r->capacity, &r->cache, error));
done:
    lv_free(tokens_each);
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
        status = lv_answers_extend(r->engine, &run, hidden, &batch, step);
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
    if (!r->begun) {
        status = begin(r, &error);
        r->begun = true;
    } else {
        const size_t rows = lv_slice_rows(&r->engine->backend->info,
            &r->engine->model->config->text, r->n_cached, r->input.n - r->n_cached, bounded);
        status = prefill(step, rows, &error);
    }
    r->answer.prefill_ns += lv_now_ns() - start;
    if (status == LLAVAOV_OK)
        return;
    step->status = status;
    step->error = error;
    step->finished = true;
}
