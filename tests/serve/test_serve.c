/* SPDX-License-Identifier: Apache-2.0
 * Sessions: answers, shared frames, fairness, limits, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/status.h"
#include "harness.h"
#include "picture/layout.h"
#include "serve/request.h"

static void text_alone_is_answered(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    Reply reply;
    reply_init(&reply);
    LlavaovTicket *ticket = ask(session, &reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 20);
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_OK);
    assert_true(reply.new_tokens >= 1 && reply.new_tokens <= 20);
    assert_int_equal(reply.finish_reason == LLAVAOV_FINISH_LENGTH, reply.new_tokens == 20);
    assert_string_equal(reply.text, reply.streamed);
    uint32_t tokens;
    assert_int_equal(
        llavaov_session_prompt_tokens(session,
            &(LlavaovPrompt){.size = sizeof(LlavaovPrompt), .text = "Hello"}, &tokens, NULL),
        LLAVAOV_OK);
    assert_int_equal(tokens, reply.prompt_tokens);
    llavaov_ticket_unref(ticket);
    llavaov_session_close(session);
}

static void every_layout_is_answered(void **state)
{
    Harness *h = *state;
    for (int layout = LLAVAOV_LAYOUT_VIDEO; layout <= LLAVAOV_LAYOUT_IMAGES; layout++) {
        LlavaovSession *session = open_session(h);
        const size_t n = layout == LLAVAOV_LAYOUT_IMAGE ? 1 : 3;
        LlavaovFrame *frames[3];
        for (size_t i = 0; i < n; i++)
            frames[i] = push_flat(session, (LlavaovLayout)layout,
                i % 2 ? LLAVAOV_ENCODE_ON_DEMAND : LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)(60 * i),
                NULL);
        Reply reply;
        reply_init(&reply);
        llavaov_ticket_unref(ask(session, &reply, frames, n, (LlavaovLayout)layout, "What?", 5));
        reply_wait(&reply);
        assert_int_equal(reply.status, LLAVAOV_OK);
        uint32_t tokens;
        assert_int_equal(llavaov_session_prompt_tokens(session,
                             &(LlavaovPrompt){.size = sizeof(LlavaovPrompt),
                                 .layout = (LlavaovLayout)layout,
                                 .n_frames = n,
                                 .width = 40,
                                 .height = 30,
                                 .text = "What?"},
                             &tokens, NULL),
            LLAVAOV_OK);
        assert_int_equal(tokens, reply.prompt_tokens);
        for (size_t i = 0; i < n; i++)
            llavaov_frame_unref(frames[i]);
        llavaov_session_close(session);
    }
}

static void count_bytes(void *data, const char *text, size_t bytes)
{
    *(size_t *)data += bytes;
}

/* llavaov_engine_ask gives what a session gives, and what is wrong comes back. */
static void one_call_asks_and_waits(void **state)
{
    Harness *h = *state;
    uint8_t pixels[40 * 30 * 3];
    memset(pixels, 60, sizeof pixels);
    const LlavaovImage image = llavaov_image_packed(LLAVAOV_PIXEL_RGB, 40, 30, pixels),
                       images[] = {image, image, image};
    LlavaovError error;
    char *text;
    for (int layout = LLAVAOV_LAYOUT_VIDEO; layout <= LLAVAOV_LAYOUT_IMAGES; layout++)
        for (size_t n = 0; n <= (layout == LLAVAOV_LAYOUT_IMAGE ? 1 : 3); n++) {
            LlavaovSession *session = open_session(h);
            LlavaovFrame *frames[3];
            for (size_t i = 0; i < n; i++)
                frames[i] =
                    push_flat(session, (LlavaovLayout)layout, LLAVAOV_ENCODE_ON_ARRIVAL, 60, NULL);
            Reply reply;
            reply_init(&reply);
            llavaov_ticket_unref(
                ask(session, &reply, frames, n, (LlavaovLayout)layout, "What?", 64));
            reply_wait(&reply);
            size_t bytes = 0;
            const LlavaovRequest request = {.size = sizeof request,
                .prompt = "What?",
                .layout = (LlavaovLayout)layout,
                .on_text = count_bytes,
                .data = &bytes};
            assert_int_equal(
                llavaov_engine_ask(h->engine, &request, images, n, &text, &error), LLAVAOV_OK);
            assert_string_equal(text, reply.text);
            assert_true(bytes >= strlen(text)); /* a random model may say NUL */
            free(text);
            for (size_t i = 0; i < n; i++)
                llavaov_frame_unref(frames[i]);
            llavaov_session_close(session);
        }
    LlavaovRequest request = {.size = sizeof request, .prompt = "What?"};
    const LlavaovImage none = {.width = 3};
    assert_int_equal(
        llavaov_engine_ask(h->engine, &request, &none, 1, &text, &error), LLAVAOV_ERROR_ARGUMENT);
    assert_null(text);
    assert_true(error.message[0]);
    request.layout = LLAVAOV_LAYOUT_IMAGE; /* takes one */
    assert_int_equal(
        llavaov_engine_ask(h->engine, &request, images, 2, &text, &error), LLAVAOV_ERROR_ARGUMENT);
    request.n_frames = 1;
    assert_int_equal(
        llavaov_engine_ask(h->engine, &request, images, 1, &text, NULL), LLAVAOV_ERROR_ARGUMENT);
    request.size = 1;
    assert_int_equal(
        llavaov_engine_ask(h->engine, &request, images, 1, &text, NULL), LLAVAOV_ERROR_ARGUMENT);
    request = (LlavaovRequest){.size = sizeof request, .prompt = "What?"};
    for (int64_t n = 0, failed = 1; failed; n++) {
        lv_alloc_fail_after(n);
        const LlavaovStatus status =
            llavaov_engine_ask(h->engine, &request, images, 3, &text, &error);
        lv_alloc_fail_after(-1);
        failed = status != LLAVAOV_OK;
        assert_int_equal(status, failed ? LLAVAOV_ERROR_MEMORY : LLAVAOV_OK);
        assert_int_equal(!text, failed);
        free(text);
        assert_true(n < 100);
    }
}

