/* SPDX-License-Identifier: Apache-2.0
 * What is encoded once: frames of a session that show the same, or nearly. */
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
#include "picture/same.h"
#include "serve/frame.h"

#define TILE 168
#define PIXELS (TILE * TILE * 3)
#define VIDEO LLAVAOV_LAYOUT_VIDEO
#define IMAGE LLAVAOV_LAYOUT_IMAGE
#define IMAGES LLAVAOV_LAYOUT_IMAGES
#define MOST 16

static int open_engine(void **state)
{
    Harness *h = malloc(sizeof *h);
    assert_non_null(h);
    harness_open_tiles(h, 0, TILE);
    *state = h;
    return 0;
}

typedef struct Picture {
    uint32_t width, height;
    uint8_t *pixels;
} Picture;

static LlavaovStatus map(void *data, LlavaovImage *image, LlavaovError *error)
{
    const Picture *picture = data;
    *image =
        llavaov_image_packed(LLAVAOV_PIXEL_RGB, picture->width, picture->height, picture->pixels);
    return LLAVAOV_OK;
}

static void release(void *data)
{
    Picture *picture = data;
    free(picture->pixels);
    free(picture);
}

static LlavaovFrame *push(LlavaovSession *session, LlavaovLayout layout, LlavaovEncode encode,
    double reuse_below, uint32_t width, uint32_t height, const uint8_t *pixels)
{
    Picture *picture = malloc(sizeof *picture);
    const size_t bytes = (size_t)width * height * 3;
    *picture = (Picture){width, height, malloc(bytes)};
    memcpy(picture->pixels, pixels, bytes);
    const LlavaovFrameSource source = {.size = sizeof source,
        .map = map,
        .release = release,
        .data = picture,
        .layout = layout,
        .encode = encode,
        .reuse_below = reuse_below};
    LlavaovFrame *frame;
    LlavaovError error;
    if (llavaov_session_push_frame(session, &source, &frame, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
    return frame;
}

/* Of one colour, so that the mean difference of two is that of their letters. */
static LlavaovFrame *push_letter(LlavaovSession *session, LlavaovLayout layout,
    LlavaovEncode encode, double reuse_below, char letter)
{
    uint8_t pixels[300 * 200 * 3];
    memset(pixels, letter, sizeof pixels);
    return layout == IMAGE ? push(session, layout, encode, reuse_below, 300, 200, pixels)
                           : push(session, layout, encode, reuse_below, 40, 30, pixels);
}

static LvFrameState state_of(LlavaovFrame *frame)
{
    pthread_mutex_lock(&frame->engine->lock);
    const LvFrameState state = frame->state;
    pthread_mutex_unlock(&frame->engine->lock);
    return state;
}

static void wait_state(LlavaovFrame *frame, LvFrameState wanted)
{
    LvFrameState state;
    while ((state = state_of(frame)) < wanted)
        usleep(200);
    if (state == LV_FRAME_FAILED && wanted != LV_FRAME_FAILED)
        fail_msg("%s", frame->error.message);
}

typedef struct Values {
    float *data;
    size_t bytes;
} Values;

static Values values_of(Harness *h, const LlavaovFrame *frame)
{
    const LvTensor rows = frame->content->embeddings;
    const size_t n = rows.rows * rows.cols;
    const Values values = {malloc(n * sizeof(float)), n * sizeof(float)};
    assert_int_equal(
        h->real->download(h->engine->backend, &(LvRun){0}, values.data, rows), LLAVAOV_OK);
    return values;
}

/* As in a session of its own. */
static void check_values(Harness *h, const LlavaovFrame *frame, LlavaovLayout layout, char letter)
{
    LlavaovSession *session = open_session(h);
    LlavaovFrame *alone = push_letter(session, layout, LLAVAOV_ENCODE_ON_ARRIVAL, 0, letter);
    wait_state(alone, LV_FRAME_ENCODED);
    const Values wanted = values_of(h, alone), got = values_of(h, frame);
    assert_int_equal(got.bytes, wanted.bytes);
    assert_memory_equal(got.data, wanted.data, got.bytes);
    free(wanted.data);
    free(got.data);
    llavaov_frame_unref(alone);
    llavaov_session_close(session);
}

static LlavaovSessionStats stats_of(LlavaovSession *session)
{
    LlavaovSessionStats stats = {.size = sizeof stats};
    assert_int_equal(llavaov_session_stats(session, &stats), LLAVAOV_OK);
    return stats;
}

/* One letter a picture; ' ' ends a window, whose frames are dropped. shown: as what each is encoded,
 * which the embeddings are compared with. */
typedef struct Case {
    const char *name, *pictures, *shown;
    int tiles;
    double reuse_below;
    LlavaovLayout layout;
    uint32_t preferred; /* tiles of an encoder call */
    bool demand;
} Case;

static void check_case(Harness *h, const Case *c)
{
    LlavaovSession *session = open_session(h), *other = open_session(h);
    LlavaovFrame *frames[MOST];
    Reply held, reply;
    unsigned n = 0, first = 0, distinct = 0, all = 0;
    harness_prefer(h, &h->engine->backend->info.preferred_tiles, c->preferred);
    const int before = h->tiles;
    const LlavaovEncode encode = c->demand ? LLAVAOV_ENCODE_ON_DEMAND : LLAVAOV_ENCODE_ON_ARRIVAL;
    for (const char *at = c->pictures;; at++) {
        if (*at && *at != ' ') {
            if (n == 0) { /* so that all are prepared before one is encoded */
                reply_init(&held);
                harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
                llavaov_ticket_unref(ask(other, &held, NULL, 0, VIDEO, "Wait", 1));
                harness_wait_reached(h);
            }
            frames[n] = push_letter(session, c->layout, encode, c->reuse_below, *at);
            wait_state(frames[n++], LV_FRAME_PREPARED);
            all++;
            continue;
        }
        const bool asks = c->demand || c->layout != IMAGE;
        reply_init(&reply);
        if (asks)
            llavaov_ticket_unref(ask(session, &reply, frames, n, c->layout, "What?", 1));
        harness_release(h);
        reply_wait(&held);
        if (asks) {
            reply_wait(&reply);
            assert_int_equal(reply.status, LLAVAOV_OK);
        }
        uint32_t reused = 0;
        for (unsigned i = 0; i < n; i++) {
            wait_state(frames[i], LV_FRAME_ENCODED);
            reused += frames[i]->reused;
            distinct += !frames[i]->reused;
        }
        if (asks)
            assert_int_equal(reply.frames_reused, reused);
        const int tiles = h->tiles;
        for (unsigned i = 0; i < n; i++) {
            check_values(h, frames[i], c->layout, c->shown[first + i]);
            llavaov_frame_unref(frames[i]);
        }
        h->tiles = tiles;
        first += n + 1;
        n = 0;
        if (!*at)
            break;
    }
    if (h->tiles - before != c->tiles)
        fail_msg("%s: %d tiles, not %d", c->name, h->tiles - before, c->tiles);
    const LlavaovSessionStats stats = stats_of(session);
    assert_int_equal(stats.frames_encoded, distinct);
    assert_int_equal(stats.frames_reused, all - distinct);
    llavaov_session_close(session);
    llavaov_session_close(other);
}

static void what_is_shown_again_is_not_encoded_again(void **state)
{
    static const Case cases[] = {
        {"nothing twice", "abcdef", "abcdef", 6, 0, VIDEO, 8, false},
        {"frozen", "aaaaaaaa", "aaaaaaaa", 1, 0, VIDEO, 8, false},
        {"frozen, a tile a call", "aaaaaaaa", "aaaaaaaa", 1, 0, VIDEO, 1, false},
        {"frozen, on demand", "aaaaaaaa", "aaaaaaaa", 1, 0, VIDEO, 8, true},
        {"frozen for windows", "aaaa aaaa aaaa", "aaaa aaaa aaaa", 1, 0, VIDEO, 8, false},
        {"5 of 25 a second", "aaaaabbbbbccccc", "aaaaabbbbbccccc", 3, 0, VIDEO, 2, false},
        {"5 of 25, on demand", "aaaaabbbbbccccc", "aaaaabbbbbccccc", 3, 0, VIDEO, 2, true},
        {"black in between", "a!b!c!d!", "a!b!c!d!", 5, 0, VIDEO, 3, false},
        {"four are kept", "abcd dcba", "abcd dcba", 4, 0, VIDEO, 8, false},
        {"the fifth is not", "abcde a", "abcde a", 6, 0, VIDEO, 8, false},
        {"several images", "abab", "abab", 2, 0, IMAGES, 8, false},
        {"a single image, cut", "aa", "aa", 5, 0, IMAGE, 2, false},
        {"a single image, whole", "aa a b", "aa a b", 10, 0, IMAGE, 8, false},
        {"nearly", "accegg", "aaaeee", 2, 3, VIDEO, 8, false},
        {"nearly, on demand", "accegg", "aaaeee", 2, 3, VIDEO, 8, true},
        {"nearly, not below", "adg", "adg", 3, 3, VIDEO, 8, false},
        {"nearly, for windows", "ab bc", "aa aa", 1, 3, VIDEO, 8, false},
        {"nearly the one before, not another", "azaz", "azaz", 2, 3, VIDEO, 8, false},
        {"nearly as before goes first", "abqa", "aaqa", 2, 3, VIDEO, 8, false},
    };
    Harness *h = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_case(h, &cases[i]);
}

/* What is equal in one session, layout and shape. */
static void others_do_not_share(void **state)
{
    Harness *h = *state;
    LlavaovSession *sessions[2] = {open_session(h), open_session(h)};
    LlavaovFrame *frames[3];
    const int before = h->tiles;
    for (int i = 0; i < 3; i++) {
        frames[i] = push_letter(
            sessions[i == 1], i == 2 ? IMAGES : VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 255, 'a');
        wait_state(frames[i], LV_FRAME_ENCODED);
        assert_false(frames[i]->reused);
    }
    assert_int_equal(h->tiles - before, 3);
    for (int i = 0; i < 3; i++)
        llavaov_frame_unref(frames[i]);
    for (int i = 0; i < 2; i++)
        llavaov_session_close(sessions[i]);
}

static uint64_t mix(uint64_t hash, const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

/* Two pictures that somebody made so that their hashes are equal. */
static void a_hash_alone_says_nothing(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    static uint8_t pixels[2][PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        pixels[0][i] = pixels[1][i] = (uint8_t)(i * i >> 3);
    pixels[1][PIXELS - 16] ^= 77;
    uint64_t before = PIXELS, last;
    for (size_t i = 0; i < PIXELS - 16; i += 8)
        before = mix(before, pixels[0] + i);
    memcpy(&last, pixels[0] + PIXELS - 8, sizeof last);
    last ^= mix(before, pixels[0] + PIXELS - 16) ^ mix(before, pixels[1] + PIXELS - 16);
    memcpy(pixels[1] + PIXELS - 8, &last, sizeof last);
    LlavaovFrame *frames[2];
    for (int i = 0; i < 2; i++) {
        frames[i] = push(session, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, TILE, TILE, pixels[i]);
        wait_state(frames[i], LV_FRAME_ENCODED);
        assert_memory_equal(frames[i]->content->tiles.rgb, pixels[i], PIXELS);
        assert_false(frames[i]->reused);
    }
    assert_int_equal(frames[0]->content->hash, frames[1]->content->hash);
    for (int i = 0; i < 2; i++)
        llavaov_frame_unref(frames[i]);
    llavaov_session_close(session);
}

typedef enum End { DROPPED, CANCELLED, FAILED } End;

/* The frame that is encoded for the others goes, or its call fails. */
static void the_others_do_not_go_with_the_first(void **state)
{
    Harness *h = *state;
    for (End end = DROPPED; end <= FAILED; end++) {
        LlavaovSession *session = open_session(h);
        LlavaovFrame *frames[3];
        harness_arm(h, OPERATION_ENCODE, end == FAILED ? FAULT_FAIL : FAULT_HOLD, 0);
        frames[0] = push_letter(session, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, (char)('A' + end));
        if (end != FAILED)
            harness_wait_reached(h);
        else
            wait_state(frames[0], LV_FRAME_FAILED);
        for (int i = 1; i < 3; i++)
            frames[i] =
                push_letter(session, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, (char)('A' + end));
        if (end == DROPPED)
            llavaov_frame_unref(frames[0]);
        if (end == CANCELLED) {
            pthread_mutex_lock(&h->engine->lock);
            lv_frame_cancel(frames[0]);
            pthread_mutex_unlock(&h->engine->lock);
        }
        harness_release(h);
        for (int i = 1; i < 3; i++) {
            wait_state(frames[i], LV_FRAME_ENCODED);
            check_values(h, frames[i], VIDEO, (char)('A' + end));
            llavaov_frame_unref(frames[i]);
        }
        if (end != DROPPED) {
            assert_int_equal(state_of(frames[0]), LV_FRAME_FAILED);
            llavaov_frame_unref(frames[0]);
        }
        llavaov_session_close(session);
    }
}

/* Pixels to compare with are dropped, the oldest first, and frames stay encoded. */
static void what_is_kept_is_bounded(void **state)
{
    Harness *h = *state;
    enum { N = LV_MAX_KEPT_TILE_BYTES / PIXELS + 8 };
    static LlavaovFrame *frames[N];
    LlavaovSession *session = open_session(h);
    for (unsigned i = 0; i < N; i++) {
        static uint8_t pixels[12 * 12 * 3];
        memset(pixels, (int)i, sizeof pixels);
        pixels[0] = (uint8_t)(i >> 8);
        frames[i] = push(session, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, 12, 12, pixels);
    }
    for (unsigned i = 0; i < N; i++)
        wait_state(frames[i], LV_FRAME_ENCODED);
    LlavaovFrame *again = push_letter(session, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, 1); /* trims */
    wait_state(again, LV_FRAME_ENCODED);
    pthread_mutex_lock(&h->engine->lock);
    assert_uint_in_range(
        session->kept_bytes, LV_MAX_KEPT_TILE_BYTES - 3 * PIXELS, LV_MAX_KEPT_TILE_BYTES + PIXELS);
    assert_int_equal(session->tile_bytes, 0);
    assert_null(frames[0]->content->tiles.rgb);
    assert_non_null(frames[N - 1]->content->tiles.rgb);
    assert_true(frames[0]->content->encoded);
    pthread_mutex_unlock(&h->engine->lock);
    llavaov_frame_unref(again);
    for (unsigned i = 0; i < N; i++)
        llavaov_frame_unref(frames[i]);
    pthread_mutex_lock(&h->engine->lock);
    assert_int_equal(session->kept_bytes, LV_LATEST_CONTENTS * PIXELS);
    pthread_mutex_unlock(&h->engine->lock);
    llavaov_session_close(session);
}

/* Many sessions together keep no more than the engine may, the last ones shown; and what a stream with
 * reuse_below compares with is not among what goes. */
static void what_an_engine_keeps_is_bounded(void **state)
{
    Harness *h = *state;
    LlavaovEngine *engine = h->engine;
    enum { N = LV_MAX_KEPT_BYTES / PIXELS / LV_LATEST_CONTENTS + 8 };
    static LlavaovSession *sessions[N];
    LlavaovSession *near = open_session(h);
    LlavaovFrame *frame = push_letter(near, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 3, 'a');
    wait_state(frame, LV_FRAME_ENCODED);
    llavaov_frame_unref(frame);
    for (unsigned i = 0; i < N; i++) {
        sessions[i] = open_session(h);
        for (int k = 0; k < LV_LATEST_CONTENTS; k++) {
            frame =
                push_letter(sessions[i], VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 0, (char)('a' + 8 * k));
            wait_state(frame, LV_FRAME_ENCODED);
            llavaov_frame_unref(frame);
        }
    }
    pthread_mutex_lock(&engine->lock);
    assert_uint_in_range(
        engine->kept_bytes, LV_MAX_KEPT_BYTES - 2 * PIXELS, LV_MAX_KEPT_BYTES + 2 * PIXELS);
    assert_true(lv_list_empty(&sessions[0]->contents));
    assert_non_null(sessions[N - 1]->latest[LV_LATEST_CONTENTS - 1]);
    assert_non_null(near->latest[0]);
    pthread_mutex_unlock(&engine->lock);
    frame = push_letter(near, VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL, 3, 'b');
    wait_state(frame, LV_FRAME_ENCODED);
    assert_true(frame->reused);
    llavaov_frame_unref(frame);
    for (unsigned i = 0; i < N; i++)
        llavaov_session_close(sessions[i]);
    llavaov_session_close(near);
    assert_int_equal(engine->kept_bytes, 0);
    assert_true(lv_list_empty(&engine->kept));
}

static void what_is_out_of_range_is_refused(void **state)
{
    Harness *h = *state;
    LlavaovSession *session = open_session(h);
    static const double bad[] = {-1, 255.5, 0.0 / 0.0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const LlavaovFrameSource source = {
            .size = sizeof source, .map = map, .reuse_below = bad[i]};
        LlavaovFrame *frame;
        LlavaovError error;
        assert_int_equal(
            llavaov_session_push_frame(session, &source, &frame, &error), LLAVAOV_ERROR_ARGUMENT);
        assert_string_equal(error.subject, "reuse-below");
    }
    llavaov_session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_shown_again_is_not_encoded_again),
        cmocka_unit_test(others_do_not_share),
        cmocka_unit_test(a_hash_alone_says_nothing),
        cmocka_unit_test(the_others_do_not_go_with_the_first),
        cmocka_unit_test(what_is_kept_is_bounded),
        cmocka_unit_test(what_an_engine_keeps_is_bounded),
        cmocka_unit_test(what_is_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, open_engine, harness_teardown);
}
