/* SPDX-License-Identifier: Apache-2.0
 * Requests of several sessions decoded together: the answers of each alone, whoever joins, leaves
 * or fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "generation.h"
#include "harness.h"

enum { N = 7 };

/* Questions of different lengths, greedy and drawn, the later ones with frames. None of the answers
 * ends early, so that their requests do meet. */
typedef struct Question {
    const char *prompt;
    size_t n_frames;
    LlavaovGeneration generation;
} Question;

static const LlavaovRules rules = {.size = sizeof rules,
    .min_new_tokens = 150,
    .no_repeat_ngram_size = 2,
    .encoder_repetition_penalty = 1.2};

/* tokens, temperature, top-k, top-p, penalty, seed, nothing of the checkpoint's, rules */
static const Question questions[N] = {
    {"Hello", 0, GENERATION(200, 0, 0, 1, 1, 0, NULL)},
    {"Why?", 0, GENERATION(164, 2, 0, 1, 1, 13, NULL)},
    {"What is to be seen in these pictures, and what will happen next?", 0,
        GENERATION(180, 0, 0, 1, 1.3, 0, NULL)},
    {"Count.", 0, GENERATION(158, 1, 0, 0.7, 1, 14, NULL)},
    {"Which colour?", 1, GENERATION(155, 0.8, 40, 0.9, 1.1, 12, NULL)},
    {"Is anybody there? Answer in one word.", 2, GENERATION(150, 0, 0, 1, 1, 0, &rules)},
    {"Hm?", 1, GENERATION(170, 1.2, 0, 1, 1, 22, &rules)},
};

/* The caller drops the ticket. */
static LlavaovTicket *pose(LlavaovSession *session, Reply *reply, int which)
{
    const Question *q = &questions[which];
    LlavaovFrame *frames[2];
    for (size_t i = 0; i < q->n_frames; i++)
        frames[i] = push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL,
            (uint8_t)(30 * which + 90 * (int)i), NULL);
    reply_init(reply);
    reply->generation = q->generation;
    LlavaovTicket *ticket = ask(session, reply, frames, q->n_frames, LLAVAOV_LAYOUT_VIDEO,
        q->prompt, q->generation.max_new_tokens);
    for (size_t i = 0; i < q->n_frames; i++)
        llavaov_frame_unref(frames[i]);
    return ticket;
}

/* What each question is answered with when nothing else is asked. */
static const Reply *alone(Harness *h, int which)
{
    static Reply replies[N];
    static bool known[N];
    if (!known[which]) {
        LlavaovSession *session = open_session(h);
        llavaov_ticket_unref(pose(session, &replies[which], which));
        reply_wait(&replies[which]);
        assert_int_equal(replies[which].status, LLAVAOV_OK);
        llavaov_session_close(session);
        known[which] = true;
    }
    return &replies[which];
}

static void same_as_alone(Harness *h, const Reply *reply, int which)
{
    const Reply *wanted = alone(h, which);
    if (reply->status != LLAVAOV_OK)
        fail_msg("question %d: %s", which, reply->error.message);
    assert_int_equal(reply->n_done, 1);
    assert_int_equal(reply->finish_reason, wanted->finish_reason);
    assert_int_equal(reply->new_tokens, wanted->new_tokens);
    assert_memory_equal(reply->tokens, wanted->tokens, wanted->new_tokens * sizeof(int32_t));
    assert_int_equal(reply->n_text, wanted->n_text);
    assert_memory_equal(reply->text, wanted->text, wanted->n_text);
    assert_int_equal(reply->n_streamed, wanted->n_text);
    assert_memory_equal(reply->streamed, wanted->text, wanted->n_text);
}

/* Sessions that all were asked before any of them was served. */
typedef struct Crowd {
    int n;
    LlavaovSession *sessions[N];
    LlavaovTicket *tickets[N];
    Reply replies[N];
} Crowd;

