/* SPDX-License-Identifier: Apache-2.0
 * From a server's reply to an answer. */
#ifndef LV_REMOTE_ANSWER_H
#define LV_REMOTE_ANSWER_H

#include "remote/chat_reply.h"
#include "serve/request.h"

/* Adds what is new of the reply's text to the answer's. Lock not held; by the engine's thread.
 * REMOTE: another attempt has begun otherwise than what was told. */
LlavaovStatus lv_remote_answer_extend(
    LlavaovTicket *request, const LvChatReply *reply, LlavaovError *error);

/* The reply is whole. *more: another call is due; otherwise so is the answer. REMOTE_UNFIT: the server
 * counts other tokens, or lacks probabilities. */
LlavaovStatus lv_remote_answer_take(
    LlavaovTicket *request, const LvChatReply *reply, bool *more, LlavaovError *error);

#endif
