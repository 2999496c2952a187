/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/json_answer.h"

#include "base/alloc.h"
#include "base/status.h"
#include "schema/json_schema.h"

/* The engine's, made when it is first needed. */
static LlavaovStatus find_trie(LlavaovEngine *engine, const LvTokenTrie **trie, LlavaovError *error)
{
    LlavaovStatus status = LLAVAOV_OK;
    pthread_mutex_lock(&engine->trie_lock);
    if (!engine->token_trie)
        status = lv_token_trie_open(
            engine->tokenizer, engine->model->config->text.vocab_size, &engine->token_trie, error);
    *trie = engine->token_trie;
    pthread_mutex_unlock(&engine->trie_lock);
    return status;
}

static LlavaovStatus least_tokens(LvJsonFilter *filter, uint32_t *tokens, LlavaovError *error)
{
    *tokens = lv_json_filter_least(filter);
    return *tokens < UINT32_MAX
               ? LLAVAOV_OK
               : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer in JSON");
}

static LlavaovStatus open_filter(LlavaovEngine *engine, const LlavaovJsonSchema *schema,
    LlavaovIds stop, LvJsonFilter *filter, LlavaovError *error)
{
    const LvTokenTrie *trie;
    LlavaovStatus status = find_trie(engine, &trie, error);
    return status == LLAVAOV_OK
               ? lv_json_filter_open(filter, lv_json_schema_program(schema), trie, stop, error)
               : status;
}

LlavaovStatus lv_json_answer_open(
    LlavaovTicket *r, LlavaovEngine *engine, LlavaovJsonSchema *schema, LlavaovError *error)
{
    if (!schema)
        return LLAVAOV_OK;
    r->json = lv_calloc(1, sizeof *r->json);
    if (!r->json)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a request");
    r->json_schema = llavaov_json_schema_ref(schema);
    uint32_t least;
    LlavaovStatus status = open_filter(engine, schema, r->stop, r->json, error);
    if (status == LLAVAOV_OK)
        status = least_tokens(r->json, &least, error);
    if (status == LLAVAOV_OK && r->generation.max_new_tokens &&
        r->generation.max_new_tokens < least)
        return lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "max-new-tokens",
            "max-new-tokens is %u, and the shortest document that the json-schema allows takes %u "
            "tokens",
            r->generation.max_new_tokens, least);
    return status;
}

void lv_json_answer_close(LlavaovTicket *r)
{
    if (r->json)
        lv_json_filter_close(r->json);
    lv_free(r->json);
    llavaov_json_schema_unref(r->json_schema);
}

LlavaovStatus lv_json_answer_start(LlavaovTicket *r, uint32_t tokens, LlavaovError *error)
{
    if (!r->json)
        return LLAVAOV_OK;
    uint32_t least;
    LlavaovStatus status = least_tokens(r->json, &least, error);
    if (status != LLAVAOV_OK)
        return status;
    if (tokens < least)
        return lv_fail_about(error, LLAVAOV_ERROR_CONTEXT_FULL, LLAVAOV_ABOUT_PROMPT, "prompt",
            "prompt and frames leave %u tokens for the answer, and the shortest document that the "
            "json-schema allows takes %u",
            tokens, least);
    lv_json_filter_start(r->json, tokens);
    return lv_sampler_filter(&r->sampler, &r->json->filter, error);
}

void lv_json_answer_finish(LlavaovTicket *r)
{
    if (!r->json)
        return;
    r->answer.json = r->text;
    r->answer.truncated = r->json->truncated;
}

LlavaovStatus llavaov_engine_json_tokens(
    LlavaovEngine *engine, const LlavaovJsonSchema *schema, uint32_t *tokens, LlavaovError *error)
{
    LvJsonFilter filter;
    LlavaovStatus status = open_filter(engine, schema, (LlavaovIds){NULL, 0}, &filter, error);
    if (status != LLAVAOV_OK)
        return status;
    status = least_tokens(&filter, tokens, error);
    lv_json_filter_close(&filter);
    return status;
}
