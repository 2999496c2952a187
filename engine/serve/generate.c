/* SPDX-License-Identifier: Apache-2.0
 * The steps of a request on the inference thread. */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"
#include "serve/request.h"
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
    const uint32_t new_tokens =
        r->generation.max_new_tokens < room ? r->generation.max_new_tokens : room;
    r->capacity = (uint32_t)n + new_tokens;
    r->tokens = lv_alloc(new_tokens, sizeof *r->tokens);
    r->logits = lv_alloc(text->vocab_size, sizeof *r->logits);
    if (!r->tokens || !r->logits)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer"));
    LV_TRY(lv_sampler_open(&r->sampler, &r->generation, text->vocab_size, error));
    lv_sampler_see(&r->sampler, r->prompt_ids.ids, n);
    LV_TRY(engine->backend->ops->kv_open(engine->backend, text->n_layers, text->n_kv_heads,
        text->head_dim, r->capacity, &r->cache, error));
done:
    lv_free(tokens_each);
    return status;
}

/* Runs prompt positions [n_cached, n_cached + count), or the last new token when the prompt is
 * through. */
static LlavaovStatus forward(LlavaovTicket *r, size_t count, bool decoding, LlavaovError *error)
{
    const LvModel *model = r->engine->model;
    LvBackend *b = r->engine->backend;
    const LvRun run = {.cancel = &r->cancel, .error = error};
    const LvSequence sequence = {r->cache, 0, (uint32_t)count, r->n_cached};
    const LvBatch batch = {&sequence, 1};
    const bool last = decoding || r->n_cached + count == r->input.n;
    LvScratch scratch = lv_scratch(b, error);
    LvTensor hidden = lv_scratch_tensor(&scratch, count, model->config->text.hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    if (decoding)
        LV_TRY(b->ops->embed_tokens(
            b, &run, hidden, &r->tokens[r->n_tokens - 1], model->decoder.embed));
    else
        LV_TRY(lv_decoder_embed(model, &run, hidden, &r->input, r->n_cached));
    LV_TRY(lv_decoder_run(
        model, &run, hidden, &batch, last ? LV_LOGITS_LAST : LV_LOGITS_NONE, r->logits));
    r->n_cached += (uint32_t)count;
done:
    lv_scratch_free(&scratch);
    return status;
}

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

/* Adds whole characters to the answer and to what on_text has not seen. */
static LlavaovStatus add_text(
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

static bool stops(const LlavaovEngine *engine, int32_t token)
{
    for (uint32_t i = 0; i < engine->n_stop_tokens; i++)
        if (engine->stop_tokens[i] == token)
            return true;
    return false;
}

/* Takes the next token from the logits; *finished when the answer ends with it. */
static LlavaovStatus choose(LlavaovTicket *r, bool *finished, LlavaovError *error)
{
    int32_t token;
    LlavaovStatus status = lv_sampler_next(&r->sampler, r->logits, &token, error);
    if (status != LLAVAOV_OK)
        return status;
    if (r->n_tokens == 0)
        r->answer.first_token_ns = lv_now_ns() - r->asked_ns;
    r->tokens[r->n_tokens++] = token;

    size_t n;
    bool special;
    const char *bytes = lv_tokenizer_token_bytes(r->engine->tokenizer, token, &n, &special);
    if (bytes && !special) {
        status = add_text(r, bytes, n, false, error);
        if (status != LLAVAOV_OK)
            return status;
    }
    if (stops(r->engine, token)) {
        r->answer.finish_reason = LLAVAOV_FINISH_STOP;
        *finished = true;
    } else if (r->input.n + r->n_tokens == r->capacity) {
        r->answer.finish_reason = LLAVAOV_FINISH_LENGTH;
        *finished = true;
    }
    return *finished ? add_text(r, NULL, 0, true, error) : LLAVAOV_OK;
}

bool lv_request_step(LlavaovTicket *r, LlavaovStatus *status_out, LlavaovError *error)
{
    bool finished = false;
    LlavaovStatus status = LLAVAOV_OK;
    const uint64_t start = lv_now_ns();
    const bool decoding = r->begun && r->n_cached >= r->input.n;
    if (!r->begun) {
        status = begin(r, error);
        r->begun = true;
    } else if (decoding) {
        status = forward(r, 1, true, error);
    } else {
        const size_t left = r->input.n - r->n_cached;
        const size_t most = r->engine->backend->info.preferred_rows;
        status = forward(r, most > 0 && most < left ? most : left, false, error);
    }
    if (status == LLAVAOV_OK && r->n_cached >= r->input.n)
        status = choose(r, &finished, error);
    *(decoding ? &r->answer.decode_ns : &r->answer.prefill_ns) += lv_now_ns() - start;
    *status_out = status;
    return finished || status != LLAVAOV_OK;
}
