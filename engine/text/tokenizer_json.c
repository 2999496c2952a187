/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json: everything in it is checked, and what this tokenizer cannot do is refused by
 * name. */
#include "text/tokenizer_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "text/utf8.h"

LlavaovStatus lv_reader_fail(
    LvTokenizerReader *r, LlavaovStatus status, const char *field, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return lv_fail(r->error, status, r->name, "%s: %s %s", r->name, field, text);
}

LlavaovStatus lv_reader_no_memory(LvTokenizerReader *r)
{
    return lv_fail(r->error, LLAVAOV_ERROR_MEMORY, r->name, "%s: out of memory", r->name);
}

static LlavaovStatus read_vocab(LvTokenizerReader *r)
{
    if (!r->vocab_text.at)
        return BROKEN(r, "model.vocab", "is absent");
    LlavaovStatus status = lv_vocabulary_read(&r->vocabulary, &r->vocab_text, r->name, r->error);
    if (status != LLAVAOV_OK)
        return status;
    r->tokenizer->n_vocab = r->vocabulary.n;
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelled[5] = {0};
        size_t bytes = lv_utf8_put(lv_byte_character((unsigned char)byte), spelled);
        if (!lv_vocabulary_find(
                &r->vocabulary, spelled, bytes, &r->tokenizer->merges.byte_ids[byte]))
            return BROKEN(r, "model.vocab", "has no token for byte 0x%02X (\"%s\")", byte, spelled);
    }
    return LLAVAOV_OK;
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

/* ---- what each token decodes to ---- */

/* The bytes that a spelling stands for: by the table when it has all of its characters, else as it
 * is. */
static size_t decode_spelling(LvSpelling token, char *out)
{
    const unsigned char *p = (const unsigned char *)token.text, *end = p + token.bytes;
    size_t n = 0;
    while (p < end) {
        int byte = lv_character_byte(lv_utf8_next(&p));
        if (byte < 0) {
            memcpy(out, token.text, token.bytes);
            return token.bytes;
        }
        out[n++] = (char)byte;
    }
    return n;
}

static LlavaovStatus decode_all(LvTokenizerReader *r)
{
    LvTokenizer *t = r->tokenizer;
    const LvVocabulary *v = &r->vocabulary;
    size_t total = 0;
    for (uint32_t id = 0; id < v->n; id++)
        total += v->tokens[id].bytes; /* decoding never lengthens */
    t->n_tokens = v->n;
    t->offsets = lv_alloc((size_t)t->n_tokens + 1, sizeof *t->offsets);
    t->special = lv_calloc(t->n_tokens, 1);
    t->bytes = lv_alloc(total + 1, 1);
    if (!t->offsets || !t->special || !t->bytes)
        return lv_reader_no_memory(r);
    uint32_t n = 0; /* total is less than the file, whose size 32 bits hold */
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        t->offsets[id] = n;
        n += (uint32_t)decode_spelling(v->tokens[id], t->bytes + n);
    }
    t->offsets[t->n_tokens] = n;
    char *exact = lv_realloc(t->bytes, (size_t)n + 1, 1);
    if (exact)
        t->bytes = exact;
    for (size_t i = 0; i < t->raw.n; i++)
        t->special[t->raw.tokens[i].id] = t->raw.tokens[i].special;
    for (size_t i = 0; i < t->normalized.n; i++)
        t->special[t->normalized.tokens[i].id] = t->normalized.tokens[i].special;
    return LLAVAOV_OK;
}

/* ---- the whole ---- */

/* Puts the value at scan, one of the small ones, into a tree. */
static LlavaovStatus keep(LvTokenizerReader *r, LvScan *scan, json_t *parent, const char *key)
{
    const char *first = (lv_scan_peek(scan), scan->at);
    if (!lv_scan_skip(scan))
        return LLAVAOV_OK; /* the caller sees the problem */
    size_t bytes = (size_t)(scan->at - first);
    if (bytes > LV_MAX_CONFIG_BYTES)
        return BROKEN(r, key, "is larger than %u bytes", LV_MAX_CONFIG_BYTES);
    json_error_t cause;
    json_t *value = json_loadb(first, bytes, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &cause);
    /* As in checkpoint/json.c: out of memory often has no code. */
    if (!value && json_error_code(&cause) != json_error_out_of_memory &&
        json_error_code(&cause) != json_error_unknown)
        return BROKEN(r, key, "is broken: %s", cause.text);
    if (!value || json_object_get(parent, key)) {
        json_decref(value);
        return value ? BROKEN(r, key, "occurs twice") : lv_reader_no_memory(r);
    }
    return json_object_set_new(parent, key, value) ? lv_reader_no_memory(r) : LLAVAOV_OK;
}

/* Remembers where the value at scan lies. */
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

/* The name of that list which key is; NULL when none. */
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
        return BROKEN(r, "the file", "is not UTF-8 at byte %zu", valid);
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

static LlavaovStatus read_all(LvTokenizerReader *r, char *json, size_t bytes)
{
    LlavaovStatus status = scan_file(r, json, bytes);
    if (status == LLAVAOV_OK)
        status = lv_reader_take_steps(r);
    if (status == LLAVAOV_OK)
        status = read_vocab(r);
    if (status == LLAVAOV_OK)
        status = read_merges(r);
    if (status == LLAVAOV_OK)
        status = lv_reader_take_added(r);
    return status == LLAVAOV_OK ? decode_all(r) : status;
}

LlavaovStatus lv_tokenizer_read(
    LvTokenizer *tokenizer, char *json, size_t bytes, const char *name, LlavaovError *error)
{
    LvTokenizerReader r = {.tokenizer = tokenizer, .name = name, .error = error};
    LlavaovStatus status = read_all(&r, json, bytes);
    lv_vocabulary_free(&r.vocabulary);
    json_decref(r.model);
    json_decref(r.root);
    return status;
}
