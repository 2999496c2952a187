/* SPDX-License-Identifier: Apache-2.0
 * The added tokens of tokenizer.json. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "text/tokenizer_reader.h"
#include "text/unicode.h"

#define MAX_ADDED_TOKENS 65536u
#define MAX_ADDED_BYTES 1024u /* of one token's content */

static LlavaovStatus check_added(
    LvTokenizerReader *r, const json_t *value, size_t index, const char **content, uint32_t *id)
{
    *content = json_string_value(json_object_get(value, "content"));
    size_t bytes = *content ? strlen(*content) : 0;
    if (!bytes || bytes > MAX_ADDED_BYTES)
        return BROKEN(
            r, "added_tokens", "number %zu has no content of 1..%u bytes", index, MAX_ADDED_BYTES);
    if (lv_reader_true(value, "single_word"))
        return UNSUPPORTED(r, "added_tokens", "asks for single_word of \"%.64s\"", *content);
    const json_t *number = json_object_get(value, "id");
    json_int_t wanted = json_is_integer(number) ? json_integer_value(number) : -1;
    /* A new token gets the next id, as in the reference, whatever the file says. */
    uint32_t known;
    json_int_t expected =
        lv_vocabulary_find(&r->vocabulary, *content, bytes, &known) ? known : r->vocabulary.n;
    if (wanted != expected)
        return BROKEN(r, "added_tokens", "has \"%.64s\" at id %lld, where %lld is next", *content,
            (long long)wanted, (long long)expected);
    if (wanted >= LV_MAX_VOCAB)
        return BROKEN(r, "added_tokens", "go beyond id %u", LV_MAX_VOCAB - 1);
    *id = (uint32_t)wanted;
    return LLAVAOV_OK;
}

/* A token that is searched for in normalised text must itself be normalised; the reference decodes
 * it to its normalised form and then treats it as another token. */
static LlavaovStatus check_normal(LvTokenizerReader *r, const char *content)
{
    char *normal;
    size_t bytes = strlen(content), normal_bytes;
    LlavaovStatus status = lv_nfc(content, bytes, &normal, &normal_bytes, r->error);
    if (status != LLAVAOV_OK)
        return status;
    bool same = !normal || (normal_bytes == bytes && memcmp(normal, content, bytes) == 0);
    lv_free(normal);
    if (!same)
        return UNSUPPORTED(
            r, "added_tokens", "asks for normalized of \"%.64s\", which that changes", content);
    return LLAVAOV_OK;
}

static LlavaovStatus put_added(LvTokenizerReader *r, const json_t *value, const char *content,
    uint32_t id, LvAddedTokens *list)
{
    LvAddedToken *token = &list->tokens[list->n];
    token->id = (int32_t)id;
    token->special = lv_reader_true(value, "special") || lv_reader_placeholder(content);
    token->normalized = lv_reader_true(value, "normalized");
    token->lstrip = lv_reader_true(value, "lstrip");
    token->rstrip = lv_reader_true(value, "rstrip");
    if (token->normalized && r->tokenizer->nfc) {
        LlavaovStatus status = check_normal(r, content);
        if (status != LLAVAOV_OK)
            return status;
    }
    token->bytes = strlen(content);
    token->content = lv_strdup(content);
    if (!token->content)
        return lv_reader_no_memory(r);
    list->n++;
    return LLAVAOV_OK;
}

LlavaovStatus lv_reader_take_added(LvTokenizerReader *r)
{
    LvTokenizer *t = r->tokenizer;
    const json_t *list = json_object_get(r->root, "added_tokens");
    if (lv_reader_absent(list))
        return LLAVAOV_OK;
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > MAX_ADDED_TOKENS)
        return BROKEN(r, "added_tokens", "is not an array of at most %u tokens", MAX_ADDED_TOKENS);
    t->raw.tokens = lv_calloc(n, sizeof *t->raw.tokens);
    t->normalized.tokens = lv_calloc(n, sizeof *t->normalized.tokens);
    if (!t->raw.tokens || !t->normalized.tokens)
        return lv_reader_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        const char *content;
        uint32_t id = 0;
        LlavaovStatus status = check_added(r, value, i, &content, &id);
        if (status != LLAVAOV_OK)
            return status;
        status = put_added(
            r, value, content, id, lv_reader_true(value, "normalized") ? &t->normalized : &t->raw);
        if (status != LLAVAOV_OK)
            return status;
        LvSpelling spelling = {content, (uint32_t)strlen(content), false};
        status = lv_vocabulary_put(&r->vocabulary, id, spelling, r->name, r->error);
        if (status != LLAVAOV_OK)
            return status;
    }
    const LvAddedToken *twin;
    if (!lv_added_tokens_index(&t->raw, &twin) || !lv_added_tokens_index(&t->normalized, &twin))
        return BROKEN(r, "added_tokens", "has \"%.64s\" twice", twin->content);
    for (size_t i = 0; i < t->normalized.n; i++)
        if (lv_added_tokens_find(
                &t->raw, t->normalized.tokens[i].content, t->normalized.tokens[i].bytes))
            return BROKEN(
                r, "added_tokens", "has \"%.64s\" twice", t->normalized.tokens[i].content);
    return LLAVAOV_OK;
}
