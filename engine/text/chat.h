/* SPDX-License-Identifier: Apache-2.0
 * The chat template (model.md 6.1) as token ids. Template text may hold special tokens; user text
 * never becomes one. */
#ifndef LV_CHAT_H
#define LV_CHAT_H

#include "text/tokenizer.h"

typedef struct LvChat {
    const char *system_prompt; /* NULL = none */
    const char *prompt;
    int32_t visual_token;               /* the image or video placeholder id */
    const uint32_t *visual_tokens_each; /* per visual: number of placeholder ids it expands to */
    size_t n_visuals;
} LvChat;

/* Appends the whole prompt with every placeholder expanded: "<|im_start|>user\n" visuals, each
 * followed by "\n", then the question, "<|im_end|>\n<|im_start|>assistant\n". */
LlavaovStatus lv_chat_encode(
    const LvTokenizer *tokenizer, const LvChat *chat, LvTokens *tokens, LlavaovError *error);

#endif
