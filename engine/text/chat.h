/* SPDX-License-Identifier: Apache-2.0
 * From a conversation to the prompt's ids: rendered by a chat template, tokenized as one text in
 * which the user's words never become special tokens, and each placeholder is repeated once for
 * every vector of its picture or clip. */
#ifndef LV_CHAT_H
#define LV_CHAT_H

#include "checkpoint/config.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

/* The placeholder ids of a model. */
typedef struct LvPlaceholders {
    int32_t image, video;
} LvPlaceholders;

static inline LvPlaceholders lv_placeholders(const LvConfig *config)
{
    return (LvPlaceholders){config->image_token, config->video_token};
}

/* To be called before a tokenizer is first used: makes placeholders that it does not know
 * (lmms-lab's) tokens that templates can use. */
LlavaovStatus lv_chat_prepare(
    LvTokenizer *tokenizer, LvPlaceholders placeholders, LlavaovError *error);

/* Appends the ids of the text rendered by chat_template, one for each placeholder, with the tokens
 * that the tokenizer adds around a text unless it already begins with the bos_token. */
LlavaovStatus lv_chat_tokenize(const LvTokenizer *tokenizer,
    const LlavaovChatTemplate *chat_template, const LvJinjaText *text, LvTokens *ids,
    LlavaovError *error);

/* The ids of a text whose first `from` bytes have those of `before`. They are cut there, and *cut is true,
 * if what follows begins with a special token of the template's, and the tokenizer adds nothing behind a
 * text; otherwise nothing is appended. */
LlavaovStatus lv_chat_tokenize_rest(const LvTokenizer *tokenizer, const LvJinjaText *text,
    size_t from, const LvTokens *before, LvTokens *ids, bool *cut, LlavaovError *error);

/* A picture or clip: how many vectors replace its placeholder. */
typedef struct LvChatVisual {
    bool video;
    uint32_t tokens; /* at least 1 */
} LvChatVisual;

/* Repeats placeholders: those of images stand for the images among `visuals` in order, those of
 * videos for the videos. order [n_visuals], if not NULL, receives the visuals' indices in the
 * order of their placeholders. More or fewer placeholders of a kind than visuals are an ARGUMENT
 * error. */
LlavaovStatus lv_chat_expand(LvTokens *ids, LvPlaceholders placeholders,
    const LvChatVisual *visuals, size_t n_visuals, size_t *order, LlavaovError *error);

#endif
