/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json: everything in it is checked, and unsupported features are refused by name. */
#include <string.h>

#include "base/limits.h"
#include "text/merges.h"
#include "text/tokenizer_reader.h"
#include "text/utf8.h"

/* Parses the value at scan, one of the small ones, into a tree. */
static LlavaovStatus keep(LvTokenizerReader *r, LvScan *scan, json_t *parent, const char *key)
{
    const char *first = (lv_scan_peek(scan), scan->at);
    if (!lv_scan_skip(scan))
        return LLAVAOV_OK; /* reported by the caller */
    size_t bytes = (size_t)(scan->at - first);
    if (bytes > LV_MAX_CONFIG_BYTES)
        return BROKEN(r, key, "is larger than %u bytes", LV_MAX_CONFIG_BYTES);
    json_error_t cause;
    json_t *value = json_loadb(first, bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &cause);
    /* As in checkpoint/json.c: running out of memory often has no code. */
    if (!value && json_error_code(&cause) != json_error_out_of_memory &&
        json_error_code(&cause) != json_error_unknown)
        return BROKEN(r, key, "is broken: %s", cause.text);
    if (!value || json_object_get(parent, key)) {
        json_decref(value);
        return value ? BROKEN(r, key, "occurs twice") : lv_reader_no_memory(r);
    }
    return json_object_set_new(parent, key, value) ? lv_reader_no_memory(r) : LLAVAOV_OK;
}

/* Remembers the position of the value at scan. */
static LlavaovStatus remember(LvTokenizerReader *r, LvScan *scan, LvScan *place, const char *key)
{
    if (place->at)
        return BROKEN(r, key, "occurs twice");
    lv_scan_peek(scan);
    char *first = scan->at;
    lv_scan_skip(scan);
    *place = lv_scan(first, scan->at);
    return LLAVAOV_OK;
}

typedef LlavaovStatus (*TakeField)(
    LvTokenizerReader *r, LvScan *scan, const char *key, size_t bytes);

static bool is_key(const char *key, size_t bytes, const char *name)
{
    return strlen(name) == bytes && memcmp(key, name, bytes) == 0;
}

/* The name in the list that equals key, or NULL. */
static const char *among(const char *key, size_t bytes, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_key(key, bytes, names[i]))
            return names[i];
    return NULL;
}

static LlavaovStatus take_model_field(
    LvTokenizerReader *r, LvScan *scan, const char *key, size_t bytes)
{
    static const char *const small[] = {
        "type", "dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"};
    if (is_key(key, bytes, "vocab"))
        return remember(r, scan, &r->vocab_text, "model.vocab");
    if (is_key(key, bytes, "merges"))
        return remember(r, scan, &r->merges_text, "model.merges");
    const char *name = among(key, bytes, small, sizeof small / sizeof *small);
    if (name)
        return keep(r, scan, r->model, name);
    lv_scan_skip(scan);
    return LLAVAOV_OK;
}

static LlavaovStatus scan_object(LvTokenizerReader *r, LvScan *scan, TakeField take)
{
    LlavaovStatus status = LLAVAOV_OK;
    bool first = true;
    lv_scan_take(scan, '{');
    while (status == LLAVAOV_OK && !scan->problem && lv_scan_more(scan, '}', &first)) {
        const char *key;
        size_t bytes;
        if (lv_scan_string(scan, &key, &bytes) && lv_scan_take(scan, ':'))
            status = take(r, scan, key, bytes);
    }
    return status;
}

static LlavaovStatus take_root_field(
    LvTokenizerReader *r, LvScan *scan, const char *key, size_t bytes)
{
    static const char *const small[] = {
        "normalizer", "pre_tokenizer", "post_processor", "decoder", "added_tokens"};
    if (is_key(key, bytes, "model")) {
        if (r->model)
            return BROKEN(r, "model", "occurs twice");
        if (lv_scan_peek(scan) != '{')
            return BROKEN(r, "model", "is not an object");
        r->model = json_object();
        return r->model ? scan_object(r, scan, take_model_field) : lv_reader_no_memory(r);
    }
    const char *name = among(key, bytes, small, sizeof small / sizeof *small);
    if (name)
        return keep(r, scan, r->root, name);
    lv_scan_skip(scan);
    return LLAVAOV_OK;
}

static LlavaovStatus scan_file(LvTokenizerReader *r, char *json, size_t bytes)
{
    size_t valid = lv_utf8_valid_prefix(json, bytes);
    if (valid < bytes)
        return BROKEN(r, "the file", "is not UTF-8 at byte %zu; fetch it again", valid);
    LvScan scan = lv_scan(json, json + bytes);
    r->root = json_object();
    if (!r->root)
        return lv_reader_no_memory(r);
    LlavaovStatus status = scan_object(r, &scan, take_root_field);
    if (status == LLAVAOV_OK && !scan.problem && (lv_scan_peek(&scan), scan.at < scan.end))
        lv_scan_fail(&scan, "goes on behind its end");
    if (status == LLAVAOV_OK && scan.problem)
        return BROKEN(r, "the file", "%s, at byte %zu", scan.problem, (size_t)(scan.at - json));
    return status;
}

static LlavaovStatus read_merges(LvTokenizerReader *r)
{
    if (!r->merges_text.at)
        return BROKEN(r, "model.merges", "is absent");
    LvMerge *merges;
    size_t n;
    LlavaovStatus status =
        lv_merges_read(&r->vocabulary, &r->merges_text, r->name, &merges, &n, r->error);
    if (status != LLAVAOV_OK)
        return status;
    return lv_merge_table_build(&r->tokenizer->merges, merges, n, r->tokenizer->n_vocab, r->error);
}

static LlavaovStatus read_all(LvTokenizerReader *r, char *json, size_t bytes)
{
    LlavaovStatus status = scan_file(r, json, bytes);
    if (status == LLAVAOV_OK)
        status = lv_reader_take_steps(r);
    if (status == LLAVAOV_OK)
        status = lv_reader_take_vocab(r);
    if (status == LLAVAOV_OK)
        status = read_merges(r);
    if (status == LLAVAOV_OK)
        status = lv_reader_take_added(r);
    if (status == LLAVAOV_OK)
        status = lv_reader_finish(r);
    return status == LLAVAOV_OK ? lv_reader_take_post_processor(r) : status;
}

LlavaovStatus lv_tokenizer_read(
    LvTokenizer *tokenizer, char *json, size_t bytes, const char *name, LlavaovError *error)
{
    LvTokenizerReader r = {
        .tokenizer = tokenizer, .name = name, .error = error, .vocabulary.field = "model.vocab"};
    LlavaovStatus status = read_all(&r, json, bytes);
    lv_vocabulary_free(&r.vocabulary);
    json_decref(r.model);
    json_decref(r.root);
    return status;
}
