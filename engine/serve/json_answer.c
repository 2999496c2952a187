/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/json_answer.h"

#include "base/alloc.h"
#include "base/status.h"
#include "schema/json_schema.h"
#include "serve/ways.h"

/* Bytes that the schema makes certain, looked at at once. */
#define MOST_FORCED 64

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
    lv_json_values_close(&r->json_values);
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
    lv_json_values_open(
        &r->json_values, r->json, r->engine->tokenizer, r->engine->model->config->text.vocab_size);
    lv_json_filter_start(r->json, tokens);
    return lv_sampler_filter(&r->sampler, &r->json->filter, error);
}

uint32_t lv_json_answer_spare(const LlavaovTicket *r, uint32_t room)
{
    return !r->json ? 0 : room < LV_MAX_SPELLING_TOKENS ? room : LV_MAX_SPELLING_TOKENS;
}

static LlavaovStatus finish(LlavaovTicket *r, LlavaovError *error)
{
    if (!lv_json_values_finish(&r->json_values, r->text, r->n_text))
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an answer in JSON");
    r->answer.json = r->text;
    r->answer.truncated = r->json->truncated;
    r->answer.json_values = r->json_values.given;
    r->answer.n_json_values = r->json_values.n;
    return LLAVAOV_OK;
}

LlavaovStatus lv_json_answer_extend(LlavaovTicket *r, bool *finished, LlavaovError *error)
{
    size_t *next;
    if (!r->json)
        return LLAVAOV_OK;
    if (r->json_values.status != LLAVAOV_OK)
        return lv_fail(error, r->json_values.status, NULL, "no memory for an answer in JSON");
    r->ways_due = lv_json_values_due(&r->json_values, &next);
    r->complete = *finished;
    *finished = r->complete && !r->ways_due;
    return *finished ? finish(r, error) : LLAVAOV_OK;
}

LlavaovStatus lv_json_answer_ways(LvStep *step, const LvRun *run)
{
    LlavaovTicket *r = step->request;
    size_t *next;
    LvTrie *trie = lv_json_values_due(&r->json_values, &next);
    const bool fits = r->n_cached + trie->depth <= r->capacity + r->spare;
    if (fits) {
        LlavaovStatus status = lv_ways_run(r, trie, next, run);
        if (status != LLAVAOV_OK)
            return status;
    }
    lv_json_values_done(&r->json_values, fits);
    r->ways_due = lv_json_values_due(&r->json_values, &next);
    step->finished = r->complete && !r->ways_due;
    return step->finished ? finish(r, run->error) : LLAVAOV_OK;
}

size_t lv_json_answer_forced(const LlavaovTicket *r, size_t most, int32_t *ids)
{
    char bytes[MOST_FORCED];
    bool all;
    LvTokens tokens = {0};
    size_t n = r->json ? lv_json_filter_forced(r->json, bytes, sizeof bytes, &all) : 0;
    if (n == 0 || lv_tokenizer_encode(r->engine->tokenizer, bytes, n, LV_SPECIAL_AS_TEXT, &tokens,
                      NULL) != LLAVAOV_OK)
        n = 0;
    else
        n = all ? tokens.n : tokens.n - 1; /* the last may be one with what follows */
    n = n < most ? n : most;
    for (size_t i = 0; i < n; i++)
        ids[i] = tokens.ids[i];
    lv_tokens_free(&tokens);
    return n;
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
