/* SPDX-License-Identifier: Apache-2.0
 * Requests with a JSON schema: through the engine, beside others, with every kind of setting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "harness.h"
#include "schema_reader.h"

static const char object[] =
    "{\"type\": \"object\", \"properties\": {\"moving\": {\"type\": \"boolean\"}, \"color\": "
    "{\"enum\": [\"red\", \"blue\"]}, \"what\": {\"type\": \"string\", \"maxLength\": 9}, "
    "\"where\": "
    "{\"type\": \"array\", \"items\": {\"type\": \"number\", \"minimum\": 0, \"maximum\": 1}}}}";

static uint32_t least_of(Harness *h, const LlavaovJsonSchema *schema)
{
    uint32_t tokens;
    assert_int_equal(llavaov_engine_json_tokens(h->engine, schema, &tokens, NULL), LLAVAOV_OK);
    return tokens;
}

static void send(LlavaovSession *session, const char *prompt, const LlavaovGeneration *generation,
    LlavaovJsonSchema *schema, Reply *reply)
{
    reply_init(reply);
    ask_request(session, reply,
        (LlavaovRequest){.size = sizeof(LlavaovRequest),
            .prompt = prompt,
            .generation = generation,
            .json_schema = schema});
}

/* The document that came. */
static void check(const LlavaovJsonSchema *schema, Reply *reply, uint32_t most)
{
    reply_wait(reply);
    if (reply->status != LLAVAOV_OK)
        fail_msg("%s", reply->error.message);
    assert_int_equal(reply->finish_reason, LLAVAOV_FINISH_STOP);
    assert_true(reply->has_json);
    assert_string_equal(reply->json, reply->text);
    assert_int_equal(reply->n_streamed, reply->n_text);
    assert_memory_equal(reply->streamed, reply->text, reply->n_text);
    assert_true(reply->new_tokens <= most);
    if (!reads(schema, reply->text))
        fail_msg("no document: %s", reply->text);
    json_t *value = json_loads(reply->text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    json_decref(value);
}

/* From just enough tokens to plenty, greedily and drawn, whatever the rules would rather have. */
static void every_setting_gives_a_document(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    static const char *const schemas[] = {object, "{\"type\": \"integer\"}",
        "{\"type\": \"number\", \"minimum\": 0.5, \"maximum\": 0.75}", "{\"type\": \"string\"}",
        "{\"enum\": [1, 12, 123]}"};
    int32_t all[256];
    for (int i = 0; i < 256; i++)
        all[i] = i;
    LlavaovRules rules[] = {
        {.size = sizeof(LlavaovRules)},
        {.size = sizeof(LlavaovRules), .suppress_tokens = {all, 256}},
        {.size = sizeof(LlavaovRules), .min_new_tokens = 500, .no_repeat_ngram_size = 2},
        {.size = sizeof(LlavaovRules), .forced_eos = {all, 1}, .forced_bos = {all + 1, 1}},
        {.size = sizeof(LlavaovRules), .stop_tokens = {all, 256}, .renormalize_logits = true},
        {.size = sizeof(LlavaovRules), .stop_tokens = {all, 1}, .min_p = 0.5, .typical_p = 0.5},
    };
    for (size_t s = 0; s < sizeof schemas / sizeof *schemas; s++) {
        LlavaovJsonSchema *schema = open_schema(schemas[s]);
        const uint32_t least = least_of(h, schema);
        for (size_t k = 0; k < 48; k++) {
            LlavaovGeneration generation = llavaov_generation_default();
            generation.max_new_tokens = least + (uint32_t)(k % 3 == 0 ? 0 : k);
            generation.temperature = k % 2 ? 1.5 : 0;
            generation.top_k = k % 4 == 1 ? 3 : 0;
            generation.seed = k;
            generation.repetition_penalty = k % 5 ? 1 : 2;
            generation.rules = k % 8 < 6 ? &rules[k % 8] : NULL;
            static Reply reply;
            send(session, k % 16 < 8 ? "Hello" : "And you?", &generation, schema, &reply);
            check(schema, &reply, generation.max_new_tokens);
        }
        llavaov_json_schema_unref(schema);
    }
    llavaov_session_close(session);
}

/* The answer is the same alone and among others that have no schema, and leaves theirs alone. */
static void answers_are_the_same_in_company(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    LlavaovJsonSchema *schema = open_schema(object);
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 120;
    static Reply alone, free_alone, together[4];
    send(session, "Hello", &generation, schema, &alone);
    check(schema, &alone, 120);
    send(session, "Hello", &generation, NULL, &free_alone);
    reply_wait(&free_alone);
    assert_false(free_alone.has_json);
    assert_false(free_alone.truncated);
    for (int i = 0; i < 4; i++)
        send(session, "Hello", &generation, i % 2 ? schema : NULL, &together[i]);
    for (int i = 0; i < 4; i++) {
        reply_wait(&together[i]);
        assert_string_equal(together[i].text, (i % 2 ? alone : free_alone).text);
        assert_int_equal(together[i].n_values, i % 2 ? 2 : 0);
        assert_memory_equal(
            together[i].values, alone.values, together[i].n_values * sizeof *alone.values);
    }
    llavaov_json_schema_unref(schema);
    llavaov_session_close(session);
}

/* Each listed value has its place and its probabilities, whatever the settings; there are as many as
 * the document has. */
static void listed_values_carry_probabilities(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    LlavaovJsonSchema *schema = open_schema(
        "{\"type\": \"object\", \"properties\": {\"a/b\": {\"enum\": [\"one two\", \"one three\", "
        "\"one two three four\", 1, 12]}, \"in\": {\"type\": \"array\", \"minItems\": 2, "
        "\"maxItems\": 2, \"items\": {\"type\": \"object\", \"properties\": {\"ok\": {\"anyOf\": "
        "[{\"type\": \"boolean\"}, {\"type\": \"null\"}]}, \"is\": {\"const\": 3}}}}, \"last\": "
        "{\"type\": \"boolean\"}}}");
    static const char *const paths[] = {"/a~1b", "/in/0/ok", "/in/1/ok", "/last"};
    static const size_t sizes[] = {5, 3, 3, 2};
    static Reply alone, reply;
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 120;
    send(session, "Hello", &generation, schema, &alone);
    check(schema, &alone, 120);
    for (unsigned k = 0; k < 12; k++) {
        generation.temperature = k % 3;
        generation.repetition_penalty = k % 4 == 3 ? 2 : 1;
        generation.seed = k;
        send(session, "Hello", &generation, schema, &reply);
        check(schema, &reply, 120);
        assert_int_equal(reply.n_values, 4);
        json_t *document = json_loads(reply.text, 0, NULL);
        for (size_t i = 0; i < 4; i++) {
            const struct ReplyValue *v = &reply.values[i];
            double sum = 0, mass = 0;
            assert_string_equal(v->path, paths[i]);
            assert_int_equal(v->n, sizes[i]);
            for (size_t j = 0; j < v->n; j++) {
                sum += v->probabilities[j];
                mass += exp(v->logprobs[j]);
                assert_true(v->logprobs[j] < 1e-9);
            }
            assert_true(fabs(sum - 1) < 1e-12 && fabs(mass - v->label_mass) < 1e-12);
            assert_true(v->confidence > 0 && v->confidence <= 1);
            assert_non_null(strstr(reply.text, v->value));
        }
        assert_string_equal(reply.values[3].value,
            json_is_true(json_object_get(document, "last")) ? "true" : "false");
        json_decref(document);
        if (k == 0)
            assert_memory_equal(reply.values, alone.values, 4 * sizeof *reply.values);
    }
    llavaov_json_schema_unref(schema);
    schema = open_schema("{\"enum\": [1, 12, 123]}");
    send(session, "Hello", &generation, schema, &reply);
    check(schema, &reply, 120);
    assert_int_equal(reply.n_values, 1);
    assert_string_equal(reply.values[0].path, "");
    assert_string_equal(reply.values[0].value, reply.text);
    llavaov_json_schema_unref(schema);
    /* Left out: docs/json.md. */
    char many[1200] = "{\"enum\": [1000";
    for (int i = 1; i <= 64; i++)
        sprintf(many + strlen(many), ", %d", 1000 + i);
    strcat(many, "]}");
    const char *const left_out[] = {many, "{\"enum\": [\"\", \"a\"]}", "{\"const\": true}",
        "{\"enum\": [\"a\", \"0123456789 0123456789 0123456789\"]}"};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        schema = open_schema(left_out[i]);
        send(session, "Hello", &generation, schema, &reply);
        check(schema, &reply, 120);
        assert_int_equal(reply.n_values, 0);
        llavaov_json_schema_unref(schema);
    }
    llavaov_session_close(session);
}

