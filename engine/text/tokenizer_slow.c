/* SPDX-License-Identifier: Apache-2.0
 * A tokenizer from vocab.json, merges.txt and their companions, by the rules of transformers' slow
 * Qwen2Tokenizer. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/path.h"
#include "checkpoint/json.h"
#include "text/merges.h"
#include "text/slow_tokens.h"
#include "text/tokenizer_reader.h"
#include "text/utf8.h"

#define MAX_ADDED_TOKENS 65536u
#define MAX_ADDED_BYTES 1024u /* of one token's content */

typedef struct SlowReader {
    LvTokenizerReader r;
    const LvTokenizerFiles *files;
    const char *folder;
    char name[PATH_MAX];
} SlowReader;

static const char *const file_names[] = {[LV_VOCAB_JSON] = "vocab.json",
    [LV_MERGES_TXT] = "merges.txt",
    [LV_TOKENIZER_CONFIG] = "tokenizer_config.json",
    [LV_ADDED_TOKENS] = "added_tokens.json",
    [LV_SPECIAL_TOKENS_MAP] = "special_tokens_map.json"};

/* From here on, errors are that file's. */
static void turn_to(SlowReader *s, int file)
{
    lv_path_join(s->name, s->folder, file_names[file]);
    s->r.name = s->name;
}

static LlavaovStatus read_vocabulary(SlowReader *s, char *vocab)
{
    turn_to(s, LV_VOCAB_JSON);
    size_t bytes = s->files->file[LV_VOCAB_JSON].bytes, valid = lv_utf8_valid_prefix(vocab, bytes);
    if (valid < bytes)
        return BROKEN(&s->r, "the file", "is not UTF-8 at byte %zu; fetch it again", valid);
    s->r.vocab_text = lv_scan(vocab, vocab + bytes);
    LlavaovStatus status = lv_reader_take_vocab(&s->r);
    if (status == LLAVAOV_OK && lv_scan_peek(&s->r.vocab_text))
        return BROKEN(&s->r, "the file", "goes on behind its end");
    return status;
}

static LlavaovStatus read_merges(SlowReader *s)
{
    turn_to(s, LV_MERGES_TXT);
    const char *text = s->files->file[LV_MERGES_TXT].text;
    size_t bytes = s->files->file[LV_MERGES_TXT].bytes, valid = lv_utf8_valid_prefix(text, bytes);
    if (valid < bytes)
        return BROKEN(&s->r, "the file", "is not UTF-8 at byte %zu; fetch it again", valid);
    LvMerge *merges;
    size_t n;
    LlavaovStatus status =
        lv_merges_read_text(&s->r.vocabulary, text, bytes, s->r.name, &merges, &n, s->r.error);
    if (status != LLAVAOV_OK)
        return status;
    s->r.tokenizer->merges.in_rounds = true;
    return lv_merge_table_build(
        &s->r.tokenizer->merges, merges, n, s->r.tokenizer->n_vocab, s->r.error);
}

/* ---- added tokens ---- */

static LlavaovStatus parse_small(SlowReader *s, int file, json_t **root)
{
    *root = NULL;
    if (!s->files->file[file].text)
        return LLAVAOV_OK;
    turn_to(s, file);
    if (file == LV_TOKENIZER_CONFIG)
        return lv_json_parse_loose(
            s->files->file[file].text, s->files->file[file].bytes, s->r.name, root, s->r.error);
    return lv_json_parse(
        s->files->file[file].text, s->files->file[file].bytes, s->r.name, false, root, s->r.error);
}

/* The settings of tokenizer_config.json other than tokens. */
static LlavaovStatus check_config(SlowReader *s, const json_t *config)
{
    turn_to(s, LV_TOKENIZER_CONFIG);
    const json_t *class = json_object_get(config, "tokenizer_class");
    const char *name = json_string_value(class);
    if (!lv_reader_absent(class) &&
        (!name || (strcmp(name, "Qwen2Tokenizer") && strcmp(name, "Qwen2TokenizerFast"))))
        return UNSUPPORTED(&s->r, "tokenizer_class", "is %.64s; only Qwen2Tokenizer is known",
            name ? name : "not text");
    if (lv_reader_true(config, "add_prefix_space"))
        return UNSUPPORTED(
            &s->r, "add_prefix_space", "is true, which Qwen2Tokenizer does not take");
    const char *errors = json_string_value(json_object_get(config, "errors"));
    if (errors && strcmp(errors, "replace"))
        return UNSUPPORTED(&s->r, "errors", "is %.64s; only replace is known", errors);
    s->r.tokenizer->split_special = lv_reader_true(config, "split_special_tokens");
    return LLAVAOV_OK;
}

