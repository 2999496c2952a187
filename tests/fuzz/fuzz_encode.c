/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a text, and as pieces of a stream. The first byte seeds the sizes of the pieces. */
#include "fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "text/byte_level.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"
#include "text/tokenizer_private.h"
#include "text/unicode.h"
#include "text/utf8.h"

/* Bytes, some merges that overlap, and special tokens that begin alike. */
static LvTokenizer *make_tokenizer(void)
{
    static const char *const merges[][2] = {{"a", "a"}, {"aa", "aa"}, {"a", "b"}, {"b", "aa"},
        {"aa", "b"}, {"t", "h"}, {"th", "e"}, {"\xC4\xA0", "the"}, {"\xC4\x8A", "\xC4\x8A"},
        {"h", "e"}, {"\xC3\x8C", "\xC4\xA3"}};
    static const char *const added[] = {"<|im_start|>", "<|im_end|>", "<image>", "<i", "<i<"};
    json_t *vocab = json_object(), *pairs = json_array(), *tokens = json_array();
    for (unsigned byte = 0; byte < 256; byte++) {
        char key[5] = {0};
        lv_utf8_put(lv_byte_character((unsigned char)byte), key);
        json_object_set_new(vocab, key, json_integer(byte));
    }
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s%s", merges[i][0], merges[i][1]);
        json_object_set_new(vocab, key, json_integer((json_int_t)json_object_size(vocab)));
        json_array_append_new(pairs, json_pack("[ss]", merges[i][0], merges[i][1]));
    }
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        json_array_append_new(tokens, json_pack("{sssisb}", "content", added[i], "id",
                                          (int)(json_object_size(vocab) + i), "special", 1));
    json_t *root = json_pack("{s{ss}s{sss[{sss{ss}ss}{sssb}]}s{ss}so s{sssoso}}", "normalizer",
        "type", "NFC", "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split",
        "pattern", "Regex", lv_piece_pattern, "behavior", "Isolated", "type", "ByteLevel",
        "use_regex", 0, "decoder", "type", "ByteLevel", "added_tokens", tokens, "model", "type",
        "BPE", "vocab", vocab, "merges", pairs);
    char *text = json_dumps(root, JSON_COMPACT);
    LvTokenizer *tokenizer = NULL;
    FUZZ_CHECK(text && lv_tokenizer_parse(text, strlen(text), "t", &tokenizer, NULL) == LLAVAOV_OK);
    free(text);
    json_decref(root);
    return tokenizer;
}

/* Normal form: of it again nothing changes. */
static char *normal(const char *text, size_t n, size_t *bytes)
{
    char *out, *again;
    size_t again_bytes;
    FUZZ_CHECK(lv_nfc(text, n, &out, bytes, NULL) == LLAVAOV_OK);
    if (!out) {
        FUZZ_CHECK(*bytes == n);
        out = lv_alloc(n + 1, 1);
        memcpy(out, text, n);
    }
    FUZZ_CHECK(lv_utf8_valid_prefix(out, *bytes) == *bytes);
    FUZZ_CHECK(lv_nfc(out, *bytes, &again, &again_bytes, NULL) == LLAVAOV_OK);
    FUZZ_CHECK(again_bytes == *bytes && (!again || memcmp(again, out, *bytes) == 0));
    lv_free(again);
    return out;
}

static void encode(const LvTokenizer *tokenizer, const char *text, size_t n)
{
    LvTokens plain = {0}, marked = {0};
    FUZZ_CHECK(
        lv_tokenizer_encode(tokenizer, text, n, LV_SPECIAL_AS_TEXT, &plain, NULL) == LLAVAOV_OK);
    FUZZ_CHECK(
        lv_tokenizer_encode(tokenizer, text, n, LV_SPECIAL_AS_TOKENS, &marked, NULL) == LLAVAOV_OK);
    size_t bytes, decoded_bytes;
    char *expected = normal(text, n, &bytes), *decoded;
    /* Nothing is lost: as text, the ids are the text in normal form, and none of them is special.
     */
    for (int skip = 0; skip < 2; skip++) {
        FUZZ_CHECK(lv_tokenizer_decode(tokenizer, plain.ids, plain.n, skip, &decoded,
                       &decoded_bytes, NULL) == LLAVAOV_OK);
        FUZZ_CHECK(decoded_bytes == bytes && memcmp(decoded, expected, bytes) == 0);
        lv_free(decoded);
    }
    for (size_t i = 0; i < marked.n; i++)
        FUZZ_CHECK(marked.ids[i] >= 0 && (uint32_t)marked.ids[i] < lv_tokenizer_size(tokenizer));
    FUZZ_CHECK(lv_tokenizer_decode(tokenizer, marked.ids, marked.n, false, &decoded, &decoded_bytes,
                   NULL) == LLAVAOV_OK);
    FUZZ_CHECK(lv_utf8_valid_prefix(decoded, decoded_bytes) == decoded_bytes);
    lv_free(decoded);
    lv_free(expected);
    lv_tokens_free(&plain);
    lv_tokens_free(&marked);
}

/* The same bytes in one push and in many come out the same, and are UTF-8; text that is UTF-8 comes
 * out as it is. */
static void stream(const char *text, size_t n, unsigned seed)
{
    char *whole = malloc(3 * (n + 4) + 16), *parts = malloc(3 * (n + 4) * 4 + 16);
    LvUtf8Stream a = {0}, b = {0};
    size_t whole_bytes = lv_utf8_stream_push(&a, text, n, whole), parts_bytes = 0;
    whole_bytes += lv_utf8_stream_finish(&a, whole + whole_bytes);
    for (size_t done = 0; done < n;) {
        seed = seed * 1664525u + 1013904223u;
        size_t step = (seed >> 24) % 5;
        step = step < n - done ? step : n - done;
        parts_bytes += lv_utf8_stream_push(&b, text + done, step, parts + parts_bytes);
        FUZZ_CHECK(
            b.n_held < sizeof b.held && lv_utf8_valid_prefix(parts, parts_bytes) == parts_bytes);
        done += step;
    }
    parts_bytes += lv_utf8_stream_finish(&b, parts + parts_bytes);
    FUZZ_CHECK(parts_bytes == whole_bytes && memcmp(parts, whole, whole_bytes) == 0);
    FUZZ_CHECK(
        lv_utf8_valid_prefix(text, n) < n || (whole_bytes == n && memcmp(whole, text, n) == 0));
    free(whole);
    free(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const char *text = (const char *)data + 1;
    size_t n = size - 1;
    stream(text, n, data[0]);
    static LvTokenizer *tokenizer; /* one for all runs: making it costs more than a run */
    if (!tokenizer)
        tokenizer = make_tokenizer();
    if (lv_utf8_valid_prefix(text, n) == n) {
        encode(tokenizer, text, n);
    } else {
        LvTokens tokens = {0};
        LlavaovError error;
        FUZZ_CHECK(lv_tokenizer_encode(tokenizer, text, n, LV_SPECIAL_AS_TEXT, &tokens, &error) ==
                       LLAVAOV_ERROR_ARGUMENT &&
                   !tokens.n);
        lv_tokens_free(&tokens);
    }
    return 0;
}
