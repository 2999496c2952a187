/* SPDX-License-Identifier: Apache-2.0
 * From text to ids. */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/status.h"
#include "text/pretokenize.h"
#include "text/slow_split.h"
#include "text/tokenizer_private.h"
#include "text/unicode.h"
#include "text/utf8.h"

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

/* ---- what lies between added tokens ---- */

typedef struct Encoder {
    const LvTokenizer *tokenizer;
    LvTokens *tokens;
    LvBpeScratch scratch;
    LlavaovError *error;
} Encoder;

/* Text as a list of stretches, each of one kind. */
typedef struct Text {
    const unsigned char *bytes;
    size_t n;
    const LvStretch *stretches;
    size_t n_stretches;
} Text;

static void take_aliases(const LvTokenizer *tokenizer, int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ids[i] = tokenizer->alias[ids[i]];
}

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
        if (e->tokenizer->alias)
            take_aliases(e->tokenizer, e->tokens->ids + e->tokens->n, n_ids);
        e->tokens->n += n_ids;
        text += n;
    }
    return LLAVAOV_OK;
}

/* Encodes bytes begin .. end of a text, between added tokens. */
typedef LlavaovStatus (*EncodeBetween)(Encoder *e, const Text *text, size_t begin, size_t end);

static LlavaovStatus between_normalized(Encoder *e, const Text *text, size_t begin, size_t end)
{
    return encode_pieces(e, text->bytes + begin, end - begin);
}

/* The beginning of the white space that ends at `at`, but not before `done`. */
static size_t space_before(const Text *text, size_t done, size_t at)
{
    while (at > done) {
        size_t last = at - 1;
        while (last > done && (text->bytes[last] & 0xC0) == 0x80)
            last--;
        const unsigned char *next = text->bytes + last;
        if (lv_unicode_class(lv_utf8_next(&next)) != LV_CLASS_SPACE)
            break;
        at = last;
    }
    return at;
}

/* The end of the white space that begins at `at`. */
static size_t space_behind(const Text *text, size_t at)
{
    while (at < text->n) {
        const unsigned char *next = text->bytes + at;
        if (lv_unicode_class(lv_utf8_next(&next)) != LV_CLASS_SPACE)
            break;
        at = (size_t)(next - text->bytes);
    }
    return at;
}

/* Splits text at the added tokens of one list. A special token that stays text still hides others
 * that begin inside it, as in the reference. */
static LlavaovStatus encode_around(
    Encoder *e, const LvAddedTokens *added, const Text *text, EncodeBetween between)
{
    size_t done = 0;
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; added->n && i < text->n_stretches; i++) {
        const LvStretch *stretch = &text->stretches[i];
        for (size_t at = stretch->begin; at < stretch->end;) {
            const LvAddedToken *token =
                lv_added_tokens_match(added, text->bytes + at, text->bytes + stretch->end);
            if (!token) {
                at++;
                continue;
            }
            if (!token->special || !stretch->user) {
                const size_t from = token->lstrip ? space_before(text, done, at) : at;
                if (from > done)
                    status = between(e, text, done, from);
                if (status == LLAVAOV_OK)
                    status = lv_tokens_append(e->tokens, token->id, e->error);
                if (status != LLAVAOV_OK)
                    return status;
                done = at + token->bytes;
                if (token->rstrip)
                    done = space_behind(text, done);
            }
            at += token->bytes;
        }
    }
    return done < text->n ? between(e, text, done, text->n) : LLAVAOV_OK;
}

/* The same by the rules of the slow tokenizer. */
static LlavaovStatus encode_slow(Encoder *e, const Text *text)
{
    if (e->tokenizer->split_special)
        return encode_pieces(e, text->bytes, text->n);
    LvSlowPieces pieces = {0};
    LlavaovStatus status = lv_slow_split(&e->tokenizer->normalized, text->bytes, text->n,
        text->stretches, text->n_stretches, &pieces, e->error);
    for (size_t i = 0; i < pieces.n && status == LLAVAOV_OK; i++) {
        const LvSlowPiece *piece = &pieces.piece[i];
        status = piece->token ? lv_tokens_append(e->tokens, piece->token->id, e->error)
                              : encode_pieces(e, piece->text, piece->bytes);
    }
    lv_slow_pieces_free(&pieces);
    return status;
}

