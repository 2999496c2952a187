/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history.h"

#include <string.h>

#include "backend/rope.h"
#include "base/alloc.h"
#include "base/status.h"
#include "serve/request.h"

struct LlavaovHistory {
    atomic_uint refs;
    LlavaovEngine *engine; /* a reference */
    LvQuestion question;   /* up to the answer; with references to its frames */
    /* The text of prompt and answer, and its ids with one for each placeholder; NULL: the answer was not
     * generated. */
    char *text;
    size_t bytes;
    LvTokens ids;
    LvTensor *pieces; /* of the prompt */
    size_t n_pieces;
    LvPrefix
        *prefix; /* prompt and answer, as far as they are computed; or NULL. Of the engine's lock */
};

/* ---- from a request ---- */

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

LlavaovHistory *lv_history_make(LlavaovTicket *r)
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
    h->question = r->question;
    r->question = (LvQuestion){0};
    llavaov_history_unref(h->question.history);
    h->question.history = NULL;
    h->pieces = r->pieces;
    h->n_pieces = r->input.visual.n_pieces;
    r->pieces = NULL;
    return h;
}

LlavaovHistory *llavaov_history_ref(LlavaovHistory *history)
{
    atomic_fetch_add(&history->refs, 1);
    return history;
}

void llavaov_history_unref(LlavaovHistory *h)
{
    if (!h || atomic_fetch_sub(&h->refs, 1) > 1)
        return;
    pthread_mutex_lock(&h->engine->lock);
    for (size_t i = 0; i < h->question.n_frames; i++)
        lv_frame_drop(h->question.frames[i]);
    pthread_mutex_unlock(&h->engine->lock);
    lv_prefix_drop(h->prefix);
    lv_question_free(&h->question);
    lv_tokens_free(&h->ids);
    lv_free(h->pieces);
    lv_free(h->text);
    llavaov_engine_unref(h->engine);
    lv_free(h);
}

void llavaov_history_trim(LlavaovHistory *history)
{
    pthread_mutex_lock(&history->engine->lock);
    LvPrefix *prefix = history->prefix;
    history->prefix = NULL;
    pthread_mutex_unlock(&history->engine->lock);
    lv_prefix_drop(prefix);
}

/* ---- to the next ---- */

const LvQuestion *lv_history_question(const LlavaovHistory *history)
{
    return &history->question;
}

const LlavaovEngine *lv_history_engine(const LlavaovHistory *history)
{
    return history->engine;
}

LlavaovStatus lv_history_tokenize(const LlavaovHistory *h, const LvTokenizer *tokenizer,
    const LlavaovChatTemplate *chat_template, const LvJinjaText *text, LvTokens *ids,
    LlavaovError *error)
{
    if (h->text && text->bytes > h->bytes && memcmp(text->text, h->text, h->bytes) == 0) {
        bool cut;
        LlavaovStatus status =
            lv_chat_tokenize_rest(tokenizer, text, h->bytes, &h->ids, ids, &cut, error);
        if (status != LLAVAOV_OK || cut)
            return status;
    }
    return lv_chat_tokenize(tokenizer, chat_template, text, ids, error);
}

/* How many of the prompt's vectors are those of the history. */
static size_t same_rows(const LlavaovHistory *h, const LvVisualRows *visual)
{
    size_t rows = 0;
    for (size_t i = 0; i < visual->n_pieces && i < h->n_pieces; i++) {
        if (visual->pieces[i].data != h->pieces[i].data ||
            visual->pieces[i].rows != h->pieces[i].rows)
            break;
        rows += visual->pieces[i].rows;
    }
    return rows;
}

static uint32_t count_same(const LlavaovHistory *h, const LvPrompt *prompt, const LvPrefix *prefix)
{
    size_t rows = same_rows(h, &prompt->visual);
    uint32_t n = 0;
    while (n + 1 < prompt->n && n < prefix->n && prompt->ids[n] == prefix->ids[n]) {
        const bool visual =
            prompt->visual.n_pieces > 0 &&
            (prompt->ids[n] == prompt->image_token || prompt->ids[n] == prompt->video_token);
        if (visual && rows-- == 0)
            break;
        n++;
    }
    return n;
}

uint32_t lv_history_share(LlavaovHistory *h, const LvPrompt *prompt, LvPrefix **prefix)
{
    const LvRope *rope = &h->engine->model->config->text.rope;
    pthread_mutex_lock(&h->engine->lock);
    *prefix = h->prefix ? lv_prefix_keep(h->prefix) : NULL;
    pthread_mutex_unlock(&h->engine->lock);
    if (!*prefix)
        return 0;
    const uint32_t n = (*prefix)->variant == lv_rope_variant(rope, (uint32_t)prompt->n)
                           ? count_same(h, prompt, *prefix)
                           : 0;
    if (n == 0) {
        lv_prefix_drop(*prefix);
        *prefix = NULL;
    }
    return n;
}
