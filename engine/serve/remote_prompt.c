/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remote_prompt.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "model/try.h"
#include "picture/layout.h"
#include "remote/chat_body.h"
#include "choices/trie.h"
#include "schema/json_schema.h"
#include "serve/settings.h"

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
}

static LlavaovStatus refuse(LlavaovError *error, const char *option, const char *what)
{
    return lv_fail_about(
        error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, option, "device=remote: %s", what);
}

/* But for lengths, and the ids that end an answer, which servers read in the checkpoint, too. */
static bool has_no_rules(const LlavaovRules *rules)
{
    LlavaovRules none = {0};
    if (!rules)
        return true;
    none.size = rules->size;
    none.stop_tokens = rules->stop_tokens;
    none.max_length = rules->max_length;
    return memcmp(&none, rules, sizeof none) == 0;
}

/* Servers have their own way with a layout. */
static LlavaovStatus check(const LlavaovTicket *r, LlavaovError *error)
{
    const LlavaovRemoteLayout layout = lv_remote_options(r->engine->remote)->layout;
    const LvQuestion *q = &r->question;
    for (size_t i = 0; i < q->n_visuals; i++) {
        const bool video = q->visuals[i].layout == LLAVAOV_LAYOUT_VIDEO;
        if (layout == LLAVAOV_REMOTE_LAYOUT_IMAGES && video)
            return refuse(error, "remote-layout",
                "remote-layout=images goes with layout=image or layout=images");
        if (layout == LLAVAOV_REMOTE_LAYOUT_VIDEO && !video)
            return refuse(error, "remote-layout", "remote-layout=video goes with layout=video");
    }
    if (r->rules || !has_no_rules(r->generation.rules))
        return refuse(error, "generation",
            "rules beyond temperature, top-k, top-p, repetition-penalty and seed stay here: no "
            "server can be asked for them");
    return LLAVAOV_OK;
}

static uint32_t count_tokens(const LvConfig *config, const LvQuestion *q, const LvQuestionVisual *v)
{
    const LvTiles *tiles = &q->frames[v->first]->content->tiles;
    const uint64_t n = v->layout == LLAVAOV_LAYOUT_VIDEO   ? lv_video_tokens(config, v->n)
                       : v->layout == LLAVAOV_LAYOUT_IMAGE ? tiles->plan.n_tokens
                                                           : lv_multi_image_tokens(config);
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static LlavaovStatus make_ids(LlavaovTicket *r, LlavaovError *error)
{
    const LvConfig *config = r->engine->model->config;
    const LvQuestion *q = &r->question;
    LlavaovStatus status = LLAVAOV_OK;
    LvChatVisual *visuals = lv_alloc(q->n_visuals, sizeof *visuals);
    if (!visuals)
        return no_memory(error);
    for (size_t i = 0; i < q->n_visuals; i++)
        visuals[i] = (LvChatVisual){
            q->visuals[i].layout == LLAVAOV_LAYOUT_VIDEO, count_tokens(config, q, &q->visuals[i])};
    LV_TRY(lv_question_ids(r->engine, r->chat_template, &q->conversation, visuals, q->n_visuals,
        &r->prompt_ids, NULL, error));
    if (r->prompt_ids.n >= config->text.context_length)
        LV_TRY(lv_fail_about(error, LLAVAOV_ERROR_CONTEXT_FULL, LLAVAOV_ABOUT_PROMPT, "prompt",
            "the prompt with its frames takes %zu tokens, the model's context holds %u",
            r->prompt_ids.n, config->text.context_length));
done:
    lv_free(visuals);
    return status;
}

static LlavaovStatus make_body(
    LlavaovTicket *r, LvChatBody *body, char **text, size_t *bytes, LlavaovError *error)
{
    const LvQuestion *q = &r->question;
    LlavaovStatus status;
    const LvPayload **pictures = lv_alloc(q->n_frames, sizeof *pictures);
    LvBodyVisual *visuals = lv_alloc(q->n_visuals, sizeof *visuals);
    if (!pictures || !visuals)
        LV_TRY(no_memory(error));
    for (size_t i = 0; i < q->n_frames; i++)
        pictures[i] = &q->frames[i]->content->payload;
    for (size_t i = 0; i < q->n_visuals; i++)
        visuals[i] = (LvBodyVisual){q->visuals[i].layout == LLAVAOV_LAYOUT_VIDEO,
            pictures + q->visuals[i].first, q->visuals[i].n};
    body->visuals = visuals;
    LV_TRY(lv_chat_body_make(body, text, bytes, error));
done:
    lv_free(pictures);
    lv_free(visuals);
    return status;
}

static LlavaovStatus begin_with(
    const LlavaovTicket *r, const LvTrie *trie, size_t node, char **begun, LlavaovError *error)
{
    size_t way[LV_MAX_SPELLING_TOKENS], bytes;
    int32_t ids[LV_MAX_SPELLING_TOKENS];
    const size_t n = lv_trie_way(trie, node, way);
    for (size_t i = 0; i < n; i++)
        ids[i] = trie->nodes[way[i]].token;
    return lv_tokenizer_decode(r->engine->tokenizer, ids, n, false, begun, &bytes, error);
}

/* Which tokens the next call asks about: those behind the prompt; behind the first token of a label,
 * which is forced; or behind more of one, which stands in the prompt (*begun, the caller's).
 * Log-probabilities are of the model's own scores, before anything is forced. */
static LlavaovStatus ask_about_labels(
    LlavaovTicket *r, LvChatBody *body, int32_t *wanted, char **begun, LlavaovError *error)
{
    const LvTrie *trie = lv_choosing_trie(r->choosing);
    size_t node = 0;
    while (node < trie->n && (!lv_trie_inner(trie, node) || trie->nodes[node].known))
        node++;
    r->asked_node = node;
    for (uint32_t c = trie->nodes[node].child; c; c = trie->nodes[c].next) {
        if (body->n_wanted == LV_MAX_REMOTE_WANTED)
            return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "choices",
                "device=remote: choices begin with more than %u tokens", LV_MAX_REMOTE_WANTED);
        wanted[body->n_wanted++] = trie->nodes[c].token;
    }
    body->wanted = wanted;
    body->max_tokens = 1;
    body->generation = NULL;
    body->stream = false;
    if (trie->nodes[node].depth == 1) {
        body->forced = trie->nodes[node].token;
        body->max_tokens = 2;
    }
    return trie->nodes[node].depth > 1 ? begin_with(r, trie, node, begun, error) : LLAVAOV_OK;
}

