/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remote_answer.h"

#include <string.h>

#include "base/status.h"
#include "serve/answer.h"

LlavaovStatus lv_remote_answer_extend(
    LlavaovTicket *r, const LvChatReply *reply, LlavaovError *error)
{
    if (reply->n_text < r->n_text || (r->n_text && memcmp(reply->text, r->text, r->n_text) != 0))
        return reply->finish == LV_REPLY_UNFINISHED && reply->n_text < r->n_text
                   ? LLAVAOV_OK /* it may come to it */
                   : lv_fail(error, LLAVAOV_ERROR_REMOTE, NULL,
                         "a second attempt gave another answer than the first, of which a part has "
                         "been told already");
    return reply->n_text == r->n_text ? LLAVAOV_OK
                                      : lv_answer_add_text(r, reply->text + r->n_text,
                                            reply->n_text - r->n_text, false, error);
}

/* A server that cuts frames, has another template or another model counts otherwise. */
static LlavaovStatus check_tokens(
    const LlavaovTicket *r, const LvChatReply *reply, LlavaovError *error)
{
    if (!reply->has_usage)
        return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "remote-url",
            "device=remote: the server does not say how many tokens the prompt had (usage), so "
            "that "
            "nothing shows whether it saw all frames");
    if (reply->prompt_tokens == r->prompt_ids.n)
        return LLAVAOV_OK;
    return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "remote-model",
        "device=remote: the prompt has %zu tokens here, and %llu on the server. It serves another "
        "model, has another chat template, or leaves frames out (vLLM takes 32 of a video unless "
        "it "
        "is started with --media-io-kwargs '{\"video\": {\"num_frames\": -1}}'); model-path must "
        "be "
        "the folder of the model that it serves",
        r->prompt_ids.n, (unsigned long long)reply->prompt_tokens);
}

LlavaovStatus lv_remote_answer_take(LlavaovTicket *r, const LvChatReply *reply, LlavaovError *error)
{
    LlavaovStatus status = check_tokens(r, reply, error);
    if (status == LLAVAOV_OK)
        status = lv_remote_answer_extend(r, reply, error);
    if (status == LLAVAOV_OK)
        status = lv_answer_add_text(r, NULL, 0, true, error);
    if (status != LLAVAOV_OK)
        return status;
    r->n_tokens = (uint32_t)reply->completion_tokens;
    r->answer.finish_reason =
        reply->finish == LV_REPLY_STOP ? LLAVAOV_FINISH_STOP : LLAVAOV_FINISH_LENGTH;
    return LLAVAOV_OK;
}
