/* SPDX-License-Identifier: Apache-2.0
 * A search for a chat template, and what ends one: a text that is taken. */
#ifndef LV_CHAT_FINDER_H
#define LV_CHAT_FINDER_H

#include <jansson.h>

#include "text/chat_source.h"

/* What errors are about. */
#define LV_CHAT_SUBJECT "chat-template"

typedef struct LvChatFinder {
    const char *folder, *choice; /* choice NULL: the folder's own */
    LvChatSource *source;        /* text and file stay NULL until something is found */
    LlavaovError *error;
} LvChatFinder;

LlavaovStatus lv_chat_no_memory(LvChatFinder *f);
/* FOLDER/NAME, owned by the caller; NULL: no memory. */
char *lv_chat_path(const char *folder, const char *name);
bool lv_chat_has_suffix(const char *name, const char *suffix);

/* Takes text; file is copied. */
LlavaovStatus lv_chat_found(LvChatFinder *f, char *text, size_t bytes, const char *file);
/* The value of a key chat_template: a string, or an object of strings by name. A file that the user
 * chose may also hold a list of {"name", "template"}, as tokenizers do; transformers opens no
 * processor with one. */
LlavaovStatus lv_chat_take_value(
    LvChatFinder *f, const json_t *value, const char *file, const char *name);
/* What a file of that name holds. */
LlavaovStatus lv_chat_take_text(LvChatFinder *f, const char *text, size_t bytes, const char *file);

#endif
