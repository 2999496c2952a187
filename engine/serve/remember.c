/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remember.h"

#include <string.h>

#include "backend/rope.h"
#include "base/alloc.h"

/* Its ids would stand for a picture. */
static bool said_placeholder(const LlavaovTicket *r)
{
    const LvPlaceholders placeholders = lv_placeholders(r->engine->model->config);
    for (uint32_t i = 0; i < r->n_said; i++)
        if (r->tokens[i] == placeholders.image || r->tokens[i] == placeholders.video)
            return true;
    return false;
}

/* The text that a conversation which goes on begins with, and its ids. */
static bool take_text(LlavaovHistory *h, LlavaovTicket *r)
{
    LlavaovError error;
    if (r->choosing || said_placeholder(r))
        return true;
    h->bytes = r->rendered.bytes + r->n_text;
    h->text = lv_alloc(h->bytes + 1, 1);
    if (!h->text)
        return false;
    memcpy(h->text, r->rendered.text, r->rendered.bytes);
    memcpy(h->text + r->rendered.bytes, r->text ? r->text : "", r->n_text + (r->text != NULL));
    h->ids = r->rendered.ids;
    r->rendered.ids = (LvTokens){0};
    for (uint32_t i = 0; i < r->n_said; i++)
        if (lv_tokens_append(&h->ids, r->tokens[i], &error) != LLAVAOV_OK)
            return false;
    return true;
}

/* The ids whose keys and values are in the request's cache. */
static int32_t *cached_ids(const LlavaovTicket *r)
{
    const size_t n_prompt = r->n_cached < r->input.n ? r->n_cached : r->input.n;
    int32_t *ids = lv_alloc(r->n_cached, sizeof *ids);
    if (!ids)
        return NULL;
    memcpy(ids, r->prompt_ids.ids, n_prompt * sizeof *ids);
    memcpy(ids + n_prompt, r->tokens, (r->n_cached - n_prompt) * sizeof *ids);
    return ids;
}

static bool take_cache(LlavaovHistory *h, LlavaovTicket *r)
{
    const LvRope *rope = &r->engine->model->config->text.rope;
    const uint32_t variant = lv_rope_variant(rope, (uint32_t)r->input.n);
    /* Passes of decoding may turn keys otherwise than one pass over all. */
    if (!r->cache || lv_rope_variant(rope, r->n_cached) != variant)
        return true;
    int32_t *ids = cached_ids(r);
    h->prefix = ids ? lv_prefix_adopt(r->engine, &r->cache, ids, r->n_cached, variant) : NULL;
    return h->prefix != NULL;
}

LlavaovHistory *lv_remember(LlavaovTicket *r)
{
    LlavaovError error;
    LlavaovHistory *h = lv_calloc(1, sizeof *h);
    if (!h)
        return NULL;
    atomic_init(&h->refs, 1);
    h->engine = lv_engine_keep(r->engine);
    if (!take_text(h, r) || !take_cache(h, r) ||
        lv_conversation_answer(
            &r->question.conversation, r->text ? r->text : "", r->n_text, &error) != LLAVAOV_OK) {
        llavaov_history_unref(h);
        return NULL;
    }
    h->conversation = r->question.conversation;
    h->visuals = r->question.visuals;
    h->n_visuals = r->question.n_visuals;
    h->frames = r->question.frames;
    h->n_frames = r->question.n_frames;
    r->question = (LvQuestion){.history = r->question.history};
    h->pieces = r->pieces;
    h->n_pieces = r->input.visual.n_pieces;
    r->pieces = NULL;
    return h;
}
