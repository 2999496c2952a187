/* SPDX-License-Identifier: Apache-2.0
 * tokenizer.json: everything in it is checked, and what this tokenizer cannot do is refused by
 * name. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "text/pretokenize.h"
#include "text/tokenizer_private.h"
#include "text/unicode.h"
#include "text/utf8.h"

#define MAX_MERGES (4 * LV_MAX_VOCAB)
#define MAX_ADDED_TOKENS 65536u
#define MAX_ADDED_BYTES 1024u /* of one added token's content */

typedef struct Reader {
    LvTokenizer *tokenizer;
    const char *name;
    LlavaovError *error;
    json_t *vocab;
    const char *
        *keys; /* [n_tokens] the spelling of every token: the JSON tree's, or an added token's */
} Reader;

#define BROKEN(reader, ...) fail_at(reader, LLAVAOV_ERROR_FORMAT, __VA_ARGS__)
#define UNSUPPORTED(reader, ...) fail_at(reader, LLAVAOV_ERROR_UNSUPPORTED, __VA_ARGS__)

static LlavaovStatus fail_at(Reader *r, LlavaovStatus status, const char *field, const char *format,
    ...) __attribute__((format(printf, 4, 5)));

static LlavaovStatus fail_at(
    Reader *r, LlavaovStatus status, const char *field, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return lv_fail(r->error, status, r->name, "%s: %s %s", r->name, field, text);
}

static LlavaovStatus no_memory(Reader *r)
{
    return lv_fail(r->error, LLAVAOV_ERROR_MEMORY, r->name, "%s: out of memory", r->name);
}

/* Absent and null are false. */
static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static bool absent(const json_t *value)
{
    return !value || json_is_null(value);
}

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "without a type";
}

static bool has_type(const json_t *object, const char *type)
{
    return strcmp(type_of(object), type) == 0;
}

/* ---- the parts around the model
 * -------------------------------------------------------------------------------- */

static LlavaovStatus read_normalizer(Reader *r, const json_t *root)
{
    const json_t *normalizer = json_object_get(root, "normalizer");
    r->tokenizer->nfc = !absent(normalizer);
    if (absent(normalizer) || has_type(normalizer, "NFC"))
        return LLAVAOV_OK;
    return UNSUPPORTED(r, "normalizer", "is %s; only NFC and null are known", type_of(normalizer));
}

static LlavaovStatus read_pre_tokenizer(Reader *r, const json_t *root)
{
    const json_t *outer = json_object_get(root, "pre_tokenizer");
    const json_t *steps = json_object_get(outer, "pretokenizers");
    const json_t *split = json_array_get(steps, 0), *bytes = json_array_get(steps, 1);
    if (absent(outer) || !has_type(outer, "Sequence") || json_array_size(steps) != 2 ||
        !has_type(split, "Split") || !has_type(bytes, "ByteLevel"))
        return UNSUPPORTED(r, "pre_tokenizer", "is not a Sequence of Split and ByteLevel");
    const char *regex =
        json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
    if (!regex || strcmp(regex, lv_piece_pattern) != 0)
        return UNSUPPORTED(r, "pre_tokenizer", "splits by %.300s, not by Qwen2's pattern",
            regex ? regex : "no regular expression");
    const char *behavior = json_string_value(json_object_get(split, "behavior"));
    if (!behavior || strcmp(behavior, "Isolated") != 0 || is_true(split, "invert"))
        return UNSUPPORTED(
            r, "pre_tokenizer", "has a Split whose behavior is not Isolated or that inverts");
    if (is_true(bytes, "add_prefix_space"))
        return UNSUPPORTED(r, "pre_tokenizer", "asks for add_prefix_space");
    if (!json_is_false(json_object_get(bytes, "use_regex")))
        return UNSUPPORTED(r, "pre_tokenizer", "asks for use_regex");
    return LLAVAOV_OK;
}

static LlavaovStatus read_ends(Reader *r, const json_t *root)
{
    const json_t *decoder = json_object_get(root, "decoder");
    if (absent(decoder) || !has_type(decoder, "ByteLevel"))
        return UNSUPPORTED(r, "decoder", "is %s; only ByteLevel is known",
            absent(decoder) ? "null" : type_of(decoder));
    const json_t *post = json_object_get(root, "post_processor");
    if (!absent(post) && !has_type(post, "ByteLevel"))
        return UNSUPPORTED(
            r, "post_processor", "is %s; only ByteLevel and null are known", type_of(post));
    return LLAVAOV_OK;
}

