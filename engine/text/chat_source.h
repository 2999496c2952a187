/* SPDX-License-Identifier: Apache-2.0
 * Which chat template: the text that transformers 5.x would render for a folder, one of the known
 * forms by its name, or a file. */
#ifndef LV_CHAT_SOURCE_H
#define LV_CHAT_SOURCE_H

#include <stddef.h>

#include "llavaov.h"

typedef struct LvChatSource {
    char *text; /* owned; NUL-terminated after `bytes` */
    size_t bytes;
    char *file;    /* its name in errors; owned */
    char why[320]; /* one clause: which template this is, and why */
} LvChatSource;

/* choice NULL: the folder's own, the first of
 *   1. processor_config.json, key chat_template (transformers 5.x; in 4.57 the files win)
 *   2. chat_template.json, key chat_template
 *   3. chat_template.jinja, or additional_chat_templates/default.jinja
 * where a key's value may be an object of named templates, of which "default" is taken. Never the
 * one in tokenizer_config.json. Without any of these, a folder in the lmms-lab layout gets
 * "qwen_1_5"; other folders are refused, as transformers does.
 *
 * choice not NULL: "hub", "conversion" or "qwen_1_5"; a name among the folder's own; or the path of
 * a file that holds a template, or JSON with the key chat_template when its name ends in ".json".
 *
 * Errors: NOT_FOUND and IO when the folder itself cannot be read; else FORMAT or UNSUPPORTED about
 * the folder's files, ARGUMENT about the choice, with the subject "chat-template". */
LlavaovStatus lv_chat_source_find(
    const char *folder, const char *choice, LvChatSource *source, LlavaovError *error);
/* The text of a file that a user chose; `why` stays empty. */
LlavaovStatus lv_chat_source_parse(
    const char *text, size_t bytes, const char *file, LvChatSource *source, LlavaovError *error);
void lv_chat_source_free(LvChatSource *source);

/* The text of a known form; NULL for another name. */
const char *lv_chat_builtin(const char *name);

#endif
