/* SPDX-License-Identifier: Apache-2.0
 * Folders without tokenizer.json: ids and texts as transformers' slow tokenizer has them, and their
 * faults, each named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "golden.h"

static json_t *golden;

static int load(void **state)
{
    golden = golden_load("slow.json");
    return 0;
}

static int drop(void **state)
{
    json_decref(golden);
    return 0;
}

static void set_file(LvTokenizerFiles *files, int which, const json_t *text)
{
    files->file[which].text = json_string_value(text);
    files->file[which].bytes = json_string_length(text);
}

/* The files of a case; of none: vocabulary and merges alone. */
static LvTokenizerFiles files_of(const json_t *one)
{
    LvTokenizerFiles files = {0};
    const json_t *told = json_object_get(one, "files");
    size_t order = (size_t)json_integer_value(json_object_get(one, "merges"));
    set_file(&files, LV_VOCAB_JSON, json_object_get(golden, "vocab"));
    set_file(&files, LV_MERGES_TXT, json_array_get(json_object_get(golden, "merges"), order));
    set_file(&files, LV_TOKENIZER_CONFIG, json_array_get(told, 0));
    set_file(&files, LV_ADDED_TOKENS, json_array_get(told, 1));
    set_file(&files, LV_SPECIAL_TOKENS_MAP, json_array_get(told, 2));
    return files;
}