/* ---- vocabulary and merges
 * ------------------------------------------------------------------------------------- */

static LlavaovStatus read_model_options(Reader *r, const json_t *model)
{
    if (!json_is_object(model))
        return BROKEN(r, "model", "is not an object");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (!type || strcmp(type, "BPE") != 0)
        return UNSUPPORTED(r, "model.type", "is %.64s; only BPE is known", type ? type : "absent");
    const json_t *dropout = json_object_get(model, "dropout");
    if (!absent(dropout) && json_number_value(dropout) != 0)
        return UNSUPPORTED(r, "model.dropout", "is not null");
    static const char *const affixes[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof affixes / sizeof *affixes; i++) {
        const json_t *affix = json_object_get(model, affixes[i]);
        if (!absent(affix) && json_string_length(affix) != 0)
            return UNSUPPORTED(r, affixes[i], "is not empty");
    }
    if (is_true(model, "ignore_merges"))
        return UNSUPPORTED(r, "model.ignore_merges", "is true");
    /* unk_token, fuse_unk and byte_fallback have no effect: every byte is required to have a token.
     */
    return LLAVAOV_OK;
}

static LlavaovStatus read_vocab(Reader *r, const json_t *model)
{
    r->vocab = json_object_get(model, "vocab");
    if (!json_is_object(r->vocab))
        return BROKEN(r, "model.vocab", "is not an object");
    size_t n = json_object_size(r->vocab);
    if (n > LV_MAX_VOCAB)
        return BROKEN(r, "model.vocab", "has %zu tokens, more than %u", n, LV_MAX_VOCAB);
    r->keys = lv_calloc(LV_MAX_VOCAB, sizeof *r->keys);
    if (!r->keys)
        return no_memory(r);
    const char *key;
    json_t *value;
    json_object_foreach(r->vocab, key, value)
    {
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || (uint64_t)id >= n)
            return BROKEN(
                r, "model.vocab", "gives \"%.64s\" an id that is not in 0..%zu", key, n - 1);
        if (r->keys[id])
            return BROKEN(r, "model.vocab", "gives id %lld to \"%.64s\" and \"%.64s\"",
                (long long)id, r->keys[id], key);
        r->keys[id] = key;
    }
    r->tokenizer->n_vocab = r->tokenizer->n_tokens = (uint32_t)n;
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelled[5] = {0};
        lv_utf8_put(lv_byte_character((unsigned char)byte), spelled);
        const json_t *id = json_object_get(r->vocab, spelled);
        if (!id)
            return BROKEN(r, "model.vocab", "has no token for byte 0x%02X (\"%s\")", byte, spelled);
        r->tokenizer->merges.byte_ids[byte] = (uint32_t)json_integer_value(id);
    }
    return LLAVAOV_OK;
}

static bool lookup(const Reader *r, const char *key, size_t bytes, uint32_t *id)
{
    const json_t *value = json_object_getn(r->vocab, key, bytes);
    *id = value ? (uint32_t)json_integer_value(value) : 0;
    return value != NULL;
}

/* One merge, "a b" or ["a", "b"]; joined is room for both (LV_MAX_TOKENIZER_BYTES bound them). */
static LlavaovStatus read_merge(
    Reader *r, const json_t *value, uint32_t rank, char *joined, size_t room, LvMerge *merge)
{
    const char *left, *right;
    size_t left_bytes, right_bytes;
    if (json_is_string(value)) {
        left = json_string_value(value);
        const char *space = strchr(left, ' ');
        left_bytes = space ? (size_t)(space - left) : 0;
        right = space ? space + 1 : "";
        right_bytes = strlen(right);
        if (strchr(right, ' '))
            right_bytes = 0;
    } else {
        const json_t *a = json_array_get(value, 0), *b = json_array_get(value, 1);
        bool pair = json_array_size(value) == 2 && json_is_string(a) && json_is_string(b);
        left = pair ? json_string_value(a) : "";
        right = pair ? json_string_value(b) : "";
        left_bytes = strlen(left);
        right_bytes = strlen(right);
    }
    if (!left_bytes || !right_bytes)
        return BROKEN(
            r, "model.merges", "has an entry, number %u, that is not a pair of tokens", rank);
    merge->rank = rank;
    if (!lookup(r, left, left_bytes, &merge->left) || !lookup(r, right, right_bytes, &merge->right))
        return BROKEN(r, "model.merges",
            "number %u, \"%.64s\" and \"%.64s\", merges a token that is not in model.vocab", rank,
            left, right);
    bool known = left_bytes + right_bytes <= room;
    if (known) {
        memcpy(joined, left, left_bytes);
        memcpy(joined + left_bytes, right, right_bytes);
        known = lookup(r, joined, left_bytes + right_bytes, &merge->id);
    }
    if (!known)
        return BROKEN(r, "model.merges",
            "number %u makes a token that is not in model.vocab from \"%.64s\" and \"%.64s\"", rank,
            left, right);
    return LLAVAOV_OK;
}

