/* SPDX-License-Identifier: Apache-2.0
 * Broken, absurd and unsupported tokenizer.json: each refused with an error that names the file and
 * the field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "golden.h"

/* A change to the good file: the value at path ("a/b/0"), which must exist, becomes `value` (JSON;
 * NULL: it goes). */
typedef struct Change {
    const char *path, *value;
    LlavaovStatus status;
    const char *message; /* what the error must say */
} Change;

#define FORMAT LLAVAOV_ERROR_FORMAT
#define UNSUPPORTED LLAVAOV_ERROR_UNSUPPORTED

#define TEMPLATE(single, special)                                                                  \
    "{\"type\":\"TemplateProcessing\",\"single\":" single ",\"special_tokens\":" special "}"
#define A "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"
#define SPECIAL "{\"SpecialToken\":{\"id\":\"<x>\",\"type_id\":0}}"

#define X5 "{\"<x>\":{\"ids\":[5,6]}}"

static const Change changes[] = {
    {"model", NULL, FORMAT, "model is absent"},
    {"model", "[]", FORMAT, "model is not an object"},
    {"model/type", "\"Unigram\"", UNSUPPORTED, "model.type is Unigram"},
    {"model/type", NULL, UNSUPPORTED, "model.type"},
    {"model/dropout", "0.1", UNSUPPORTED, "model.dropout"},
    {"model/continuing_subword_prefix", "\"##\"", UNSUPPORTED, "continuing_subword_prefix"},
    {"model/end_of_word_suffix", "\"</w>\"", UNSUPPORTED, "end_of_word_suffix"},
    {"model/ignore_merges", "true", UNSUPPORTED, "ignore_merges"},
    {"model/vocab", NULL, FORMAT, "model.vocab is absent"},
    {"model/vocab", "[1]", FORMAT, "model.vocab is not JSON"},
    {"model/vocab", "{}", FORMAT, "model.vocab has no token for byte 0x00"},
    {"model/vocab/a", "-1", FORMAT, "model.vocab has an id"},
    {"model/vocab/a", "1.5", FORMAT, "model.vocab has an id"},
    {"model/vocab/a", "\"1\"", FORMAT, "model.vocab has an id"},
    {"model/vocab/a", "2147483648", FORMAT, "model.vocab has an id"},
    {"model/vocab/a", "2147483647", FORMAT, "more than"},
    {"model/vocab/a", "1500", FORMAT, "only 1500 tokens"},
    {"model/vocab/a", "5", FORMAT, "gives id 5 to"},
    {"model/vocab/a", NULL, FORMAT, "model.vocab has id 1499, but only"},
    {"model/merges", NULL, FORMAT, "model.merges is absent"},
    {"model/merges", "{}", FORMAT, "model.merges"},
    {"model/merges/3", "\"ab\"", FORMAT, "without a space (number 3)"},
    {"model/merges/3", "\"a b c\"", FORMAT, "two spaces (number 3)"},
    {"model/merges/3", "\" a\"", FORMAT, "number 3"},
    {"model/merges/3", "[\"a\"]", FORMAT, "model.merges is not JSON (number 3)"},
    {"model/merges/3", "[\"a\",\"b\",\"c\"]", FORMAT, "(number 3)"},
    {"model/merges/3", "[\"a\",1]", FORMAT, "(number 3)"},
    {"model/merges/3", "[\"a\",\"nosuchtoken\"]", FORMAT, "number 3, \"a\" and \"nosuchtoken\""},
    {"model/merges/3", "[\"Q\",\"Q\"]", FORMAT, "number 3, \"Q\" and \"Q\""},
    {"model/merges/3", "7", FORMAT, "(number 3)"},
    {"normalizer", "{\"type\":\"NFKC\"}", UNSUPPORTED, "normalizer is NFKC"},
    {"normalizer", "7", UNSUPPORTED, "normalizer is without a type"},
    {"pre_tokenizer", "null", UNSUPPORTED, "pre_tokenizer"},
    {"pre_tokenizer", "{\"type\":\"Whitespace\"}", UNSUPPORTED, "pre_tokenizer"},
    {"pre_tokenizer/pretokenizers/0/pattern", "{\"Regex\":\"\\\\w+\"}", UNSUPPORTED,
        "splits by \\w+"},
    {"pre_tokenizer/pretokenizers/0/pattern", "{\"String\":\" \"}", UNSUPPORTED,
        "pre_tokenizer splits by"},
    {"pre_tokenizer/pretokenizers/0/behavior", "\"Removed\"", UNSUPPORTED, "behavior"},
    {"pre_tokenizer/pretokenizers/0/invert", "true", UNSUPPORTED, "inverts"},
    {"pre_tokenizer/pretokenizers/1/add_prefix_space", "true", UNSUPPORTED, "add_prefix_space"},
    {"pre_tokenizer/pretokenizers/1/use_regex", NULL, UNSUPPORTED, "use_regex"},
    {"pre_tokenizer/pretokenizers/1", NULL, UNSUPPORTED, "pre_tokenizer"},
    {"decoder", "null", UNSUPPORTED, "decoder is null"},
    {"decoder/type", "\"WordPiece\"", UNSUPPORTED, "decoder is WordPiece"},
    {"post_processor/type", "\"BertProcessing\"", UNSUPPORTED, "post_processor is BertProcessing"},
    {"post_processor", "{\"type\":\"Sequence\",\"processors\":[7]}", UNSUPPORTED,
        "post_processor is without a type"},
    {"post_processor",
        "{\"type\":\"Sequence\",\"processors\":[" TEMPLATE("[" SPECIAL "," A "]", X5) "," TEMPLATE(
            "[" A "]", "{}") "]}",
        UNSUPPORTED, "another TemplateProcessing behind one that adds tokens"},
    {"post_processor", TEMPLATE("[]", "{}"), UNSUPPORTED, "whose single is not one A"},
    {"post_processor", TEMPLATE("[" A "," A "]", "{}"), UNSUPPORTED, "whose single is not one A"},
    {"post_processor", TEMPLATE("[" SPECIAL "," A "]", "{}"), FORMAT, "has no ids for \"<x>\""},
    {"post_processor", TEMPLATE("[" SPECIAL "," A "]", "{\"<x>\":{\"ids\":[1508]}}"), FORMAT,
        "has an id for \"<x>\" that is no token's"},
    {"post_processor", TEMPLATE("[" SPECIAL "," A "]", "{\"<x>\":{\"ids\":[-1]}}"), FORMAT,
        "has an id for \"<x>\" that is no token's"},
    {"added_tokens", "{}", FORMAT, "added_tokens is not an array"},
    {"added_tokens/1/content", "\"\"", FORMAT, "added_tokens number 1 has no content"},
    {"added_tokens/1/content", "7", FORMAT, "added_tokens number 1 has no content"},
    {"added_tokens/1", "7", FORMAT, "added_tokens number 1 has no content"},
    {"added_tokens/1/content", "\"<|endoftext|>\"", FORMAT, "\"<|endoftext|>\" twice"},
    {"added_tokens/1/id", "1500", FORMAT, "\"<|im_start|>\" at id 1500, where 1501"},
    {"added_tokens/1/id", "-1", FORMAT, "\"<|im_start|>\" at id -1"},
    {"added_tokens/1/id", "4000000000", FORMAT, "\"<|im_start|>\" at id 4000000000"},
    {"added_tokens/1/id", "\"x\"", FORMAT, "\"<|im_start|>\" at id -1"},
    {"added_tokens/0", NULL, FORMAT, "where 1500 is next"},
    {"added_tokens/1/single_word", "true", UNSUPPORTED, "single_word of \"<|im_start|>\""},
    {"added_tokens/6/content", "\"cafe\\u0301!\"", UNSUPPORTED, "asks for normalized of"},
};