static void overlapping_windows_encode_once(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    const int before = h->tiles;
    LlavaovFrame *frames[6];
    atomic_int released = 0;
    for (size_t i = 0; i < 6; i++)
        frames[i] = push_flat(
            session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)(40 * i), &released);
    Reply replies[3];
    for (size_t w = 0; w < 3; w++) {
        reply_init(&replies[w]);
        llavaov_ticket_unref(
            ask(session, &replies[w], frames + w, 4, LLAVAOV_LAYOUT_VIDEO, "What?", 6));
    }
    for (size_t w = 0; w < 3; w++)
        reply_wait(&replies[w]);
    assert_int_equal(h->tiles - before, 6);
    assert_int_equal(released, 6);
    LlavaovSessionStats stats = {.size = sizeof stats};
    llavaov_session_stats(session, &stats);
    assert_int_equal(stats.frames_encoded, 6);
    assert_int_equal(stats.answers, 3);

    /* The shared frames give what fresh ones give. */
    LlavaovFrame *again[4];
    for (size_t i = 0; i < 4; i++)
        again[i] = push_flat(
            session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND, (uint8_t)(40 * (i + 1)), NULL);
    Reply fresh;
    reply_init(&fresh);
    llavaov_ticket_unref(ask(session, &fresh, again, 4, LLAVAOV_LAYOUT_VIDEO, "What?", 6));
    reply_wait(&fresh);
    assert_int_equal(fresh.new_tokens, replies[1].new_tokens);
    assert_memory_equal(fresh.tokens, replies[1].tokens, fresh.new_tokens * sizeof(int32_t));
    for (size_t i = 0; i < 6; i++)
        llavaov_frame_unref(frames[i]);
    for (size_t i = 0; i < 4; i++)
        llavaov_frame_unref(again[i]);
    llavaov_session_close(session);
}

static void frames_outlive_their_references_in_requests(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 9, NULL);
    Reply reply;
    reply_init(&reply);
    llavaov_ticket_unref(ask(session, &reply, &frame, 1, LLAVAOV_LAYOUT_VIDEO, "What?", 3));
    llavaov_frame_unref(frame);
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_OK);
    llavaov_session_close(session);
}

