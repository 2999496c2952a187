/* SPDX-License-Identifier: Apache-2.0
 * Conversations as chat templates see them: the JSON of OpenAI's and transformers' messages,
 * normalised as in transformers 5.x.
 *
 *   [{"role": "user", "content": [{"type": "image", "path": "a.npy"},
 *                                 {"type": "text", "text": "What is this?"}]}, ...]
 *
 * or an object with that list as "messages", and perhaps "tools" and "documents" for the template.
 * Content is a list of parts of type "text", "image" (or "image_url") and "video" in any order, or
 * a string; other members of a message (name, tool_calls, ...) go to the template as they are, and
 * those that are null are left out. */
#ifndef LV_CONVERSATION_H
#define LV_CONVERSATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "llavaov.h"

/* A picture or clip of a conversation. */
typedef struct LvMedium {
    bool video;
    const char *source; /* its file or address, owned by the conversation; NULL where the part names
                    none */
} LvMedium;

typedef struct LvConversation {
    json_t *messages;          /* list; owned */
    json_t *tools, *documents; /* or NULL; owned */
    LvMedium *media;           /* in the order of their parts; owned */
    size_t n_media;
} LvConversation;

/* file stands for the text in errors, which name the message and the part. Bounds: base/limits.h.
 * *conversation is empty after a failure. */
LlavaovStatus lv_conversation_parse(const char *json, size_t bytes, const char *file,
    LvConversation *conversation, LlavaovError *error);

/* One question: a system turn if system_prompt is not NULL, and a user turn with n_images pictures,
 * n_videos clips and the prompt. */
LlavaovStatus lv_conversation_ask(const char *system_prompt, const char *prompt, size_t n_images,
    size_t n_videos, LvConversation *conversation, LlavaovError *error);

/* The same as one more turn of the user behind `before`; names no sources. */
LlavaovStatus lv_conversation_continue(const LvConversation *before, const char *prompt,
    size_t n_images, size_t n_videos, LvConversation *conversation, LlavaovError *error);

/* Adds the assistant's turn. It stays as it was after a failure. */
LlavaovStatus lv_conversation_answer(
    LvConversation *conversation, const char *text, size_t bytes, LlavaovError *error);

void lv_conversation_free(LvConversation *conversation);

#endif
