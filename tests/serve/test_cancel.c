/* SPDX-License-Identifier: Apache-2.0
 * Cancelling and closing at every stage. Nothing here looks at a clock: an operation that waits for
 * its own cancel flag, or one that is held until the test lets go, would hang the test if a promise
 * were broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/status.h"
#include "checkpoint_writer.h"
#include "harness.h"

/* Stages of frames, as on_frame told them. */
typedef struct Stages {
    atomic_int n[3];
} Stages;

static void on_frame(void *data, void *frame_data, LlavaovFrameStage stage)
{
    ((Stages *)data)->n[stage]++;
}

static LlavaovSession *open_watched(Harness *h, Stages *stages)
{
    const LlavaovSessionOptions options = {
        .size = sizeof options, .on_frame = on_frame, .data = stages};
    LlavaovSession *session;
    assert_int_equal(llavaov_session_open(h->engine, &options, &session, NULL), LLAVAOV_OK);
    return session;
}

static void cancelling_a_ticket_stops_prefill_and_decode(void **state)
{
    Harness *h = *state;
    const Operation operations[] = {OPERATION_PREFILL, OPERATION_DECODE};
    for (size_t i = 0; i < 2; i++) {
        LlavaovSession *session = open_session(h);
        Reply reply;
        reply_init(&reply);
        harness_arm(h, operations[i], FAULT_SPIN, 0);
        LlavaovTicket *ticket =
            ask(session, &reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello there", 30);
        harness_wait_reached(h);
        llavaov_ticket_cancel(ticket);
        reply_wait(&reply);
        assert_int_equal(reply.status, LLAVAOV_ERROR_CANCELLED);
        assert_int_equal(reply.finish_reason, LLAVAOV_FINISH_CANCELLED);
        assert_int_equal(reply.new_tokens, i);
        llavaov_ticket_cancel(ticket);
        llavaov_ticket_unref(ticket);
        llavaov_session_close(session);
        assert_int_equal(reply.n_done, 1);
    }
}

static void waiting_requests_are_cancelled_at_once(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    Reply running, waiting;
    reply_init(&running);
    reply_init(&waiting);
    harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
    LlavaovTicket *a = ask(session, &running, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "First", 4);
    LlavaovTicket *b = ask(session, &waiting, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Second", 4);
    harness_wait_reached(h);
    llavaov_ticket_cancel(b);
    reply_wait(&waiting); /* while the first one is still held */
    assert_int_equal(waiting.finish_reason, LLAVAOV_FINISH_CANCELLED);
    assert_int_equal(running.n_done, 0);
    harness_release(h);
    reply_wait(&running);
    assert_int_equal(running.status, LLAVAOV_OK);
    llavaov_ticket_unref(a);
    llavaov_ticket_unref(b);
    llavaov_session_close(session);
}

static void closing_interrupts_encoding(void **state)
{
    Harness *h = *state;
    Stages stages = {0};
    LlavaovSession *session = open_watched(h, &stages);
    harness_arm(h, OPERATION_ENCODE, FAULT_SPIN, 0);
    atomic_int released = 0;
    LlavaovFrame *frames[3];
    for (int i = 0; i < 3; i++)
        frames[i] =
            push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 5, &released);
    Reply reply;
    reply_init(&reply);
    LlavaovTicket *ticket = ask(session, &reply, frames, 3, LLAVAOV_LAYOUT_VIDEO, "What?", 4);
    harness_wait_reached(h);
    llavaov_session_close(session);
    assert_int_equal(reply.n_done, 1);
    assert_int_equal(reply.finish_reason, LLAVAOV_FINISH_CANCELLED);
    assert_int_equal(released, 3);
    assert_int_equal(stages.n[LLAVAOV_FRAME_FAILED], 3);
    assert_int_equal(stages.n[LLAVAOV_FRAME_ENCODED], 0);
    /* What the caller still holds stays valid. */
    for (int i = 0; i < 3; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_ticket_cancel(ticket);
    llavaov_ticket_unref(ticket);
}

static void closing_does_not_wait_for_another_session(void **state)
{
    Harness *h = *state;
    Stages stages = {0};
    LlavaovSession *slow = open_session(h), *mine = open_watched(h, &stages);
    Reply held, cancelled;
    reply_init(&held);
    reply_init(&cancelled);
    harness_arm(h, OPERATION_DECODE, FAULT_HOLD, 2);
    LlavaovTicket *a = ask(slow, &held, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Slow", 30);
    harness_wait_reached(h);
    atomic_int released = 0;
    LlavaovFrame *frame =
        push_flat(mine, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 5, &released);
    LlavaovTicket *b = ask(mine, &cancelled, &frame, 1, LLAVAOV_LAYOUT_VIDEO, "Mine", 4);
    llavaov_session_close(mine); /* while the other session's operation is held */
    assert_int_equal(cancelled.n_done, 1);
    assert_int_equal(released, 1);
    assert_int_equal(held.n_done, 0);
    harness_release(h);
    reply_wait(&held);
    assert_int_equal(held.status, LLAVAOV_OK);
    llavaov_frame_unref(frame);
    llavaov_ticket_unref(a);
    llavaov_ticket_unref(b);
    llavaov_session_close(slow);
}

static void a_cancelled_session_works_again(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    Reply first, second;
    reply_init(&first);
    reply_init(&second);
    harness_arm(h, OPERATION_DECODE, FAULT_SPIN, 2);
    llavaov_ticket_unref(ask(session, &first, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 30));
    harness_wait_reached(h);
    llavaov_session_cancel(session);
    reply_wait(&first);
    assert_int_equal(first.finish_reason, LLAVAOV_FINISH_CANCELLED);
    assert_int_equal(first.new_tokens, 3);
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 5, NULL);
    llavaov_ticket_unref(ask(session, &second, &frame, 1, LLAVAOV_LAYOUT_VIDEO, "Hello", 4));
    reply_wait(&second);
    assert_int_equal(second.status, LLAVAOV_OK);
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
}

static void dropped_frames_are_not_encoded(void **state)
{
    Harness *h = *state;
    LlavaovSession *slow = open_session(h), *session = open_session(h);
    Reply held;
    reply_init(&held);
    harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
    llavaov_ticket_unref(ask(slow, &held, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Slow", 2));
    harness_wait_reached(h);
    const int before = h->tiles;
    atomic_int released = 0;
    for (int i = 0; i < 10; i++)
        llavaov_frame_unref(push_flat(
            session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)i, &released));
    harness_release(h);
    reply_wait(&held);
    llavaov_session_close(session);
    llavaov_session_close(slow);
    assert_int_equal(released, 10);
    assert_int_equal(h->tiles, before);
}

static void dropping_the_frames_of_a_batch_stops_the_encoder(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    harness_arm(h, OPERATION_ENCODE, FAULT_SPIN, 0);
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 5, NULL);
    harness_wait_reached(h);
    llavaov_frame_unref(frame);
    Reply reply;
    reply_init(&reply);
    llavaov_ticket_unref(ask(session, &reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 2));
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_OK);
    llavaov_session_close(session);
}

static LlavaovStatus map_nothing(void *data, LlavaovImage *image, LlavaovError *error)
{
    return lv_fail(error, LLAVAOV_ERROR_IO, "buffer", "nothing to map");
}

static void count(void *data)
{
    (*(atomic_int *)data)++;
}

static void a_frame_that_cannot_be_mapped_fails(void **state)
{
    Harness *h = *state;
    Stages stages = {0};
    LlavaovSession *session = open_watched(h, &stages);
    atomic_int released = 0;
    const LlavaovFrameSource source = {.size = sizeof source,
        .map = map_nothing,
        .release = count,
        .data = &released,
        .layout = LLAVAOV_LAYOUT_VIDEO};
    LlavaovFrame *frame;
    assert_int_equal(llavaov_session_push_frame(session, &source, &frame, NULL), LLAVAOV_OK);
    Reply reply;
    reply_init(&reply);
    llavaov_ticket_unref(ask(session, &reply, &frame, 1, LLAVAOV_LAYOUT_VIDEO, "What?", 2));
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_ERROR_IO);
    assert_string_equal(reply.error.message, "nothing to map");
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
    assert_int_equal(released, 1);
    assert_int_equal(stages.n[LLAVAOV_FRAME_FAILED], 1);
}

