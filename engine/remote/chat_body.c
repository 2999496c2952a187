/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/chat_body.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"

/* What servers take of top_logprobs; the wanted ones come in any case where they can be named. */
#define TOP_LOGPROBS 20
/* Added to a token's score: more than any two scores are apart. */
#define FORCE 100

static LlavaovStatus no_memory(LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request to a server");
}

/* "data:...;base64,F1,F2,...", as vLLM takes a video's frames: whatever they are coded as. */
static json_t *make_address(const LvBodyVisual *visual, LlavaovRemotePicture picture)
{
    const char *kind = visual->video                           ? "video/jpeg"
                       : picture == LLAVAOV_REMOTE_PICTURE_PNG ? "image/png"
                                                               : "image/jpeg";
    char prefix[64];
    uint64_t bytes = (uint64_t)snprintf(prefix, sizeof prefix, "data:%s;base64,", kind);
    const size_t n_prefix = (size_t)bytes;
    for (size_t i = 0; i < visual->n; i++)
        bytes += visual->pictures[i]->n + 1;
    if (bytes > LV_MAX_REMOTE_BODY)
        return NULL;
    char *text = lv_alloc((size_t)bytes + 1, 1), *at = text;
    if (!text)
        return NULL;
    memcpy(at, prefix, n_prefix);
    at += n_prefix;
    for (size_t i = 0; i < visual->n; i++) {
        if (i > 0)
            *at++ = ',';
        memcpy(at, visual->pictures[i]->base64, visual->pictures[i]->n);
        at += visual->pictures[i]->n;
    }
    json_t *address = json_stringn_nocheck(text, (size_t)(at - text));
    lv_free(text);
    return address;
}

static json_t *make_part(const LvChatBody *body, const json_t *part, size_t *medium)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    if (type && !strcmp(type, "text"))
        return json_pack("{s:s, s:O}", "type", type, "text", json_object_get(part, "text"));
    const LvBodyVisual *visual = &body->visuals[(*medium)++];
    const char *kind = visual->video ? "video_url" : "image_url";
    return json_pack(
        "{s:s, s:{s:o}}", "type", kind, kind, "url", make_address(visual, body->picture));
}

static json_t *make_messages(const LvChatBody *body)
{
    json_t *messages = json_array(), *message;
    size_t i, k, medium = 0;
    bool failed = false;
    json_array_foreach(body->conversation->messages, i, message)
    {
        json_t *copy = json_copy(message), *parts;
        json_t *content = json_object_get(message, "content"), *part;
        if (json_is_array(content)) {
            parts = json_array();
            json_array_foreach(content, k, part) failed |=
                json_array_append_new(parts, make_part(body, part, &medium)) != 0;
            failed |= json_object_set_new(copy, "content", parts) != 0;
        }
        failed |= json_array_append_new(messages, copy) != 0;
    }
    if (body->begun)
        failed |= json_array_append_new(messages,
                      json_pack("{s:s, s:s}", "role", "assistant", "content", body->begun)) != 0;
    if (!failed)
        return messages;
    json_decref(messages);
    return NULL;
}

/* What servers know beyond OpenAI's interface is named only where it would be another value, since
 * some refuse what they do not know. */
static bool put_generation(json_t *root, const LvChatBody *body)
{
    const LlavaovGeneration *g = body->generation;
    bool failed = json_object_set_new(root, "temperature", json_real(g ? g->temperature : 0)) != 0;
    if (!g)
        return !failed;
    if (g->repetition_penalty != 1 || body->name_penalty)
        failed |=
            json_object_set_new(root, "repetition_penalty", json_real(g->repetition_penalty)) != 0;
    if (!(g->temperature > 0))
        return !failed;
    failed |= json_object_set_new(root, "top_p", json_real(g->top_p)) != 0;
    failed |= json_object_set_new(root, "top_k", json_integer(g->top_k)) != 0;
    failed |=
        json_object_set_new(root, "seed", json_integer((json_int_t)(g->seed & INT64_MAX))) != 0;
    return !failed;
}

static bool put_logprobs(json_t *root, const LvChatBody *body)
{
    json_t *ids = json_array();
    bool failed = json_object_set_new(root, "logprobs", json_true()) != 0;
    failed |= json_object_set_new(root, "top_logprobs", json_integer(TOP_LOGPROBS)) != 0;
    failed |= json_object_set_new(root, "return_tokens_as_token_ids", json_true()) != 0;
    for (size_t i = 0; i < body->n_wanted; i++)
        failed |= json_array_append_new(ids, json_integer(body->wanted[i])) != 0;
    failed |= json_object_set_new(root, "logprob_token_ids", ids) != 0;
    if (body->forced >= 0) {
        char id[16];
        snprintf(id, sizeof id, "%d", (int)body->forced);
        failed |= json_object_set_new(root, "logit_bias", json_pack("{s:i}", id, FORCE)) != 0;
    }
    return !failed;
}

/* vLLM's: the last message is not closed. It tells the prompt's ids, since text may be cut into other
 * tokens there than it was made of. */
static bool put_begun(json_t *root)
{
    bool failed = json_object_set_new(root, "add_generation_prompt", json_false()) != 0;
    failed |= json_object_set_new(root, "continue_final_message", json_true()) != 0;
    failed |= json_object_set_new(root, "return_token_ids", json_true()) != 0;
    return !failed;
}

static bool put_schema(json_t *root, const char *text)
{
    json_t *schema = json_loads(text, 0, NULL);
    return schema && json_object_set_new(root, "response_format",
                         json_pack("{s:s, s:{s:s, s:b, s:o}}", "type", "json_schema", "json_schema",
                             "name", "answer", "strict", 1, "schema", schema)) == 0;
}

static bool fill(json_t *root, const LvChatBody *body)
{
    bool failed = json_object_set_new(root, "messages", make_messages(body)) != 0;
    if (body->model)
        failed |= json_object_set_new(root, "model", json_string(body->model)) != 0;
    if (body->conversation->tools)
        failed |= json_object_set(root, "tools", body->conversation->tools) != 0;
    if (body->conversation->documents)
        failed |= json_object_set(root, "documents", body->conversation->documents) != 0;
    failed |= json_object_set_new(root, "max_tokens", json_integer(body->max_tokens)) != 0;
    failed |= json_object_set_new(root, "stream", json_boolean(body->stream)) != 0;
    if (body->stream)
        failed |= json_object_set_new(
                      root, "stream_options", json_pack("{s:b}", "include_usage", 1)) != 0;
    failed |= !put_generation(root, body);
    failed |= body->n_wanted > 0 && !put_logprobs(root, body);
    failed |= body->begun && !put_begun(root);
    failed |= body->schema && !put_schema(root, body->schema);
    return !failed;
}

LlavaovStatus lv_chat_body_make(
    const LvChatBody *body, char **text, size_t *bytes, LlavaovError *error)
{
    *text = NULL;
    *bytes = 0;
    json_t *root = json_object();
    char *dumped = root && fill(root, body) ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!dumped)
        return no_memory(error);
    *text = dumped; /* from malloc, as lv_alloc's */
    *bytes = strlen(dumped);
    return LLAVAOV_OK;
}
