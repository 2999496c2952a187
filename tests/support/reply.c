/* SPDX-License-Identifier: Apache-2.0 */
#include "reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

void reply_init(Reply *reply)
{
    memset(reply, 0, sizeof *reply);
    pthread_mutex_init(&reply->lock, NULL);
    pthread_cond_init(&reply->changed, NULL);
    reply->generation = llavaov_generation_default();
}

static void on_text(void *data, const char *text, size_t bytes)
{
    Reply *reply = data;
    pthread_mutex_lock(&reply->lock);
    if (bytes < sizeof reply->streamed - reply->n_streamed) {
        memcpy(reply->streamed + reply->n_streamed, text, bytes);
        reply->n_streamed += bytes;
    }
    pthread_mutex_unlock(&reply->lock);
}

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Reply *reply = data;
    pthread_mutex_lock(&reply->lock);
    reply->n_done++;
    reply->status = answer->status;
    reply->error = answer->error;
    reply->finish_reason = answer->finish_reason;
    reply->n_text =
        answer->text_bytes < sizeof reply->text ? answer->text_bytes : sizeof reply->text - 1;
    memcpy(reply->text, answer->text, reply->n_text);
    reply->has_json = answer->json;
    reply->truncated = answer->truncated;
    snprintf(reply->json, sizeof reply->json, "%s", answer->json ? answer->json : "");
    reply->n_values = answer->n_json_values;
    for (size_t i = 0; i < answer->n_json_values && i < 16; i++) {
        const LlavaovJsonValue *v = answer->json_values[i];
        struct ReplyValue *kept = &reply->values[i];
        memset(kept, 0, sizeof *kept);
        snprintf(kept->path, sizeof kept->path, "%s", v->path);
        snprintf(kept->value, sizeof kept->value, "%s", v->values[v->written]);
        for (size_t k = 0; k < v->n && k < 8; k++) {
            kept->logprobs[k] = v->logprobs[k];
            kept->probabilities[k] = v->probabilities[k];
        }
        kept->confidence = v->confidence;
        kept->label_mass = v->label_mass;
        kept->n = v->n;
    }
    reply->new_tokens = answer->new_tokens;
    reply->prompt_tokens = answer->prompt_tokens;
    reply->frames_reused = answer->frames_reused;
    reply->draft_tokens = answer->draft_tokens;
    reply->accepted_tokens = answer->accepted_tokens;
    reply->early_tokens = answer->early_tokens;
    for (uint32_t i = 0; i < answer->new_tokens && i < sizeof reply->tokens / sizeof *reply->tokens;
         i++)
        reply->tokens[i] = answer->tokens[i];
    if (reply->clock)
        reply->stamp = ++*reply->clock;
    pthread_cond_broadcast(&reply->changed);
    pthread_mutex_unlock(&reply->lock);
}

void reply_wait(Reply *reply)
{
    pthread_mutex_lock(&reply->lock);
    while (reply->n_done == 0)
        pthread_cond_wait(&reply->changed, &reply->lock);
    pthread_mutex_unlock(&reply->lock);
}

LlavaovTicket *ask(LlavaovSession *session, Reply *reply, LlavaovFrame *const *frames,
    size_t n_frames, LlavaovLayout layout, const char *prompt, uint32_t max_new_tokens)
{
    LlavaovGeneration generation = reply->generation;
    generation.max_new_tokens = max_new_tokens;
    const LlavaovRequest request = {.size = sizeof request,
        .layout = layout,
        .frames = frames,
        .n_frames = n_frames,
        .prompt = prompt,
        .generation = &generation,
        .on_text = on_text,
        .on_done = on_done,
        .data = reply};
    LlavaovTicket *ticket = NULL;
    LlavaovError error;
    if (llavaov_session_ask(session, &request, &ticket, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return ticket;
}

void ask_request(LlavaovSession *session, Reply *reply, LlavaovRequest request)
{
    LlavaovError error;
    request.on_text = on_text;
    request.on_done = on_done;
    request.data = reply;
    if (llavaov_session_ask(session, &request, NULL, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
}