static LlavaovStatus read_merges(Reader *r, const json_t *model)
{
    const json_t *list = json_object_get(model, "merges");
    size_t n = json_array_size(list), longest = 0;
    if (!json_is_array(list) || n > MAX_MERGES)
        return BROKEN(r, "model.merges", "is not an array of at most %u merges", MAX_MERGES);
    for (uint32_t id = 0; id < r->tokenizer->n_vocab; id++) {
        size_t bytes = strlen(r->keys[id]);
        longest = bytes > longest ? bytes : longest;
    }
    LvMerge *merges = lv_alloc(n, sizeof *merges);
    char *joined = lv_alloc(longest + 1, 1);
    LlavaovStatus status = merges && joined ? LLAVAOV_OK : no_memory(r);
    for (size_t i = 0; i < n && status == LLAVAOV_OK; i++)
        status = read_merge(r, json_array_get(list, i), (uint32_t)i, joined, longest, &merges[i]);
    lv_free(joined);
    if (status != LLAVAOV_OK) {
        lv_free(merges);
        return status;
    }
    return lv_merge_table_build(&r->tokenizer->merges, merges, n, r->tokenizer->n_vocab, r->error);
}

/* ---- added tokens
 * ---------------------------------------------------------------------------------------------- */

static LlavaovStatus check_added(
    Reader *r, const json_t *value, size_t index, const char **content, uint32_t *id)
{
    *content = json_string_value(json_object_get(value, "content"));
    size_t bytes = *content ? strlen(*content) : 0;
    if (!bytes || bytes > MAX_ADDED_BYTES)
        return BROKEN(
            r, "added_tokens", "number %zu has no content of 1..%u bytes", index, MAX_ADDED_BYTES);
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (is_true(value, flags[i]))
            return UNSUPPORTED(r, "added_tokens", "asks for %s of \"%.64s\"", flags[i], *content);
    const json_t *number = json_object_get(value, "id");
    json_int_t wanted = json_is_integer(number) ? json_integer_value(number) : -1;
    /* A new token takes the next id, as the reference counts them whatever the file says. */
    uint32_t known;
    json_int_t expected = lookup(r, *content, bytes, &known) ? known : r->tokenizer->n_tokens;
    if (wanted != expected)
        return BROKEN(r, "added_tokens", "has \"%.64s\" at id %lld, where %lld is next", *content,
            (long long)wanted, (long long)expected);
    if (wanted >= LV_MAX_VOCAB)
        return BROKEN(r, "added_tokens", "go beyond id %u", LV_MAX_VOCAB - 1);
    *id = (uint32_t)wanted;
    return LLAVAOV_OK;
}

static LlavaovStatus put_added(
    Reader *r, const json_t *value, const char *content, uint32_t id, LvAddedTokens *list)
{
    LvAddedToken *token = &list->tokens[list->n];
    token->id = (int32_t)id;
    token->special = is_true(value, "special");
    token->normalized = is_true(value, "normalized");
    token->bytes = strlen(content);
    token->content = NULL;
    if (token->normalized && r->tokenizer->nfc) {
        char *normal;
        LlavaovStatus status = lv_nfc(content, token->bytes, &normal, &token->bytes, r->error);
        if (status != LLAVAOV_OK)
            return status;
        if (normal) {
            token->content = lv_alloc(token->bytes + 1, 1);
            if (token->content) {
                memcpy(token->content, normal, token->bytes);
                token->content[token->bytes] = '\0';
            }
            lv_free(normal);
        } else {
            token->content = lv_strdup(content);
        }
    } else {
        token->content = lv_strdup(content);
    }
    if (!token->content)
        return no_memory(r);
    list->n++;
    return LLAVAOV_OK;
}