/* Text whose pieces spell an added token's content becomes that token. */
static LlavaovStatus note_alias(SlowReader *s, const char *content, size_t bytes, uint32_t id)
{
    LvTokenizer *t = s->r.tokenizer;
    uint32_t known;
    if (!lv_vocabulary_find(&s->r.vocabulary, content, bytes, &known) || known == id)
        return LLAVAOV_OK;
    if (!t->alias) {
        t->alias = lv_alloc(t->n_vocab, sizeof *t->alias);
        for (uint32_t i = 0; t->alias && i < t->n_vocab; i++)
            t->alias[i] = (int32_t)i;
    }
    if (!t->alias)
        return lv_reader_no_memory(&s->r);
    t->alias[known] = (int32_t)id;
    return LLAVAOV_OK;
}

static LlavaovStatus put_token(SlowReader *s, const json_t *token, uint32_t id)
{
    LvTokenizer *t = s->r.tokenizer;
    const char *content = json_string_value(json_object_get(token, "content"));
    size_t bytes = strlen(content);
    if (bytes > MAX_ADDED_BYTES)
        return BROKEN(&s->r, "an added token", "has a content of %zu bytes; at most %u are taken",
            bytes, MAX_ADDED_BYTES);
    LvAddedToken *added = &t->normalized.tokens[t->normalized.n];
    *added = (LvAddedToken){.bytes = bytes,
        .id = (int32_t)id,
        .special = lv_reader_true(token, "special") || lv_reader_placeholder(content),
        .normalized = true,
        .lstrip = lv_reader_true(token, "lstrip"),
        .rstrip = lv_reader_true(token, "rstrip"),
        .single_word = lv_reader_true(token, "single_word")};
    added->content = lv_strdup(content);
    if (!added->content)
        return lv_reader_no_memory(&s->r);
    t->normalized.n++;
    LlavaovStatus status = note_alias(s, content, bytes, id);
    if (status != LLAVAOV_OK)
        return status;
    const LvSpelling spelling = {content, (uint32_t)bytes, lv_reader_true(token, "plain")};
    return lv_vocabulary_put(&s->r.vocabulary, id, spelling, s->r.name, s->r.error);
}

/* The remaining steps, while the tokens' texts are alive. */
static LlavaovStatus take_tokens(SlowReader *s, json_t *tokens)
{
    LvTokenizer *t = s->r.tokenizer;
    size_t n = json_object_size(tokens);
    if (n > MAX_ADDED_TOKENS)
        return BROKEN(
            &s->r, "the added tokens", "are %zu; at most %u are taken", n, MAX_ADDED_TOKENS);
    t->normalized.tokens = lv_calloc(n, sizeof *t->normalized.tokens);
    if (!t->normalized.tokens)
        return lv_reader_no_memory(&s->r);
    const char *id;
    json_t *token;
    json_object_foreach(tokens, id, token)
    {
        LlavaovStatus status = put_token(s, token, (uint32_t)strtoul(id, NULL, 10));
        if (status != LLAVAOV_OK)
            return status;
    }
    const LvAddedToken *twin;
    if (!lv_added_tokens_index(&t->normalized, &twin))
        return BROKEN(&s->r, "the added tokens", "have \"%.64s\" twice", twin->content);
    LlavaovStatus status = lv_reader_finish(&s->r);
    if (status != LLAVAOV_OK)
        return status;
    json_object_foreach(tokens, id, token) t->special[strtoul(id, NULL, 10)] =
        lv_reader_true(token, "skipped");
    return LLAVAOV_OK;
}

static LlavaovStatus read_tokens(SlowReader *s)
{
    LvSlowFiles files = {0};
    json_t *tokens = NULL;
    LlavaovStatus status = parse_small(s, LV_TOKENIZER_CONFIG, &files.config);
    if (status == LLAVAOV_OK)
        status = parse_small(s, LV_ADDED_TOKENS, &files.added);
    if (status == LLAVAOV_OK)
        status = parse_small(s, LV_SPECIAL_TOKENS_MAP, &files.special);
    if (status == LLAVAOV_OK)
        status = check_config(s, files.config);
    snprintf(s->name, sizeof s->name, "%s", s->folder);
    if (status == LLAVAOV_OK)
        status = lv_slow_tokens(&files, &s->r.vocabulary, s->r.name, &tokens, s->r.error);
    if (status == LLAVAOV_OK)
        status = take_tokens(s, tokens);
    json_decref(tokens);
    json_decref(files.config);
    json_decref(files.added);
    json_decref(files.special);
    return status;
}

LlavaovStatus lv_tokenizer_read_slow(LvTokenizer *tokenizer, char *vocab,
    const LvTokenizerFiles *files, const char *folder, LlavaovError *error)
{
    SlowReader s = {
        .r = {.tokenizer = tokenizer, .error = error, .vocabulary.field = "the vocabulary"},
        .files = files,
        .folder = folder};
    tokenizer->slow = true;
    tokenizer->nfc = true;
    LlavaovStatus status = read_vocabulary(&s, vocab);
    if (status == LLAVAOV_OK)
        status = read_merges(&s);
    if (status == LLAVAOV_OK)
        status = read_tokens(&s);
    lv_vocabulary_free(&s.r.vocabulary);
    return status;
}