/* The engine keeps what it needs. */
static void a_schema_may_go_while_it_is_answered(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    LlavaovJsonSchema *schema = open_schema(object), *copy = open_schema(object);
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 90;
    static Reply reply;
    harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
    send(session, "Hello", &generation, schema, &reply);
    harness_wait_reached(h);
    llavaov_json_schema_unref(schema);
    harness_release(h);
    check(copy, &reply, 90);
    llavaov_json_schema_unref(copy);
    llavaov_session_close(session);
}

static void never(void *data, const LlavaovAnswer *answer)
{
    fail();
}

static void too_few_tokens_are_an_error(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    LlavaovJsonSchema *schema = open_schema(object);
    const uint32_t least = least_of(h, schema);
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = least - 1;
    static Reply reply;
    LlavaovRequest request = {.size = sizeof request,
        .prompt = "Hello",
        .generation = &generation,
        .json_schema = schema};
    LlavaovError error = {0};
    reply_init(&reply);
    request.on_done = never;
    assert_int_equal(llavaov_session_ask(session, &request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_string_equal(error.subject, "max-new-tokens");
    char number[16];
    snprintf(number, sizeof number, "%u", least);
    assert_non_null(strstr(error.message, number));
    /* An answer without a schema may be as short. */
    send(session, "Hello", &generation, NULL, &reply);
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_OK);

    const LlavaovChoices choices = llavaov_choices_default("yes|no");
    request.generation = NULL;
    request.choices = &choices;
    assert_int_equal(llavaov_session_ask(session, &request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "json-schema"));
    llavaov_json_schema_unref(schema);
    llavaov_session_close(session);
}

/* A prompt that leaves the context too few tokens. */
static void a_full_context_is_an_error(void **state)
{
    Harness h;
    harness_open(&h, 64);
    LlavaovSession *session = open_session(&h);
    LlavaovJsonSchema *schema = open_schema(object);
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 500;
    static Reply reply;
    send(session, "Hello", &generation, schema, &reply);
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_ERROR_CONTEXT_FULL);
    assert_false(reply.has_json);
    llavaov_json_schema_unref(schema);
    llavaov_session_close(session);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_setting_gives_a_document),
        cmocka_unit_test(answers_are_the_same_in_company),
        cmocka_unit_test(listed_values_carry_probabilities),
        cmocka_unit_test(a_schema_may_go_while_it_is_answered),
        cmocka_unit_test(too_few_tokens_are_an_error),
        cmocka_unit_test(a_full_context_is_an_error),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
