/* SPDX-License-Identifier: Apache-2.0 */
#include "text/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "text/tokenizer_private.h"
#include "text/utf8.h"

/* ---- open and close ---- */

static LlavaovStatus parse(
    char *json, size_t bytes, const char *name, LvTokenizer **tokenizer, LlavaovError *error)
{
    LvTokenizer *t = lv_calloc(1, sizeof *t);
    if (!t)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory", name);
    LlavaovStatus status = lv_tokenizer_read(t, json, bytes, name, error);
    if (status != LLAVAOV_OK) {
        lv_tokenizer_close(t);
        return status;
    }
    *tokenizer = t;
    return LLAVAOV_OK;
}

LlavaovStatus lv_tokenizer_parse(
    const char *json, size_t bytes, const char *name, LvTokenizer **tokenizer, LlavaovError *error)
{
    *tokenizer = NULL;
    if (bytes > LV_MAX_TOKENIZER_BYTES)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: is larger than %u bytes", name,
            LV_MAX_TOKENIZER_BYTES);
    char *copy = lv_alloc(bytes + 1, 1);
    if (!copy)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, name, "%s: out of memory", name);
    memcpy(copy, json, bytes);
    LlavaovStatus status = parse(copy, bytes, name, tokenizer, error);
    lv_free(copy);
    return status;
}

LlavaovStatus lv_tokenizer_open(const char *file, LvTokenizer **tokenizer, LlavaovError *error)
{
    *tokenizer = NULL;
    char *text;
    size_t bytes;
    LlavaovStatus status = lv_file_read(file, LV_MAX_TOKENIZER_BYTES, &text, &bytes, error);
    if (status == LLAVAOV_OK)
        status = parse(text, bytes, file, tokenizer, error);
    lv_free(text);
    return status;
}

void lv_tokenizer_close(LvTokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    lv_merge_table_free(&tokenizer->merges);
    lv_added_tokens_free(&tokenizer->raw);
    lv_added_tokens_free(&tokenizer->normalized);
    lv_free(tokenizer->offsets);
    lv_free(tokenizer->bytes);
    lv_free(tokenizer->special);
    lv_free(tokenizer->alias);
    lv_tokens_free(&tokenizer->before);
    lv_tokens_free(&tokenizer->after);
    lv_free(tokenizer);
}

uint32_t lv_tokenizer_size(const LvTokenizer *tokenizer)
{
    return tokenizer->n_tokens;
}

int32_t lv_tokenizer_added_token(const LvTokenizer *tokenizer, const char *content)
{
    size_t bytes = strlen(content);
    const LvAddedToken *token = lv_added_tokens_find(&tokenizer->raw, content, bytes);
    if (!token)
        token = lv_added_tokens_find(&tokenizer->normalized, content, bytes);
    return token ? token->id : -1;
}

LlavaovStatus lv_tokenizer_add_placeholder(
    LvTokenizer *tokenizer, const char *content, int32_t id, LlavaovError *error)
{
    LvAddedTokens *raw = &tokenizer->raw;
    if (lv_tokenizer_added_token(tokenizer, content) >= 0)
        return LLAVAOV_OK;
    LvAddedToken *grown = lv_realloc(raw->tokens, raw->n + 1, sizeof *grown);
    if (grown)
        raw->tokens = grown;
    char *copy = lv_strdup(content);
    if (!grown || !copy) {
        lv_free(copy);
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a placeholder");
    }
    raw->tokens[raw->n++] =
        (LvAddedToken){.content = copy, .bytes = strlen(content), .id = id, .special = true};
    const LvAddedToken *twin;
    lv_added_tokens_index(raw, &twin);
    return LLAVAOV_OK;
}

/* ---- decode ---- */

const char *lv_tokenizer_token_bytes(
    const LvTokenizer *tokenizer, int32_t id, size_t *bytes, bool *special)
{
    if (id < 0 || (uint32_t)id >= tokenizer->n_tokens) {
        *bytes = 0;
        if (special)
            *special = false;
        return NULL;
    }
    *bytes = tokenizer->offsets[id + 1] - tokenizer->offsets[id];
    if (special)
        *special = tokenizer->special[id];
    return tokenizer->bytes + tokenizer->offsets[id];
}

LlavaovStatus lv_tokenizer_decode(const LvTokenizer *tokenizer, const int32_t *ids, size_t n,
    bool skip_special, char **text, size_t *bytes, LlavaovError *error)
{
    *text = NULL;
    *bytes = 0;
    size_t total = 0, token_bytes;
    bool special;
    for (size_t i = 0; i < n; i++) {
        lv_tokenizer_token_bytes(tokenizer, ids[i], &token_bytes, &special);
        if (token_bytes > (SIZE_MAX - 64) / 3 - total)
            return lv_fail(
                error, LLAVAOV_ERROR_MEMORY, NULL, "the text of %zu tokens is too long", n);
        total += special && skip_special ? 0 : token_bytes;
    }
    char *out = lv_alloc(total * 3 + 16, 1);
    if (!out)
        return lv_fail(
            error, LLAVAOV_ERROR_MEMORY, NULL, "out of memory for the text of %zu tokens", n);
    LvUtf8Stream stream = {0};
    size_t written = 0;
    for (size_t i = 0; i < n; i++) {
        const char *piece = lv_tokenizer_token_bytes(tokenizer, ids[i], &token_bytes, &special);
        if (piece && !(special && skip_special))
            written += lv_utf8_stream_push(&stream, piece, token_bytes, out + written);
    }
    written += lv_utf8_stream_finish(&stream, out + written);
    out[written] = '\0';
    char *exact = lv_realloc(out, written + 1, 1);
    *text = exact ? exact : out;
    *bytes = written;
    return LLAVAOV_OK;
}