static LvTokenizer *open_files(const LvTokenizerFiles *files)
{
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    if (lv_tokenizer_parse_files(files, "folder", &tokenizer, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return tokenizer;
}

static void check_encode(const LvTokenizer *tokenizer, const json_t *row)
{
    const json_t *text = json_array_get(row, 0), *ids = json_array_get(row, 1);
    LvTokens tokens = {0};
    assert_int_equal(lv_tokenizer_encode(tokenizer, json_string_value(text),
                         json_string_length(text), LV_SPECIAL_AS_TOKENS, &tokens, NULL),
        LLAVAOV_OK);
    bool same = tokens.n == json_array_size(ids);
    for (size_t i = 0; same && i < tokens.n; i++)
        same = tokens.ids[i] == json_integer_value(json_array_get(ids, i));
    if (!same)
        fail_msg("\"%s\": not %s", json_string_value(text), json_dumps(ids, 0));
    lv_tokens_free(&tokens);
}

static void check_decode(const LvTokenizer *tokenizer, const json_t *row)
{
    const json_t *list = json_array_get(row, 0);
    int32_t ids[64];
    size_t n = json_array_size(list), bytes;
    assert_true(n <= sizeof ids / sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    for (int all = 0; all < 2; all++) {
        const json_t *expected = json_array_get(row, 1 + (size_t)all);
        char *text;
        assert_int_equal(
            lv_tokenizer_decode(tokenizer, ids, n, !all, &text, &bytes, NULL), LLAVAOV_OK);
        if (bytes != json_string_length(expected) ||
            memcmp(text, json_string_value(expected), bytes) != 0)
            fail_msg(
                "%s: \"%s\", not \"%s\"", json_dumps(list, 0), text, json_string_value(expected));
        lv_free(text);
    }
}

static void folders_are_read_as_the_reference_does(void **state)
{
    size_t i, k, encoded = 0, decoded = 0;
    json_t *one, *row;
    json_array_foreach(json_object_get(golden, "cases"), i, one)
    {
        LvTokenizerFiles files = files_of(one);
        LvTokenizer *tokenizer = open_files(&files);
        json_array_foreach(json_object_get(one, "encode"), k, row)
        {
            check_encode(tokenizer, row);
            encoded++;
        }
        json_array_foreach(json_object_get(one, "decode"), k, row)
        {
            check_decode(tokenizer, row);
            decoded++;
        }
        lv_tokenizer_close(tokenizer);
    }
    assert_true(encoded > 300 && decoded > 60);
}

/* A user's runs keep special tokens as text, whatever stands beside them; what added_tokens.json
 * calls no special token stays one, but for pictures. */
static void a_users_words_become_no_special_token(void **state)
{
    LvTokenizerFiles files = files_of(NULL);
    files.file[LV_ADDED_TOKENS].text = "{\"<image>\":1500,\"<tool>\":1501,\"<|im_end|>\":1502}";
    files.file[LV_ADDED_TOKENS].bytes = strlen(files.file[LV_ADDED_TOKENS].text);
    files.file[LV_SPECIAL_TOKENS_MAP].text = "{\"eos_token\":\"<|im_end|>\"}";
    files.file[LV_SPECIAL_TOKENS_MAP].bytes = strlen(files.file[LV_SPECIAL_TOKENS_MAP].text);
    LvTokenizer *tokenizer = open_files(&files);
    static const char text[] = "<image><|im_end|><image><tool><|im_end|><|im_end|>";
    const LvTextRun runs[] = {{17, false}, {23, true}, {10, false}};
    LvTokens tokens = {0};
    assert_int_equal(lv_tokenizer_encode_runs(tokenizer, text, runs, 3, &tokens, NULL), LLAVAOV_OK);
    size_t images = 0, tools = 0, ends = 0;
    for (size_t i = 0; i < tokens.n; i++) {
        images += tokens.ids[i] == 1500;
        tools += tokens.ids[i] == 1501;
        ends += tokens.ids[i] == 1502;
    }
    assert_int_equal(images, 1);
    assert_int_equal(tools, 1);
    assert_int_equal(ends, 2);
    char *back;
    size_t bytes;
    assert_int_equal(
        lv_tokenizer_decode(tokenizer, tokens.ids, tokens.n, false, &back, &bytes, NULL),
        LLAVAOV_OK);
    assert_string_equal(back, text);
    lv_free(back);
    lv_tokens_free(&tokens);
    lv_tokenizer_close(tokenizer);
}

static void each_fault_is_named(void **state)
{
    static const struct {
        int file;
        const char *text;
        LlavaovStatus status;
        const char *message;
    } faults[] = {
        {LV_VOCAB_JSON, "{}", LLAVAOV_ERROR_FORMAT,
            "folder/vocab.json: the vocabulary has no token for byte 0x00"},
        {LV_VOCAB_JSON, "{\"a\":0", LLAVAOV_ERROR_FORMAT, "folder/vocab.json: the vocabulary"},
        {LV_VOCAB_JSON, "\xFF", LLAVAOV_ERROR_FORMAT, "not UTF-8 at byte 0"},
        {LV_MERGES_TXT, "#version: 0.2\na b c\n", LLAVAOV_ERROR_FORMAT,
            "folder/merges.txt: line 2 has 3 words; a merge is two"},
        {LV_MERGES_TXT, "h e\n\na\n", LLAVAOV_ERROR_FORMAT, "line 3 has 1 words"},
        {LV_MERGES_TXT, "h Q\n", LLAVAOV_ERROR_FORMAT, "line 1, \"h\" and \"Q\": one of them"},
        {LV_MERGES_TXT, "a \xC3", LLAVAOV_ERROR_FORMAT, "not UTF-8 at byte 2"},
        {LV_TOKENIZER_CONFIG, "{\n,}", LLAVAOV_ERROR_FORMAT,
            "folder/tokenizer_config.json: broken JSON at line 2"},
        {LV_TOKENIZER_CONFIG, "{\"tokenizer_class\":\"LlamaTokenizer\"}", LLAVAOV_ERROR_UNSUPPORTED,
            "tokenizer_class is LlamaTokenizer"},
        {LV_TOKENIZER_CONFIG, "{\"add_prefix_space\":true}", LLAVAOV_ERROR_UNSUPPORTED,
            "add_prefix_space"},
        {LV_TOKENIZER_CONFIG, "{\"errors\":\"strict\"}", LLAVAOV_ERROR_UNSUPPORTED,
            "errors is strict"},
        {LV_TOKENIZER_CONFIG, "{\"added_tokens_decoder\":null}", LLAVAOV_ERROR_FORMAT,
            "added_tokens_decoder is not an object"},
        {LV_TOKENIZER_CONFIG, "{\"added_tokens_decoder\":{\"x\":{\"content\":\"<a>\"}}}",
            LLAVAOV_ERROR_FORMAT, "has \"x\" where an id belongs"},
        {LV_TOKENIZER_CONFIG, "{\"added_tokens_decoder\":{\"7\":{}}}", LLAVAOV_ERROR_FORMAT,
            "has no content for \"7\""},
        {LV_TOKENIZER_CONFIG, "{\"added_tokens_decoder\":{\"9999999\":{\"content\":\"<a>\"}}}",
            LLAVAOV_ERROR_FORMAT, "\"<a>\" has the id 9999999; it must be between"},
        {LV_TOKENIZER_CONFIG,
            "{\"added_tokens_decoder\":{\"7\":{\"content\":\"<a>\"},\"8\":{\"content\":\"<a>\"}}}",
            LLAVAOV_ERROR_FORMAT, "\"<a>\" has two ids, 7 and 8"},
        {LV_TOKENIZER_CONFIG,
            "{\"added_tokens_decoder\":{\"7\":{\"content\":\"<a>\"},\"07\":{\"content\":\"<b>\"}}}",
            LLAVAOV_ERROR_FORMAT, "\"<a>\" and \"<b>\" have the same id, 7"},
        {LV_TOKENIZER_CONFIG, "{\"eos_token\":7}", LLAVAOV_ERROR_FORMAT,
            "eos_token is not a token"},
        {LV_TOKENIZER_CONFIG, "{\"additional_special_tokens\":{}}", LLAVAOV_ERROR_FORMAT,
            "additional_special_tokens is not an array"},
        {LV_TOKENIZER_CONFIG, "{\"extra_special_tokens\":[]}", LLAVAOV_ERROR_FORMAT,
            "extra_special_tokens is not an object"},
        {LV_ADDED_TOKENS, "{\"<a>\":\"7\"}", LLAVAOV_ERROR_FORMAT,
            "added_tokens.json has no id for \"<a>\""},
        {LV_ADDED_TOKENS, "{\"<a>\":-1}", LLAVAOV_ERROR_FORMAT, "\"<a>\" has the id -1"},
        {LV_ADDED_TOKENS, "[]", LLAVAOV_ERROR_FORMAT, "added_tokens.json: the JSON is not"},
        {LV_SPECIAL_TOKENS_MAP, "{\"pad_token\":[]}", LLAVAOV_ERROR_FORMAT,
            "pad_token is not a token"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        LvTokenizerFiles files = files_of(NULL);
        files.file[faults[i].file].text = faults[i].text;
        files.file[faults[i].file].bytes = strlen(faults[i].text);
        LvTokenizer *tokenizer = (LvTokenizer *)&files;
        LlavaovError error = {0};
        LlavaovStatus status = lv_tokenizer_parse_files(&files, "folder", &tokenizer, &error);
        if (status != faults[i].status || !strstr(error.message, faults[i].message))
            fail_msg("%s: %d, \"%s\"", faults[i].text, status, error.message);
        assert_null(tokenizer);
    }
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_true(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void a_folder_without_tokenizer_json_opens(void **state)
{
    char folder[] = "/tmp/llavaov-slow-XXXXXX", path[512];
    assert_non_null(mkdtemp(folder));
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    assert_int_equal(lv_tokenizer_open_folder(folder, &tokenizer, &error), LLAVAOV_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "vocab.json with merges.txt"));
    LvTokenizerFiles files = files_of(NULL);
    write_text(folder, "vocab.json", files.file[LV_VOCAB_JSON].text);
    assert_int_equal(lv_tokenizer_open_folder(folder, &tokenizer, &error), LLAVAOV_ERROR_NOT_FOUND);
    assert_non_null(strstr(error.message, "merges.txt: no such file"));
    write_text(folder, "merges.txt", files.file[LV_MERGES_TXT].text);
    write_text(folder, "added_tokens.json", "{\"<image>\":1500}");
    assert_int_equal(lv_tokenizer_open_folder(folder, &tokenizer, &error), LLAVAOV_OK);
    assert_int_equal(lv_tokenizer_added_token(tokenizer, "<image>"), 1500);
    assert_int_equal(lv_tokenizer_added_token(tokenizer, "<|endoftext|>"), 1501);
    assert_int_equal(lv_tokenizer_size(tokenizer), 1502);
    lv_tokenizer_close(tokenizer);
    static const char *const written[] = {"vocab.json", "merges.txt", "added_tokens.json"};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, written[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void opening_and_use_survive_every_failed_allocation(void **state)
{
    const json_t *one = json_array_get(json_object_get(golden, "cases"), 0);
    LvTokenizerFiles files = files_of(one);
    LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
    int failures = 0;
    for (int64_t n = 0; n < 200; n++) {
        LvTokenizer *tokenizer;
        LlavaovError error = {0};
        LvTokens tokens = {0};
        lv_alloc_fail_after(n);
        status = lv_tokenizer_parse_files(&files, "folder", &tokenizer, &error);
        if (status == LLAVAOV_OK)
            status = lv_tokenizer_encode(tokenizer, "the <a ab\xC3\xA9 e\xCC\x81<ab", 19,
                LV_SPECIAL_AS_TOKENS, &tokens, &error);
        lv_alloc_fail_after(-1);
        assert_true(status == LLAVAOV_OK || status == LLAVAOV_ERROR_MEMORY);
        failures += status != LLAVAOV_OK;
        lv_tokens_free(&tokens);
        lv_tokenizer_close(tokenizer);
    }
    assert_int_equal(status, LLAVAOV_OK);
    assert_true(failures > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_read_as_the_reference_does),
        cmocka_unit_test(a_users_words_become_no_special_token),
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(a_folder_without_tokenizer_json_opens),
        cmocka_unit_test(opening_and_use_survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, load, drop);
}
