/* SPDX-License-Identifier: Apache-2.0
 * What an attempt at a server came to: whether there is an answer, whether another attempt may help,
 * what it says of the server's health. Pure; thread-safe. */
#ifndef LV_OUTCOME_H
#define LV_OUTCOME_H

#include "remote/chat_reply.h"

typedef enum LvHealth { LV_HEALTH_UNKNOWN, LV_HEALTH_WELL, LV_HEALTH_ILL } LvHealth;

typedef struct LvOutcome {
    long http;       /* 0: no reply has begun */
    int transfer;    /* libcurl's CURLcode */
    const char *why; /* in libcurl's words */
    const char *url;
    const char *key; /* or NULL: must not be in a message */
    unsigned attempts;
    /* By lv_outcome_judge. */
    bool again; /* another attempt may have an answer */
    LvHealth health;
} LvOutcome;

/* `reading` and *error: what lv_chat_reply_feed said. OK: the reply is whole. */
LlavaovStatus lv_outcome_judge(
    LvOutcome *outcome, LvChatReply *reply, LlavaovStatus reading, LlavaovError *error);

/* How long the server wishes to be left alone, in nanoseconds, if this header line says so (in
 * seconds, one minute at most); else `before`. */
uint64_t lv_outcome_retry_after(const char *line, size_t n, uint64_t before);

#endif
