/* SPDX-License-Identifier: Apache-2.0
 * Generation settings against what transformers' generate() made of them (make_generation.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "model/sampler.h"
#include "serve/settings.h"

#define MOST 64

static const char *file;

static uint32_t read_row(const json_t *row, float *values)
{
    const uint32_t n = (uint32_t)json_array_size(row);
    assert_uint_in_range(n, 1, MOST);
    for (uint32_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(row, i);
        values[i] = json_is_null(value) ? -INFINITY : (float)json_number_value(value);
    }
    return n;
}

/* As a request does: settings, sampler, prompt. */
static void open_case(const json_t *prompt, const json_t *test, LvGenerationConfig *config,
    LvSampler *sampler, uint32_t n_vocab)
{
    LlavaovError error = {0};
    char *text = json_dumps(json_object_get(test, "settings"), 0);
    if (lv_generation_config_parse(text, strlen(text), "g", config, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", text, error.message);
    LlavaovGeneration asked = llavaov_generation_checkpoint(), settled;
    if (config->max_new_tokens == 0 && config->rules.max_length == 0) {
        asked.as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_MAX_NEW_TOKENS;
        asked.max_new_tokens = 5;
    }
    if (lv_settings_settle(config, n_vocab, &asked, &settled, &error) != LLAVAOV_OK ||
        lv_sampler_open(sampler, &settled, n_vocab, &error) != LLAVAOV_OK)
        fail_msg("%s: %s", text, error.message);
    free(text);
    const size_t n = json_array_size(prompt);
    int32_t ids[MOST];
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(prompt, i));
    uint32_t new_tokens;
    assert_int_equal(lv_settings_new_tokens(&settled, n, &new_tokens, &error), LLAVAOV_OK);
    sampler->max_length = n + new_tokens;
    lv_sampler_see(sampler, ids, n);
}

static uint32_t first_maximum(const float *scores, uint32_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

static void settings_do_what_generate_does(void **state)
{
    json_error_t cause;
    json_t *root = json_load_file(file, 0, &cause);
    if (!root)
        fail_msg("%s: %s", file, cause.text);
    const json_t *table = json_object_get(root, "logits"), *test;
    size_t index;
    assert_true(json_array_size(json_object_get(root, "cases")) > 30);
    json_array_foreach(json_object_get(root, "cases"), index, test)
    {
        const json_t *tokens = json_object_get(test, "tokens");
        float logits[MOST], expected[MOST];
        LvGenerationConfig config;
        LvSampler sampler;
        open_case(json_object_get(root, "prompt"), test, &config, &sampler,
            read_row(json_array_get(table, 0), logits));
        for (size_t i = 0; i < json_array_size(tokens); i++) {
            const int32_t token = (int32_t)json_integer_value(json_array_get(tokens, i));
            const uint32_t n = read_row(json_array_get(table, i), logits);
            LlavaovError error = {0};
            assert_int_equal(
                read_row(json_array_get(json_object_get(test, "scores"), i), expected), n);
            if (lv_sampler_process(&sampler, logits, &error) != LLAVAOV_OK)
                fail_msg("case %zu: %s", index, error.message);
            for (uint32_t k = 0; k < n; k++)
                if (!(logits[k] == expected[k] ||
                        fabsf(logits[k] - expected[k]) <= 1e-6f * fmaxf(1, fabsf(expected[k]))))
                    fail_msg("case %zu, step %zu, id %u: %.8g, not %.8g", index, i, k, logits[k],
                        expected[k]);
            if (!config.do_sample)
                assert_int_equal(first_maximum(logits, n), token);
            lv_sampler_note(&sampler, token);
        }
        lv_sampler_close(&sampler);
        lv_generation_config_free(&config);
    }
    json_decref(root);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(settings_do_what_generate_does)};
    if (argc != 2)
        return 2;
    file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