static json_t *child(json_t *parent, const char *key)
{
    json_t *found = json_is_array(parent) ? json_array_get(parent, (size_t)atoi(key))
                                          : json_object_get(parent, key);
    if (!found)
        fail_msg("the good file has no %s", key);
    return found;
}

/* The file with the change, as text (free). */
static char *changed(const json_t *good, const Change *change)
{
    json_t *root = json_deep_copy(good), *parent = root;
    char path[256], *key = path, *slash;
    snprintf(path, sizeof path, "%s", change->path);
    for (; (slash = strchr(key, '/')) != NULL; key = slash + 1) {
        *slash = '\0';
        parent = child(parent, key);
    }
    child(parent, key);
    json_t *value = change->value ? json_loads(change->value, JSON_DECODE_ANY, NULL) : NULL;
    assert_true(value || !change->value);
    if (json_is_array(parent))
        value ? json_array_set_new(parent, (size_t)atoi(key), value)
              : json_array_remove(parent, (size_t)atoi(key));
    else
        value ? json_object_set_new(parent, key, value) : json_object_del(parent, key);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static void each_fault_is_named(void **state)
{
    json_t *good = golden_load("tokenizer.json");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *text = changed(good, &changes[i]);
        LvTokenizer *tokenizer = (LvTokenizer *)text;
        LlavaovError error = {0};
        LlavaovStatus status =
            lv_tokenizer_parse(text, strlen(text), "x/tokenizer.json", &tokenizer, &error);
        if (status != changes[i].status || !strstr(error.message, changes[i].message))
            fail_msg(
                "%s = %s: %d, \"%s\"", changes[i].path, changes[i].value, status, error.message);
        assert_null(tokenizer);
        assert_string_equal(error.subject, "x/tokenizer.json");
        assert_ptr_equal(strstr(error.message, "x/tokenizer.json: "), error.message);
        free(text);
    }
    json_decref(good);
}

