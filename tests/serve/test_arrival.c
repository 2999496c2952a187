/* SPDX-License-Identifier: Apache-2.0
 * Prefill on arrival: whatever is computed early, and whatever else the engine does, answers have the bits that they have
 * when all of it is computed at the window's end. LLAVAOV_WINDOWS=2000 is the long form. */
#define _GNU_SOURCE /* usleep */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "generation.h"
#include "harness.h"
#include "serve/session.h"

enum { MOST_FRAMES = 5 };

static uint32_t below(uint32_t n)
{
    static uint64_t state = 7;
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static LlavaovFrame *push(LlavaovSession *session, uint8_t colour)
{
    return push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, colour, NULL);
}

/* Until all frames are encoded, and all that is expected is computed. */
static void settle(Harness *h, LlavaovSession *session, uint64_t frames)
{
    const LvArrival *a = &session->arrival;
    for (bool settled = false; !settled; usleep(500)) {
        pthread_mutex_lock(&h->engine->lock);
        settled = session->stats.frames_encoded + session->stats.frames_reused >= frames &&
                  !a->growing && (!a->ids || a->n_grown == a->n_frames);
        pthread_mutex_unlock(&h->engine->lock);
    }
}

/* What came of a window's two questions. */
typedef struct Outcome {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_done;
    LlavaovStatus status;
    double logprobs[2];
    int32_t tokens[16];
    uint32_t n, early;
} Outcome;