static LlavaovStatus read_added_tokens(Reader *r, const json_t *root)
{
    LvTokenizer *t = r->tokenizer;
    const json_t *list = json_object_get(root, "added_tokens");
    if (absent(list))
        return LLAVAOV_OK;
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > MAX_ADDED_TOKENS)
        return BROKEN(r, "added_tokens", "is not an array of at most %u tokens", MAX_ADDED_TOKENS);
    t->raw.tokens = lv_calloc(n, sizeof *t->raw.tokens);
    t->normalized.tokens = lv_calloc(n, sizeof *t->normalized.tokens);
    if (!t->raw.tokens || !t->normalized.tokens)
        return no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        const char *content;
        uint32_t id = 0;
        LlavaovStatus status = check_added(r, value, i, &content, &id);
        if (status != LLAVAOV_OK)
            return status;
        status = put_added(
            r, value, content, id, is_true(value, "normalized") ? &t->normalized : &t->raw);
        if (status != LLAVAOV_OK)
            return status;
        r->keys[id] = content;
        if (id == t->n_tokens)
            t->n_tokens++;
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

/* ---- what each token decodes to
 * -------------------------------------------------------------------------------- */

/* The bytes that a spelling stands for: by the table when it has all of its characters, else as it
 * is. */
static size_t decode_spelling(const char *key, char *out)
{
    const unsigned char *p = (const unsigned char *)key;
    size_t n = 0;
    while (*p) {
        int byte = lv_character_byte(lv_utf8_next(&p));
        if (byte < 0) {
            n = strlen(key);
            memcpy(out, key, n);
            return n;
        }
        out[n++] = (char)byte;
    }
    return n;
}

static LlavaovStatus decode_all(Reader *r)
{
    LvTokenizer *t = r->tokenizer;
    size_t total = 0;
    for (uint32_t id = 0; id < t->n_tokens; id++)
        total += strlen(r->keys[id]); /* decoding never lengthens */
    t->offsets = lv_alloc((size_t)t->n_tokens + 1, sizeof *t->offsets);
    t->special = lv_calloc(t->n_tokens, 1);
    char *bytes = lv_alloc(total + 1, 1);
    if (!t->offsets || !t->special || !bytes) {
        lv_free(bytes);
        return no_memory(r);
    }
    size_t n = 0;
    for (uint32_t id = 0; id < t->n_tokens; id++) {
        t->offsets[id] = n;
        n += decode_spelling(r->keys[id], bytes + n);
    }
    t->offsets[t->n_tokens] = n;
    t->bytes = lv_realloc(bytes, n + 1, 1);
    if (!t->bytes)
        t->bytes = bytes;
    for (size_t i = 0; i < t->raw.n; i++)
        t->special[t->raw.tokens[i].id] = t->raw.tokens[i].special;
    for (size_t i = 0; i < t->normalized.n; i++)
        t->special[t->normalized.tokens[i].id] = t->normalized.tokens[i].special;
    return LLAVAOV_OK;
}

static LlavaovStatus read_root(Reader *r, const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    LlavaovStatus status =
        json_is_object(root) ? LLAVAOV_OK : BROKEN(r, "the file", "is not a JSON object");
    if (status == LLAVAOV_OK)
        status = read_model_options(r, model);
    if (status == LLAVAOV_OK)
        status = read_normalizer(r, root);
    if (status == LLAVAOV_OK)
        status = read_pre_tokenizer(r, root);
    if (status == LLAVAOV_OK)
        status = read_ends(r, root);
    if (status == LLAVAOV_OK)
        status = read_vocab(r, model);
    if (status == LLAVAOV_OK)
        status = read_merges(r, model);
    if (status == LLAVAOV_OK)
        status = read_added_tokens(r, root);
    return status == LLAVAOV_OK ? decode_all(r) : status;
}

LlavaovStatus lv_tokenizer_read(
    LvTokenizer *tokenizer, const char *json, size_t bytes, const char *name, LlavaovError *error)
{
    Reader r = {.tokenizer = tokenizer, .name = name, .error = error};
    if (bytes > LV_MAX_TOKENIZER_BYTES)
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: is larger than %u bytes", name,
            LV_MAX_TOKENIZER_BYTES);
    json_error_t json_error;
    json_t *root = json_loadb(json, bytes, JSON_REJECT_DUPLICATES, &json_error);
    if (!root) {
        if (json_error_code(&json_error) == json_error_out_of_memory)
            return no_memory(&r);
        return lv_fail(error, LLAVAOV_ERROR_FORMAT, name, "%s: line %d, column %d: %s", name,
            json_error.line, json_error.column, json_error.text);
    }
    LlavaovStatus status = read_root(&r, root);
    lv_free(r.keys);
    json_decref(root);
    return status;
}
