/* SPDX-License-Identifier: Apache-2.0
 * LlavaovHistory: a conversation up to an answer, and what was computed for it. A request that goes on
 * from it has the prompt that the chat template makes of the longer conversation; the keys and values
 * of the ids that both begin with are taken over. Immutable, once it is made (remember.h), but for its
 * cache, which can be let go. */
#ifndef LV_HISTORY_H
#define LV_HISTORY_H

#include "model/decoder.h"
#include "serve/prefix.h"
#include "serve/session.h"
#include "text/chat.h"

/* One picture or clip: frames first .. first + n of the question's. */
typedef struct LvQuestionVisual {
    LlavaovLayout layout;
    size_t first, n;
} LvQuestionVisual;

struct LlavaovHistory {
    atomic_uint refs;
    LlavaovEngine *engine;       /* a reference */
    LvConversation conversation; /* up to the answer */
    LvQuestionVisual *visuals;   /* its own */
    size_t n_visuals;
    LlavaovFrame **frames; /* of all visuals; references */
    size_t n_frames;
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

/* The ids of the rendered text of a conversation that goes on from history, one for each placeholder.
 * Where the text begins with that of the history and goes on with a special token of the template's,
 * the answer keeps the tokens that were generated; otherwise they are those of the whole text. */
LlavaovStatus lv_history_tokenize(const LlavaovHistory *history, const LvTokenizer *tokenizer,
    const LlavaovChatTemplate *chat_template, const LvJinjaText *text, LvTokens *ids,
    LlavaovError *error);

/* Of the prompt's first ids, how many have keys and values in *prefix, which is a new reference then; 0:
 * none, and *prefix is NULL. At least the last id is left to be computed. Lock not held. */
uint32_t lv_history_share(LlavaovHistory *history, const LvPrompt *prompt, LvPrefix **prefix);

#endif
