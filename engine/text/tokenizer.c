/* SPDX-License-Identifier: Apache-2.0 */
#include "text/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "checkpoint/json.h"
#include "text/pretokenize.h"
#include "text/tokenizer_private.h"
#include "text/unicode.h"
#include "text/utf8.h"

/* A template around a prompt of full length is still short of this. */
#define MAX_TEXT_BYTES (4 * LV_MAX_PROMPT_BYTES)

uint32_t lv_byte_character(unsigned char byte)
{
    if ((byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE)
        return byte;
    /* The other 68 follow U+0100 in order: 0x00..0x20, 0x7F..0xA0, 0xAD. */
    return 0x100 + (byte <= 0x20 ? byte : byte <= 0xA0 ? byte - 0x7F + 33u : 67u);
}

int lv_character_byte(uint32_t c)
{
    if ((c >= 0x21 && c <= 0x7E) || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF))
        return (int)c;
    if (c < 0x100 || c > 0x100 + 67)
        return -1;
    c -= 0x100;
    return (int)(c <= 0x20 ? c : c < 67 ? c - 33 + 0x7F : 0xAD);
}

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

/* ---- lists of ids ---- */

static LlavaovStatus tokens_reserve(LvTokens *tokens, size_t more, LlavaovError *error)
{
    if (tokens->capacity - tokens->n >= more)
        return LLAVAOV_OK;
    size_t capacity = tokens->n + more + tokens->n / 2 + 16;
    int32_t *ids = lv_realloc(tokens->ids, capacity, sizeof *ids);
    if (!ids)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "out of memory for %zu tokens", capacity);
    tokens->ids = ids;
    tokens->capacity = capacity;
    return LLAVAOV_OK;
}

LlavaovStatus lv_tokens_append(LvTokens *tokens, int32_t id, LlavaovError *error)
{
    LlavaovStatus status = tokens_reserve(tokens, 1, error);
    if (status == LLAVAOV_OK)
        tokens->ids[tokens->n++] = id;
    return status;
}

void lv_tokens_free(LvTokens *tokens)
{
    lv_free(tokens->ids);
    *tokens = (LvTokens){0};
}

/* ---- encode ---- */

typedef struct Encoder {
    const LvTokenizer *tokenizer;
    LvSpecialText special;
    LvTokens *tokens;
    LvBpeScratch scratch;
    LlavaovError *error;
} Encoder;

typedef LlavaovStatus (*EncodeText)(Encoder *e, const unsigned char *text, size_t bytes);

/* Normalised text without added tokens. */
static LlavaovStatus encode_pieces(Encoder *e, const unsigned char *text, size_t bytes)
{
    const unsigned char *end = text + bytes;
    while (text < end) {
        size_t n = lv_piece_length(text, end), n_ids;
        LlavaovStatus status = tokens_reserve(e->tokens, n, e->error);
        if (status == LLAVAOV_OK)
            status = lv_bpe_encode(&e->tokenizer->merges, text, n, &e->scratch,
                e->tokens->ids + e->tokens->n, &n_ids, e->error);
        if (status != LLAVAOV_OK)
            return status;
        e->tokens->n += n_ids;
        text += n;
    }
    return LLAVAOV_OK;
}

/* Splits text at the added tokens of one list; what lies between goes to `between`. A special token
 * that is to stay text still hides others that begin inside it, as in the reference. */
static LlavaovStatus encode_around(Encoder *e, const LvAddedTokens *added,
    const unsigned char *text, size_t bytes, EncodeText between)
{
    const unsigned char *end = text + bytes, *p = text;
    LlavaovStatus status = LLAVAOV_OK;
    while (p < end && added->n) {
        const LvAddedToken *token = lv_added_tokens_match(added, p, end);
        if (!token) {
            p++;
            continue;
        }
        if (!token->special || e->special == LV_SPECIAL_AS_TOKENS) {
            if (p > text)
                status = between(e, text, (size_t)(p - text));
            if (status == LLAVAOV_OK)
                status = lv_tokens_append(e->tokens, token->id, e->error);
            if (status != LLAVAOV_OK)
                return status;
            text = p + token->bytes;
        }
        p += token->bytes;
    }
    return text < end ? between(e, text, (size_t)(end - text)) : LLAVAOV_OK;
}

/* Raw text without the added tokens that are found in raw text. */
static LlavaovStatus encode_raw(Encoder *e, const unsigned char *text, size_t bytes)
{
    char *normal = NULL;
    if (e->tokenizer->nfc) {
        LlavaovStatus status = lv_nfc((const char *)text, bytes, &normal, &bytes, e->error);
        if (status != LLAVAOV_OK)
            return status;
    }
    LlavaovStatus status = encode_around(e, &e->tokenizer->normalized,
        normal ? (const unsigned char *)normal : text, bytes, encode_pieces);
    lv_free(normal);
    return status;
}

LlavaovStatus lv_tokenizer_encode(const LvTokenizer *tokenizer, const char *text, size_t bytes,
    LvSpecialText special, LvTokens *tokens, LlavaovError *error)
{
    if (!bytes)
        return LLAVAOV_OK;
    if (bytes > MAX_TEXT_BYTES)
        return lv_fail(error, LLAVAOV_ERROR_ARGUMENT, NULL, "a text of %zu bytes is longer than %u",
            bytes, MAX_TEXT_BYTES);
    size_t valid = lv_utf8_valid_prefix(text, bytes);
    if (valid < bytes)
        return lv_fail(
            error, LLAVAOV_ERROR_ARGUMENT, NULL, "the text is not UTF-8 at byte %zu", valid);
    Encoder e = {.tokenizer = tokenizer, .special = special, .tokens = tokens, .error = error};
    size_t n_before = tokens->n;
    LlavaovStatus status =
        encode_around(&e, &tokenizer->raw, (const unsigned char *)text, bytes, encode_raw);
    lv_bpe_scratch_free(&e.scratch);
    if (status != LLAVAOV_OK)
        tokens->n = n_before;
    return status;
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
