/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/history.h"

#include <string.h>

#include "backend/rope.h"
#include "base/alloc.h"
#include "base/status.h"
#include "serve/frame.h"

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
    for (size_t i = 0; i < h->n_frames; i++)
        lv_frame_drop(h->frames[i]);
    pthread_mutex_unlock(&h->engine->lock);
    lv_prefix_drop(h->prefix);
    lv_conversation_free(&h->conversation);
    lv_free(h->visuals);
    lv_free(h->frames);
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