/* The fault strikes a decoding step of at least `least` of them. */
static void gather(
    Harness *h, Crowd *crowd, int n, Operation operation, Fault fault, unsigned least)
{
    for (int i = 0; i < n; i++)
        alone(h, i);
    LlavaovSession *first = open_session(h);
    Reply held;
    reply_init(&held);
    harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
    llavaov_ticket_unref(ask(first, &held, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Wait", 1));
    harness_wait_reached(h);
    crowd->n = n;
    for (int i = 0; i < n; i++) {
        crowd->sessions[i] = open_session(h);
        crowd->tickets[i] = pose(crowd->sessions[i], &crowd->replies[i], i);
    }
    h->together = 0;
    h->least = least;
    harness_arm(h, operation, fault, 0);
    harness_release(h);
    reply_wait(&held);
    llavaov_session_close(first);
}

static void part(Crowd *crowd)
{
    for (int i = 0; i < crowd->n; i++) {
        llavaov_ticket_unref(crowd->tickets[i]);
        llavaov_session_close(crowd->sessions[i]);
    }
}

static void all_as_alone(Harness *h, Crowd *crowd)
{
    for (int i = 0; i < crowd->n; i++) {
        reply_wait(&crowd->replies[i]);
        same_as_alone(h, &crowd->replies[i], i);
    }
}

static void answers_are_those_of_each_alone(void **state)
{
    Harness *h = *state;
    const uint32_t preferred = h->engine->backend->info.preferred_sequences;
    const int most[] = {32, 3, 2};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        Crowd crowd;
        harness_prefer(h, &h->engine->backend->info.preferred_sequences, (uint32_t)most[i]);
        gather(h, &crowd, N, OPERATION_NONE, FAULT_FAIL, 0);
        all_as_alone(h, &crowd);
        if (most[i] > N)
            assert_uint_in_range(h->together, 4, N);
        else
            assert_int_equal(h->together, most[i]);
        part(&crowd);
    }
    harness_prefer(h, &h->engine->backend->info.preferred_sequences, preferred);
}

/* The operation under way would go on until its run is cancelled: nobody waits for the others, and
 * those who stay repeat the step and lose nothing. */
static void one_leaves_in_the_middle(void **state)
{
    Harness *h = *state;
    for (int way = 0; way < 3; way++) {
        Crowd crowd;
        gather(h, &crowd, 4, OPERATION_DECODE, FAULT_SPIN, 4);
        harness_wait_reached(h);
        if (way == 0)
            llavaov_ticket_cancel(crowd.tickets[2]);
        else if (way == 1)
            llavaov_session_cancel(crowd.sessions[2]);
        else
            llavaov_session_close(crowd.sessions[2]);
        Reply *gone = &crowd.replies[2];
        reply_wait(gone);
        assert_int_equal(gone->n_done, 1);
        assert_int_equal(gone->status, LLAVAOV_ERROR_CANCELLED);
        assert_uint_in_range(gone->new_tokens, 1, questions[2].generation.max_new_tokens - 1);
        assert_memory_equal(
            gone->tokens, alone(h, 2)->tokens, gone->new_tokens * sizeof gone->tokens[0]);
        for (int i = 0; i < 4; i++)
            if (i != 2) {
                reply_wait(&crowd.replies[i]);
                same_as_alone(h, &crowd.replies[i], i);
            }
        if (way == 2)
            crowd.sessions[2] = NULL;
        part(&crowd);
    }
}

static void everybody_leaves(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    gather(h, &crowd, 3, OPERATION_DECODE, FAULT_SPIN, 3);
    harness_wait_reached(h);
    for (int i = 0; i < 3; i++)
        llavaov_ticket_cancel(crowd.tickets[i]);
    for (int i = 0; i < 3; i++) {
        reply_wait(&crowd.replies[i]);
        assert_int_equal(crowd.replies[i].status, LLAVAOV_ERROR_CANCELLED);
    }
    part(&crowd);
}

/* What is one request's own failure ends that one: numbers that are not finite, ... */
static void one_fails_by_itself(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    h->nan_row = 2;
    gather(h, &crowd, 5, OPERATION_NONE, FAULT_FAIL, 0);
    int failed = 0;
    for (int i = 0; i < 5; i++) {
        Reply *reply = &crowd.replies[i];
        reply_wait(reply);
        if (reply->status == LLAVAOV_OK) {
            same_as_alone(h, reply, i);
            continue;
        }
        failed++;
        assert_int_equal(reply->status, LLAVAOV_ERROR_NUMERIC);
        assert_memory_equal(
            reply->tokens, alone(h, i)->tokens, reply->new_tokens * sizeof reply->tokens[0]);
    }
    assert_int_equal(failed, 1);
    assert_int_equal(h->nan_row, -1);
    part(&crowd);
}

/* ... and what the device refuses ends all that it was to serve, and no later one. */
static void the_device_fails_all(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    gather(h, &crowd, 4, OPERATION_DECODE, FAULT_FAIL, 4);
    for (int i = 0; i < 4; i++) {
        Reply *reply = &crowd.replies[i];
        reply_wait(reply);
        assert_int_equal(reply->status, LLAVAOV_ERROR_DEVICE);
        assert_non_null(strstr(reply->error.message, "made to fail"));
        LlavaovSessionStats stats = {.size = sizeof stats};
        llavaov_session_stats(crowd.sessions[i], &stats);
        assert_int_equal(stats.failures, 1);
        assert_true(stats.decode_ns > 0);
    }
    part(&crowd);
    gather(h, &crowd, 4, OPERATION_NONE, FAULT_FAIL, 0);
    all_as_alone(h, &crowd);
    part(&crowd);
}

/* A prompt of many chunks and frames to encode arrive while another session decodes: no two of
 * their slices follow each other. */
static void no_decoding_step_waits_for_two_slices(void **state)
{
    Harness *h = *state;
    const uint32_t preferred = h->engine->backend->info.preferred_rows;
    LlavaovSession *decoding = open_session(h), *arriving = open_session(h),
                   *encoding = open_session(h);
    Reply a, b;
    reply_init(&a);
    reply_init(&b);
    atomic_int clock = 0;
    a.clock = b.clock = &clock;
    h->least = 0;
    harness_arm(h, OPERATION_DECODE, FAULT_HOLD, 3);
    llavaov_ticket_unref(ask(decoding, &a, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Long", 400));
    harness_wait_reached(h);
    harness_prefer(h, &h->engine->backend->info.preferred_rows, 9);
    llavaov_ticket_unref(ask(arriving, &b, NULL, 0, LLAVAOV_LAYOUT_VIDEO,
        "A question of many bytes, each of them a token of its own, so that it takes chunks.", 2));
    for (int i = 0; i < 4; i++)
        llavaov_frame_unref(push_flat(
            encoding, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)(50 * i), NULL));
    const int start = h->n_order;
    harness_release(h);
    reply_wait(&b);
    const int end = h->n_order;
    reply_wait(&a);
    assert_true(b.stamp < a.stamp);
    int others = 0;
    for (int i = start; i < end; i++) {
        others += h->order[i] != 'D';
        assert_true(h->order[i] == 'D' || h->order[i - 1] == 'D');
    }
    assert_true(others > 9);
    harness_prefer(h, &h->engine->backend->info.preferred_rows, preferred);
    llavaov_session_close(decoding);
    llavaov_session_close(arriving);
    llavaov_session_close(encoding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_each_alone),
        cmocka_unit_test(one_leaves_in_the_middle),
        cmocka_unit_test(everybody_leaves),
        cmocka_unit_test(one_fails_by_itself),
        cmocka_unit_test(the_device_fails_all),
        cmocka_unit_test(no_decoding_step_waits_for_two_slices),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
