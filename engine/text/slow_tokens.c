/* SPDX-License-Identifier: Apache-2.0 */
#include "text/slow_tokens.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/status.h"
#include "text/vocabulary.h"

typedef struct Slow {
    json_t *config;            /* the folder's tokenizer_config.json, completed here */
    json_t *decoder, *encoder; /* id -> token, content -> id */
    json_t *by_content;        /* content -> the token that replaces a special token of that name */
    json_t *listed;            /* every special token, in the order in which they are added */
    size_t additional_at, additional_end; /* position of the additional ones in it */
    const LvVocabulary *base;
    const char *name;
    LlavaovError *error;
    LlavaovStatus status;
} Slow;

/* The names of special tokens, in the order in which they are added. */
static const char *const names[] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
#define N_NAMES (sizeof names / sizeof *names)
#define ADDITIONAL "additional_special_tokens"

static void __attribute__((format(printf, 3, 4)))
broken(Slow *slow, const char *field, const char *format, ...)
{
    char text[512];
    va_list arguments;
    if (slow->status)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    slow->status = lv_fail(
        slow->error, LLAVAOV_ERROR_FORMAT, slow->name, "%s: %s %s", slow->name, field, text);
}

static void no_memory(Slow *slow)
{
    if (!slow->status)
        slow->status =
            lv_fail(slow->error, LLAVAOV_ERROR_MEMORY, slow->name, "%s: out of memory", slow->name);
}

/* Sets object[key]; takes ownership of value. */
static void set(Slow *slow, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value))
        no_memory(slow);
}

static const char *content_of(const json_t *token)
{
    const char *text = json_string_value(token);
    return text ? text : json_string_value(json_object_get(token, "content"));
}

/* A new token of that content; flags (or NULL) is an object with further settings. */
static json_t *make_token(Slow *slow, const char *content, const json_t *flags, bool special)
{
    static const char *const asked[] = {"lstrip", "rstrip", "single_word"};
    json_t *token = json_pack("{ss sb}", "content", content, "special", (int)special);
    for (size_t i = 0; token && i < sizeof asked / sizeof *asked; i++)
        set(slow, token, asked[i], json_boolean(json_is_true(json_object_get(flags, asked[i]))));
    if (!token)
        no_memory(slow);
    return token;
}

/* Assigns the id. Takes ownership of token. */
static void give(Slow *slow, json_int_t id, const char *content, json_t *token)
{
    char key[32];
    snprintf(key, sizeof key, "%lld", (long long)id);
    const json_t *known = json_object_get(slow->encoder, content),
                 *other = json_object_get(slow->decoder, key);
    if (known && json_integer_value(known) != id)
        broken(slow, "the added token", "\"%.64s\" has two ids, %lld and %lld", content,
            (long long)json_integer_value(known), (long long)id);
    if (other && strcmp(content_of(other), content))
        broken(slow, "the added tokens", "\"%.64s\" and \"%.64s\" have the same id, %lld",
            content_of(other), content, (long long)id);
    set(slow, slow->decoder, key, token);
    set(slow, slow->encoder, content, json_integer(id));
}

static bool good_id(Slow *slow, const char *content, json_int_t id)
{
    if (id < 0 || id >= LV_MAX_VOCAB)
        broken(slow, "the added token", "\"%.64s\" has the id %lld; it must be between 0 and %u",
            content, (long long)id, LV_MAX_VOCAB - 1);
    return !slow->status;
}

/* ---- what the files say ---- */

static void read_decoder(Slow *slow, const json_t *decoder)
{
    const char *key;
    json_t *value;
    if (!json_is_object(decoder))
        broken(slow, "added_tokens_decoder", "is not an object");
    json_object_foreach((json_t *)decoder, key, value)
    {
        const char *content = json_is_object(value) ? content_of(value) : NULL;
        char *end;
        long long id = strtoll(key, &end, 10);
        if (!content || !*content)
            broken(slow, "added_tokens_decoder", "has no content for \"%.64s\"", key);
        else if (*key < '0' || *key > '9' || *end)
            broken(slow, "added_tokens_decoder", "has \"%.64s\" where an id belongs", key);
        if (slow->status || !good_id(slow, content, id))
            return;
        json_t *token =
            make_token(slow, content, value, json_is_true(json_object_get(value, "special")));
        if (token)
            set(slow, slow->by_content, content, json_incref(token));
        give(slow, id, content, token);
    }
}

