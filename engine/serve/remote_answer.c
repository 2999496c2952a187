/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/remote_answer.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "choices/trie.h"
#include "schema/json_schema.h"
#include "schema/respell.h"
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
    const LlavaovTicket *r, const LvChatReply *reply, size_t more, LlavaovError *error)
{
    const size_t n = r->prompt_ids.n + more;
    if (!reply->has_usage)
        return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "remote-url",
            "device=remote: the server does not say how many tokens the prompt had (usage), so "
            "that "
            "nothing shows whether it saw all frames");
    if (reply->prompt_tokens == n)
        return LLAVAOV_OK;
    return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "remote-model",
        "device=remote: the prompt has %zu tokens here, and %llu on the server. It serves another "
        "model, has another chat template, or leaves frames out (vLLM takes 32 of a video unless "
        "it "
        "is started with --media-io-kwargs '{\"video\": {\"num_frames\": -1}}'); model-path must "
        "be "
        "the folder of the model that it serves",
        n, (unsigned long long)reply->prompt_tokens);
}

/* The log-probability of a token behind the first `position` ones; never a guess. */
static LlavaovStatus find_logprob(const LvChatReply *reply, uint32_t position, int32_t token,
    double *logprob, LlavaovError *error)
{
    if (lv_chat_reply_logprob(reply, position, token, logprob))
        return LLAVAOV_OK;
    return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "choices",
        "device=remote: the server does not tell how probable token %d is (logprobs with "
        "logprob_token_ids), without which there are no choices",
        (int)token);
}

/* Where a token is forced, it must not have become more probable by that. */
static LlavaovStatus check_forced(
    const LvTrie *trie, size_t node, const LvChatReply *reply, LlavaovError *error)
{
    double logprob;
    LlavaovStatus status = find_logprob(reply, 0, trie->nodes[node].token, &logprob, error);
    if (status == LLAVAOV_OK && fabs(exp(logprob) - exp(trie->nodes[node].logprob)) > 0.01)
        return lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "choices",
            "device=remote: the server's probabilities are not the model's own, but what was made "
            "of "
            "them (vLLM: --logprobs-mode raw_logprobs)");
    return status;
}

/* Where a label's beginning stands in the prompt, it must be these tokens there. */
static LlavaovStatus check_begun(
    const LvTrie *trie, size_t node, const LvChatReply *reply, LlavaovError *error)
{
    size_t way[LV_MAX_SPELLING_TOKENS];
    const size_t n = lv_trie_way(trie, node, way);
    bool same = reply->n_last_ids >= n;
    for (size_t i = 0; i < n && same; i++)
        same = reply->last_ids[reply->n_last_ids - n + i] == trie->nodes[way[i]].token;
    return same ? LLAVAOV_OK
                : lv_fail_about(error, LLAVAOV_ERROR_REMOTE_UNFIT, LLAVAOV_ABOUT_OPTION, "choices",
                      "device=remote: the server does not say that the beginning of a label of "
                      "three tokens or more is the same tokens there (return_token_ids, "
                      "continue_final_message): take shorter labels");
}

/* Tokens of a label's beginning that stand in the prompt. */
static size_t n_begun(const LlavaovTicket *r)
{
    const size_t depth = lv_choosing_trie(r->choosing)->nodes[r->asked_node].depth;
    return depth > 1 ? depth : 0;
}

static int32_t written_token(const LvChatReply *reply, uint32_t position)
{
    for (size_t i = 0; i < reply->n_logprobs; i++)
        if (reply->logprobs[i].position == position && reply->logprobs[i].written)
            return reply->logprobs[i].token;
    return -1;
}

static LlavaovStatus take_labels(
    LlavaovTicket *r, const LvChatReply *reply, bool *more, LlavaovError *error)
{
    LvTrie *trie = lv_choosing_trie(r->choosing);
    const size_t node = r->asked_node;
    const size_t depth = trie->nodes[node].depth;
    const uint32_t position = depth == 1 ? 1 : 0;
    double children[LV_MAX_REMOTE_WANTED];
    size_t n = 0;
    LlavaovStatus status = depth == 0   ? LLAVAOV_OK
                           : depth == 1 ? check_forced(trie, node, reply, error)
                                        : check_begun(trie, node, reply, error);
    for (uint32_t c = trie->nodes[node].child; c && status == LLAVAOV_OK; c = trie->nodes[c].next)
        status = find_logprob(reply, position, trie->nodes[c].token, &children[n++], error);
    if (status != LLAVAOV_OK)
        return status;
    /* What the server wrote is its likeliest token, but where one was forced. */
    if (!lv_trie_take_logprobs(trie, node, children, depth == 1 ? -1 : written_token(reply, 0)))
        return lv_fail(error, LLAVAOV_ERROR_REMOTE, NULL,
            "the server's probabilities are more than 1 together");
    for (size_t i = 0; i < trie->n; i++)
        *more |= lv_trie_inner(trie, i) && !trie->nodes[i].known;
    return *more ? LLAVAOV_OK : lv_choose_conclude(r, error);
}

/* In the one spelling that documents have here; what does not fit the schema is no answer. */
static LlavaovStatus take_document(LlavaovTicket *r, const LvChatReply *reply, LlavaovError *error)
{
    char *document;
    LlavaovStatus status = lv_json_respell(lv_json_schema_program(r->json_schema),
        reply->text ? reply->text : "", reply->n_text, &document, error);
    if (status != LLAVAOV_OK)
        return status;
    status = lv_answer_add_text(r, document, strlen(document), false, error);
    lv_free(document);
    if (status == LLAVAOV_OK)
        status = lv_answer_add_text(r, NULL, 0, true, error);
    r->answer.json = r->text;
    return status;
}

static LlavaovStatus take_text(LlavaovTicket *r, const LvChatReply *reply, LlavaovError *error)
{
    LlavaovStatus status = lv_remote_answer_extend(r, reply, error);
    return status == LLAVAOV_OK ? lv_answer_add_text(r, NULL, 0, true, error) : status;
}

LlavaovStatus lv_remote_answer_take(
    LlavaovTicket *r, const LvChatReply *reply, bool *more, LlavaovError *error)
{
    *more = false;
    LlavaovStatus status = check_tokens(r, reply, r->choosing ? n_begun(r) : 0, error);
    if (status != LLAVAOV_OK)
        return status;
    if (r->choosing)
        return take_labels(r, reply, more, error);
    status = r->json ? take_document(r, reply, error) : take_text(r, reply, error);
    if (status != LLAVAOV_OK)
        return status;
    r->n_tokens = (uint32_t)reply->completion_tokens;
    r->answer.finish_reason =
        r->json || reply->finish == LV_REPLY_STOP ? LLAVAOV_FINISH_STOP : LLAVAOV_FINISH_LENGTH;
    return LLAVAOV_OK;
}