static LlavaovStatus ask_for_text(LlavaovTicket *r, LvChatBody *body, LlavaovError *error)
{
    const uint32_t context = r->engine->model->config->text.context_length;
    const size_t n = r->prompt_ids.n;
    LlavaovStatus status = lv_settings_new_tokens(&r->generation, n, &body->max_tokens, error);
    if (body->max_tokens > context - n)
        body->max_tokens = context - (uint32_t)n;
    body->name_penalty = lv_checkpoint_generation(r->engine->checkpoint)->repetition_penalty != 1;
    if (r->json)
        body->schema = lv_json_schema_text(r->json_schema);
    return status;
}

LlavaovStatus lv_remote_prompt_make(
    LlavaovTicket *r, char **text, size_t *bytes, LlavaovError *error)
{
    const LlavaovRemoteOptions *options = lv_remote_options(r->engine->remote);
    int32_t wanted[LV_MAX_REMOTE_WANTED];
    char *begun = NULL;
    LvChatBody body = {.model = options->model,
        .conversation = &r->question.conversation,
        .picture = options->picture,
        .generation = &r->generation,
        .stream = true,
        .forced = -1};
    LlavaovStatus status;
    LV_TRY(check(r, error));
    if (r->prompt_ids.n == 0)
        LV_TRY(make_ids(r, error));
    LV_TRY(r->choosing ? ask_about_labels(r, &body, wanted, &begun, error)
                       : ask_for_text(r, &body, error));
    body.begun = begun;
    LV_TRY(make_body(r, &body, text, bytes, error));
done:
    lv_free(begun);
    return status;
}

LlavaovStatus lv_remote_picture(const LlavaovEngine *engine, LlavaovLayout layout,
    const LlavaovImage *image, const LvCancel *cancel, LvContent *content, LlavaovError *error)
{
    const LlavaovRemotePicture kind = lv_remote_options(engine->remote)->picture;
    const LvTiles *tiles = &content->tiles;
    if (layout != LLAVAOV_LAYOUT_IMAGE)
        return lv_payload_make(
            kind, tiles->rgb, tiles->image_size, tiles->image_size, &content->payload, error);
    uint8_t *rgb = lv_alloc((size_t)image->width * image->height, 3);
    if (!rgb)
        return no_memory(error);
    LlavaovStatus status =
        lv_picture_resize(image, engine->resize, image->width, image->height, cancel, rgb, error);
    if (status == LLAVAOV_OK)
        status = lv_payload_make(kind, rgb, image->width, image->height, &content->payload, error);
    lv_free(rgb);
    return status;
}