/* special_tokens_map.json's entries over those of tokenizer_config.json; the last of its additional
 * tokens. */
static const char *read_special(Slow *slow, const json_t *special)
{
    const char *key, *last = NULL;
    json_t *value;
    json_object_foreach((json_t *)special, key, value)
    {
        json_t *list = json_object_get(slow->config, ADDITIONAL);
        if (strcmp(key, ADDITIONAL) || !json_is_array(value)) {
            set(slow, slow->config, key, json_incref(value));
            continue;
        }
        list = json_is_array(list) ? json_copy(list) : json_array();
        if (!list || json_array_extend(list, value))
            no_memory(slow);
        set(slow, slow->config, key, list);
        last = content_of(json_array_get(value, json_array_size(value) - 1));
    }
    return last;
}

static bool is_additional(const Slow *slow, const char *content)
{
    size_t i;
    json_t *value;
    json_array_foreach(json_object_get(slow->config, ADDITIONAL), i, value)
    {
        const char *named = content_of(value);
        if (named && !strcmp(named, content))
            return true;
    }
    return false;
}

static bool is_special(const Slow *slow, const char *content)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        const char *named = content_of(json_object_get(slow->config, names[i]));
        if (named && !strcmp(named, content))
            return true;
    }
    return is_additional(slow, content);
}

/* Files written by transformers before 4.34 or by hand. last: the reference mistakes a special
 * token of that name for the last token of added_tokens.json; a bug there, but it determines the
 * order in which tokens are added. */
static void read_added(Slow *slow, const json_t *added, const char *last)
{
    const char *content;
    json_t *value;
    json_object_foreach((json_t *)added, content, value)
    {
        if (!json_is_integer(value) || !*content)
            broken(slow, "added_tokens.json", "has no id for \"%.64s\"", content);
        if (slow->status || !good_id(slow, content, json_integer_value(value)))
            return;
        json_t *token = make_token(slow, content, NULL, is_special(slow, content));
        if (token)
            set(slow, slow->by_content, last ? last : "None", json_incref(token));
        give(slow, json_integer_value(value), content, token);
    }
}

/* ---- special tokens that are no added tokens yet ---- */

/* Puts a special token on the list: text or an object with content; nothing for null. Where the
 * reference creates an added token, an object is stored here (the added token of the same name, or
 * a new one); strings only say that such a token must exist. */
static void list_special(
    Slow *slow, const char *key, const json_t *value, const json_t *found, bool make)
{
    if (!value || json_is_null(value) || slow->status)
        return;
    const char *content = content_of(value);
    if (!content) {
        broken(slow, key, "is not a token");
        return;
    }
    json_t *entry = found                           ? json_incref((json_t *)found)
                    : make || json_is_object(value) ? make_token(slow, content, value, true)
                                                    : json_string(content);
    if (!entry || json_array_append_new(slow->listed, entry))
        no_memory(slow);
}

static void list_all_special(Slow *slow)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        /* The class's defaults, for what the file does not mention; null counts as a mention. */
        const bool own = !strcmp(names[i], "eos_token") || !strcmp(names[i], "unk_token") ||
                         !strcmp(names[i], "pad_token");
        const json_t *value = json_object_get(slow->config, names[i]), *found = NULL;
        if (value && content_of(value))
            found = json_object_get(slow->by_content, content_of(value));
        if (own && !value) {
            set(slow, slow->config, names[i], json_string("<|endoftext|>"));
            value = json_object_get(slow->config, names[i]);
        }
        list_special(slow, names[i], value, found, own || !strcmp(names[i], "bos_token"));
    }
    const json_t *additional = json_object_get(slow->config, ADDITIONAL);
    const json_t *extra = json_object_get(slow->config, "extra_special_tokens");
    if (additional && !json_is_null(additional) && !json_is_array(additional))
        broken(slow, ADDITIONAL, "is not an array");
    if (extra && !json_is_object(extra))
        broken(slow, "extra_special_tokens", "is not an object");
    size_t n;
    const char *key;
    json_t *value;
    slow->additional_at = json_array_size(slow->listed);
    json_array_foreach(additional, n, value)
    {
        list_special(slow, ADDITIONAL, value, NULL, false);
    }
    slow->additional_end = json_array_size(slow->listed);
    json_object_foreach((json_t *)extra, key, value)
        list_special(slow, "extra_special_tokens", value, NULL, false);
}

