/* SPDX-License-Identifier: Apache-2.0
 * Generation settings of requests: whose they are, how long answers get, what ends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "harness.h"
#include "serve/settings.h"

/* The answer to "Hello" with these settings. */
static void answer(Harness *h, const LlavaovGeneration *generation, Reply *reply)
{
    LlavaovSession *session = open_session(h);
    reply_init(reply);
    reply->generation = *generation;
    LlavaovTicket *ticket =
        ask(session, reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", generation->max_new_tokens);
    reply_wait(reply);
    llavaov_ticket_unref(ticket);
    llavaov_session_close(session);
}

static LlavaovGeneration greedy(const LlavaovRules *rules, uint32_t max_new_tokens)
{
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = max_new_tokens;
    generation.rules = rules;
    return generation;
}

static Reply plain;

static int ask_plainly(void **state)
{
    if (harness_setup(state))
        return -1;
    const LlavaovGeneration generation = greedy(NULL, 20);
    answer(*state, &generation, &plain);
    return plain.status == LLAVAOV_OK && plain.new_tokens == 20 ? 0 : -1;
}

/* Whatever the caller does with them once they are asked. */
static void rules_are_copied(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    Reply reply;
    int32_t *ids = malloc(3 * sizeof *ids);
    LlavaovPhrase *phrases = malloc(2 * sizeof *phrases);
    memcpy(ids, plain.tokens, 3 * sizeof *ids);
    phrases[0] = (LlavaovPhrase){{ids, 1}, -INFINITY};
    phrases[1] = (LlavaovPhrase){{ids + 1, 2}, -INFINITY};
    LlavaovRules *rules = malloc(sizeof *rules);
    *rules = (LlavaovRules){.size = sizeof(LlavaovRules),
        .bad_words = {phrases, 2},
        .begin_suppress_tokens = {ids + 1, 1}};
    reply_init(&reply);
    reply.generation = greedy(rules, 20);
    harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
    LlavaovTicket *ticket = ask(session, &reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 20);
    const int32_t forbidden = ids[0], later = ids[1];
    memset(ids, 0x55, 3 * sizeof *ids);
    memset(phrases, 0x55, 2 * sizeof *phrases);
    free(ids);
    free(phrases);
    free(rules);
    harness_wait_reached(h);
    harness_release(h);
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_OK);
    assert_int_equal(reply.new_tokens, 20);
    assert_int_not_equal(reply.tokens[0], later);
    for (int i = 0; i < 20; i++)
        assert_int_not_equal(reply.tokens[i], forbidden);
    llavaov_ticket_unref(ticket);
    llavaov_session_close(session);
}

static void lengths_and_ends(void **state)
{
    Harness *h = *state;
    Reply reply;
    LlavaovRules rules = {.size = sizeof rules, .max_length = plain.prompt_tokens + 5};
    LlavaovGeneration generation = greedy(&rules, 0);
    answer(h, &generation, &reply);
    assert_int_equal(reply.status, LLAVAOV_OK);
    assert_int_equal(reply.new_tokens, 5);
    assert_int_equal(reply.finish_reason, LLAVAOV_FINISH_LENGTH);
    generation.max_new_tokens = 7; /* counts before it */
    answer(h, &generation, &reply);
    assert_int_equal(reply.new_tokens, 7);

    rules.max_length = plain.prompt_tokens;
    generation.max_new_tokens = 0;
    answer(h, &generation, &reply);
    assert_int_equal(reply.status, LLAVAOV_ERROR_ARGUMENT);
    assert_string_equal(reply.error.subject, "max_length");
    assert_int_equal(reply.error.about, LLAVAOV_ABOUT_FILE);
    assert_non_null(strstr(reply.error.message, "max-new-tokens"));

    size_t late = 3;
    while (late < 19 && memchr(plain.tokens, plain.tokens[late], late * sizeof(int32_t)))
        late++;
    rules = (LlavaovRules){.size = sizeof(LlavaovRules), .stop_tokens = {&plain.tokens[late], 1}};
    generation.max_new_tokens = 20;
    answer(h, &generation, &reply);
    assert_int_equal(reply.finish_reason, LLAVAOV_FINISH_STOP);
    assert_true(reply.new_tokens <= late + 1);
    const uint32_t before = reply.new_tokens;
    rules.min_new_tokens = 12;
    answer(h, &generation, &reply);
    assert_true(reply.new_tokens > before && reply.new_tokens >= 12);

    const int32_t last = plain.tokens[0] == 9 ? 10 : 9;
    rules = (LlavaovRules){.size = sizeof(LlavaovRules), .forced_eos = {&last, 1}};
    generation.max_new_tokens = 6;
    answer(h, &generation, &reply);
    assert_int_equal(reply.new_tokens, 6);
    assert_int_equal(reply.tokens[5], last);
    assert_memory_equal(reply.tokens, plain.tokens, 5 * sizeof(int32_t));
}

/* Drawing after everything has been excluded is a failure of that request alone. */
static void nothing_left_is_an_error(void **state)
{
    Harness *h = *state;
    const uint32_t n = h->engine->model->config->text.vocab_size;
    int32_t *all = malloc(n * sizeof *all);
    for (uint32_t i = 0; i < n; i++)
        all[i] = (int32_t)i;
    const LlavaovRules rules = {.size = sizeof rules, .suppress_tokens = {all, n}};
    LlavaovGeneration generation = greedy(&rules, 5);
    generation.temperature = 1;
    Reply reply;
    answer(h, &generation, &reply);
    assert_int_equal(reply.status, LLAVAOV_ERROR_NUMERIC);
    assert_non_null(strstr(reply.error.message, "exclude every token"));
    free(all);
}