/* ---- normalising ---- */

static LlavaovStatus normalise(
    const unsigned char *text, size_t bytes, char **normal, size_t *n, LlavaovError *error)
{
    LlavaovStatus status = lv_nfc((const char *)text, bytes, normal, n, error);
    if (status != LLAVAOV_OK || *normal)
        return status;
    *normal = lv_alloc(bytes + 1, 1);
    if (!*normal)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for %zu bytes", bytes);
    memcpy(*normal, text, bytes);
    return LLAVAOV_OK;
}

/* Maps a seam to normalised text: *end is where the text before it ends that is independent of what
 * follows, *begin where the text after it begins that is independent of what precedes. Both are
 * relative to `low`; low .. high is a part of the text that is normalised by itself. */
static LlavaovStatus map_seam(Encoder *e, const unsigned char *text, size_t low, size_t seam,
    size_t high, size_t *end, size_t *begin)
{
    char *before = NULL, *behind = NULL, *whole = NULL;
    size_t n_before, n_behind, n = 0, same = 0;
    LlavaovStatus status = normalise(text + low, seam - low, &before, &n_before, e->error);
    if (status == LLAVAOV_OK)
        status = normalise(text + seam, high - seam, &behind, &n_behind, e->error);
    if (status == LLAVAOV_OK)
        status = normalise(text + low, high - low, &whole, &n, e->error);
    if (status == LLAVAOV_OK) {
        while (same < n_before && same < n && before[same] == whole[same])
            same++;
        while (same > 0 && same < n && (whole[same] & 0xC0) == 0x80)
            same--;
        *end = same;
        same = 0;
        while (same < n_behind && same < n - *end &&
               behind[n_behind - 1 - same] == whole[n - 1 - same])
            same++;
        while (same > 0 && (whole[n - same] & 0xC0) == 0x80)
            same--;
        *begin = n - same;
    }
    lv_free(before);
    lv_free(behind);
    lv_free(whole);
    return status;
}

static LlavaovStatus normal_length(Encoder *e, const unsigned char *text, size_t bytes, size_t *n)
{
    char *normal;
    LlavaovStatus status = lv_nfc((const char *)text, bytes, &normal, n, e->error);
    lv_free(normal);
    return status;
}

/* The positions of a text's stretches after it has been normalised: out [n_stretches]. */
static LlavaovStatus map_stretches(Encoder *e, const Text *raw, size_t normal_bytes, LvStretch *out)
{
    size_t known = 0, known_normal = 0; /* a position that exists in normalised text as well */
    for (size_t i = 0; i < raw->n_stretches; i++)
        out[i] = (LvStretch){0, normal_bytes, raw->stretches[i].user};
    for (size_t i = 0; i + 1 < raw->n_stretches; i++) {
        const size_t seam = raw->stretches[i].end;
        size_t low = seam, high = seam, grown, end = 0, begin = 0;
        while (low > known && (low == seam || !lv_nfc_cuts(raw->bytes + low)))
            low--;
        while (high < raw->n && !lv_nfc_cuts(raw->bytes + high))
            high++;
        LlavaovStatus status = normal_length(e, raw->bytes + known, low - known, &grown);
        if (status == LLAVAOV_OK)
            status = map_seam(e, raw->bytes, low, seam, high, &end, &begin);
        if (status != LLAVAOV_OK)
            return status;
        known = low;
        known_normal += grown;
        out[i].end = known_normal + end;
        out[i + 1].begin = known_normal + begin;
    }
    for (size_t i = 0; i < raw->n_stretches; i++)
        if (out[i].end < out[i].begin)
            out[i].end = out[i].begin;
    return LLAVAOV_OK;
}