static void what_writers_leave_out_is_allowed(void **state)
{
    static const Change allowed[] = {{"normalizer", "null", 0, ""},
        {"post_processor", "null", 0, ""}, {"post_processor", NULL, 0, ""},
        {"post_processor", TEMPLATE("[" A "]", "{}"), 0, ""},
        {"post_processor", "{\"type\":\"Sequence\",\"processors\":[]}", 0, ""},
        {"added_tokens", "[]", 0, ""}, {"added_tokens", NULL, 0, ""},
        {"model/continuing_subword_prefix", "\"\"", 0, ""}, {"model/dropout", NULL, 0, ""},
        {"version", "{\"any\":[1,-2.5e3,true,null,\"\\u00e9\\n\"]}", 0, ""}};
    json_t *good = golden_load("tokenizer.json");
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        char *text = changed(good, &allowed[i]);
        LvTokenizer *tokenizer;
        LlavaovError error = {0};
        if (lv_tokenizer_parse(text, strlen(text), "t", &tokenizer, &error) != LLAVAOV_OK)
            fail_msg("%s: %s", allowed[i].path, error.message);
        lv_tokenizer_close(tokenizer);
        free(text);
    }
    json_decref(good);
}

/* The same tokenizer, whichever way its writer spells merges and characters. */
static void a_template_puts_tokens_around_a_text(void **state)
{
    static const Change around = {"post_processor",
        "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," TEMPLATE(
            "[" SPECIAL "," A "," SPECIAL "," SPECIAL "]", X5) "]}",
        0, ""};
    static const int32_t wanted[] = {5, 6, 5, 6, 5, 6};
    json_t *good = golden_load("tokenizer.json");
    char *text = changed(good, &around);
    LvTokenizer *tokenizer;
    LvTokens tokens = {0};
    assert_int_equal(lv_tokenizer_parse(text, strlen(text), "t", &tokenizer, NULL), LLAVAOV_OK);
    assert_int_equal(lv_tokenizer_begin(tokenizer, &tokens, NULL), LLAVAOV_OK);
    assert_int_equal(tokens.n, 2);
    assert_int_equal(lv_tokenizer_end(tokenizer, &tokens, NULL), LLAVAOV_OK);
    assert_int_equal(tokens.n, 6);
    assert_memory_equal(tokens.ids, wanted, sizeof wanted);
    lv_tokens_free(&tokens);
    lv_tokenizer_close(tokenizer);
    free(text);
    json_decref(good);
}

