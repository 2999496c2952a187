/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "checkpoint/generation_config.h"

static LlavaovStatus parse(const char *json, LvGenerationConfig *config, LlavaovError *error)
{
    return lv_generation_config_parse(json, strlen(json), "generation_config.json", config, error);
}

static void parse_well(const char *json, LvGenerationConfig *config)
{
    LlavaovError error = {0};
    if (parse(json, config, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", json, error.message);
}

/* What the released folders say (docs/generation.md): facts, not their files. */
static void the_released_files(void **state)
{
    LvGenerationConfig c;
    parse_well("{\"_from_model_config\": true, \"bos_token_id\": 151643, \"eos_token_id\": 151645,"
               " \"transformers_version\": \"4.45.0.dev0\"}",
        &c);
    assert_false(c.do_sample);
    assert_true(c.repetition_penalty == 1);
    assert_int_equal(c.rules.stop_tokens.n, 1);
    assert_int_equal(c.rules.stop_tokens.ids[0], 151645);
    assert_int_equal(c.max_new_tokens, 0);
    assert_null(c.notice);
    lv_generation_config_free(&c);

    parse_well("{\"do_sample\": true, \"temperature\": 0.7, \"top_k\": 20, \"top_p\": 0.8,"
               " \"repetition_penalty\": 1.1, \"pad_token_id\": 151643, \"bos_token_id\": 151643,"
               " \"eos_token_id\": [151645, 151643], \"transformers_version\": \"4.40.0.dev0\"}",
        &c);
    assert_true(c.do_sample);
    assert_true(c.temperature == 0.7);
    assert_int_equal(c.top_k, 20);
    assert_true(c.top_p == 0.8);
    assert_true(c.repetition_penalty == 1.1);
    assert_int_equal(c.rules.stop_tokens.n, 2);
    assert_int_equal(c.rules.stop_tokens.ids[1], 151643);
    assert_null(c.notice);
    lv_generation_config_free(&c);
}

static void absent_and_null_are_the_librarys_defaults(void **state)
{
    static const char *const files[] = {"{\"eos_token_id\": 1}",
        "{\"eos_token_id\": 1, \"top_k\": null, \"temperature\": null, \"do_sample\": null,"
        " \"bad_words_ids\": null, \"suppress_tokens\": null, \"num_beams\": null,"
        " \"nobody_knows\": null}"};
    for (int i = 0; i < 2; i++) {
        LvGenerationConfig c;
        parse_well(files[i], &c);
        assert_int_equal(c.top_k, 50);
        assert_true(c.temperature == 1 && c.top_p == 1 && c.repetition_penalty == 1);
        assert_int_equal(c.rules.bad_words.n + c.rules.suppress_tokens.n, 0);
        assert_null(c.notice);
        lv_generation_config_free(&c);
    }
}

static void every_list_is_read(void **state)
{
    LvGenerationConfig c;
    parse_well(
        "{\"eos_token_id\": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], \"bad_words_ids\": [[5], [6, 7],"
        " []], \"sequence_bias\": [[[3, 4], -1.5]], \"suppress_tokens\": [-1, 8],"
        " \"begin_suppress_tokens\": [220], \"forced_eos_token_id\": [1, 2],"
        " \"forced_bos_token_id\": 3, \"exponential_decay_length_penalty\": [5, 1.25],"
        " \"no_repeat_ngram_size\": 3, \"min_new_tokens\": 4, \"min_length\": -1,"
        " \"max_length\": 4096}",
        &c);
    const LlavaovRules *r = &c.rules;
    assert_int_equal(r->stop_tokens.n, 10);
    assert_int_equal(r->bad_words.n, 3);
    assert_int_equal(r->bad_words.phrases[1].ids.ids[1], 7);
    assert_true(r->bad_words.phrases[1].bias == -INFINITY);
    assert_int_equal(r->bad_words.phrases[2].ids.n, 0);
    assert_int_equal(r->sequence_bias.phrases[0].ids.n, 2);
    assert_true(r->sequence_bias.phrases[0].bias == -1.5f);
    assert_int_equal(r->suppress_tokens.n, 1);
    assert_int_equal(r->suppress_tokens.ids[0], 8);
    assert_int_equal(r->forced_eos.n, 2);
    assert_int_equal(r->forced_bos.ids[0], 3);
    assert_true(r->exponential_decay && r->decay_start == 5 && r->decay_factor == 1.25);
    assert_int_equal(r->no_repeat_ngram_size, 3);
    assert_int_equal(r->min_new_tokens, 4);
    assert_int_equal(r->min_length, 0);
    assert_int_equal(r->max_length, 4096);
    lv_generation_config_free(&c);
    parse_well("{\"min_length\": 9, \"min_new_tokens\": 0}", &c); /* takes its place */
    assert_int_equal(c.rules.min_length, 0);
    lv_generation_config_free(&c);
}

/* Broken: file and field are named. */
static void broken_values_are_refused_by_name(void **state)
{
    static const struct {
        const char *json, *subject;
    } table[] = {
        {"{\"temperature\": \"hot\"}", "temperature"},
        {"{\"do_sample\": 1}", "do_sample"},
        {"{\"top_k\": 2.5}", "top_k"},
        {"{\"top_p\": []}", "top_p"},
        {"{\"max_new_tokens\": 0}", "max_new_tokens"},
        {"{\"max_length\": \"20\"}", "max_length"},
        {"{\"eos_token_id\": \"<|im_end|>\"}", "eos_token_id"},
        {"{\"eos_token_id\": [1, -1]}", "eos_token_id"},
        {"{\"eos_token_id\": [[1]]}", "eos_token_id"},
        {"{\"suppress_tokens\": 5}", "suppress_tokens"},
        {"{\"suppress_tokens\": [1.5]}", "suppress_tokens"},
        {"{\"bad_words_ids\": []}", "bad_words_ids"},
        {"{\"bad_words_ids\": [1]}", "bad_words_ids"},
        {"{\"bad_words_ids\": [[-1]]}", "bad_words_ids"},
        {"{\"bad_words_ids\": [[99999999999]]}", "bad_words_ids"},
        {"{\"sequence_bias\": {\"1\": 2.0}}", "sequence_bias"},
        {"{\"sequence_bias\": [[1, 2.0]]}", "sequence_bias"},
        {"{\"forced_eos_token_id\": []}", "forced_eos_token_id"},
        {"{\"exponential_decay_length_penalty\": [1]}", "exponential_decay_length_penalty"},
        {"{\"exponential_decay_length_penalty\": 1.1}", "exponential_decay_length_penalty"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        LvGenerationConfig c;
        LlavaovError error = {0};
        if (parse(table[i].json, &c, &error) != LLAVAOV_ERROR_FORMAT)
            fail_msg("%s is accepted", table[i].json);
        assert_string_equal(error.subject, table[i].subject);
        assert_non_null(strstr(error.message, "generation_config.json"));
    }
}

/* Numbers that the library looks at only where they are used. */
static void numbers_out_of_range_fail_where_they_are_used(void **state)
{
    static const struct {
        const char *json, *subject;
        bool sampling; /* alone */
    } table[] = {
        {"{\"temperature\": 0}", "temperature", true},
        {"{\"temperature\": -1.0}", "temperature", true},
        {"{\"top_k\": -1}", "top_k", true},
        {"{\"top_p\": -0.1}", "top_p", true},
        {"{\"min_p\": 1.5}", "min_p", true},
        {"{\"typical_p\": 0}", "typical_p", true},
        {"{\"top_h\": 0}", "top_h", true},
        {"{\"top_h\": 1.1}", "top_h", true},
        {"{\"repetition_penalty\": 0}", "repetition_penalty", false},
        {"{\"encoder_repetition_penalty\": -1}", "encoder_repetition_penalty", false},
        {"{\"bad_words_ids\": [[5, 100]]}", "bad_words_ids", false},
        {"{\"forced_eos_token_id\": 100}", "forced_eos_token_id", false},
        {"{\"forced_eos_token_id\": 7, \"suppress_tokens\": [7]}", "forced_eos_token_id", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        LvGenerationConfig c;
        LlavaovError error = {0};
        parse_well(table[i].json, &c);
        assert_int_equal(lv_generation_config_check(&c, true, LLAVAOV_SETTING_ALL, 100, &error),
            LLAVAOV_ERROR_FORMAT);
        assert_string_equal(error.subject, table[i].subject);
        assert_int_equal(lv_generation_config_check(&c, false, LLAVAOV_SETTING_ALL, 100, &error),
            table[i].sampling ? LLAVAOV_OK : LLAVAOV_ERROR_FORMAT);
        assert_int_equal(lv_generation_config_check(&c, true, 0, 100, &error), LLAVAOV_OK);
        lv_generation_config_free(&c);
    }
    LvGenerationConfig c;
    LlavaovError error;
    parse_well("{\"top_p\": 7, \"typical_p\": 3, \"epsilon_cutoff\": -1, \"eta_cutoff\": 4,"
               " \"suppress_tokens\": [100]}",
        &c);
    assert_int_equal(
        lv_generation_config_check(&c, true, LLAVAOV_SETTING_ALL, 100, &error), LLAVAOV_OK);
    lv_generation_config_free(&c);
}

/* notice NULL: the field is off, or changes no token. */
static void what_has_no_effect_is_named(void **state)
{
    static const struct {
        const char *fields, *notice;
    } table[] = {
        {"\"num_beams\": 1", NULL},
        {"\"num_beams\": 4, \"length_penalty\": 2.0", "num_beams, length_penalty"},
        {"\"length_penalty\": 2.0, \"early_stopping\": true, \"num_beam_groups\": 2", NULL},
        {"\"guidance_scale\": 1.0", NULL},
        {"\"guidance_scale\": 1.5", "guidance_scale"},
        {"\"num_return_sequences\": 2", "num_return_sequences"},
        {"\"penalty_alpha\": 0.6", "penalty_alpha"},
        {"\"penalty_alpha\": 0.6, \"do_sample\": true", NULL},
        {"\"penalty_alpha\": 0.6, \"top_k\": 1", NULL},
        {"\"constraints\": [], \"watermarking_config\": {\"bias\": 2.5}",
            "constraints, watermarking_config"},
        {"\"prompt_lookup_num_tokens\": 3, \"use_mtp\": false", "prompt_lookup_num_tokens"},
        {"\"stop_strings\": [\"x\"], \"max_time\": 1.0, \"token_healing\": true",
            "token_healing, stop_strings, max_time"},
        {"\"cache_implementation\": \"static\", \"use_cache\": false", NULL},
        {"\"cache_implementation\": \"quantized\"", "cache_implementation"},
        {"\"output_scores\": true, \"num_assistant_tokens\": 5, \"disable_compile\": true", NULL},
        {"\"chat_format\": \"chatml\", \"new\\u0007field\": 0", "chat_format, new?field"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char json[256];
        LvGenerationConfig c;
        snprintf(json, sizeof json, "{\"eos_token_id\": 1, %s}", table[i].fields);
        parse_well(json, &c);
        if (!c.notice != !table[i].notice)
            fail_msg("%s: %s", json, c.notice ? c.notice : "no notice");
        if (c.notice) {
            const char *colon = strstr(c.notice, ": ");
            assert_non_null(colon);
            assert_string_equal(colon + 2, table[i].notice);
        }
        lv_generation_config_free(&c);
    }
    LvGenerationConfig c;
    parse_well("{}", &c);
    assert_non_null(strstr(c.notice, "no eos_token_id"));
    lv_generation_config_free(&c);
}

/* A file of nothing but strange names costs a line. */
static void the_line_is_bounded(void **state)
{
    static char json[100000];
    size_t n = (size_t)sprintf(json, "{\"eos_token_id\": 1");
    for (int i = 0; i < 900; i++)
        n += (size_t)sprintf(json + n, ", \"%090d\": 1", i);
    sprintf(json + n, "}");
    LvGenerationConfig c;
    parse_well(json, &c);
    assert_uint_in_range(strlen(c.notice), 2000, 3000);
    assert_non_null(strstr(c.notice, " and 860 more"));
    lv_generation_config_free(&c);
}

/* Without generation_config.json: the top level, then text_config; whatever else is there is none
 * of ours, and the length that old files carried along as a default is none. */
static void config_json_stands_in(void **state)
{
    static const char json[] =
        "{\"model_type\": \"llava_onevision\", \"top_k\": 7, \"num_beams\": 3, \"text_config\":"
        " {\"eos_token_id\": 5, \"top_k\": 9, \"top_p\": 0.5, \"max_length\": 20, \"vocab_size\":"
        " 9}}";
    LvGenerationConfig c;
    LlavaovError error = {0};
    assert_int_equal(
        lv_generation_config_parse_model(json, sizeof json - 1, "config.json", &c, &error),
        LLAVAOV_OK);
    assert_int_equal(c.top_k, 7);
    assert_true(c.top_p == 0.5);
    assert_int_equal(c.rules.stop_tokens.ids[0], 5);
    assert_int_equal(c.rules.max_length, 0);
    assert_string_equal(strstr(c.notice, ": ") + 2, "num_beams");
    lv_generation_config_free(&c);
    static const char bad[] = "{\"text_config\": {\"top_p\": \"x\"}}";
    assert_int_equal(
        lv_generation_config_parse_model(bad, sizeof bad - 1, "config.json", &c, &error),
        LLAVAOV_ERROR_FORMAT);
    assert_string_equal(error.subject, "text_config.top_p");
}

/* Every list counts. */
static void too_many_ids_are_refused(void **state)
{
    static char json[(LV_MAX_GENERATION_IDS + 100) * 2];
    size_t at = (size_t)sprintf(json, "{\"eos_token_id\": [1");
    for (size_t i = 1; i < LV_MAX_GENERATION_IDS - 10; i++)
        at += (size_t)sprintf(json + at, ",1");
    snprintf(json + at, sizeof json - at, "]}");
    LvGenerationConfig c;
    LlavaovError error = {0};
    parse_well(json, &c);
    assert_int_equal(c.rules.stop_tokens.n, LV_MAX_GENERATION_IDS - 10);
    lv_generation_config_free(&c);
    snprintf(json + at, sizeof json - at, "], \"suppress_tokens\": [1,1,1,1,1,1,1,1,1,1,1]}");
    assert_int_equal(parse(json, &c, &error), LLAVAOV_ERROR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_released_files),
        cmocka_unit_test(absent_and_null_are_the_librarys_defaults),
        cmocka_unit_test(every_list_is_read),
        cmocka_unit_test(broken_values_are_refused_by_name),
        cmocka_unit_test(numbers_out_of_range_fail_where_they_are_used),
        cmocka_unit_test(what_has_no_effect_is_named),
        cmocka_unit_test(the_line_is_bounded),
        cmocka_unit_test(config_json_stands_in),
        cmocka_unit_test(too_many_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
