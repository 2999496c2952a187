/* SPDX-License-Identifier: Apache-2.0
 * Requests of several questions: the bits of each are those that it gets when it is asked alone, what
 * they have in common is computed once, and nobody's end is another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "generation.h"
#include "harness.h"
#include "ops.h"

enum { MOST = 32 };

/* What came of a question, in memory of its own. Of a JSON answer the logprobs of all listed values. */
typedef struct Outcome {
    Reply reply;
    double logprobs[32];
    size_t n_logprobs;
} Outcome;

static void on_text(void *data, const char *text, size_t bytes)
{
    Reply *reply = &((Outcome *)data)->reply;
    memcpy(reply->streamed + reply->n_streamed, text, bytes);
    reply->n_streamed += bytes;
}

static void keep_logprobs(Outcome *o, const double *logprobs, size_t n)
{
    for (size_t i = 0; i < n && o->n_logprobs < sizeof o->logprobs / sizeof *o->logprobs; i++)
        o->logprobs[o->n_logprobs++] = logprobs[i];
}

static void on_done(void *data, const LlavaovAnswer *a)
{
    Outcome *o = data;
    Reply *r = &o->reply;
    pthread_mutex_lock(&r->lock);
    r->status = a->status;
    r->error = a->error;
    r->finish_reason = a->finish_reason;
    r->new_tokens = a->new_tokens;
    r->prompt_tokens = a->prompt_tokens;
    r->n_text = a->text_bytes;
    memcpy(r->text, a->text, a->text_bytes);
    memcpy(r->tokens, a->tokens, a->new_tokens * sizeof *a->tokens);
    if (a->chosen)
        keep_logprobs(o, a->chosen->logprobs, a->chosen->n);
    for (size_t i = 0; i < a->n_json_values; i++)
        keep_logprobs(o, a->json_values[i]->logprobs, a->json_values[i]->n);
    r->n_done++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* Prompts of all lengths around those of a few rows, and of every kind of answer. */
typedef struct Asked {
    char prompt[512];
    LlavaovGeneration generation;
    LlavaovChoices choices;
    bool chooses;
    LlavaovJsonSchema *schema; /* or NULL */
} Asked;

static Asked asked[MOST];
static LlavaovJsonSchema *schemas[2];

static void make_questions(void)
{
    static const char *const texts[] = {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": "
                                        "\"boolean\"}, \"b\": {\"enum\": [\"red\", \"rot\"]}}}",
        "{\"type\": \"array\", \"items\": {\"type\": \"boolean\"}, \"maxItems\": 3}"};
    for (int i = 0; i < 2; i++)
        assert_int_equal(llavaov_json_schema_open(texts[i], &schemas[i], NULL), LLAVAOV_OK);
    static const char *const labels[] = {"y|n", "yes|no", "no|no one|10", "a|abc"};
    for (int i = 0; i < MOST; i++) {
        Asked *a = &asked[i];
        /* The template has 17. */
        const size_t n = i < 2 ? 90 : i % 11 == 10 ? 400 : (size_t)(i % 5 ? i * 7 % 15 : i);
        for (size_t k = 0; k < n; k++)
            a->prompt[k] = "What is there? "[(k + (size_t)i) % 15];
        snprintf(a->prompt + n, 8, "%d?", i);
        a->chooses = i % 3 == 1;
        a->choices = llavaov_choices_default(labels[i % 4]);
        a->choices.hint = i % 8 == 1;
        a->schema = i % 6 == 3 ? schemas[i % 4 / 2] : NULL;
        a->generation = (LlavaovGeneration)GENERATION((uint32_t)((a->schema ? 60 : 3) + i % 9),
            i % 4 == 2 ? 1.5 : 0, 0, 1, i % 5 ? 1 : 1.3, (uint64_t)i, NULL);
    }
}

static LlavaovQuestion question(int i, Outcome *o)
{
    memset(o, 0, sizeof *o);
    reply_init(&o->reply);
    return (LlavaovQuestion){.size = sizeof(LlavaovQuestion),
        .prompt = asked[i].prompt,
        .generation = asked[i].chooses ? NULL : &asked[i].generation,
        .choices = asked[i].chooses ? &asked[i].choices : NULL,
        .json_schema = asked[i].chooses ? NULL : asked[i].schema,
        .on_done = on_done,
        .on_text = on_text,
        .data = o};
}

typedef struct Window {
    LlavaovSession *session;
    LlavaovFrame *frames[8];
    LlavaovRequest request;
} Window;

static Window open_window(Harness *h, const char *system_prompt, size_t n_frames)
{
    Window w = {.session = open_session(h)};
    for (size_t i = 0; i < n_frames; i++)
        w.frames[i] = push_flat(w.session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND,
            (uint8_t)(40 + 27 * i), NULL);
    w.request = (LlavaovRequest){
        .size = sizeof(LlavaovRequest), .system_prompt = system_prompt, .n_frames = n_frames};
    return w;
}

static LlavaovTicket *pose(Window *w, const LlavaovQuestion *questions, size_t n)
{
    LlavaovTicket *ticket;
    LlavaovError error;
    w->request.frames = w->request.n_frames ? w->frames : NULL;
    w->request.questions = questions;
    w->request.n_questions = n;
    if (llavaov_session_ask(w->session, &w->request, &ticket, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return ticket;
}

static void close_window(Window *w)
{
    for (size_t i = 0; i < w->request.n_frames; i++)
        llavaov_frame_unref(w->frames[i]);
    llavaov_session_close(w->session);
}

/* As a request without `questions`. */
static void ask_alone(Harness *h, const char *system_prompt, size_t n_frames, int i, Outcome *o)
{
    Window w = open_window(h, system_prompt, n_frames);
    const LlavaovQuestion q = question(i, o);
    LlavaovError error;
    w.request.frames = n_frames ? w.frames : NULL;
    w.request.prompt = q.prompt;
    w.request.generation = q.generation;
    w.request.choices = q.choices;
    w.request.json_schema = q.json_schema;
    w.request.on_done = q.on_done;
    w.request.on_text = q.on_text;
    w.request.data = q.data;
    if (llavaov_session_ask(w.session, &w.request, NULL, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    reply_wait(&o->reply);
    close_window(&w);
}

static void assert_same(int i, const Outcome *a, const Outcome *b)
{
    if (a->reply.status != LLAVAOV_OK || b->reply.status != LLAVAOV_OK)
        fail_msg("question %d: %s%s", i, a->reply.error.message, b->reply.error.message);
    assert_int_equal(b->reply.n_done, 1);
    assert_int_equal(a->reply.prompt_tokens, b->reply.prompt_tokens);
    assert_int_equal(a->reply.new_tokens, b->reply.new_tokens);
    assert_memory_equal(a->reply.tokens, b->reply.tokens, a->reply.new_tokens * sizeof(int32_t));
    assert_int_equal(a->reply.n_text, b->reply.n_text);
    assert_memory_equal(a->reply.text, b->reply.text, a->reply.n_text);
    assert_int_equal(b->reply.n_streamed, b->reply.n_text);
    assert_memory_equal(b->reply.streamed, b->reply.text, b->reply.n_text);
    assert_int_equal(a->n_logprobs, b->n_logprobs);
    assert_memory_equal(a->logprobs, b->logprobs, a->n_logprobs * sizeof *a->logprobs);
}

/* Of n questions from the first on. */
static void same_alone_and_together(
    Harness *h, const char *system_prompt, size_t n_frames, size_t first, size_t n)
{
    static Outcome alone[MOST], together[MOST];
    Window w = open_window(h, system_prompt, n_frames);
    LlavaovQuestion questions[MOST];
    for (size_t i = 0; i < n; i++) {
        ask_alone(h, system_prompt, n_frames, (int)((first + i) % MOST), &alone[i]);
        questions[i] = question((int)((first + i) % MOST), &together[i]);
    }
    h->together = 0;
    llavaov_ticket_unref(pose(&w, questions, n));
    for (size_t i = 0; i < n; i++) {
        reply_wait(&together[i].reply);
        assert_same((int)((first + i) % MOST), &alone[i], &together[i]);
    }
    if (n >= 16)
        assert_true(h->together >= (int)n / 3);
    close_window(&w);
}

static void bits_are_those_of_each_alone(void **state)
{
    static const struct {
        const char *system_prompt;
        size_t n_frames, n_questions;
    } rows[] = {{NULL, 2, 1}, {NULL, 2, 4}, {NULL, 3, 16}, {"You are a camera.", 1, MOST},
        {"You are a camera.", 0, 5}};
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        same_alone_and_together(
            *state, rows[k].system_prompt, rows[k].n_frames, 0, rows[k].n_questions);
}

/* Checkpoints as far from each other as there are: fields of make-checkpoint, then the engine's
 * options. The last is the demo model. */
static void bits_are_those_of_each_alone_in_any_shape(void **state)
{
    static const struct {
        const char *fields, *mask;
        LlavaovPrecision precision;
        uint32_t threads;
    } rows[] = {
        {"text.heads=6 text.kv_heads=1 text.head_dim=20 text.hidden=52 text.intermediate=77", NULL,
            LLAVAOV_PRECISION_AUTO, 2},
        {"text.heads=7 text.kv_heads=7 text.head_dim=10 text.hidden=70 dtype=bf16 tied=true", NULL,
            LLAVAOV_PRECISION_AUTO, 1},
        {"text.heads=2 text.kv_heads=1 text.hidden=68 text.vocab=307 dtype=mixed", "avx2",
            LLAVAOV_PRECISION_AUTO, 2},
        {"text.hidden=36 text.heads=3 text.kv_heads=3 text.head_dim=12 dtype=f32 text.layers=3 "
         "text_act=gelu",
            "baseline", LLAVAOV_PRECISION_AUTO, 1},
        {"text.heads=8 text.kv_heads=2 text.head_dim=64 text.intermediate=500 layout=c", NULL,
            LLAVAOV_PRECISION_AUTO, 2},
        {"text.hidden=128 text.intermediate=192", NULL, LLAVAOV_PRECISION_NF4, 1},
        {"text.hidden=128 text.intermediate=192", NULL, LLAVAOV_PRECISION_INT8, 2},
        {NULL, NULL, LLAVAOV_PRECISION_AUTO, 2},
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        Harness h;
        LvWriterSpec spec;
        char fields[160], *rest = fields;
        const LlavaovEngineOptions options = {.size = sizeof options,
            .model_path = getenv("LLAVAOV_MODEL"),
            .device = "cpu",
            .cpu_mask = rows[k].mask && lv_kernels_choose(rows[k].mask, 0) ? rows[k].mask : NULL,
            .precision = rows[k].precision,
            .threads = rows[k].threads};
        assert_true(lv_writer_preset("mini", &spec));
        snprintf(fields, sizeof fields, "%s", rows[k].fields ? rows[k].fields : "");
        spec.seed = k + 1;
        spec.text.embed_gain = 0.3;
        spec.text.attention_gain = 4;
        for (char *field = strtok_r(fields, " ", &rest); field;
             field = strtok_r(NULL, " ", &rest)) {
            char *value = strchr(field, '=');
            *value = '\0';
            if (!lv_writer_set(&spec, field, value + 1))
                fail_msg("%s=%s", field, value + 1);
        }
        harness_open_checkpoint(&h, rows[k].fields ? &spec : NULL, &options);
        same_alone_and_together(&h, NULL, 1 + k % 3, k * 5, 16);
        same_alone_and_together(&h, "Look.", 2 + k * 3 % 7, k * 7, 4);
        same_alone_and_together(&h, NULL, 1, k * 3, 1);
        harness_close(&h);
    }
}

/* Rows of prompts: those of the frames once, whoever asks. */
static void the_beginning_is_computed_once(void **state)
{
    Harness *h = *state;
    static Outcome outcomes[MOST];
    enum { N = 16 };
    LlavaovQuestion questions[N];
    Window w = open_window(h, "You are a camera.", 3);
    for (int i = 0; i < N; i++)
        questions[i] = question(i, &outcomes[i]);
    h->n_order = 0;
    llavaov_ticket_unref(pose(&w, questions, N));
    size_t rows = 0, wanted = 0, prefix = 0, passes = 0;
    for (int i = 0; i < N; i++) {
        reply_wait(&outcomes[i].reply);
        wanted += outcomes[i].reply.prompt_tokens;
    }
    for (int i = 0; i < h->n_order; i++) {
        if (h->order[i] != 'P')
            continue;
        prefix += passes++ < 3 ? h->sizes[i] : 0; /* a frame each, the first one with the head */
        rows += h->sizes[i];
    }
    assert_true(prefix > 3 * 4);
    /* Ways of labels are rows behind the prompts. */
    assert_uint_in_range(rows, wanted - (N - 1) * prefix, wanted - (N - 1) * prefix + N * 16);
    close_window(&w);
}

static void a_ticket_cancels_all(void **state)
{
    Harness *h = *state;
    static Outcome outcomes[MOST];
    LlavaovQuestion questions[MOST];
    Window w = open_window(h, NULL, 2);
    const LlavaovGeneration longer = GENERATION(400, 0, 0, 1, 1, 0, NULL);
    for (int i = 0; i < 8; i++) {
        questions[i] = question(i, &outcomes[i]);
        questions[i].choices = NULL;
        questions[i].generation = &longer;
    }
    harness_arm(h, OPERATION_DECODE, FAULT_HOLD, 2);
    LlavaovTicket *ticket = pose(&w, questions, 8);
    harness_wait_reached(h);
    llavaov_ticket_cancel(ticket);
    harness_release(h);
    for (int i = 0; i < 8; i++) {
        reply_wait(&outcomes[i].reply);
        assert_int_equal(outcomes[i].reply.status, LLAVAOV_ERROR_CANCELLED);
        assert_int_equal(outcomes[i].reply.n_done, 1);
    }
    llavaov_ticket_unref(ticket);
    close_window(&w);
}

static void bad_questions_are_refused_by_number(void **state)
{
    Harness *h = *state;
    static Outcome outcomes[MOST + 1];
    LlavaovQuestion questions[MOST + 1];
    LlavaovError error;
    Window w = open_window(h, NULL, 0);
    for (int i = 0; i <= MOST; i++)
        questions[i] = question(i % MOST, &outcomes[i]);
    w.request.questions = questions;
    w.request.n_questions = MOST + 1;
    assert_int_equal(
        llavaov_session_ask(w.session, &w.request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
    w.request.n_questions = 0;
    assert_int_equal(
        llavaov_session_ask(w.session, &w.request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
    w.request.n_questions = 3;
    w.request.prompt = "What?";
    assert_int_equal(
        llavaov_session_ask(w.session, &w.request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "in place of"));
    w.request.prompt = NULL;
    questions[1].prompt = NULL;
    assert_int_equal(
        llavaov_session_ask(w.session, &w.request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "question 2: "));
    close_window(&w);
}

int main(void)
{
    make_questions();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_those_of_each_alone),
        cmocka_unit_test(bits_are_those_of_each_alone_in_any_shape),
        cmocka_unit_test(the_beginning_is_computed_once),
        cmocka_unit_test(a_ticket_cancels_all),
        cmocka_unit_test(bad_questions_are_refused_by_number),
    };
    const int failed = cmocka_run_group_tests(tests, harness_setup, harness_teardown);
    for (int i = 0; i < 2; i++)
        llavaov_json_schema_unref(schemas[i]);
    return failed;
}