/* How many different contents vocabulary and added tokens have together: the next new token's id.
 */
static json_int_t count_contents(const Slow *slow)
{
    json_int_t n = slow->base->n;
    const char *content;
    json_t *value;
    json_object_foreach(slow->encoder, content, value)
    {
        uint32_t id;
        n += !lv_vocabulary_find(slow->base, content, strlen(content), &id);
    }
    return n;
}

static void add_special(Slow *slow)
{
    json_int_t next = count_contents(slow);
    json_t *seen = json_object(), *entry;
    size_t i;
    if (!seen)
        no_memory(slow);
    json_array_foreach(slow->listed, i, entry)
    {
        const char *content = content_of(entry);
        const json_t *known = json_object_get(slow->encoder, content);
        /* The first name that has a token takes precedence; among the additional ones, the last
         * entry. */
        const json_t *before = json_object_get(seen, content);
        const bool additional = i >= slow->additional_at && i < slow->additional_end;
        if (slow->status || !*content || (before && !(additional && json_is_false(before))))
            continue;
        set(slow, seen, content, json_boolean(!additional));
        if (known && json_is_string(entry))
            continue;
        uint32_t id;
        json_int_t at = known ? json_integer_value(known)
                        : lv_vocabulary_find(slow->base, content, strlen(content), &id)
                            ? (json_int_t)id
                            : next++;
        json_t *token =
            json_is_string(entry) ? make_token(slow, content, NULL, true) : json_copy(entry);
        if (!token)
            no_memory(slow);
        else
            set(slow, token, "special", json_true());
        if (!slow->status && good_id(slow, content, at))
            give(slow, at, content, token);
        else
            json_decref(token);
    }
    const char *key;
    json_object_foreach(slow->decoder, key, entry)
    {
        const char *content = content_of(entry);
        const bool skipped = json_object_get(seen, content) != NULL;
        set(slow, entry, "skipped", json_boolean(skipped));
        set(slow, entry, "plain",
            json_boolean(!skipped || (is_additional(slow, content) &&
                                         strtoul(key, NULL, 10) >= slow->base->n)));
    }
    json_decref(seen);
}

LlavaovStatus lv_slow_tokens(const LvSlowFiles *files, const LvVocabulary *base, const char *name,
    json_t **tokens, LlavaovError *error)
{
    Slow slow = {.config = files->config ? json_copy(files->config) : json_object(),
        .decoder = json_object(),
        .encoder = json_object(),
        .by_content = json_object(),
        .listed = json_array(),
        .base = base,
        .name = name,
        .error = error};
    *tokens = NULL;
    if (!slow.config || !slow.decoder || !slow.encoder || !slow.by_content || !slow.listed)
        no_memory(&slow);
    const json_t *decoder = json_object_get(slow.config, "added_tokens_decoder");
    if (slow.status == LLAVAOV_OK && decoder)
        read_decoder(&slow, decoder);
    else if (slow.status == LLAVAOV_OK) {
        const char *last = read_special(&slow, files->special);
        read_added(&slow, files->added, last);
    }
    if (slow.status == LLAVAOV_OK)
        list_all_special(&slow);
    if (slow.status == LLAVAOV_OK)
        add_special(&slow);
    if (slow.status == LLAVAOV_OK)
        *tokens = json_incref(slow.decoder);
    json_decref(slow.config);
    json_decref(slow.decoder);
    json_decref(slow.encoder);
    json_decref(slow.by_content);
    json_decref(slow.listed);
    return slow.status;
}
