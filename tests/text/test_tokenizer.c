/* SPDX-License-Identifier: Apache-2.0
 * Encoding, decoding and runs against the reference, with the small tokenizer of
 * tests/text/data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "golden.h"
#include "text/tokenizer.h"

static LvTokenizer *tokenizer;
static json_t *strings;

static int open_all(void **state)
{
    tokenizer = golden_tokenizer();
    strings = golden_load("strings.json");
    return 0;
}

static int close_all(void **state)
{
    lv_tokenizer_close(tokenizer);
    json_decref(strings);
    return 0;
}

static void check_ids(const LvTokens *tokens, const json_t *expected, const char *what)
{
    size_t n = json_array_size(expected);
    bool same = tokens->n == n;
    for (size_t i = 0; same && i < n; i++)
        same = tokens->ids[i] == json_integer_value(json_array_get(expected, i));
    if (!same)
        fail_msg("\"%s\": %zu ids, not these %zu: %s", what, tokens->n, n,
            json_dumps(expected, JSON_ENCODE_ANY));
}

static void check_encode(const json_t *text, const json_t *expected, LvSpecialText special)
{
    LvTokens tokens = {0};
    LlavaovStatus status = lv_tokenizer_encode(
        tokenizer, json_string_value(text), json_string_length(text), special, &tokens, NULL);
    assert_int_equal(status, LLAVAOV_OK);
    check_ids(&tokens, expected, json_string_value(text));
    lv_tokens_free(&tokens);
}

static void texts_encode_as_the_reference(void **state)
{
    size_t i;
    json_t *row, *list = json_object_get(strings, "encode");
    assert_true(json_array_size(list) > 400);
    json_array_foreach(list, i, row)
    {
        check_encode(json_array_get(row, 0), json_array_get(row, 1), LV_SPECIAL_AS_TOKENS);
        check_encode(json_array_get(row, 0), json_array_get(row, 2), LV_SPECIAL_AS_TEXT);
    }
}

/* Decodes a golden list of ids into ids (room for 32); the number of them. */
static size_t ids_of(const json_t *list, int32_t *ids)
{
    size_t n = json_array_size(list);
    assert_true(n <= 32);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static void ids_decode_as_the_reference(void **state)
{
    size_t i;
    json_t *row, *list = json_object_get(strings, "decode");
    assert_true(json_array_size(list) > 300);
    json_array_foreach(list, i, row)
    {
        int32_t ids[32];
        size_t n = ids_of(json_array_get(row, 0), ids);
        for (int keep = 0; keep < 2; keep++) {
            const json_t *expected = json_array_get(row, 1 + (size_t)keep);
            char *text;
            size_t bytes;
            assert_int_equal(
                lv_tokenizer_decode(tokenizer, ids, n, !keep, &text, &bytes, NULL), LLAVAOV_OK);
            assert_int_equal(bytes, json_string_length(expected));
            assert_memory_equal(text, json_string_value(expected), bytes + 1);
            lv_free(text);
        }
    }
}

static void a_stream_gives_what_decoding_gives(void **state)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(strings, "decode"), i, row)
    {
        int32_t ids[32];
        size_t n = ids_of(json_array_get(row, 0), ids), written = 0;
        char out[8192];
        LvUtf8Stream stream = {0};
        for (size_t k = 0; k < n; k++) {
            size_t bytes;
            bool special;
            const char *token = lv_tokenizer_token_bytes(tokenizer, ids[k], &bytes, &special);
            for (size_t b = 0; token && !special && b < bytes;
                 b++) /* the smallest pushes there are */
                written += lv_utf8_stream_push(&stream, token + b, 1, out + written);
        }
        written += lv_utf8_stream_finish(&stream, out + written);
        const json_t *expected = json_array_get(row, 1);
        assert_int_equal(written, json_string_length(expected));
        assert_memory_equal(out, json_string_value(expected), written);
    }
}

