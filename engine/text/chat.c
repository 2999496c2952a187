/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

typedef struct Turn {
    const LvTokenizer *tokenizer;
    LvTokens *tokens;
    LlavaovError *error;
    int32_t start, end; /* <|im_start|>, <|im_end|> */
} Turn;

/* Template text and the user's text behind it, as one text: pieces, merges and NFC cross the seam
 * as they do when the reference tokenizes the whole prompt. */
static LlavaovStatus put_text(Turn *turn, const char *before, const char *user, const char *what)
{
    size_t before_bytes = strlen(before), user_bytes = strlen(user);
    if (user_bytes > LV_MAX_PROMPT_BYTES)
        return lv_fail(turn->error, LLAVAOV_ERROR_ARGUMENT, what,
            "the %s of %zu bytes is longer than %u", what, user_bytes, LV_MAX_PROMPT_BYTES);
    char *text = lv_alloc(before_bytes + user_bytes + 1, 1);
    if (!text)
        return lv_fail(turn->error, LLAVAOV_ERROR_MEMORY, what, "out of memory for the %s", what);
    memcpy(text, before, before_bytes);
    memcpy(text + before_bytes, user, user_bytes);
    LlavaovStatus status = lv_tokenizer_encode(turn->tokenizer, text, before_bytes + user_bytes,
        LV_SPECIAL_AS_TEXT, turn->tokens, turn->error);
    lv_free(text);
    return status;
}

static LlavaovStatus put_token(Turn *turn, int32_t id)
{
    return lv_tokens_append(turn->tokens, id, turn->error);
}

static LlavaovStatus begin(Turn *turn, const char *role)
{
    LlavaovStatus status = put_token(turn, turn->start);
    return status == LLAVAOV_OK ? put_text(turn, role, "", "template") : status;
}

static LlavaovStatus finish(Turn *turn)
{
    LlavaovStatus status = put_token(turn, turn->end);
    return status == LLAVAOV_OK ? put_text(turn, "\n", "", "template") : status;
}

static LlavaovStatus put_system(Turn *turn, const char *system_prompt)
{
    LlavaovStatus status = put_token(turn, turn->start);
    if (status == LLAVAOV_OK)
        status = put_text(turn, "system\n", system_prompt, "system prompt");
    return status == LLAVAOV_OK ? finish(turn) : status;
}

/* "user\n" up to the first placeholder, "\n" between placeholders, and "\n" with the question after
 * the last. */
static LlavaovStatus put_user(Turn *turn, const LvChat *chat)
{
    LlavaovStatus status = put_token(turn, turn->start);
    const char *before = "user\n";
    for (size_t i = 0; i < chat->n_visuals && status == LLAVAOV_OK; i++) {
        status = put_text(turn, before, "", "template");
        for (uint32_t k = 0; k < chat->visual_tokens_each[i] && status == LLAVAOV_OK; k++)
            status = put_token(turn, chat->visual_token);
        before = "\n";
    }
    if (status == LLAVAOV_OK)
        status = put_text(turn, before, chat->prompt, "prompt");
    return status == LLAVAOV_OK ? finish(turn) : status;
}

static LlavaovStatus template_token(
    const LvTokenizer *tokenizer, const char *content, int32_t *id, LlavaovError *error)
{
    *id = lv_tokenizer_added_token(tokenizer, content);
    if (*id < 0)
        return lv_fail(error, LLAVAOV_ERROR_UNSUPPORTED, content,
            "the tokenizer has no added token %s", content);
    return LLAVAOV_OK;
}

LlavaovStatus lv_chat_encode(
    const LvTokenizer *tokenizer, const LvChat *chat, LvTokens *tokens, LlavaovError *error)
{
    Turn turn = {.tokenizer = tokenizer, .tokens = tokens, .error = error};
    size_t n_before = tokens->n;
    LlavaovStatus status = template_token(tokenizer, "<|im_start|>", &turn.start, error);
    if (status == LLAVAOV_OK)
        status = template_token(tokenizer, "<|im_end|>", &turn.end, error);
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_begin(tokenizer, tokens, error);
    if (status == LLAVAOV_OK && chat->system_prompt)
        status = put_system(&turn, chat->system_prompt);
    if (status == LLAVAOV_OK)
        status = put_user(&turn, chat);
    if (status == LLAVAOV_OK)
        status = begin(&turn, "assistant\n");
    if (status == LLAVAOV_OK)
        status = lv_tokenizer_end(tokenizer, tokens, error);
    if (status != LLAVAOV_OK)
        tokens->n = n_before;
    return status;
}
