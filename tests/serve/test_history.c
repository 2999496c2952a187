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
    assert_true(a->prompt_tokens <= MOST_IDS);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_turn_is_what_the_whole_conversation_would_be, harness_setup, harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
