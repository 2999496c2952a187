/* SPDX-License-Identifier: Apache-2.0
 * How long slices are: short ones while somebody decodes, long ones while nobody does, and the same
 * answers either way. */
#define _GNU_SOURCE /* usleep */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"
#include "serve/request.h"
#include "serve/chunk.h"

#define VIDEO LLAVAOV_LAYOUT_VIDEO

/* ---- sizes ---- */

/* Qwen2-0.5B and Qwen2-7B. */
static const LvTextConfig small = {.hidden_size = 896,
    .intermediate_size = 4864,
    .n_layers = 24,
    .n_heads = 14,
    .n_kv_heads = 2,
    .head_dim = 64};
static const LvTextConfig large = {.hidden_size = 3584,
    .intermediate_size = 18944,
    .n_layers = 28,
    .n_heads = 28,
    .n_kv_heads = 4,
    .head_dim = 128};
static const LvVisionConfig vision = {.hidden_size = 1152,
    .intermediate_size = 4304,
    .n_layers_run = 26,
    .n_heads = 16,
    .head_dim = 72,
    .grid = 27};

static void rows_follow_the_model_and_the_position(void **state)
{
    /* What the CUDA backend says of an H100 (cuda/open.c). */
    const LvBackendInfo gpu = {.preferred_rows = 2176, .slice_flops = 132 * 7.5e12 / 3 * 2e-3},
                        cpu = {.preferred_rows = 768}, any = {.preferred_rows = 0};
    static const struct {
        const LvTextConfig *text;
        uint32_t position;
        size_t left, rows;
    } cases[] = {{&small, 0, 6303, 768}, {&small, 1536, 4767, 768}, {&small, 2304, 3999, 512},
        {&small, 5900, 3000, 512}, {&small, 20000, 3000, 256}, {&large, 0, 6303, 256},
        /* a rest of up to a quarter is included */
        {&small, 0, 960, 960}, {&small, 0, 961, 768}, {&small, 5900, 640, 640},
        {&small, 5900, 641, 512}, {&large, 0, 320, 320}, {&large, 0, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const LvTextConfig *text = cases[i].text;
        const uint32_t position = cases[i].position;
        const size_t left = cases[i].left;
        assert_int_equal(lv_chunk_rows(&gpu, text, position, left, true), cases[i].rows);
        assert_int_equal(
            lv_chunk_rows(&gpu, text, position, left, false), left < 2176 ? left : 2176);
        assert_int_equal(lv_chunk_rows(&any, text, position, left, true), left);
        for (int bounded = 0; bounded < 2; bounded++)
            assert_int_equal(
                lv_chunk_rows(&cpu, text, position, left, bounded), left < 768 ? left : 768);
    }
    /* With the option rows=6304 a prompt of 32 frames is one chunk while nobody decodes, and no longer
     * then than before while somebody does. */
    const LvBackendInfo whole = {.preferred_rows = 6304, .slice_flops = gpu.slice_flops};
    assert_int_equal(lv_chunk_rows(&whole, &small, 0, 6303, false), 6303);
    assert_int_equal(lv_chunk_rows(&whole, &small, 0, 6303, true), 768);
    const LvBackendInfo few = {.preferred_rows = 100, .slice_flops = 1};
    assert_int_equal(lv_chunk_rows(&few, &small, 0, 6303, true), 100);
}

static void tiles_follow_the_model_and_who_waits(void **state)
{
    LvBackendInfo info = {.preferred_tiles = 32, .slice_flops = 132 * 7.5e12 / 3 * 2e-3};
    static const struct {
        size_t sessions;
        uint32_t tiles;
    } cases[] = {{1, 2}, {8, 2}, {9, 3}, {26, 20}, {38, 32}, {1000, 32}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(lv_chunk_tiles(&info, &vision, cases[i].sessions, true), cases[i].tiles);
        assert_int_equal(lv_chunk_tiles(&info, &vision, cases[i].sessions, false), 32);
    }
    info.slice_flops = 1;
    assert_int_equal(lv_chunk_tiles(&info, &vision, 8, true), 1);
    info.slice_flops = 0;
    assert_int_equal(lv_chunk_tiles(&info, &vision, 5, true), 32);
    info.preferred_tiles = 200;
    assert_int_equal(lv_chunk_tiles(&info, &vision, 5, false), LV_MAX_SLICE_TILES);
    info.preferred_tiles = 0;
    assert_int_equal(lv_chunk_tiles(&info, &vision, 5, false), 1);
}

/* ---- an engine whose backend bounds its slices ---- */

static void bound(Harness *h, double slice_flops)
{
    pthread_mutex_lock(&h->engine->lock);
    h->engine->backend->info.slice_flops = slice_flops;
    pthread_mutex_unlock(&h->engine->lock);
}

/* An answer under way: a decoding step is held, and everybody else goes before the next one. */
static void begin_decoding(Harness *h, LlavaovSession *session, Reply *reply, uint32_t tokens)
{
    reply_init(reply);
    h->least = 0;
    harness_arm(h, OPERATION_DECODE, FAULT_HOLD, 3);
    llavaov_ticket_unref(ask(session, reply, NULL, 0, VIDEO, "Long", tokens));
    harness_wait_reached(h);
    pthread_mutex_lock(&h->engine->lock);
    session->virtual_time += UINT64_C(1) << 50;
    pthread_mutex_unlock(&h->engine->lock);
}

/* Sizes of the operations with this letter between two points; how many there are. */
static size_t sizes_of(const Harness *h, char letter, int start, int end, uint32_t sizes[32])
{
    size_t n = 0;
    for (int i = start; i < end; i++)
        if (h->order[i] == letter) {
            assert_true(n < 32);
            sizes[n++] = h->sizes[i];
        }
    return n;
}

/* Up to the last decoding step. */
static void check_alternation(const Harness *h, int start, int end)
{
    while (end > start && h->order[end - 1] != 'D')
        end--;
    for (int i = start; i < end; i++)
        assert_true(h->order[i] == 'D' || h->order[i - 1] == 'D');
}

static void a_prompt_comes_in_short_slices_while_others_decode(void **state)
{
    Harness own, *h = &own;
    enum { BYTES = 1560 };
    static const uint32_t long_ones[] = {768, 768};
    char prompt[BYTES + 1];
    for (int i = 0; i < BYTES; i++)
        prompt[i] = (char)('a' + i * 7 % 26);
    prompt[BYTES] = '\0';
    harness_open(h, 4096);
    bound(h, 1);
    LlavaovSession *decoding = open_session(h), *arriving = open_session(h);
    Reply other, together, alone;
    reply_init(&together);
    reply_init(&alone);
    alone.generation.without_drafts = 1;

    begin_decoding(h, decoding, &other, 100);
    llavaov_ticket_unref(ask(arriving, &together, NULL, 0, VIDEO, prompt, 3));
    int start = h->n_order;
    harness_release(h);
    reply_wait(&together);
    int end = h->n_order;
    reply_wait(&other);
    uint32_t sizes[32];
    size_t n = sizes_of(h, 'P', start, end, sizes), sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += sizes[i];
        if (i + 1 < n)
            assert_int_equal(sizes[i], 256);
    }
    assert_int_equal(sum, together.prompt_tokens);
    assert_uint_in_range(sizes[n - 1], 257, 320); /* the rest is included */
    check_alternation(h, start, end);

    start = h->n_order;
    llavaov_ticket_unref(ask(arriving, &alone, NULL, 0, VIDEO, prompt, 3));
    reply_wait(&alone);
    n = sizes_of(h, 'P', start, h->n_order, sizes);
    assert_int_equal(n, 3);
    assert_memory_equal(sizes, long_ones, sizeof long_ones);
    assert_int_equal(alone.new_tokens, together.new_tokens);
    assert_memory_equal(alone.tokens, together.tokens, alone.new_tokens * sizeof *alone.tokens);
    llavaov_session_close(decoding);
    llavaov_session_close(arriving);
    harness_close(h);
}