static void spellings_of_the_file_do_not_matter(void **state)
{
    json_t *root = golden_load("tokenizer.json");
    json_t *merges = json_object_get(json_object_get(root, "model"), "merges"), *pair;
    size_t i;
    json_array_foreach(merges, i, pair) json_array_set_new(merges, i,
        json_sprintf("%s %s", json_string_value(json_array_get(pair, 0)),
            json_string_value(json_array_get(pair, 1))));
    LvTokenizer *good = golden_tokenizer();
    static const size_t ways[] = {JSON_COMPACT, JSON_INDENT(2), JSON_ENSURE_ASCII, JSON_SORT_KEYS};
    static const char text[] = "What's shown?\n  <image> 你好 12 caf\xC3\xA9! \\\"quoted\\\"";
    LvTokens expected = {0};
    assert_int_equal(
        lv_tokenizer_encode(good, text, sizeof text - 1, LV_SPECIAL_AS_TOKENS, &expected, NULL),
        LLAVAOV_OK);
    for (i = 0; i < 4; i++) {
        char *json = json_dumps(root, ways[i]);
        LvTokenizer *tokenizer;
        LvTokens tokens = {0};
        assert_int_equal(lv_tokenizer_parse(json, strlen(json), "t", &tokenizer, NULL), LLAVAOV_OK);
        assert_int_equal(lv_tokenizer_encode(
                             tokenizer, text, sizeof text - 1, LV_SPECIAL_AS_TOKENS, &tokens, NULL),
            LLAVAOV_OK);
        assert_int_equal(tokens.n, expected.n);
        assert_memory_equal(tokens.ids, expected.ids, tokens.n * sizeof *tokens.ids);
        lv_tokens_free(&tokens);
        lv_tokenizer_close(tokenizer);
        free(json);
    }
    lv_tokens_free(&expected);
    lv_tokenizer_close(good);
    json_decref(root);
}

static char *good_text(size_t *bytes)
{
    json_t *root = golden_load("tokenizer.json");
    char *text = json_dumps(root, JSON_COMPACT);
    *bytes = strlen(text);
    json_decref(root);
    return text;
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
    size_t bytes;
    char *text = good_text(&bytes);
    for (size_t n = 0; n < bytes; n += 1 + bytes / 400) {
        LvTokenizer *tokenizer;
        LlavaovError error = {0};
        char *cut = malloc(n + 1); /* a block of its own, so that reading on is seen */
        memcpy(cut, text, n);
        assert_true(lv_tokenizer_parse(cut, n, "t", &tokenizer, &error) != LLAVAOV_OK);
        assert_true(error.message[0] != '\0');
        free(cut);
    }
    free(text);
}

static void damaged_bytes_do_no_harm(void **state)
{
    size_t bytes;
    char *text = good_text(&bytes);
    uint32_t random = 1;
    for (int i = 0; i < 400; i++) {
        random = random * 1664525u + 1013904223u;
        size_t at = (size_t)((uint64_t)random * bytes >> 32);
        char kept = text[at];
        text[at] = (char)(i % 2 ? random >> 3 : (unsigned)"{}[]\",:\\0- \x01"[random >> 8 & 7]);
        LvTokenizer *tokenizer;
        LlavaovError error = {0};
        LlavaovStatus status = lv_tokenizer_parse(text, bytes, "t", &tokenizer, &error);
        assert_true((status == LLAVAOV_OK) == (tokenizer != NULL));
        assert_int_equal(error.status, status);
        lv_tokenizer_close(tokenizer);
        text[at] = kept;
    }
    free(text);
}