/* The parts of text's stretches that lie inside begin .. end, counted from begin. */
static size_t cut_stretches(const Text *text, size_t begin, size_t end, LvStretch *out)
{
    size_t n = 0;
    for (size_t i = 0; i < text->n_stretches; i++) {
        const LvStretch *s = &text->stretches[i];
        const size_t from = s->begin > begin ? s->begin : begin, to = s->end < end ? s->end : end;
        if (from < to)
            out[n++] = (LvStretch){from - begin, to - begin, s->user};
    }
    return n;
}

/* Text between the added tokens that are searched for in raw text. */
static LlavaovStatus between_raw(Encoder *e, const Text *text, size_t begin, size_t end)
{
    const LvAddedTokens *added = &e->tokenizer->normalized;
    char *normal = NULL;
    size_t bytes = end - begin;
    LlavaovStatus status = LLAVAOV_OK;
    if (e->tokenizer->nfc)
        status = lv_nfc((const char *)text->bytes + begin, bytes, &normal, &bytes, e->error);
    if (status != LLAVAOV_OK)
        return status;
    Text plain = {
        .bytes = normal ? (const unsigned char *)normal : text->bytes + begin, .n = bytes};
    LvStretch *raw = NULL;
    if (added->n) {
        raw = lv_alloc(2 * text->n_stretches, sizeof *raw);
        if (!raw)
            status = lv_fail(e->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a text's runs");
        plain.stretches = raw;
        if (raw)
            plain.n_stretches = cut_stretches(text, begin, end, raw);
        if (raw && normal) {
            const Text before = {text->bytes + begin, end - begin, raw, plain.n_stretches};
            status = map_stretches(e, &before, bytes, raw + text->n_stretches);
            plain.stretches = raw + text->n_stretches;
        }
    }
    if (status == LLAVAOV_OK)
        status = e->tokenizer->slow ? encode_slow(e, &plain)
                                    : encode_around(e, added, &plain, between_normalized);
    lv_free(raw);
    lv_free(normal);
    return status;
}

/* ---- the whole text ---- */

LlavaovStatus lv_tokenizer_encode_runs(const LvTokenizer *tokenizer, const char *text,
    const LvTextRun *runs, size_t n_runs, LvTokens *tokens, LlavaovError *error)
{
    LvStretch *stretches = lv_alloc(n_runs, sizeof *stretches);
    if (!stretches)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a text's runs");
    Text whole = {.bytes = (const unsigned char *)text, .stretches = stretches};
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < n_runs && status == LLAVAOV_OK; i++) {
        if (runs[i].bytes > LV_MAX_TEXT_BYTES - whole.n)
            status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, NULL,
                "a text is longer than %u bytes", LV_MAX_TEXT_BYTES);
        else if (runs[i].bytes && whole.n_stretches &&
                 stretches[whole.n_stretches - 1].user == runs[i].user)
            stretches[whole.n_stretches - 1].end += runs[i].bytes;
        else if (runs[i].bytes)
            stretches[whole.n_stretches++] =
                (LvStretch){whole.n, whole.n + runs[i].bytes, runs[i].user};
        whole.n += runs[i].bytes;
    }
    if (status == LLAVAOV_OK && whole.n) {
        size_t valid = lv_utf8_valid_prefix(text, whole.n);
        if (valid < whole.n)
            status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PROMPT, NULL,
                "the text is not UTF-8 at byte %zu", valid);
    }
    Encoder e = {.tokenizer = tokenizer, .tokens = tokens, .error = error};
    const size_t n_before = tokens->n;
    if (status == LLAVAOV_OK)
        status = encode_around(&e, &tokenizer->raw, &whole, between_raw);
    lv_bpe_scratch_free(&e.scratch);
    lv_free(stretches);
    if (status != LLAVAOV_OK)
        tokens->n = n_before;
    return status;
}

LlavaovStatus lv_tokenizer_encode(const LvTokenizer *tokenizer, const char *text, size_t bytes,
    LvSpecialText special, LvTokens *tokens, LlavaovError *error)
{
    const LvTextRun run = {bytes, special == LV_SPECIAL_AS_TEXT};
    return lv_tokenizer_encode_runs(tokenizer, text, &run, 1, tokens, error);
}
