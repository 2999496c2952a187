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

#include "harness.h"

enum { N = 7 };

/* Questions of different lengths, greedy and drawn, the later ones with frames. None of the answers
 * ends early, so that their requests do meet. */
typedef struct Question {
    const char *prompt;
    uint32_t length;
    size_t n_frames;
    double temperature, top_p, penalty;
    uint32_t top_k;
    uint64_t seed;
} Question;

static const Question questions[N] = {
    {"Hello", 200, 0, 0, 0, 0, 0, 0},
    {"Why?", 164, 0, 2, 0, 0, 0, 13},
    {"What is to be seen in these pictures, and what will happen next?", 180, 0, 0, 0, 1.3, 0, 0},
    {"Count.", 158, 0, 1, 0.7, 0, 0, 14},
    {"Which colour?", 155, 1, 0.8, 0.9, 1.1, 40, 12},
    {"Is anybody there? Answer in one word.", 150, 2, 0, 0, 0, 0, 0},
    {"Hm?", 170, 1, 1.2, 0, 0, 0, 22},
};

static Harness h;

static int open_engine(void **state)
{
    harness_open(&h, 0);
    return 0;
}

static int close_engine(void **state)
{
    harness_close(&h);
    return 0;
}

static LlavaovSession *open_session(void)
{
    LlavaovSession *session;
    assert_int_equal(llavaov_session_open(h.engine, NULL, &session, NULL), LLAVAOV_OK);
    return session;
}

/* The caller drops the ticket. */
static LlavaovTicket *pose(LlavaovSession *session, Reply *reply, int which)
{
    const Question *q = &questions[which];
    LlavaovFrame *frames[2];
    for (size_t i = 0; i < q->n_frames; i++)
        frames[i] = push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL,
            (uint8_t)(30 * which + 90 * (int)i), NULL);
    reply_init(reply);
    reply->temperature = q->temperature;
    reply->top_p = q->top_p;
    reply->top_k = q->top_k;
    reply->repetition_penalty = q->penalty;
    reply->seed = q->seed;
    LlavaovTicket *ticket =
        ask(session, reply, frames, q->n_frames, LLAVAOV_LAYOUT_VIDEO, q->prompt, q->length);
    for (size_t i = 0; i < q->n_frames; i++)
        llavaov_frame_unref(frames[i]);
    return ticket;
}

/* What each question is answered with when nothing else is asked. */
static const Reply *alone(int which)
{
    static Reply replies[N];
    static bool known[N];
    if (!known[which]) {
        LlavaovSession *session = open_session();
        llavaov_ticket_unref(pose(session, &replies[which], which));
        reply_wait(&replies[which]);
        assert_int_equal(replies[which].status, LLAVAOV_OK);
        llavaov_session_close(session);
        known[which] = true;
    }
    return &replies[which];
}