static void bad_rules_are_refused_by_name(void **state)
{
    Harness *h = *state;
    static const int32_t negative[] = {-1};
    static const LlavaovPhrase nan_phrase = {{negative + 1, 0}, NAN};
    const struct {
        LlavaovRules rules;
        const char *subject;
    } cases[] = {
        {{.stop_tokens = {negative, 1}}, "stop-tokens"},
        {{.suppress_tokens = {NULL, 3}}, "suppress-tokens"},
        {{.forced_eos = {negative, (size_t)1 << 40}}, "forced-eos"},
        {{.sequence_bias = {&nan_phrase, 1}}, "sequence-bias"},
        {{.bad_words = {NULL, 1}}, "bad-words"},
        {{.min_p = 1.5}, "min-p"},
        {{.typical_p = -1}, "typical-p"},
        {{.top_h = NAN}, "top-h"},
        {{.encoder_repetition_penalty = -2}, "encoder-repetition-penalty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LlavaovRules rules = cases[i].rules;
        rules.size = sizeof rules;
        const LlavaovGeneration asked = greedy(&rules, 5);
        LlavaovGeneration settled = {.size = sizeof settled};
        LlavaovError error = {0};
        assert_int_equal(
            llavaov_engine_generation(h->engine, &asked, &settled, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(error.subject, cases[i].subject);
    }
}

/* Each setting has a state of its own: the checkpoint's, or the caller's, to whatever value. */
static void single_settings_override_the_checkpoint(void **state)
{
    LvGenerationConfig c;
    LlavaovError error = {0};
    LlavaovGeneration asked = llavaov_generation_checkpoint(), g;
    static const char json[] =
        "{\"do_sample\": true, \"temperature\": 0.7, \"top_k\": 20, \"top_p\": 0.8,"
        " \"repetition_penalty\": 1.1, \"eos_token_id\": [5, 6], \"max_length\": 50}";
    assert_int_equal(
        lv_generation_config_parse(json, sizeof json - 1, "g", &c, &error), LLAVAOV_OK);
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_OK);
    assert_true(g.temperature == 0.7 && g.top_k == 20 && g.top_p == 0.8);
    assert_true(g.repetition_penalty == 1.1 && g.rules == &c.rules && g.max_new_tokens == 0);
    assert_int_equal(g.as_checkpoint, 0);

    asked.as_checkpoint &=
        ~(uint32_t)(LLAVAOV_SETTING_TEMPERATURE | LLAVAOV_SETTING_MAX_NEW_TOKENS);
    asked.max_new_tokens = 64;
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_OK);
    assert_true(g.temperature == 0 && g.top_k == 20 && g.repetition_penalty == 1.1);
    assert_int_equal(g.max_new_tokens, 64);

    asked = llavaov_generation_checkpoint();
    asked.as_checkpoint &= ~(uint32_t)(LLAVAOV_SETTING_TOP_K | LLAVAOV_SETTING_TOP_P |
                                       LLAVAOV_SETTING_REPETITION_PENALTY);
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_OK);
    assert_true(g.temperature == 0.7 && g.top_k == 0 && g.top_p == 1 && g.repetition_penalty == 1);
    lv_generation_config_free(&c);

    /* A temperature of the caller's turns drawing on; then the library's default top-k counts. */
    static const char few[] = "{\"eos_token_id\": 5}";
    assert_int_equal(lv_generation_config_parse(few, sizeof few - 1, "g", &c, &error), LLAVAOV_OK);
    asked = llavaov_generation_checkpoint();
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_OK);
    assert_true(g.temperature == 0 && g.repetition_penalty == 1);
    assert_int_equal(g.max_new_tokens, 256);
    asked.as_checkpoint &= ~(uint32_t)LLAVAOV_SETTING_TEMPERATURE;
    asked.temperature = 0.5;
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_OK);
    assert_true(g.temperature == 0.5 && g.top_k == 50);
    lv_generation_config_free(&c);

    /* What is not taken from the file may be broken there. */
    static const char hot[] = "{\"do_sample\": true, \"temperature\": 0.0}";
    assert_int_equal(
        lv_generation_config_parse(hot, sizeof hot - 1, "g.json", &c, &error), LLAVAOV_OK);
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_OK);
    asked = llavaov_generation_checkpoint();
    assert_int_equal(lv_settings_settle(&c, 100, &asked, &g, &error), LLAVAOV_ERROR_FORMAT);
    assert_string_equal(error.subject, "temperature");
    assert_int_equal(error.about, LLAVAOV_ABOUT_FILE);
    assert_non_null(strstr(error.message, "g.json"));
    lv_generation_config_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_copied),
        cmocka_unit_test(lengths_and_ends),
        cmocka_unit_test(nothing_left_is_an_error),
        cmocka_unit_test(bad_rules_are_refused_by_name),
        cmocka_unit_test(single_settings_override_the_checkpoint),
    };
    return cmocka_run_group_tests(tests, ask_plainly, harness_teardown);
}