static bool all_are(Harness *h, LlavaovFrame *const *frames, size_t n, LvFrameState state)
{
    bool all = true;
    pthread_mutex_lock(&h->engine->lock);
    for (size_t i = 0; i < n; i++)
        all = all && frames[i]->state == state;
    pthread_mutex_unlock(&h->engine->lock);
    return all;
}

static void wait_frames(Harness *h, LlavaovFrame *const *frames, size_t n, LvFrameState state)
{
    while (!all_are(h, frames, n, state))
        usleep(500);
}

enum { FULL = 5, SESSIONS = 8 };

/* Frames that all wait when the first call is made, while somebody decodes or nobody does; `calls`
 * are its tiles. */
typedef struct Crowd {
    size_t n_sessions, each;
    bool asked; /* encoded for a request, not on arrival */
    bool busy;
    uint32_t calls[8];
} Crowd;

static void check_calls(Harness *h, const Crowd *crowd)
{
    LlavaovSession *other = open_session(h), *sessions[SESSIONS];
    LlavaovFrame *frames[SESSIONS];
    Reply held, replies[SESSIONS];
    size_t n = 0;
    if (crowd->busy) {
        begin_decoding(h, other, &held, 60);
    } else {
        reply_init(&held);
        harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
        llavaov_ticket_unref(ask(other, &held, NULL, 0, VIDEO, "Wait", 1));
        harness_wait_reached(h);
    }
    for (size_t s = 0; s < crowd->n_sessions; s++) {
        sessions[s] = open_session(h);
        for (size_t i = 0; i < crowd->each; i++) {
            assert_true(n < SESSIONS);
            frames[n++] = push_flat(sessions[s], VIDEO,
                crowd->asked ? LLAVAOV_ENCODE_ON_DEMAND : LLAVAOV_ENCODE_ON_ARRIVAL, (uint8_t)i,
                NULL);
        }
    }
    wait_frames(h, frames, n, LV_FRAME_PREPARED);
    for (size_t s = 0; crowd->asked && s < crowd->n_sessions; s++) {
        reply_init(&replies[s]);
        llavaov_ticket_unref(ask(
            sessions[s], &replies[s], frames + s * crowd->each, crowd->each, VIDEO, "What?", 1));
    }
    const int start = h->n_order;
    harness_release(h);
    wait_frames(h, frames, n, LV_FRAME_ENCODED);
    reply_wait(&held);
    uint32_t sizes[32] = {0};
    const size_t n_calls = sizes_of(h, 'E', start, h->n_order, sizes);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(sizes[i], crowd->calls[i]);
    assert_true(n_calls <= 8);
    if (crowd->busy)
        check_alternation(h, start, h->n_order);
    for (size_t s = 0; s < crowd->n_sessions; s++) {
        if (crowd->asked)
            reply_wait(&replies[s]);
        llavaov_session_close(sessions[s]);
    }
    for (size_t i = 0; i < n; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(other);
}

static void encoder_calls_are_short_while_others_decode(void **state)
{
    static const Crowd crowds[] = {{1, 5, false, true, {1, 1, 1, 1, 1}}, {1, 5, false, false, {5}},
        {1, 5, true, true, {1, 1, 1, 1, 1}},
        /* longer where many sessions wait */
        {8, 1, false, true, {5, 3}}, {8, 1, false, false, {5, 3}}, {4, 2, false, true, {4, 3, 1}},
        {4, 2, true, true, {4, 3, 1}}, {4, 2, true, false, {5, 3}}};
    Harness own, *h = &own;
    harness_open(h, 0);
    bound(h, 1);
    harness_prefer(h, &h->engine->backend->info.preferred_tiles, FULL);
    for (size_t i = 0; i < sizeof crowds / sizeof *crowds; i++)
        check_calls(h, &crowds[i]);
    harness_close(h);
}

/* ---- who goes first ---- */

/* An answer that others have overtaken: without bounds it goes before everybody, with them it has
 * its step after each slice. */
static void a_due_answer_has_its_steps_between_short_slices(void **state)
{
    Harness own, *h = &own;
    enum { TOKENS = 60 };
    harness_open(h, 0);
    harness_prefer(h, &h->engine->backend->info.preferred_rows, 9);
    for (int bounded = 0; bounded < 2; bounded++) {
        LlavaovSession *decoding = open_session(h), *arriving = open_session(h);
        Reply other, prompt;
        bound(h, bounded ? 1e-9 : 0);
        begin_decoding(h, decoding, &other, TOKENS);
        pthread_mutex_lock(&h->engine->lock);
        LV_LIST_FIRST(&decoding->requests, LlavaovTicket, in_session)->common->overtaken = 2;
        pthread_mutex_unlock(&h->engine->lock);
        reply_init(&prompt);
        llavaov_ticket_unref(ask(arriving, &prompt, NULL, 0, VIDEO,
            "A question of many bytes, so that it takes slices.", 1));
        const int start = h->n_order;
        harness_release(h);
        reply_wait(&prompt);
        reply_wait(&other);
        int first = start;
        while (h->order[first] == 'D')
            first++;
        if (bounded)
            assert_uint_in_range(first - start, 1, 2);
        else
            assert_true(first - start > TOKENS / 2);
        check_alternation(h, first, h->n_order);
        llavaov_session_close(decoding);
        llavaov_session_close(arriving);
    }
    harness_close(h);
}

/* Frames wait for company while a prompt can go on, but not for long. */
static void few_frames_wait_for_more(void **state)
{
    Harness own, *h = &own;
    harness_open(h, 0);
    harness_prefer(h, &h->engine->backend->info.preferred_rows, 9);
    for (int n = 1; n <= FULL; n += FULL - 1) {
        harness_prefer(h, &h->engine->backend->info.preferred_tiles, FULL);
        LlavaovSession *holding = open_session(h), *asking = open_session(h), *sessions[FULL];
        LlavaovFrame *frames[FULL];
        Reply held, prompt;
        reply_init(&held);
        reply_init(&prompt);
        harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
        llavaov_ticket_unref(ask(holding, &held, NULL, 0, VIDEO, "W", 1));
        harness_wait_reached(h);
        llavaov_ticket_unref(ask(asking, &prompt, NULL, 0, VIDEO,
            "A question of many bytes, each of them a token of its own, so that it takes slices: "
            "more than any frame waits for.",
            1));
        pthread_mutex_lock(&h->engine->lock);
        h->engine->slice.prompts = 0;
        holding->virtual_time += UINT64_C(1) << 50;
        asking->virtual_time = h->engine->virtual_time + (UINT64_C(1) << 49);
        pthread_mutex_unlock(&h->engine->lock);
        for (int i = 0; i < n; i++) {
            sessions[i] = open_session(h);
            frames[i] = push_flat(sessions[i], VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, NULL);
        }
        wait_frames(h, frames, (size_t)n, LV_FRAME_PREPARED);
        const int start = h->n_order;
        harness_release(h);
        wait_frames(h, frames, (size_t)n, LV_FRAME_ENCODED);
        reply_wait(&held);
        reply_wait(&prompt);
        int prompts = 0;
        for (int i = start; h->order[i] != 'E'; i++)
            prompts += h->order[i] == 'P';
        assert_int_equal(prompts, n < FULL ? 7 : 0); /* and the start of the request */
        assert_int_equal(h->order[h->n_order - 1], 'P');
        for (int i = 0; i < n; i++) {
            llavaov_frame_unref(frames[i]);
            llavaov_session_close(sessions[i]);
        }
        llavaov_session_close(holding);
        llavaov_session_close(asking);
    }
    harness_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_follow_the_model_and_the_position),
        cmocka_unit_test(tiles_follow_the_model_and_who_waits),
        cmocka_unit_test(a_prompt_comes_in_short_slices_while_others_decode),
        cmocka_unit_test(encoder_calls_are_short_while_others_decode),
        cmocka_unit_test(a_due_answer_has_its_steps_between_short_slices),
        cmocka_unit_test(few_frames_wait_for_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
