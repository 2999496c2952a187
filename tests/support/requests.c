/* SPDX-License-Identifier: Apache-2.0 */
#include "requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "serve/engine.h"

static LlavaovStatus map_image(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = *(const LlavaovImage *)data;
    return LLAVAOV_OK;
}

typedef struct Asked {
    LlavaovSession *session;
    LlavaovFrame *frames[MOST_PICTURES];
} Asked;

static void start(LlavaovEngine *engine, const Question *question, Asked *asked, Reply *reply)
{
    LlavaovError error;
    assert_uint_in_range(question->n_pictures, 0, MOST_PICTURES);
    assert_int_equal(llavaov_session_open(engine, NULL, &asked->session, &error), LLAVAOV_OK);
    for (size_t i = 0; i < question->n_pictures; i++) {
        const LlavaovFrameSource source = {.size = sizeof source,
            .map = map_image,
            .data = (void *)(uintptr_t)&question->pictures[i],
            .layout = LLAVAOV_LAYOUT_VIDEO};
        assert_int_equal(
            llavaov_session_push_frame(asked->session, &source, &asked->frames[i], &error),
            LLAVAOV_OK);
    }
    reply_init(reply);
    reply->generation = question->generation;
    llavaov_ticket_unref(ask(asked->session, reply, asked->frames, question->n_pictures,
        LLAVAOV_LAYOUT_VIDEO, question->prompt, question->generation.max_new_tokens));
}

void ask_all(LlavaovEngine *engine, const Question *questions, size_t n, Reply *replies)
{
    Asked asked[MOST_QUESTIONS];
    assert_uint_in_range(n, 1, MOST_QUESTIONS);
    for (size_t i = 0; i < n; i++)
        start(engine, &questions[i], &asked[i], &replies[i]);
    for (size_t i = 0; i < n; i++) {
        reply_wait(&replies[i]);
        for (size_t k = 0; k < questions[i].n_pictures; k++)
            llavaov_frame_unref(asked[i].frames[k]);
        llavaov_session_close(asked[i].session);
    }
}

void same_answer(const Reply *a, const Reply *b)
{
    if (a->status != LLAVAOV_OK || b->status != LLAVAOV_OK)
        fail_msg("%s", a->status != LLAVAOV_OK ? a->error.message : b->error.message);
    assert_int_equal(a->new_tokens, b->new_tokens);
    assert_true(a->new_tokens > 0);
    assert_memory_equal(a->tokens, b->tokens, a->new_tokens * sizeof a->tokens[0]);
    assert_int_equal(a->n_text, b->n_text);
    assert_memory_equal(a->text, b->text, a->n_text);
}

void answers_are_the_cpus(
    const char *model, const Question *questions, size_t n, void (*watch)(LvBackendOps *ops))
{
    static const char *const devices[] = {"cpu", "cuda"};
    static Reply replies[2][MOST_QUESTIONS];
    for (size_t d = 0; d < 2; d++) {
        const LlavaovEngineOptions options = {.size = sizeof options,
            .model_path = model,
            .device = devices[d],
            .precision = LLAVAOV_PRECISION_F32,
            .threads = 1};
        LlavaovEngine *engine;
        LlavaovError error;
        if (llavaov_engine_open(&options, &engine, &error) != LLAVAOV_OK)
            fail_msg("%s", error.message);
        const LvBackendOps *real = engine->backend->ops;
        LvBackendOps watched = *real;
        if (d == 1)
            watch(&watched);
        engine->backend->ops = &watched;
        ask_all(engine, questions, n, replies[d]);
        engine->backend->ops = real;
        llavaov_engine_unref(engine);
    }
    for (size_t i = 0; i < n; i++)
        same_answer(&replies[1][i], &replies[0][i]);
}