static void a_short_question_overtakes_a_long_answer(void **state)
{
    Harness *h = *state;
    LlavaovSession *a = open_session(h), *b = open_session(h);
    Reply first, second;
    atomic_int clock = 0;
    reply_init(&first);
    reply_init(&second);
    first.clock = second.clock = &clock;
    harness_arm(h, OPERATION_DECODE, FAULT_HOLD, 3);
    LlavaovTicket *ta = ask(a, &first, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Long", 400);
    harness_wait_reached(h);
    LlavaovTicket *tb = ask(b, &second, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Short", 2);
    harness_release(h);
    reply_wait(&second);
    reply_wait(&first);
    assert_true(first.new_tokens > 40);
    assert_true(second.stamp < first.stamp);
    llavaov_ticket_unref(ta);
    llavaov_ticket_unref(tb);
    llavaov_session_close(a);
    llavaov_session_close(b);
}

static void many_sessions_all_get_their_answers(void **state)
{
    Harness *h = *state;
    enum { N = 6 };
    LlavaovSession *sessions[N];
    Reply replies[N][3];
    LlavaovFrame *frames[N];
    for (int s = 0; s < N; s++) {
        sessions[s] = open_session(h);
        frames[s] = push_flat(
            sessions[s], LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)(s * 40), NULL);
        for (int r = 0; r < 3; r++) {
            reply_init(&replies[s][r]);
            llavaov_ticket_unref(
                ask(sessions[s], &replies[s][r], &frames[s], 1, LLAVAOV_LAYOUT_VIDEO, "What?", 8));
        }
    }
    for (int s = 0; s < N; s++)
        for (int r = 0; r < 3; r++) {
            reply_wait(&replies[s][r]);
            assert_int_equal(replies[s][r].status, LLAVAOV_OK);
            assert_string_equal(replies[s][r].text, replies[s][0].text);
        }
    for (int s = 0; s < N; s++) {
        llavaov_frame_unref(frames[s]);
        llavaov_session_close(sessions[s]);
    }
}

/* Streams that ask again as soon as they are answered, with answers of very different lengths: none
 * waits while more than four of the others' requests are answered, however many of them one step
 * may decode. */
static void no_request_waits_for_more_than_four_others(void **state)
{
    Harness *h = *state;
    enum { N = 4, ROUNDS = 12 };
    static const uint32_t lengths[N] = {1, 3, 12, 90}, batches[] = {32, 3, 1};
    const uint32_t preferred = h->engine->backend->info.preferred_sequences;
    for (size_t k = 0; k < sizeof batches / sizeof *batches; k++) {
        LlavaovSession *sessions[N];
        LlavaovTicket *tickets[N][ROUNDS];
        static Reply replies[N][ROUNDS];
        unsigned most = 0;
        harness_prefer(h, &h->engine->backend->info.preferred_sequences, batches[k]);
        h->together = 0;
        harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
        for (int s = 0; s < N; s++) {
            sessions[s] = open_session(h);
            for (int r = 0; r < ROUNDS; r++) {
                reply_init(&replies[s][r]);
                tickets[s][r] = ask(sessions[s], &replies[s][r], NULL, 0, LLAVAOV_LAYOUT_VIDEO,
                    "What?", lengths[s]);
            }
            if (s == 0)
                harness_wait_reached(h);
        }
        harness_release(h);
        for (int s = 0; s < N; s++)
            for (int r = 0; r < ROUNDS; r++) {
                reply_wait(&replies[s][r]);
                assert_int_equal(replies[s][r].status, LLAVAOV_OK);
                most = tickets[s][r]->common->overtaken > most ? tickets[s][r]->common->overtaken
                                                               : most;
                llavaov_ticket_unref(tickets[s][r]);
            }
        assert_uint_in_range(most, 1, N);
        assert_uint_in_range(h->together, k == 2 ? 1 : 2, batches[k]);
        for (int s = 0; s < N; s++)
            llavaov_session_close(sessions[s]);
    }
    harness_prefer(h, &h->engine->backend->info.preferred_sequences, preferred);
}

static void the_same_seed_gives_the_same_text(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    Reply replies[3];
    for (int i = 0; i < 3; i++) {
        reply_init(&replies[i]);
        replies[i].generation.temperature = 1.5;
        replies[i].generation.seed = i == 2 ? 8 : 7;
        llavaov_ticket_unref(ask(session, &replies[i], NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 32));
        reply_wait(&replies[i]);
        assert_int_equal(replies[i].status, LLAVAOV_OK);
    }
    assert_string_equal(replies[0].text, replies[1].text);
    assert_string_not_equal(replies[0].text, replies[2].text);
    llavaov_session_close(session);
}

static void nan_is_an_error_not_text(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    Reply reply;
    reply_init(&reply);
    h->nan_logits = true;
    llavaov_ticket_unref(ask(session, &reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 5));
    reply_wait(&reply);
    h->nan_logits = false;
    assert_int_equal(reply.status, LLAVAOV_ERROR_NUMERIC);
    assert_string_equal(reply.text, "");
    llavaov_session_close(session);
}

static void a_failing_encoder_fails_the_frame_and_no_more(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    harness_arm(h, OPERATION_ENCODE, FAULT_FAIL, 0);
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 1, NULL);
    Reply reply, next;
    reply_init(&reply);
    reply_init(&next);
    llavaov_ticket_unref(ask(session, &reply, &frame, 1, LLAVAOV_LAYOUT_VIDEO, "What?", 5));
    reply_wait(&reply);
    assert_int_equal(reply.status, LLAVAOV_ERROR_DEVICE);
    assert_non_null(strstr(reply.error.message, "made to fail"));
    LlavaovFrame *good =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 1, NULL);
    llavaov_ticket_unref(ask(session, &next, &good, 1, LLAVAOV_LAYOUT_VIDEO, "What?", 5));
    reply_wait(&next);
    assert_int_equal(next.status, LLAVAOV_OK);
    LlavaovSessionStats stats = {.size = sizeof stats};
    llavaov_session_stats(session, &stats);
    assert_int_equal(stats.frames_failed, 1);
    assert_int_equal(stats.failures, 1);
    llavaov_frame_unref(frame);
    llavaov_frame_unref(good);
    llavaov_session_close(session);
}

