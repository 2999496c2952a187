/* SPDX-License-Identifier: Apache-2.0
 * The JSON of a request for a chat completion. Thread-safe. */
#ifndef LV_CHAT_BODY_H
#define LV_CHAT_BODY_H

#include "remote/payload.h"
#include "text/conversation.h"

/* A picture or a clip of the conversation. */
typedef struct LvBodyVisual {
    bool video;
    const LvPayload *const *pictures; /* of an image one */
    size_t n;
} LvBodyVisual;

typedef struct LvChatBody {
    const char *model; /* NULL: not named */
    const LvConversation *conversation;
    const LvBodyVisual *visuals; /* one for each medium of the conversation, in their order */
    LlavaovRemotePicture picture;
    uint32_t max_tokens;
    const LlavaovGeneration *generation; /* NULL: greedy */
    bool name_penalty; /* the checkpoint has one, which servers take where none is named */
    bool stream;
    const char *schema; /* JSON, or NULL: what the answer must be */
    /* Of these tokens the log-probabilities are wanted, at each position; n_wanted 0: of none. */
    const int32_t *wanted;
    size_t n_wanted;
    int32_t forced;    /* a token that the answer must begin with; -1: none */
    const char *begun; /* the text of the answer's beginning, behind which it goes on; NULL: none */
} LvChatBody;

/* *text: lv_free. Errors: MEMORY. */
LlavaovStatus lv_chat_body_make(
    const LvChatBody *body, char **text, size_t *bytes, LlavaovError *error);

#endif