static void same_as_alone(const Reply *reply, int which)
{
    const Reply *wanted = alone(which);
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
static void gather(Crowd *crowd, int n, Operation operation, Fault fault, unsigned least)
{
    for (int i = 0; i < n; i++)
        alone(i);
    LlavaovSession *first = open_session();
    Reply held;
    reply_init(&held);
    harness_arm(&h, OPERATION_PREFILL, FAULT_HOLD, 0);
    llavaov_ticket_unref(ask(first, &held, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Wait", 1));
    harness_wait_reached(&h);
    crowd->n = n;
    for (int i = 0; i < n; i++) {
        crowd->sessions[i] = open_session();
        crowd->tickets[i] = pose(crowd->sessions[i], &crowd->replies[i], i);
    }
    h.together = 0;
    h.least = least;
    harness_arm(&h, operation, fault, 0);
    harness_release(&h);
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

static void all_as_alone(Crowd *crowd)
{
    for (int i = 0; i < crowd->n; i++) {
        reply_wait(&crowd->replies[i]);
        same_as_alone(&crowd->replies[i], i);
    }
}

static void answers_are_those_of_each_alone(void **state)
{
    const uint32_t preferred = h.engine->backend->info.preferred_sequences;
    const int most[] = {32, 3, 2};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        Crowd crowd;
        h.engine->backend->info.preferred_sequences = (uint32_t)most[i];
        gather(&crowd, N, OPERATION_NONE, FAULT_FAIL, 0);
        all_as_alone(&crowd);
        if (most[i] > N)
            assert_in_range(h.together, 4, N);
        else
            assert_int_equal(h.together, most[i]);
        part(&crowd);
    }
    h.engine->backend->info.preferred_sequences = preferred;
}

/* The operation under way would go on until its run is cancelled: nobody waits for the others, and
 * those who stay repeat the step and lose nothing. */
static void one_leaves_in_the_middle(void **state)
{
    for (int way = 0; way < 3; way++) {
        Crowd crowd;
        gather(&crowd, 4, OPERATION_DECODE, FAULT_SPIN, 4);
        harness_wait_reached(&h);
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
        assert_in_range(gone->new_tokens, 1, questions[2].length - 1);
        assert_memory_equal(
            gone->tokens, alone(2)->tokens, gone->new_tokens * sizeof gone->tokens[0]);
        for (int i = 0; i < 4; i++)
            if (i != 2) {
                reply_wait(&crowd.replies[i]);
                same_as_alone(&crowd.replies[i], i);
            }
        if (way == 2)
            crowd.sessions[2] = NULL;
        part(&crowd);
    }
}

static void everybody_leaves(void **state)
{
    Crowd crowd;
    gather(&crowd, 3, OPERATION_DECODE, FAULT_SPIN, 3);
    harness_wait_reached(&h);
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
    Crowd crowd;
    h.nan_row = 2;
    gather(&crowd, 5, OPERATION_NONE, FAULT_FAIL, 0);
    int failed = 0;
    for (int i = 0; i < 5; i++) {
        Reply *reply = &crowd.replies[i];
        reply_wait(reply);
        if (reply->status == LLAVAOV_OK) {
            same_as_alone(reply, i);
            continue;
        }
        failed++;
        assert_int_equal(reply->status, LLAVAOV_ERROR_NUMERIC);
        assert_memory_equal(
            reply->tokens, alone(i)->tokens, reply->new_tokens * sizeof reply->tokens[0]);
    }
    assert_int_equal(failed, 1);
    assert_int_equal(h.nan_row, -1);
    part(&crowd);
}

/* ... and what the device refuses ends all that it was to serve, and no later one. */
static void the_device_fails_all(void **state)
{
    Crowd crowd;
    gather(&crowd, 4, OPERATION_DECODE, FAULT_FAIL, 4);
    for (int i = 0; i < 4; i++) {
        Reply *reply = &crowd.replies[i];
        reply_wait(reply);
        assert_int_equal(reply->status, LLAVAOV_ERROR_DEVICE);
        assert_non_null(strstr(reply->error.message, "made to fail"));
        LlavaovSessionStats stats;
        llavaov_session_stats(crowd.sessions[i], &stats);
        assert_int_equal(stats.failures, 1);
        assert_true(stats.decode_ns > 0);
    }
    part(&crowd);
    gather(&crowd, 4, OPERATION_NONE, FAULT_FAIL, 0);
    all_as_alone(&crowd);
    part(&crowd);
}

/* A prompt of many chunks and frames to encode arrive while another session decodes: no two of
 * their slices follow each other. */
static void no_decoding_step_waits_for_two_slices(void **state)
{
    const uint32_t preferred = h.engine->backend->info.preferred_rows;
    LlavaovSession *decoding = open_session(), *arriving = open_session(),
                   *encoding = open_session();
    Reply a, b;
    reply_init(&a);
    reply_init(&b);
    atomic_int clock = 0;
    a.clock = b.clock = &clock;
    h.least = 0;
    harness_arm(&h, OPERATION_DECODE, FAULT_HOLD, 3);
    llavaov_ticket_unref(ask(decoding, &a, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Long", 400));
    harness_wait_reached(&h);
    h.engine->backend->info.preferred_rows = 9;
    llavaov_ticket_unref(ask(arriving, &b, NULL, 0, LLAVAOV_LAYOUT_VIDEO,
        "A question of many bytes, each of them a token of its own, so that it takes chunks.", 2));
    for (int i = 0; i < 4; i++)
        llavaov_frame_unref(push_flat(
            encoding, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)(50 * i), NULL));
    const int start = h.n_order;
    harness_release(&h);
    reply_wait(&b);
    const int end = h.n_order;
    reply_wait(&a);
    assert_true(b.stamp < a.stamp);
    int others = 0;
    for (int i = start; i < end; i++) {
        others += h.order[i] != 'D';
        assert_true(h.order[i] == 'D' || h.order[i - 1] == 'D');
    }
    assert_true(others > 9);
    h.engine->backend->info.preferred_rows = preferred;
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
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
