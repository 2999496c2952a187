/* SPDX-License-Identifier: Apache-2.0
 * Replies of servers. The first byte: how the rest comes (its lowest bit: as a stream of events; the others: in pieces of
 * so many bytes, 0: at once). */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "remote/chat_reply.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvChatReply reply = {0};
    LlavaovError error = {0};
    LlavaovStatus status = LLAVAOV_OK;
    char line[64];
    if (size == 0)
        return 0;
    reply.stream = data[0] & 1;
    const size_t piece = data[0] / 2 ? data[0] / 2 : size;
    for (size_t at = 1; at < size && status == LLAVAOV_OK; at += piece)
        status = lv_chat_reply_feed(
            &reply, (const char *)data + at, size - at < piece ? size - at : piece, &error);
    if (status == LLAVAOV_OK)
        status = lv_chat_reply_end(&reply, &error);
    if (status != LLAVAOV_OK && !*error.message)
        abort();
    if (reply.n_text && (reply.text[reply.n_text] != '\0' || strlen(reply.text) != reply.n_text ||
                            lv_utf8_valid_prefix(reply.text, reply.n_text) != reply.n_text))
        abort();
    if (status == LLAVAOV_OK && !reply.ended)
        abort();
    for (size_t i = 0; i < reply.n_logprobs; i++)
        if (!(reply.logprobs[i].logprob <= 0) || !isfinite(reply.logprobs[i].logprob) ||
            reply.logprobs[i].token < -1)
            abort();
    lv_chat_reply_refusal(&reply);
    lv_plain_line((const char *)data, size, line, sizeof line);
    for (size_t i = 0; i < strlen(line); i++)
        if ((unsigned char)line[i] < 0x20)
            abort();
    if (lv_utf8_valid_prefix(reply.refusal, strlen(reply.refusal)) != strlen(reply.refusal) ||
        lv_utf8_valid_prefix(line, strlen(line)) != strlen(line))
        abort();
    lv_chat_reply_free(&reply);
    return 0;
}