static void on_done(void *data, const LlavaovAnswer *answer)
{
    Outcome *o = data;
    pthread_mutex_lock(&o->lock);
    o->status = answer->status != LLAVAOV_OK ? answer->status : o->status;
    if (answer->chosen) {
        memcpy(o->logprobs, answer->chosen->logprobs, sizeof o->logprobs);
    } else {
        o->n = answer->new_tokens;
        memcpy(o->tokens, answer->tokens, o->n * sizeof *o->tokens);
    }
    o->early = answer->early_tokens > o->early ? answer->early_tokens : o->early;
    o->n_done++;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

static void pose(LlavaovSession *session, const char *system_prompt, LlavaovFrame *const *frames,
    size_t n, Outcome *o)
{
    const LlavaovChoices choices = llavaov_choices_default("yes|no");
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 12;
    const LlavaovQuestion questions[] = {{.size = sizeof *questions,
                                             .prompt = "Is it moving?",
                                             .choices = &choices,
                                             .on_done = on_done,
                                             .data = o},
        {.size = sizeof *questions,
            .prompt = "What is it?",
            .generation = &generation,
            .on_done = on_done,
            .data = o}};
    const LlavaovRequest request = {.size = sizeof request,
        .system_prompt = system_prompt,
        .frames = frames,
        .n_frames = n,
        .questions = questions,
        .n_questions = 2};
    LlavaovError error;
    memset(o, 0, sizeof *o);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->changed, NULL);
    if (llavaov_session_ask(session, &request, NULL, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
}

static void outcome_wait(Outcome *o)
{
    pthread_mutex_lock(&o->lock);
    while (o->n_done < 2)
        pthread_cond_wait(&o->changed, &o->lock);
    pthread_mutex_unlock(&o->lock);
    assert_int_equal(o->status, LLAVAOV_OK);
}

static void same(const Outcome *a, const Outcome *b)
{
    assert_memory_equal(a->logprobs, b->logprobs, sizeof a->logprobs);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->tokens, b->tokens, a->n * sizeof *a->tokens);
}

/* A window of a session: as long as there is time, its frames are in the prompt when it is asked. */
static void test_frames_are_computed_as_they_come(void **state)
{
    Harness *h = *state;
    LlavaovSession *early = open_session_with(h, LLAVAOV_PREFILL_AUTO),
                   *late = open_session_with(h, LLAVAOV_PREFILL_CLOSE);
    Outcome a, b;
    uint32_t first = 0;
    for (uint8_t window = 0; window < 4; window++) {
        LlavaovFrame *frames[2][3];
        for (int i = 0; i < 3; i++) {
            frames[0][i] = push(early, (uint8_t)(20 + 60 * i + window));
            frames[1][i] = push(late, (uint8_t)(20 + 60 * i + window));
        }
        settle(h, early, 3u * (window + 1u));
        pose(early, NULL, frames[0], 3, &a);
        outcome_wait(&a);
        pose(late, NULL, frames[1], 3, &b);
        outcome_wait(&b);
        same(&a, &b);
        assert_int_equal(b.early, 0);
        if (window == 1)
            first = a.early;
        /* The first window says what to expect; all frames and the head of the others are there. */
        assert_true(window == 0 ? a.early == 0 : a.early > 3 * 4 && a.early == first);
        for (int i = 0; i < 6; i++)
            llavaov_frame_unref(frames[i / 3][i % 3]);
    }
    llavaov_session_close(early);
    llavaov_session_close(late);
}

static atomic_int others;

static void on_other(void *data, const LlavaovAnswer *answer)
{
    others--;
}

/* Something else to do. */
static void load(LlavaovSession *session)
{
    LlavaovError error;
    LlavaovGeneration generation = llavaov_generation_default();
    generation.max_new_tokens = 1 + below(30);
    const LlavaovRequest request = {.size = sizeof request,
        .prompt = "Tell me a long story, please, as long as you can.",
        .generation = &generation,
        .on_done = on_other};
    if (others > 5)
        return;
    others++;
    if (llavaov_session_ask(session, &request, NULL, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
}

/* Windows of all kinds, on a device that is busy now and then. */
static void test_bits_under_random_loads(void **state)
{
    Harness *h = *state;
    const char *number = getenv("LLAVAOV_WINDOWS");
    const int n_windows = number ? atoi(number) : 120;
    LlavaovSession *sessions[3] = {open_session_with(h, LLAVAOV_PREFILL_AUTO),
        open_session_with(h, LLAVAOV_PREFILL_ARRIVAL), open_session_with(h, LLAVAOV_PREFILL_CLOSE)};
    LlavaovSession *other = open_session(h);
    LlavaovFrame *kept[3] = {NULL};
    uint64_t tokens[2] = {0};
    uint32_t n_frames = 3;
    const char *system_prompt = NULL;
    for (int window = 0; window < n_windows; window++) {
        LlavaovFrame *frames[3][MOST_FRAMES];
        Outcome outcomes[3];
        uint32_t n = 0;
        const uint32_t fate = below(20);
        if (fate == 0)
            n_frames = 1 + below(MOST_FRAMES);
        if (fate == 1)
            system_prompt = below(2) ? "Be brief." : NULL;
        if (fate == 2 && kept[0]) { /* it overlaps with the one before */
            for (int s = 0; s < 3; s++)
                frames[s][0] = llavaov_frame_ref(kept[s]);
            n = 1;
        }
        for (; n < n_frames || n == 0; n++) {
            const uint8_t colour = (uint8_t)below(256);
            for (int s = 0; s < 3; s++)
                frames[s][n] = push(sessions[s], colour);
            if (below(3) == 0)
                load(other);
            usleep(below(4) ? below(1500) : 6000);
        }
        if (fate == 3) { /* it is dropped */
            for (int s = 0; s < 3; s++)
                for (uint32_t i = 0; i < n; i++)
                    llavaov_frame_unref(frames[s][i]);
            continue;
        }
        for (int s = 0; s < 3; s++)
            pose(sessions[s], system_prompt, frames[s], n, &outcomes[s]);
        for (int s = 0; s < 3; s++) {
            outcome_wait(&outcomes[s]);
            same(&outcomes[s], &outcomes[0]);
            if (s < 2)
                tokens[s] += outcomes[s].early;
            llavaov_frame_unref(kept[s]);
            kept[s] = llavaov_frame_ref(frames[s][n - 1]);
            for (uint32_t i = 0; i < n; i++)
                llavaov_frame_unref(frames[s][i]);
        }
        assert_int_equal(outcomes[2].early, 0);
    }
    if (number) {
        printf("%d windows, early tokens %lu and %lu\n", n_windows, (unsigned long)tokens[0],
            (unsigned long)tokens[1]);
        assert_true(tokens[0] > 0 && tokens[1] > 0);
    }
    for (int s = 0; s < 3; s++) {
        llavaov_frame_unref(kept[s]);
        llavaov_session_close(sessions[s]);
    }
    llavaov_session_close(other);
}

/* A session that is closed while its next prompt is computed does not wait for that. */
static void test_closing_does_not_wait(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session_with(h, LLAVAOV_PREFILL_AUTO);
    LlavaovFrame *frames[3];
    Outcome a;
    for (int window = 0; window < 2; window++) {
        if (window == 1)
            harness_arm(h, OPERATION_PREFILL, FAULT_SPIN, 0);
        for (int i = 0; i < 3; i++)
            frames[i] = push(session, (uint8_t)(50 * i + window));
        if (window == 0) {
            pose(session, NULL, frames, 3, &a);
            outcome_wait(&a);
        } else
            harness_wait_reached(h);
        if (window == 0)
            for (int i = 0; i < 3; i++)
                llavaov_frame_unref(frames[i]);
    }
    llavaov_session_close(session);
    for (int i = 0; i < 3; i++)
        llavaov_frame_unref(frames[i]);
}

/* What fails early fails nothing. */
static void test_failing_early_is_no_failure(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session_with(h, LLAVAOV_PREFILL_ARRIVAL);
    Outcome a;
    for (int window = 0; window < 3; window++) {
        LlavaovFrame *frames[3];
        if (window == 1)
            harness_arm(h, OPERATION_PREFILL, FAULT_FAIL, 0);
        for (int i = 0; i < 3; i++)
            frames[i] = push(session, (uint8_t)(70 * i + window));
        if (window == 1)
            harness_wait_reached(h);
        settle(h, session, 3u * ((unsigned)window + 1u));
        pose(session, NULL, frames, 3, &a);
        outcome_wait(&a);
        assert_true(window == 2 ? a.early > 0 : a.early == 0);
        for (int i = 0; i < 3; i++)
            llavaov_frame_unref(frames[i]);
    }
    llavaov_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_computed_as_they_come),
        cmocka_unit_test(test_bits_under_random_loads),
        cmocka_unit_test(test_closing_does_not_wait),
        cmocka_unit_test(test_failing_early_is_no_failure),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
