/* SPDX-License-Identifier: Apache-2.0
 * A server's reply to a request for a chat completion, read as it comes: a stream of events
 * (text/event-stream) or one JSON document. Nothing in it is trusted: sizes are bounded
 * (base/limits.h), text becomes valid UTF-8, and what is not there stays missing. Not thread-safe. */
#ifndef LV_CHAT_REPLY_H
#define LV_CHAT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "llavaov.h"

typedef enum LvReplyFinish {
    LV_REPLY_UNFINISHED,
    LV_REPLY_STOP,
    LV_REPLY_LENGTH,
    LV_REPLY_OTHER /* a reason that no answer has: content_filter, tool_calls, ... */
} LvReplyFinish;

/* The logarithm of a token's probability, at one position of the answer. */
typedef struct LvReplyLogprob {
    uint32_t position;
    int32_t token; /* -1: the server gave no id */
    bool written;  /* it is the answer's own token there */
    double logprob;
} LvReplyLogprob;

typedef struct LvChatReply {
    bool stream; /* it is one of events: set before the first bytes */
    size_t bytes;
    char *line; /* what has come of a line, or of the document */
    size_t n_line, line_capacity;

    char *text; /* the answer so far, NUL-terminated once there is any; owned */
    size_t n_text, text_capacity;
    LvReplyFinish finish;
    bool ended; /* "[DONE]", reason and usage, or the document is whole */
    bool has_usage;
    uint64_t prompt_tokens, completion_tokens;
    int32_t last_ids[LV_MAX_SPELLING_TOKENS]; /* of the prompt, where the server tells them */
    size_t n_last_ids;
    LvReplyLogprob *logprobs; /* by position; owned */
    size_t n_logprobs, logprobs_capacity;
    uint32_t n_positions;
    char refusal[256]; /* the server's own sentence, where it sent one instead of an answer */
} LvChatReply;

/* The next bytes. Errors: REMOTE, for what is no such reply or exceeds a bound; MEMORY. */
LlavaovStatus lv_chat_reply_feed(
    LvChatReply *reply, const char *bytes, size_t n, LlavaovError *error);
/* There are no more. REMOTE where something is missing. */
LlavaovStatus lv_chat_reply_end(LvChatReply *reply, LlavaovError *error);
/* Of a reply that is an error by its status: takes the sentence out of `line`, if one is there. */
void lv_chat_reply_refusal(LvChatReply *reply);
/* Empty again, as zero-initialised. */
void lv_chat_reply_free(LvChatReply *reply);

/* false: the server has not told it. */
bool lv_chat_reply_logprob(
    const LvChatReply *reply, uint32_t position, int32_t token, double *logprob);

/* Copies at most n - 1 bytes of a foreign text as one line of valid UTF-8 without control
 * characters. */
void lv_plain_line(const char *text, size_t bytes, char *line, size_t n);

#endif
