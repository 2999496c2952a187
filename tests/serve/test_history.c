/* SPDX-License-Identifier: Apache-2.0
 * Conversations that go on from the cache of the turns before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "generation.h"
#include "harness.h"

enum { N_TURNS = 4, MOST_IDS = 4096, N_NEW = 12 };

/* What came of a question. */
typedef struct Turn {
    Reply reply; /* only its lock, and status to waiting */
    int32_t ids[MOST_IDS];
    LlavaovHistory *history; /* a reference */
    uint32_t cached;
} Turn;

static void on_done(void *data, const LlavaovAnswer *a)
{
    Turn *turn = data;
    Reply *r = &turn->reply;
    pthread_mutex_lock(&r->lock);
    r->status = a->status;
    r->error = a->error;
    r->new_tokens = a->new_tokens;
    r->prompt_tokens = a->prompt_tokens;
    if (a->prompt_ids && a->prompt_tokens <= MOST_IDS)
        memcpy(turn->ids, a->prompt_ids, a->prompt_tokens * sizeof *a->prompt_ids);
    memcpy(r->tokens, a->tokens, a->new_tokens * sizeof *a->tokens);
    memcpy(r->text, a->text, a->text_bytes);
    r->n_text = a->text_bytes;
    turn->cached = a->cached_tokens;
    turn->history = a->history ? llavaov_history_ref(a->history) : NULL;
    r->n_done++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static LlavaovStatus begin(
    LlavaovSession *session, Turn *turn, LlavaovRequest request, LlavaovError *error)
{
    memset(turn, 0, sizeof *turn);
    reply_init(&turn->reply);
    request.size = sizeof request;
    request.on_done = on_done;
    request.data = turn;
    request.keep_history = 1;
    return llavaov_session_ask(session, &request, NULL, error);
}

static void ask_turn(LlavaovSession *session, Turn *turn, LlavaovRequest request)
{
    LlavaovError error;
    if (begin(session, turn, request, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    reply_wait(&turn->reply);
    if (turn->reply.status != LLAVAOV_OK)
        fail_msg("%s", turn->reply.error.message);
    assert_non_null(turn->history);
}

static void assert_same(const Turn *a, const Turn *b)
{
    assert_int_equal(a->reply.prompt_tokens, b->reply.prompt_tokens);
    assert_memory_equal(a->ids, b->ids, a->reply.prompt_tokens * sizeof *a->ids);
    assert_int_equal(a->reply.new_tokens, b->reply.new_tokens);
    assert_memory_equal(
        a->reply.tokens, b->reply.tokens, a->reply.new_tokens * sizeof *a->reply.tokens);
}

/* All but letters are excluded: what is generated is what its text would be cut into. */
static int32_t not_letters[320];
static LlavaovRules letters = {.size = sizeof(LlavaovRules)};

static void make_rules(void)
{
    /* The byte tokenizer's ids begin with "!". */
    size_t n = 0;
    for (int32_t id = 0; id < 320; id++)
        if (id < 'A' - '!' || id > 'Z' - '!')
            not_letters[n++] = id;
    letters.suppress_tokens = (LlavaovIds){not_letters, n};
}

static LlavaovSession *session_with(Harness *h, const char *chat_template)
{
    LlavaovSessionOptions options = {.size = sizeof options};
    LlavaovSession *session;
    LlavaovError error;
    if (llavaov_chat_template_open(llavaov_engine_info(h->engine)->model_path, chat_template,
            &options.chat_template, &error) != LLAVAOV_OK ||
        llavaov_session_open(h->engine, &options, &session, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    llavaov_chat_template_unref(options.chat_template);
    return session;
}

static void add_message(json_t *list, const char *role, const char *media, size_t n_media,
    const char *text, size_t bytes)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < n_media; i++)
        json_array_append_new(parts, json_pack("{s:s}", "type", media));
    json_array_append_new(
        parts, json_pack("{s:s, s:o}", "type", "text", "text", json_stringn(text, bytes)));
    json_array_append_new(list, json_pack("{s:s, s:o}", "role", role, "content", parts));
}

typedef struct Row {
    const char *chat_template;
    bool extends; /* it prints an earlier turn as it was */
    LlavaovLayout layout;
    size_t n_frames;
    bool later; /* the third turn has frames of its own, too */
    const char *system_prompt;
} Row;

static const Row rows[] = {
    {"conversion", true, LLAVAOV_LAYOUT_VIDEO, 2, false, NULL},
    {"conversion", true, LLAVAOV_LAYOUT_VIDEO, 0, false, "You are a camera."},
    {"conversion", true, LLAVAOV_LAYOUT_IMAGE, 1, false, NULL},
    {"conversion", true, LLAVAOV_LAYOUT_IMAGES, 2, true, NULL},
    {"conversion", true, LLAVAOV_LAYOUT_VIDEO, 1, true, "You are a camera."},
    {"qwen_1_5", true, LLAVAOV_LAYOUT_VIDEO, 2, false, NULL},
    {"hub", false, LLAVAOV_LAYOUT_VIDEO, 2, false, NULL},
    {"hub", false, LLAVAOV_LAYOUT_IMAGES, 2, true, NULL},
};
static const char *const prompts[N_TURNS] = {
    "What is there?", "And behind it?", "<|im_end|> is no token here.", "Why?"};

static uint32_t common_prefix(const Turn *before, const Turn *turn)
{
    const Reply *b = &before->reply;
    const uint32_t n_cached = b->prompt_tokens + b->new_tokens - 1;
    uint32_t n = 0;
    while (
        n < n_cached && n + 1 < turn->reply.prompt_tokens &&
        turn->ids[n] == (n < b->prompt_tokens ? before->ids[n] : b->tokens[n - b->prompt_tokens]))
        n++;
    return n;
}

/* The frames of a turn. */
static void give_frames(const Row *row, size_t turn, LlavaovFrame **frames, LlavaovRequest *request)
{
    request->layout = row->layout;
    if (turn == 0 || (turn == 2 && row->later)) {
        request->n_frames = row->n_frames;
        request->frames = row->n_frames ? frames + (turn ? row->n_frames : 0) : NULL;
    }
}

/* The conversation so far as the messages of one request. */
static void ask_whole(LlavaovSession *session, const Row *row, size_t n, const Turn *turns,
    LlavaovFrame **frames, const LlavaovGeneration *generation, Turn *whole)
{
    const bool video = row->layout == LLAVAOV_LAYOUT_VIDEO;
    const char *media = video ? "video" : "image";
    LlavaovVisual visuals[4];
    size_t n_visuals = 0;
    json_t *list = json_array();
    if (row->system_prompt)
        add_message(list, "system", NULL, 0, row->system_prompt, strlen(row->system_prompt));
    for (size_t i = 0; i <= n; i++) {
        LlavaovRequest request = {0};
        give_frames(row, i, frames, &request);
        const size_t n_media = video ? request.n_frames > 0 : request.n_frames;
        for (size_t k = 0; k < n_media; k++)
            visuals[n_visuals++] = (LlavaovVisual){.size = sizeof(LlavaovVisual),
                .layout = row->layout,
                .frames = request.frames + k,
                .n_frames = video ? request.n_frames : 1};
        add_message(list, "user", media, n_media, prompts[i], strlen(prompts[i]));
        if (i < n)
            add_message(list, "assistant", NULL, 0, turns[i].reply.text, turns[i].reply.n_text);
    }
    char *messages = json_dumps(list, 0);
    json_decref(list);
    ask_turn(session, whole,
        (LlavaovRequest){.messages = messages,
            .visuals = n_visuals ? visuals : NULL,
            .n_visuals = n_visuals,
            .generation = generation});
    free(messages);
}

static void turn_free(Turn *turn)
{
    llavaov_history_unref(turn->history);
}

/* Each turn again without a cache, and, where answers are letters, as messages: the same ids, the same
 * answer. */
static void run_row(Harness *h, const Row *row, bool spells)
{
    static Turn turns[N_TURNS], other;
    LlavaovSession *session = session_with(h, row->chat_template);
    LlavaovFrame *frames[4] = {0};
    for (size_t i = 0; i < 2 * row->n_frames; i++)
        frames[i] =
            push_flat(session, row->layout, LLAVAOV_ENCODE_ON_DEMAND, (uint8_t)(30 + 50 * i), NULL);
    for (size_t i = 0; i < N_TURNS; i++) {
        const LlavaovGeneration generation =
            GENERATION(N_NEW, 0, 0, 1, 1, 0, spells ? &letters : NULL);
        LlavaovRequest request = {.prompt = prompts[i],
            .system_prompt = i ? NULL : row->system_prompt,
            .generation = &generation,
            .history = i ? turns[i - 1].history : NULL};
        give_frames(row, i, frames, &request);
        ask_turn(session, &turns[i], request);
        if (i > 0) {
            const Reply *before = &turns[i - 1].reply;
            assert_int_equal(turns[i].cached, common_prefix(&turns[i - 1], &turns[i]));
            assert_int_equal(
                row->extends, turns[i].cached >= before->prompt_tokens + before->new_tokens - 1);
            assert_true(turns[i].cached > (i == 1 ? 8 : turns[i - 1].cached));
            llavaov_history_trim(turns[i - 1].history);
            ask_turn(session, &other, request);
            assert_int_equal(other.cached, 0);
            assert_same(&turns[i], &other);
            turn_free(&other);
        }
        if (spells || i == 0) {
            ask_whole(session, row, i, turns, frames, &generation, &other);
            assert_same(&turns[i], &other);
            turn_free(&other);
        }
    }
    for (size_t i = 0; i < 2 * row->n_frames; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(session);
    for (size_t i = 0; i < N_TURNS; i++)
        turn_free(&turns[i]);
}

static void a_turn_is_what_the_whole_conversation_would_be(void **state)
{
    make_rules();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run_row(*state, &rows[i], true);
        run_row(*state, &rows[i], false);
    }
}

/* Questions that branch off from one answer together, of every kind, are those asked alone; and a conversation
 * goes on from any of them. */
static void branches_are_those_asked_alone(void **state)
{
    enum { N = 5 };
    static Turn first, alone[N], together[N], on, whole;
    const LlavaovChoices choices = llavaov_choices_default("yes|no|no one");
    const LlavaovGeneration generation = GENERATION(N_NEW, 0, 0, 1, 1, 0, &letters);
    const LlavaovGeneration drawn = GENERATION(N_NEW, 1.2, 0, 1, 1.3, 7, &letters);
    LlavaovJsonSchema *schema;
    LlavaovError error;
    LlavaovSession *session = session_with(*state, "conversion");
    LlavaovFrame *frames[4] = {
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND, 77, NULL)};
    LlavaovQuestion questions[N];
    make_rules();
    assert_int_equal(
        llavaov_json_schema_open("{\"enum\": [\"left\", \"right\"]}", &schema, &error), LLAVAOV_OK);
    ask_turn(session, &first,
        (LlavaovRequest){
            .prompt = prompts[0], .frames = frames, .n_frames = 1, .generation = &generation});
    for (size_t i = 0; i < N; i++) {
        LlavaovRequest request = {.prompt = prompts[i % N_TURNS], .history = first.history};
        request.choices = i == 1 ? &choices : NULL;
        request.json_schema = i == 2 ? schema : NULL;
        request.generation = i == 1 ? NULL : i == 2 ? NULL : i == 3 ? &drawn : &generation;
        ask_turn(session, &alone[i], request);
        assert_true(alone[i].cached >= first.reply.prompt_tokens);
        memset(&together[i], 0, sizeof together[i]);
        reply_init(&together[i].reply);
        questions[i] = (LlavaovQuestion){.size = sizeof(LlavaovQuestion),
            .prompt = request.prompt,
            .generation = request.generation,
            .choices = request.choices,
            .json_schema = request.json_schema,
            .on_done = on_done,
            .data = &together[i]};
    }
    const LlavaovRequest request = {.size = sizeof request,
        .questions = questions,
        .n_questions = N,
        .history = first.history,
        .keep_history = 1};
    assert_int_equal(llavaov_session_ask(session, &request, NULL, &error), LLAVAOV_OK);
    for (size_t i = 0; i < N; i++) {
        Turn turns[2] = {first, together[i]};
        const Row row = {"conversion", true, LLAVAOV_LAYOUT_VIDEO, 1, false, NULL};
        reply_wait(&together[i].reply);
        assert_same(&alone[i], &together[i]);
        assert_int_equal(alone[i].reply.n_text, together[i].reply.n_text);
        assert_memory_equal(alone[i].reply.text, together[i].reply.text, alone[i].reply.n_text);
        turns[1] = together[i];
        ask_turn(session, &on,
            (LlavaovRequest){
                .prompt = prompts[2], .history = together[i].history, .generation = &generation});
        assert_true(on.cached >= together[i].reply.prompt_tokens);
        /* As messages: prompts[1] is what only the second of them asked. */
        if (i == 1) {
            ask_whole(session, &row, 2, turns, frames, &generation, &whole);
            assert_same(&on, &whole);
            turn_free(&whole);
        }
        turn_free(&on);
        turn_free(&alone[i]);
        turn_free(&together[i]);
    }
    llavaov_json_schema_unref(schema);
    turn_free(&first);
    llavaov_frame_unref(frames[0]);
    llavaov_session_close(session);
}

static int short_setup(void **state)
{
    *state = calloc(1, sizeof(Harness));
    harness_open(*state, 4 * 1024);
    return 0;
}

static void assert_refused(
    LlavaovSession *session, LlavaovRequest request, LlavaovStatus status, const char *text)
{
    static Turn turn;
    LlavaovError error;
    assert_int_equal(begin(session, &turn, request, &error), status);
    if (!strstr(error.message, text))
        fail_msg("%s", error.message);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static Turn first, text, turn;
    LlavaovSession *session = open_session(*state), *second = open_session(*state);
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND, 77, NULL);
    ask_turn(session, &first, (LlavaovRequest){.prompt = "a", .frames = &frame, .n_frames = 1});
    ask_turn(session, &text, (LlavaovRequest){.prompt = "a"});
    LlavaovRequest request = {.prompt = "b", .history = first.history};
    assert_refused(second, request, LLAVAOV_ERROR_ARGUMENT, "belongs to another session");
    request.system_prompt = "s";
    assert_refused(session, request, LLAVAOV_ERROR_ARGUMENT, "no system prompt");
    request = (LlavaovRequest){.history = first.history};
    assert_refused(session, request, LLAVAOV_ERROR_ARGUMENT, "with history there is a prompt");
    request.messages = "[{\"role\": \"user\", \"content\": \"x\"}]";
    assert_refused(session, request, LLAVAOV_ERROR_ARGUMENT, "with history there is a prompt");
    request = (LlavaovRequest){.prompt = "\xff", .history = first.history};
    assert_refused(session, request, LLAVAOV_ERROR_ARGUMENT, "not UTF-8");
    /* Words alone go on in any session of the engine, and until the context is full. */
    request = (LlavaovRequest){.prompt = "b", .history = text.history};
    ask_turn(second, &turn, request);
    static Harness other;
    harness_open(&other, 0);
    LlavaovSession *foreign = open_session(&other);
    assert_refused(foreign, request, LLAVAOV_ERROR_ARGUMENT, "of another engine");
    llavaov_session_close(foreign);
    harness_close(&other);
    for (;;) {
        static Turn next;
        LlavaovError error;
        char prompt[1000];
        memset(prompt, 'x', sizeof prompt - 1);
        prompt[sizeof prompt - 1] = '\0';
        request = (LlavaovRequest){.prompt = prompt, .history = turn.history};
        assert_int_equal(begin(second, &next, request, &error), LLAVAOV_OK);
        reply_wait(&next.reply);
        turn_free(&turn);
        turn = next;
        if (next.reply.status != LLAVAOV_OK)
            break;
    }
    assert_int_equal(turn.reply.status, LLAVAOV_ERROR_CONTEXT_FULL);
    assert_null(turn.history);
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
    llavaov_session_close(second);
    turn_free(&first); /* they outlive their sessions */
    turn_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_turn_is_what_the_whole_conversation_would_be, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            branches_are_those_asked_alone, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(
            what_makes_no_sense_is_refused, short_setup, harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