static void strange_files_are_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } files[] = {{"", "is not JSON"}, {"[]", "is not JSON"}, {"{", "is cut short"},
        {"{}x", "goes on"}, {"{\"a\":1,}", "something else"}, {"{\"a\" 1}", "is not JSON"},
        {"\xFF", "is not UTF-8 at byte 0"}, {"{\"a\":\"\n\"}", "control character"},
        {"{\"\\ud800\":1}", "broken escape"}, {"{\"\\u0000\":1}", "broken escape"},
        {"{\"\\x\":1}", "broken escape"}, {"{\"normalizer\":{\"a\":}}", "is not JSON"},
        {"{\"normalizer\":tru}", "normalizer is broken"},
        {"{\"normalizer\":null,\"normalizer\":null}", "normalizer occurs twice"},
        {"{\"model\":{},\"model\":{}}", "model occurs twice"},
        {"{\"model\":{\"vocab\":{},\"vocab\":{}}}", "model.vocab occurs twice"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        LvTokenizer *tokenizer;
        LlavaovError error = {0};
        LlavaovStatus status =
            lv_tokenizer_parse(files[i].text, strlen(files[i].text), "t", &tokenizer, &error);
        if (status != FORMAT || !strstr(error.message, files[i].message))
            fail_msg("%s: %d, %s", files[i].text, status, error.message);
    }
    char *deep = malloc(200000);
    memcpy(deep, "{\"x\":", 5);
    memset(deep + 5, '[', 199995);
    LvTokenizer *tokenizer;
    LlavaovError error = {0};
    assert_int_equal(lv_tokenizer_parse(deep, 200000, "t", &tokenizer, &error), FORMAT);
    assert_non_null(strstr(error.message, "nested too deeply"));
    free(deep);
}

static void files_that_cannot_be_read_are_named(void **state)
{
    LvTokenizer *tokenizer;
    LlavaovError error;
    assert_int_equal(
        lv_tokenizer_open("/no/such/tokenizer.json", &tokenizer, &error), LLAVAOV_ERROR_NOT_FOUND);
    assert_string_equal(error.subject, "/no/such/tokenizer.json");
    assert_int_equal(lv_tokenizer_open("/", &tokenizer, &error), LLAVAOV_ERROR_IO);
    assert_null(tokenizer);
}

static void opening_survives_every_failed_allocation(void **state)
{
    int failures = 0;
    LlavaovStatus status = LLAVAOV_OK;
    for (int64_t n = 0; n < 60;
         n++) { /* a failed shrink does no harm: count on until none is left */
        LvTokenizer *tokenizer;
        LlavaovError error = {0};
        lv_alloc_fail_after(n);
        status = lv_tokenizer_open(TEST_DATA "/tokenizer.json", &tokenizer, &error);
        lv_alloc_fail_after(-1);
        assert_int_equal(error.status, status);
        assert_true((status == LLAVAOV_OK) == (tokenizer != NULL));
        assert_true(status == LLAVAOV_OK || status == LLAVAOV_ERROR_MEMORY);
        failures += status != LLAVAOV_OK;
        lv_tokenizer_close(tokenizer);
    }
    assert_int_equal(status, LLAVAOV_OK);
    assert_true(failures > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(what_writers_leave_out_is_allowed),
        cmocka_unit_test(a_template_puts_tokens_around_a_text),
        cmocka_unit_test(spellings_of_the_file_do_not_matter),
        cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(damaged_bytes_do_no_harm),
        cmocka_unit_test(strange_files_are_refused),
        cmocka_unit_test(files_that_cannot_be_read_are_named),
        cmocka_unit_test(opening_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