static bool stop_loading(void *data, uint64_t done, uint64_t total)
{
    int *left = data;
    assert_true(done <= total);
    return (*left)-- > 0;
}

static void loading_is_cancelled_wherever_it_is(void **state)
{
    char folder[] = "/tmp/llavaov-cancel-XXXXXX";
    assert_non_null(mkdtemp(folder));
    LvWriterSpec spec;
    assert_true(lv_writer_preset("mini", &spec));
    assert_int_equal(lv_write_checkpoint(folder, &spec, NULL), LLAVAOV_OK);
    bool opened = false;
    for (int n = 0; !opened; n++) {
        int left = n;
        const LlavaovEngineOptions options = {.size = sizeof options,
            .model_path = folder,
            .device = "cpu",
            .threads = 1,
            .progress = stop_loading,
            .progress_data = &left};
        LlavaovEngine *engine;
        LlavaovError error;
        LlavaovStatus status = llavaov_engine_open(&options, &engine, &error);
        opened = status == LLAVAOV_OK;
        if (!opened) {
            assert_int_equal(status, LLAVAOV_ERROR_CANCELLED);
            assert_null(engine);
        }
        llavaov_engine_unref(engine);
        assert_true(n < 1000);
    }
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* Threads that push, ask, cancel and close against each other; a checker of threads or addresses
 * does the judging. */
static const char *stir_sessions(Harness *h, unsigned seed)
{
    for (int round = 0; round < 12; round++) {
        LlavaovSession *session;
        if (llavaov_session_open(h->engine, NULL, &session, NULL) != LLAVAOV_OK)
            return "a session cannot be opened";
        Reply replies[3];
        LlavaovFrame *frames[4];
        LlavaovTicket *tickets[3];
        for (int i = 0; i < 4; i++)
            frames[i] = push_flat(session, LLAVAOV_LAYOUT_VIDEO, (LlavaovEncode)(rand_r(&seed) % 2),
                (uint8_t)i, NULL);
        for (int i = 0; i < 3; i++) {
            reply_init(&replies[i]);
            tickets[i] = ask(session, &replies[i], frames + i, (size_t)(rand_r(&seed) % 2),
                LLAVAOV_LAYOUT_VIDEO, "Hm?", 6);
        }
        for (int i = 0; i < 4; i++)
            if (rand_r(&seed) % 2) {
                llavaov_frame_unref(frames[i]);
                frames[i] = NULL;
            }
        switch (rand_r(&seed) % 4) {
        case 0:
            llavaov_ticket_cancel(tickets[rand_r(&seed) % 3]);
            reply_wait(&replies[2]);
            break;
        case 1:
            reply_wait(&replies[0]);
            break;
        case 2:
            llavaov_session_cancel(session);
            break;
        default:
            break;
        }
        llavaov_session_close(session);
        for (int i = 0; i < 3; i++) {
            llavaov_ticket_unref(tickets[i]);
            if (replies[i].n_done != 1)
                return "a request was not answered once";
        }
        for (int i = 0; i < 4; i++)
            llavaov_frame_unref(frames[i]);
    }
    return NULL;
}

typedef struct Stir {
    Harness *h;
    unsigned seed;
    pthread_t thread;
} Stir;

static void *stir(void *data)
{
    const Stir *own = data;
    return (void *)stir_sessions(own->h, own->seed);
}

static void sessions_come_and_go_on_many_threads(void **state)
{
    Stir own[4];
    for (unsigned i = 0; i < 4; i++) {
        own[i] = (Stir){.h = *state, .seed = i + 1};
        assert_int_equal(pthread_create(&own[i].thread, NULL, stir, &own[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *complaint;
        pthread_join(own[i].thread, &complaint);
        if (complaint)
            fail_msg("%s", (const char *)complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelling_a_ticket_stops_prefill_and_decode),
        cmocka_unit_test(waiting_requests_are_cancelled_at_once),
        cmocka_unit_test(closing_interrupts_encoding),
        cmocka_unit_test(closing_does_not_wait_for_another_session),
        cmocka_unit_test(a_cancelled_session_works_again),
        cmocka_unit_test(dropped_frames_are_not_encoded),
        cmocka_unit_test(dropping_the_frames_of_a_batch_stops_the_encoder),
        cmocka_unit_test(a_frame_that_cannot_be_mapped_fails),
        cmocka_unit_test(loading_is_cancelled_wherever_it_is),
        cmocka_unit_test(sessions_come_and_go_on_many_threads),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
