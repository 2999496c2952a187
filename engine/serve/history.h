/* SPDX-License-Identifier: Apache-2.0
 * LlavaovHistory: a conversation up to an answer, and what was computed for it. A request that goes on
 * from it has the prompt that the chat template makes of the longer conversation; the keys and values
 * of the ids that both begin with are taken over. Immutable but for its cache, which can be let go. */
#ifndef LV_HISTORY_H
#define LV_HISTORY_H

#include "serve/prefix.h"
#include "serve/question.h"

/* Of a request whose answer is complete and whose callback is due: takes its conversation, its frames
 * and its cache. NULL: no memory, and the request still has them. Lock not held. */
LlavaovHistory *lv_history_make(LlavaovTicket *request);

/* What a conversation that goes on from it begins with. */
const LvQuestion *lv_history_question(const LlavaovHistory *history);
const LlavaovEngine *lv_history_engine(const LlavaovHistory *history);

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