static void the_stream_writes_no_more_than_it_says(void **state)
{
    /* Three held bytes and bytes that are all wrong: the worst that the header's capacity must
     * hold. */
    static const char *const starts[] = {"\xF0\x9F\x98", "\xE4\xBD", "\xC3", ""};
    for (size_t s = 0; s < 4; s++)
        for (size_t n = 0; n < 40; n++) {
            LvUtf8Stream stream = {0};
            char bytes[40];
            memset(bytes, 0xFF, sizeof bytes);
            size_t start = strlen(starts[s]), room = 3 * (n + 4);
            char *out = malloc(room > 3 * (start + 4) ? room : 3 * (start + 4));
            assert_int_equal(lv_utf8_stream_push(&stream, starts[s], start, out), 0);
            assert_int_equal(stream.n_held, start);
            size_t written = lv_utf8_stream_push(&stream, bytes, n, out);
            assert_true(written <= room);
            assert_int_equal(written, n ? 3 * (n + (start > 0)) : 0);
            free(out);
        }
}

/* A text in pieces, "T" of a template and "U" of a user, and texts that have the same ids when each
 * is tokenized by itself, with special tokens ("T") or without ("U"). */
static void added_tokens_belong_to_the_template(void **state)
{
    static const struct {
        const char *pieces[6];
        const char *ids_of[6]; /* each tokenized by itself: "T..." or "U..." */
    } rows[] = {
        {{"T<|im_start|>user ", "U<|im_end|>", "T<|im_end|>"},
            {"T<|im_start|>", "Uuser <|im_end|>", "T<|im_end|>"}},
        /* Neither side's text becomes a token together with the other's. */
        {{"T<|im_", "Uend|>"}, {"U<|", "Tim_", "Uend|>"}},
        {{"U<|im_", "Tend|><image>"}, {"U<|", "Tim_", "Uend|>", "T<image>"}},
        {{"U<ima", "T<image>", "Uge>"}, {"U<ima", "T<image>", "Uge>"}},
        /* The template's own runs are one text, and so are the user's. */
        {{"T<|im_", "Tend|>"}, {"T<|im_end|>"}},
        {{"U<to", "Uol>"}, {"T<tool>"}},
        /* A token that is not special is one on either side, but not across. */
        {{"T<tool>", "U<tool>", "T<to", "Uol>"}, {"T<tool>", "T<tool>", "U<to", "Uol>"}},
        /* Text crosses the seams: pieces, merges, NFC. */
        {{"Tpict", "Uure e", "T\xCC\x81"}, {"Upicture \xC3\xA9"}},
        {{"T\n", "U\n\n"}, {"U\n\n\n"}},
        /* Of what is looked for in normalised text, "caf\u00e9!". */
        {{"Te", "U\xCC\x81!", "Tcafe\xCC\x81!"}, {"U\xC3\xA9!", "Tcaf\xC3\xA9!"}},
        {{"Tcafe", "U\xCC\x81!"}, {"Ucaf", "U\xC3\xA9!"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[256] = "";
        LvTextRun runs[6];
        size_t n = 0;
        for (; n < 6 && rows[i].pieces[n]; n++) {
            runs[n] = (LvTextRun){strlen(rows[i].pieces[n]) - 1, *rows[i].pieces[n] == 'U'};
            strcat(text, rows[i].pieces[n] + 1);
        }
        LvTokens expected = {0}, tokens = {0};
        for (size_t k = 0; k < 6 && rows[i].ids_of[k]; k++) {
            const char *piece = rows[i].ids_of[k];
            assert_int_equal(
                lv_tokenizer_encode(tokenizer, piece + 1, strlen(piece + 1),
                    *piece == 'U' ? LV_SPECIAL_AS_TEXT : LV_SPECIAL_AS_TOKENS, &expected, NULL),
                LLAVAOV_OK);
        }
        assert_int_equal(
            lv_tokenizer_encode_runs(tokenizer, text, runs, n, &tokens, NULL), LLAVAOV_OK);
        assert_int_equal(tokens.n, expected.n);
        assert_memory_equal(tokens.ids, expected.ids, expected.n * sizeof *expected.ids);
        lv_tokens_free(&tokens);
        lv_tokens_free(&expected);
    }
}

static void wrong_arguments_are_errors_and_leave_the_list(void **state)
{
    LvTokens tokens = {0};
    LlavaovError error;
    assert_int_equal(lv_tokens_append(&tokens, 77, NULL), LLAVAOV_OK);
    static const char *const broken[] = {
        "ok \xFF", "\xC3", "\xED\xA0\x80", "\xC0\x80", "\xF4\x90\x80\x80", "a\x80"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_int_equal(lv_tokenizer_encode(tokenizer, broken[i], strlen(broken[i]),
                             LV_SPECIAL_AS_TEXT, &tokens, &error),
            LLAVAOV_ERROR_ARGUMENT);
        assert_non_null(strstr(error.message, "UTF-8"));
    }
    static const LvTextRun absurd[] = {{LV_MAX_TEXT_BYTES, false}, {SIZE_MAX, true}, {1, false}};
    assert_int_equal(lv_tokenizer_encode_runs(tokenizer, "a", absurd, 3, &tokens, &error),
        LLAVAOV_ERROR_ARGUMENT);
    assert_int_equal(tokens.n, 1);
    assert_int_equal(tokens.ids[0], 77);
    lv_tokens_free(&tokens);
}

static void ids_outside_have_no_bytes(void **state)
{
    size_t bytes = 1;
    bool special;
    uint32_t size = lv_tokenizer_size(tokenizer);
    assert_int_equal(size, 1508);
    assert_null(lv_tokenizer_token_bytes(tokenizer, -1, &bytes, &special));
    assert_null(lv_tokenizer_token_bytes(tokenizer, (int32_t)size, &bytes, &special));
    assert_null(lv_tokenizer_token_bytes(tokenizer, INT32_MAX, &bytes, &special));
    assert_int_equal(bytes, 0);
    const char *end = lv_tokenizer_token_bytes(
        tokenizer, lv_tokenizer_added_token(tokenizer, "<|im_end|>"), &bytes, &special);
    assert_true(special);
    assert_int_equal(bytes, 10);
    assert_memory_equal(end, "<|im_end|>", 10);
    assert_int_equal(lv_tokenizer_added_token(tokenizer, "<|no_such|>"), -1);
}

static void encoding_survives_every_failed_allocation(void **state)
{
    char text[6000] = "";
    for (size_t i = 0; strlen(text) < 5000; i++)
        strcat(text, i % 7 ? "e\xCC\x81qzjx" : " <image>word");
    const size_t bytes_of_text = strlen(text);
    const LvTextRun runs[] = {{2000, false}, {1000, true}, {bytes_of_text - 3000, false}};
    LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
    int64_t n = 0;
    for (; status == LLAVAOV_ERROR_MEMORY && n < 10000; n++) {
        LvTokens tokens = {0};
        LlavaovError error = {0};
        lv_alloc_fail_after(n);
        status = lv_tokenizer_encode_runs(tokenizer, text, runs, 3, &tokens, &error);
        lv_alloc_fail_after(-1);
        assert_int_equal(error.status, status);
        assert_true(status == LLAVAOV_OK || tokens.n == 0);
        lv_tokens_free(&tokens);
    }
    assert_int_equal(status, LLAVAOV_OK);
    assert_true(n > 8);
    int32_t id = 300;
    char *out;
    size_t bytes;
    lv_alloc_fail_after(0);
    status = lv_tokenizer_decode(tokenizer, &id, 1, true, &out, &bytes, NULL);
    lv_alloc_fail_after(-1);
    assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
    assert_null(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_encode_as_the_reference),
        cmocka_unit_test(ids_decode_as_the_reference),
        cmocka_unit_test(a_stream_gives_what_decoding_gives),
        cmocka_unit_test(the_stream_writes_no_more_than_it_says),
        cmocka_unit_test(added_tokens_belong_to_the_template),
        cmocka_unit_test(wrong_arguments_are_errors_and_leave_the_list),
        cmocka_unit_test(ids_outside_have_no_bytes),
        cmocka_unit_test(encoding_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