static void failing_prefill_and_decode_end_the_request(void **state)
{
    Harness *h = *state;
    const Operation operations[] = {OPERATION_PREFILL, OPERATION_DECODE};
    for (size_t i = 0; i < 2; i++) {
        LlavaovSession *session = open_session(h);
        harness_arm(h, operations[i], FAULT_FAIL, 0);
        Reply reply;
        reply_init(&reply);
        llavaov_ticket_unref(ask(session, &reply, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello there", 8));
        reply_wait(&reply);
        assert_int_equal(reply.status, LLAVAOV_ERROR_DEVICE);
        assert_int_equal(reply.new_tokens, i);
        llavaov_session_close(session);
    }
}

static void two_engines_live_side_by_side(void **state)
{
    Harness *h = *state;
    Harness other;
    harness_open(&other, 0);
    LlavaovSession *a = open_session(h), *b;
    assert_int_equal(llavaov_session_open(other.engine, NULL, &b, NULL), LLAVAOV_OK);
    Reply first, second;
    reply_init(&first);
    reply_init(&second);
    llavaov_ticket_unref(ask(a, &first, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 10));
    llavaov_ticket_unref(ask(b, &second, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 10));
    reply_wait(&first);
    reply_wait(&second);
    assert_string_equal(first.text, second.text);
    llavaov_session_close(a);
    llavaov_session_close(b);
    harness_close(&other);
}

static void the_context_is_a_limit(void **state)
{
    Harness small;
    harness_open(&small, 48);
    LlavaovSession *session;
    assert_int_equal(llavaov_session_open(small.engine, NULL, &session, NULL), LLAVAOV_OK);
    Reply full, cut;
    reply_init(&full);
    reply_init(&cut);
    llavaov_ticket_unref(ask(session, &full, NULL, 0, LLAVAOV_LAYOUT_VIDEO,
        "A question of more than forty-eight bytes, each of them a token of its own.", 5));
    reply_wait(&full);
    assert_int_equal(full.status, LLAVAOV_ERROR_CONTEXT_FULL);
    assert_non_null(strstr(full.error.message, "48"));
    llavaov_ticket_unref(ask(session, &cut, NULL, 0, LLAVAOV_LAYOUT_VIDEO, "Hello", 400));
    reply_wait(&cut);
    assert_int_equal(cut.status, LLAVAOV_OK);
    assert_true(cut.prompt_tokens + cut.new_tokens <= 48);
    if (cut.finish_reason == LLAVAOV_FINISH_LENGTH)
        assert_int_equal(cut.prompt_tokens + cut.new_tokens, 48);
    llavaov_session_close(session);
    harness_close(&small);
}

static void never_done(void *data, const LlavaovAnswer *answer)
{
    fail_msg("a refused request was answered");
}

static LlavaovStatus never_mapped(void *data, LlavaovImage *image, LlavaovError *error)
{
    fail_msg("a refused frame was mapped");
    return LLAVAOV_ERROR_IO;
}

static void bad_arguments_are_refused_by_name(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h), *other = open_session(h);
    LlavaovFrame *frame =
        push_flat(session, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_DEMAND, 1, NULL);
    LlavaovFrame *two[2] = {frame, frame};
    const LlavaovGeneration good = llavaov_generation_default();
    LlavaovGeneration hot = good, none = good, p = good, penalty = good;
    hot.temperature = -1;
    none.max_new_tokens = 0;
    p.top_p = 1.5;
    penalty.repetition_penalty = 0;
    void (*const done)(void *, const LlavaovAnswer *) = never_done;
    const struct {
        LlavaovRequest request;
        const char *subject;
    } cases[] = {
        {{.prompt = "x", .generation = &hot, .on_done = done}, "temperature"},
        {{.prompt = "x", .generation = &none, .on_done = done}, "max-new-tokens"},
        {{.prompt = "x", .generation = &p, .on_done = done}, "top-p"},
        {{.prompt = "x", .generation = &penalty, .on_done = done}, "repetition-penalty"},
        {{.generation = &good, .on_done = done}, "prompt"},
        {{.prompt = "x", .generation = &good}, "on_done"},
        {{.prompt = "x",
             .generation = &good,
             .on_done = done,
             .layout = LLAVAOV_LAYOUT_IMAGE,
             .frames = two,
             .n_frames = 2},
            "frames"},
        {{.prompt = "x",
             .generation = &good,
             .on_done = done,
             .layout = LLAVAOV_LAYOUT_IMAGES,
             .frames = two,
             .n_frames = 2},
            "layout"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        LlavaovError error;
        LlavaovRequest request = cases[i].request;
        request.size = sizeof request;
        assert_int_equal(
            llavaov_session_ask(session, &request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(error.subject, cases[i].subject);
        assert_int_equal(error.about,
            strcmp(error.subject, "prompt") ? LLAVAOV_ABOUT_OPTION : LLAVAOV_ABOUT_PROMPT);
    }
    const LlavaovRequest foreign = {.size = sizeof foreign,
        .prompt = "x",
        .generation = &good,
        .on_done = done,
        .frames = two,
        .n_frames = 1};
    assert_int_equal(llavaov_session_ask(other, &foreign, NULL, NULL), LLAVAOV_ERROR_ARGUMENT);
    llavaov_frame_unref(frame);
    llavaov_session_close(session);
    llavaov_session_close(other);
}

/* Several turns; clips and pictures in any order, each kind filling its own placeholders. */
static void a_conversation_has_pictures_and_clips(void **state)
{
    static const char messages[] =
        "[{\"role\":\"user\",\"content\":[{\"type\":\"video\"},{\"type\":\"text\",\"text\":\"A?\"},"
        "{\"type\":\"image\"}]},{\"role\":\"assistant\",\"content\":\"B.\"},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"image\"},{\"type\":\"text\",\"text\":\"C?\"}]}"
        "]";
    Harness *h = *state;
    const LvConfig *config = h->engine->model->config;
    LlavaovSession *session = open_session(h);
    LlavaovFrame *frames[4];
    for (size_t i = 0; i < 4; i++)
        frames[i] = push_flat(session, i < 2 ? LLAVAOV_LAYOUT_VIDEO : LLAVAOV_LAYOUT_IMAGES,
            LLAVAOV_ENCODE_ON_DEMAND, (uint8_t)(60 * i), NULL);
    LlavaovVisual visuals[3];
    for (size_t i = 0; i < 3; i++)
        visuals[i] = (LlavaovVisual){.size = sizeof visuals[i],
            .layout = i ? LLAVAOV_LAYOUT_IMAGES : LLAVAOV_LAYOUT_VIDEO,
            .frames = i ? frames + i + 1 : frames,
            .n_frames = i ? 1 : 2};
    Reply reply, again;
    reply_init(&reply);
    reply_init(&again);
    reply.generation.max_new_tokens = again.generation.max_new_tokens = 6;
    LlavaovRequest request = {.size = sizeof request,
        .messages = messages,
        .visuals = visuals,
        .n_visuals = 3,
        .generation = &reply.generation};
    ask_request(session, &reply, request);
    reply_wait(&reply);
    if (reply.status != LLAVAOV_OK)
        fail_msg("%s", reply.error.message);
    uint32_t plain;
    assert_int_equal(
        llavaov_session_prompt_tokens(
            session, &(LlavaovPrompt){.size = sizeof(LlavaovPrompt), .text = "A?"}, &plain, NULL),
        LLAVAOV_OK);
    const uint32_t visual =
        (uint32_t)lv_video_tokens(config, 2) + 2 * lv_multi_image_tokens(config);
    assert_true(reply.prompt_tokens > plain + visual);
    assert_true(reply.prompt_tokens < 3 * plain + visual);
    /* The second picture instead of the first, and the answer depends on which stands where. */
    visuals[1].frames = frames + 3;
    visuals[2].frames = frames + 2;
    ask_request(session, &again, request);
    reply_wait(&again);
    assert_int_equal(again.prompt_tokens, reply.prompt_tokens);

    static const struct {
        LlavaovVisual visual;
        size_t n;
        const char *subject;
    } wrong[] = {
        {{.size = sizeof(LlavaovVisual), .layout = LLAVAOV_LAYOUT_VIDEO, .n_frames = 2}, 2,
            "messages"},
        {{.size = sizeof(LlavaovVisual), .layout = LLAVAOV_LAYOUT_IMAGES, .n_frames = 1}, 3,
            "layout"},
        {{.size = sizeof(LlavaovVisual), .layout = LLAVAOV_LAYOUT_VIDEO, .n_frames = 0}, 3,
            "frames"},
        {{.size = sizeof(LlavaovVisual), .layout = LLAVAOV_LAYOUT_VIDEO, .n_frames = 2000}, 3,
            "frames"},
    };
    request.on_done = never_done;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        LlavaovError error;
        visuals[0] = wrong[i].visual;
        visuals[0].frames = frames;
        request.n_visuals = wrong[i].n;
        assert_int_equal(
            llavaov_session_ask(session, &request, NULL, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(error.subject, wrong[i].subject);
        assert_int_equal(error.about, i ? LLAVAOV_ABOUT_OPTION : LLAVAOV_ABOUT_PROMPT);
    }
    for (size_t i = 0; i < 4; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(session);
}

static void allocation_failures_come_back_as_errors(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    const LlavaovRequest request = {
        .size = sizeof request, .prompt = "x", .system_prompt = "y", .on_done = never_done};
    for (int n = 0; n < 3; n++) {
        lv_alloc_fail_after(n);
        LlavaovError error;
        LlavaovStatus status = llavaov_session_ask(session, &request, NULL, &error);
        lv_alloc_fail_after(-1);
        assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
    }
    atomic_int released = 0;
    lv_alloc_fail_after(0);
    LlavaovFrame *frame = (LlavaovFrame *)&released;
    const LlavaovFrameSource source = {
        .size = sizeof source, .map = never_mapped, .layout = LLAVAOV_LAYOUT_VIDEO};
    assert_int_equal(
        llavaov_session_push_frame(session, &source, &frame, NULL), LLAVAOV_ERROR_MEMORY);
    assert_null(frame);
    llavaov_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_alone_is_answered),
        cmocka_unit_test(every_layout_is_answered),
        cmocka_unit_test(one_call_asks_and_waits),
        cmocka_unit_test(overlapping_windows_encode_once),
        cmocka_unit_test(frames_outlive_their_references_in_requests),
        cmocka_unit_test(a_short_question_overtakes_a_long_answer),
        cmocka_unit_test(many_sessions_all_get_their_answers),
        cmocka_unit_test(no_request_waits_for_more_than_four_others),
        cmocka_unit_test(the_same_seed_gives_the_same_text),
        cmocka_unit_test(nan_is_an_error_not_text),
        cmocka_unit_test(a_failing_encoder_fails_the_frame_and_no_more),
        cmocka_unit_test(failing_prefill_and_decode_end_the_request),
        cmocka_unit_test(two_engines_live_side_by_side),
        cmocka_unit_test(the_context_is_a_limit),
        cmocka_unit_test(bad_arguments_are_refused_by_name),
        cmocka_unit_test(a_conversation_has_pictures_and_clips),
        cmocka_unit_test(allocation_failures_come_back_as_errors),
    };
    return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
