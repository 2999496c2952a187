/* SPDX-License-Identifier: Apache-2.0
 * What a request asks: its conversation and the frames of its pictures and clips, and the prompt
 * that its session's chat template makes of them. */
#ifndef LV_QUESTION_H
#define LV_QUESTION_H

#include "model/decoder.h"
#include "serve/history.h"
#include "text/chat.h"

typedef struct LvQuestion {
    LvConversation conversation;
    LvQuestionVisual *visuals;
    size_t n_visuals;
    LlavaovFrame **frames; /* of all visuals; references are the owner's business */
    size_t n_frames;
    LlavaovHistory
        *history; /* or NULL: it goes on from there, and has its visuals first; a reference */
} LvQuestion;

/* Copies what a request asks. Checks everything that does not need the engine's lock. *question is
 * empty after a failure. */
LlavaovStatus lv_question_read(
    const LlavaovRequest *request, LvQuestion *question, LlavaovError *error);
/* That the frames belong to the session and were pushed with their layouts. Lock held. */
LlavaovStatus lv_question_check_frames(
    const LvQuestion *question, const LlavaovSession *session, LlavaovError *error);
void lv_question_free(LvQuestion *question);

/* Appends the ids of a whole prompt; visuals and order as lv_chat_expand has them. */
LlavaovStatus lv_question_ids(const LlavaovEngine *engine, const LlavaovChatTemplate *chat_template,
    const LvConversation *conversation, const LvChatVisual *visuals, size_t n_visuals,
    LvTokens *ids, size_t *order, LlavaovError *error);

/* What a prompt is before its placeholders are repeated: its text, and ids with one for each. */
typedef struct LvRendered {
    char *text;
    size_t bytes;
    LvTokens ids;
} LvRendered;
void lv_rendered_free(LvRendered *rendered);

/* The whole prompt, all frames encoded: ids, and in `pieces` (room for n_frames + n_visuals) the
 * vectors in the order of their placeholders, each clip's followed by a newline. rendered (or NULL) is
 * empty before, and the caller's to free. */
LlavaovStatus lv_question_prompt(const LlavaovEngine *engine,
    const LlavaovChatTemplate *chat_template, const LvQuestion *question, LvTokens *ids,
    LvTensor *pieces, LvPrompt *prompt, LvRendered *rendered, LlavaovError *error);

#endif
