/* SPDX-License-Identifier: Apache-2.0
 * Frames of several sessions in one encoder call: the embeddings of each alone, whoever comes
 * along, leaves or fails; who comes along, and who pays. */
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
#include "serve/frame.h"

/* Tiles of 144 patches, 36 when pooled: more rows than what the CPU sums in the order of few rows
 * (LvBackendInfo), as in every model in use. */
#define TILE 168
#define POOLED 36

static int open_engine(void **state)
{
    Harness *h = malloc(sizeof *h);
    assert_non_null(h);
    harness_open_tiles(h, 0, TILE);
    *state = h;
    return 0;
}

static void prefer(Harness *h, uint32_t tiles)
{
    harness_prefer(h, &h->engine->backend->info.preferred_tiles, tiles);
    h->largest = 0;
}

/* ---- pictures ---- */

typedef struct Kind {
    LlavaovLayout layout;
    uint32_t width, height;
    int value; /* of every byte; < 0: noise */
} Kind;

/* Of pixels; zeros: square. */
typedef struct Shape {
    uint32_t width, height;
} Shape;

#define VIDEO LLAVAOV_LAYOUT_VIDEO
#define IMAGE LLAVAOV_LAYOUT_IMAGE
#define IMAGES LLAVAOV_LAYOUT_IMAGES
enum { N_KINDS = 10 };
static const Kind kinds[N_KINDS] = {{VIDEO, 40, 30, -1}, {IMAGE, 300, 200, -2},
    {IMAGES, 50, 90, -3}, {VIDEO, TILE, TILE, -4}, {VIDEO, 333, 97, -5}, {IMAGE, 170, 500, -6},
    {IMAGES, TILE, 20, -7}, {VIDEO, 12, 12, -8}, {VIDEO, 60, 60, -9}, {IMAGE, 100, 100, -10}};

typedef struct Shot {
    Harness *h;
    Kind kind;
    Shape shape;
    uint8_t *pixels;
    LlavaovFrame *frame;
    unsigned stages[3];
    unsigned released;
} Shot;

static void on_frame(void *data, void *frame_data, LlavaovFrameStage stage)
{
    Harness *h = data;
    Shot *shot = frame_data;
    pthread_mutex_lock(&h->lock);
    shot->stages[stage]++;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static LlavaovSession *open_told(Harness *h)
{
    const LlavaovSessionOptions options = {.size = sizeof options, .on_frame = on_frame, .data = h};
    LlavaovSession *session = NULL;
    llavaov_session_open(h->engine, &options, &session, NULL);
    return session;
}

static LlavaovStatus map_shot(void *data, LlavaovImage *image, LlavaovError *error)
{
    const Shot *shot = data;
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB,
        .width = shot->kind.width,
        .height = shot->kind.height,
        .plane = {shot->pixels},
        .stride = {shot->kind.width * 3},
        .pixel_width = shot->shape.width,
        .pixel_height = shot->shape.height};
    return LLAVAOV_OK;
}

static void release_shot(void *data)
{
    Shot *shot = data;
    free(shot->pixels);
    pthread_mutex_lock(&shot->h->lock);
    shot->released++;
    pthread_mutex_unlock(&shot->h->lock);
}

static bool push_shaped(
    Harness *h, LlavaovSession *session, Shot *shot, Kind kind, Shape shape, LlavaovEncode encode)
{
    const size_t bytes = (size_t)kind.width * kind.height * 3;
    *shot = (Shot){.h = h, .kind = kind, .shape = shape, .pixels = malloc(bytes)};
    uint32_t state = (uint32_t)kind.value;
    for (size_t i = 0; shot->pixels && i < bytes; i++)
        shot->pixels[i] = kind.value >= 0
                              ? (uint8_t)kind.value
                              : (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    const LlavaovFrameSource source = {.size = sizeof source,
        .map = map_shot,
        .release = release_shot,
        .data = shot,
        .layout = kind.layout,
        .encode = encode,
        .frame_data = shot};
    return llavaov_session_push_frame(session, &source, &shot->frame, NULL) == LLAVAOV_OK;
}

static bool push(Harness *h, LlavaovSession *session, Shot *shot, Kind kind, LlavaovEncode encode)
{
    return push_shaped(h, session, shot, kind, (Shape){0}, encode);
}

static void push_flats(Harness *h, LlavaovSession *session, Shot *shots, int n, int first_value)
{
    for (int i = 0; i < n; i++)
        assert_true(push(h, session, &shots[i], (Kind){VIDEO, 40, 30, first_value + i},
            LLAVAOV_ENCODE_ON_ARRIVAL));
}

static void wait_stage(Shot *shot, LlavaovFrameStage stage)
{
    Harness *h = shot->h;
    pthread_mutex_lock(&h->lock);
    while (!shot->stages[stage] && !shot->stages[LLAVAOV_FRAME_FAILED])
        pthread_cond_wait(&h->changed, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

static void wait_prepared(Shot *shots, int n)
{
    for (int i = 0; i < n; i++)
        wait_stage(&shots[i], LLAVAOV_FRAME_PREPARED);
}

/* ---- embeddings ---- */

typedef struct Values {
    float *data;
    size_t n;
} Values;

static Values values_of(const Shot *shot)
{
    const Harness *h = shot->h;
    const LvTensor rows = shot->frame->content->embeddings;
    Values v = {malloc(rows.rows * rows.cols * sizeof(float)), rows.rows * rows.cols};
    h->real->download(h->engine->backend, &(LvRun){0}, v.data, rows);
    return v;
}

static Values encode_shaped(Harness *h, Kind kind, Shape shape)
{
    LlavaovSession *session = open_told(h);
    const uint32_t before = h->engine->backend->info.preferred_tiles;
    prefer(h, 1);
    Shot shot;
    assert_true(push_shaped(h, session, &shot, kind, shape, LLAVAOV_ENCODE_ON_ARRIVAL));
    wait_stage(&shot, LLAVAOV_FRAME_ENCODED);
    assert_int_equal(shot.stages[LLAVAOV_FRAME_FAILED], 0);
    const Values v = values_of(&shot);
    llavaov_frame_unref(shot.frame);
    llavaov_session_close(session);
    prefer(h, before);
    return v;
}

static Values encode_alone(Harness *h, Kind kind)
{
    return encode_shaped(h, kind, (Shape){0});
}

/* Of each kind; for threads, too, once they have been made. */
static const Values *alone(Harness *h, int which)
{
    static Values known[N_KINDS];
    if (!known[which].data)
        known[which] = encode_alone(h, kinds[which]);
    return &known[which];
}

static bool same(const Shot *shot, const Values *wanted)
{
    const Values got = values_of(shot);
    const bool equal =
        got.n == wanted->n && memcmp(got.data, wanted->data, got.n * sizeof(float)) == 0;
    free(got.data);
    return equal;
}

static void check_encoded(Shot *shot, const Values *wanted)
{
    wait_stage(shot, LLAVAOV_FRAME_ENCODED);
    if (!shot->stages[LLAVAOV_FRAME_ENCODED])
        fail_msg("%s", shot->frame->error.message);
    assert_true(same(shot, wanted));
}

static void check_as_alone(Harness *h, Shot *shot)
{
    const Values wanted = encode_alone(h, shot->kind);
    check_encoded(shot, &wanted);
    free(wanted.data);
}

/* ---- while nothing is computed, frames gather ---- */

typedef struct Holder {
    LlavaovSession *session;
    Reply reply;
} Holder;

static void hold(Harness *h, Holder *holder)
{
    holder->session = open_session(h);
    reply_init(&holder->reply);
    harness_arm(h, OPERATION_PREFILL, FAULT_HOLD, 0);
    llavaov_ticket_unref(ask(holder->session, &holder->reply, NULL, 0, VIDEO, "Wait", 1));
    harness_wait_reached(h);
}

/* The first encoder call meets the fault. */
static void go_on(Harness *h, Holder *holder, Operation operation, Fault fault)
{
    harness_arm(h, operation, fault, 0);
    harness_release(h);
    reply_wait(&holder->reply);
    llavaov_session_close(holder->session);
}

static void drop(Shot *shots, int n)
{
    for (int i = 0; i < n; i++)
        llavaov_frame_unref(shots[i].frame);
}

/* ---- together ---- */

/* Bit by bit, in calls of any size: video frames of any size, images of several, and single images
 * that are cut where a call is full. */
static void embeddings_do_not_depend_on_the_company(void **state)
{
    Harness *h = *state;
    enum { SESSIONS = 4, EACH = 3, N = SESSIONS * EACH };
    static const int most[] = {2, 3, 5, 8, 32, 64};
    for (int i = 0; i < N_KINDS; i++)
        alone(h, i);
    assert_true(alone(h, 1)->n > 2 * alone(h, 2)->n);
    for (int turn = 0; turn < (int)(sizeof most / sizeof *most); turn++) {
        Holder holder;
        LlavaovSession *sessions[SESSIONS];
        Shot shots[N];
        LlavaovEngineStats before = {.size = sizeof before}, after = before;
        prefer(h, (uint32_t)most[turn]);
        hold(h, &holder);
        const int tiles = h->tiles, encodes = h->encodes;
        llavaov_engine_stats(h->engine, &before);
        for (int s = 0; s < SESSIONS; s++)
            sessions[s] = open_told(h);
        for (int i = 0; i < N; i++)
            assert_true(push(h, sessions[i % SESSIONS], &shots[i], kinds[(i + turn) % N_KINDS],
                LLAVAOV_ENCODE_ON_ARRIVAL));
        wait_prepared(shots, N);
        go_on(h, &holder, OPERATION_NONE, FAULT_FAIL);
        for (int i = 0; i < N; i++)
            check_encoded(&shots[i], alone(h, (i + turn) % N_KINDS));
        const int n = h->tiles - tiles;
        assert_int_equal(h->largest, n < most[turn] ? n : most[turn]);
        assert_int_equal(h->encodes - encodes, (n + most[turn] - 1) / most[turn]);
        llavaov_engine_stats(h->engine, &after);
        assert_int_equal(after.encoder_tiles - before.encoder_tiles, n);
        assert_int_equal(after.encoder_calls - before.encoder_calls, h->encodes - encodes);
        drop(shots, N);
        for (int s = 0; s < SESSIONS; s++)
            llavaov_session_close(sessions[s]);
    }
}

/* Requests of two sessions whose frames are encoded on demand. */
/* An image is what a screen shows of it; a video's frame is squashed whatever its shape. Flat pictures
 * stay flat when they are resized. */
static void pixels_that_are_no_squares(void **state)
{
    Harness *h = *state;
    static const struct {
        Kind kind;
        Shape shape;
        Kind as;
    } table[] = {
        {{IMAGE, 100, 100, 90}, {3, 1}, {IMAGE, 300, 100, 90}},
        {{IMAGE, 300, 100, 90}, {1, 3}, {IMAGE, 100, 100, 90}},
        {{IMAGES, 60, 40, 90}, {2, 1}, {IMAGES, 120, 40, 90}},
        {{VIDEO, 60, 40, -3}, {2, 1}, {VIDEO, 60, 40, -3}},
        {{IMAGE, 100, 100, -4}, {2, 2}, {IMAGE, 100, 100, -4}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const Values got = encode_shaped(h, table[i].kind, table[i].shape),
                     wanted = encode_alone(h, table[i].as);
        assert_int_equal(got.n, wanted.n);
        assert_memory_equal(got.data, wanted.data, got.n * sizeof(float));
        free(got.data);
        free(wanted.data);
    }
}

static void requests_share_calls(void **state)
{
    Harness *h = *state;
    enum { N = 3 };
    Reply replies[2][2];
    for (int together = 0; together < 2; together++) {
        LlavaovSession *sessions[2];
        Shot shots[2][N];
        Holder holder;
        prefer(h, together ? 8 : 1);
        hold(h, &holder);
        const int encodes = h->encodes;
        for (int s = 0; s < 2; s++) {
            LlavaovFrame *frames[N];
            sessions[s] = open_told(h);
            for (int i = 0; i < N; i++) {
                assert_true(push(h, sessions[s], &shots[s][i],
                    (Kind){VIDEO, 40, 30, -1 - s * N - i}, LLAVAOV_ENCODE_ON_DEMAND));
                frames[i] = shots[s][i].frame;
            }
            wait_prepared(shots[s], N);
            reply_init(&replies[together][s]);
            llavaov_ticket_unref(
                ask(sessions[s], &replies[together][s], frames, N, VIDEO, "What?", 12));
        }
        go_on(h, &holder, OPERATION_NONE, FAULT_FAIL);
        for (int s = 0; s < 2; s++) {
            reply_wait(&replies[together][s]);
            drop(shots[s], N);
            llavaov_session_close(sessions[s]);
        }
        assert_int_equal(h->encodes - encodes, together ? 1 : 2 * N);
    }
    for (int s = 0; s < 2; s++) {
        const Reply *a = &replies[0][s], *b = &replies[1][s];
        assert_int_equal(a->status, LLAVAOV_OK);
        assert_int_equal(b->status, LLAVAOV_OK);
        assert_int_equal(a->new_tokens, b->new_tokens);
        assert_memory_equal(a->tokens, b->tokens, a->new_tokens * sizeof *a->tokens);
    }
}

/* ---- who comes along, and who pays ---- */

/* Far from what anything here takes. */
#define FAR (UINT64_C(1) << 50)

/* As if the sessions had used so much, those with less before those with more. */
static void set_times(Harness *h, LlavaovSession *const *sessions, const uint64_t *times, int n)
{
    pthread_mutex_lock(&h->engine->lock);
    const uint64_t now = h->engine->virtual_time;
    for (int i = 0; i < n; i++)
        sessions[i]->virtual_time = now + (times[i] + 1) * FAR;
    pthread_mutex_unlock(&h->engine->lock);
}

static void the_least_served_come_along_first(void **state)
{
    Harness *h = *state;
    enum { N = 4 };
    static const uint64_t times[N] = {3, 0, 1, 2};
    static const uint8_t wanted[] = {100, 110, 150, 200, 50, 151, /* */ 201, 202, 51, 52};
    LlavaovSession *sessions[N];
    Shot shots[N][3];
    Holder holder;
    prefer(h, 6);
    hold(h, &holder);
    for (int i = 0; i < N; i++)
        sessions[i] = open_told(h);
    push_flats(h, sessions[0], shots[0], 3, 50);
    push_flats(h, sessions[1], shots[1], 1, 100);
    push_flats(h, sessions[1], shots[1] + 1, 1, 110);
    push_flats(h, sessions[2], shots[2], 2, 150);
    push_flats(h, sessions[3], shots[3], 3, 200);
    static const int counts[N] = {3, 2, 2, 3};
    for (int i = 0; i < N; i++)
        wait_prepared(shots[i], counts[i]);
    set_times(h, sessions, times, N);
    h->n_seen = 0;
    go_on(h, &holder, OPERATION_NONE, FAULT_FAIL);
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < counts[i]; k++)
            wait_stage(&shots[i][k], LLAVAOV_FRAME_ENCODED);
        drop(shots[i], counts[i]);
        llavaov_session_close(sessions[i]);
    }
    assert_int_equal(h->n_seen, sizeof wanted);
    assert_memory_equal(h->seen, wanted, sizeof wanted);
}

static void each_session_pays_for_its_tiles(void **state)
{
    Harness *h = *state;
    LlavaovSession *sessions[2];
    Shot shots[4];
    Holder holder;
    static const uint64_t times[2] = {0, 0};
    uint64_t before[2], after[2];
    LlavaovSessionStats stats[2] = {{.size = sizeof stats[0]}, {.size = sizeof stats[1]}};
    prefer(h, 4);
    hold(h, &holder);
    for (int i = 0; i < 2; i++)
        sessions[i] = open_told(h);
    push_flats(h, sessions[0], shots, 3, 10);
    push_flats(h, sessions[1], shots + 3, 1, 20);
    wait_prepared(shots, 4);
    set_times(h, sessions, times, 2);
    for (int i = 0; i < 2; i++)
        before[i] = sessions[i]->virtual_time;
    const int encodes = h->encodes;
    go_on(h, &holder, OPERATION_NONE, FAULT_FAIL);
    for (int i = 0; i < 4; i++)
        wait_stage(&shots[i], LLAVAOV_FRAME_ENCODED);
    assert_int_equal(h->encodes - encodes, 1);
    for (int i = 0; i < 2; i++) {
        llavaov_session_stats(sessions[i], &stats[i]);
        pthread_mutex_lock(&h->engine->lock);
        after[i] = sessions[i]->virtual_time - before[i];
        pthread_mutex_unlock(&h->engine->lock);
        assert_true(stats[i].encode_ns > 0);
        assert_int_equal(after[i], stats[i].encode_ns);
    }
    assert_uint_in_range(stats[0].encode_ns, 3 * stats[1].encode_ns, 3 * stats[1].encode_ns + 3);
    drop(shots, 4);
    for (int i = 0; i < 2; i++)
        llavaov_session_close(sessions[i]);
}

/* On the CPU nobody waits for anybody's frame but the one under way. */
static void on_the_cpu_frames_go_alone(void **state)
{
    Harness plain, *h = &plain;
    harness_open(h, 0);
    LlavaovSession *sessions[3];
    Shot shots[3];
    Holder holder;
    hold(h, &holder);
    for (int i = 0; i < 3; i++) {
        sessions[i] = open_told(h);
        push_flats(h, sessions[i], &shots[i], 1, 10 * i);
    }
    wait_prepared(shots, 3);
    go_on(h, &holder, OPERATION_NONE, FAULT_FAIL);
    for (int i = 0; i < 3; i++)
        wait_stage(&shots[i], LLAVAOV_FRAME_ENCODED);
    assert_int_equal(h->largest, 1);
    drop(shots, 3);
    for (int i = 0; i < 3; i++)
        llavaov_session_close(sessions[i]);
    harness_close(h);
}

/* ---- who leaves ---- */

enum { CROWD = 3 };

typedef struct Crowd {
    LlavaovSession *sessions[CROWD];
    Shot shots[CROWD];
} Crowd;

/* One frame of each in one call, which meets the fault. */
static void gather(Harness *h, Crowd *crowd, Fault fault)
{
    Holder holder;
    prefer(h, 8);
    hold(h, &holder);
    for (int i = 0; i < CROWD; i++) {
        crowd->sessions[i] = open_told(h);
        push_flats(h, crowd->sessions[i], &crowd->shots[i], 1, 60 * i + 5);
    }
    wait_prepared(crowd->shots, CROWD);
    go_on(h, &holder, OPERATION_ENCODE, fault);
    harness_wait_reached(h);
}

static void part(Crowd *crowd)
{
    for (int i = 0; i < CROWD; i++) {
        llavaov_frame_unref(crowd->shots[i].frame);
        llavaov_session_close(crowd->sessions[i]);
    }
}

/* While the call is held: nobody waits for it, and the others lose nothing. */
static void one_leaves_in_the_middle(void **state)
{
    Harness *h = *state;
    for (int way = 0; way < 3; way++)
        for (int who = 0; who < CROWD; who++) {
            Crowd crowd;
            gather(h, &crowd, FAULT_HOLD);
            const int encodes = h->encodes;
            Shot *gone = &crowd.shots[who];
            if (way == 0) {
                llavaov_session_cancel(crowd.sessions[who]);
                wait_stage(gone, LLAVAOV_FRAME_FAILED);
            } else if (way == 1) {
                llavaov_session_close(crowd.sessions[who]);
                crowd.sessions[who] = NULL;
            } else {
                llavaov_frame_unref(gone->frame);
                gone->frame = NULL;
            }
            assert_int_equal(gone->stages[LLAVAOV_FRAME_FAILED], way < 2);
            assert_int_equal(gone->released, 1);
            if (gone->frame)
                assert_int_equal(gone->frame->error.status, LLAVAOV_ERROR_CANCELLED);
            harness_release(h);
            for (int i = 0; i < CROWD; i++)
                wait_stage(&crowd.shots[i == who ? (i + 1) % CROWD : i], LLAVAOV_FRAME_ENCODED);
            assert_int_equal(h->encodes, encodes);
            for (int i = 0; i < CROWD; i++)
                if (i != who)
                    check_as_alone(h, &crowd.shots[i]);
            assert_int_equal(gone->stages[LLAVAOV_FRAME_ENCODED], 0);
            part(&crowd);
        }
}

/* The operation would go on until its run is cancelled. */
static void a_call_that_nobody_wants_is_stopped(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    gather(h, &crowd, FAULT_SPIN);
    llavaov_session_close(crowd.sessions[1]);
    crowd.sessions[1] = NULL;
    llavaov_frame_unref(crowd.shots[0].frame);
    crowd.shots[0].frame = NULL;
    llavaov_session_cancel(crowd.sessions[2]);
    Shot next;
    push_flats(h, crowd.sessions[2], &next, 1, 77);
    check_as_alone(h, &next);
    drop(&next, 1);
    part(&crowd);
}

static void *end_engine(void *data)
{
    llavaov_engine_unref(data);
    return NULL;
}

/* Session, frame and engine are let go of while the encoder is at the frame: the engine ends behind
 * it, in a thread that let go and not in its own. */
static void an_engine_ends_with_a_call_under_way(void **state)
{
    for (int way = 0; way < 3; way++) {
        Harness other, *h = &other;
        harness_open_tiles(h, 0, TILE);
        prefer(h, 8);
        LlavaovSession *session = open_told(h);
        Shot shot;
        harness_arm(h, OPERATION_ENCODE, FAULT_HOLD, 0);
        push_flats(h, session, &shot, 1, 9);
        harness_wait_reached(h);
        if (way == 0)
            llavaov_frame_unref(shot.frame);
        llavaov_session_close(session);
        if (way == 1)
            llavaov_frame_unref(shot.frame);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, end_engine, h->engine), 0);
        usleep(20000); /* most likely it waits by then */
        harness_release(h);
        pthread_join(thread, NULL);
        if (way == 2)
            llavaov_frame_unref(shot.frame);
        h->engine = NULL;
        harness_close(h);
    }
}

/* ---- who fails ---- */

static void a_device_that_fails_fails_all(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    gather(h, &crowd, FAULT_FAIL);
    for (int i = 0; i < CROWD; i++) {
        wait_stage(&crowd.shots[i], LLAVAOV_FRAME_FAILED);
        assert_int_equal(crowd.shots[i].frame->error.status, LLAVAOV_ERROR_DEVICE);
        assert_non_null(strstr(crowd.shots[i].frame->error.message, "made to fail"));
        LlavaovSessionStats stats = {.size = sizeof stats};
        llavaov_session_stats(crowd.sessions[i], &stats);
        assert_int_equal(stats.frames_failed, 1);
    }
    part(&crowd);
}

/* The memory for one frame's embeddings does not come. */
static void memory_that_one_does_not_get_fails_that_one(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    gather(h, &crowd, FAULT_HOLD);
    h->refuse_rows = POOLED;
    harness_release(h);
    int failed = 0;
    for (int i = 0; i < CROWD; i++) {
        Shot *shot = &crowd.shots[i];
        wait_stage(shot, LLAVAOV_FRAME_ENCODED);
        if (shot->stages[LLAVAOV_FRAME_ENCODED]) {
            check_as_alone(h, shot);
            continue;
        }
        failed++;
        assert_int_equal(shot->frame->error.status, LLAVAOV_ERROR_MEMORY);
        assert_string_equal(shot->frame->error.message, "refused");
    }
    assert_int_equal(failed, 1);
    assert_int_equal(h->refuse_rows, 0);
    part(&crowd);
}

/* Numbers that are not finite stay in the frame that has them, and fail the question about it. */
static void broken_numbers_fail_their_own_question(void **state)
{
    Harness *h = *state;
    Crowd crowd;
    Reply replies[CROWD];
    gather(h, &crowd, FAULT_HOLD);
    h->nan_value = crowd.shots[1].kind.value;
    for (int i = 0; i < CROWD; i++) {
        reply_init(&replies[i]);
        llavaov_ticket_unref(ask(
            crowd.sessions[i], &replies[i], &crowd.shots[i].frame, 1, VIDEO, "What is this?", 4));
    }
    harness_release(h);
    for (int i = 0; i < CROWD; i++) {
        reply_wait(&replies[i]);
        assert_int_equal(replies[i].status, i == 1 ? LLAVAOV_ERROR_NUMERIC : LLAVAOV_OK);
        if (i != 1)
            check_as_alone(h, &crowd.shots[i]);
    }
    assert_int_equal(h->nan_value, -1);
    part(&crowd);
}

static LlavaovStatus map_nothing(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = (LlavaovImage){.format = LLAVAOV_PIXEL_RGB, .width = 4, .height = 4};
    return LLAVAOV_OK;
}

static void a_broken_picture_never_comes_along(void **state)
{
    Harness *h = *state;
    Holder holder;
    LlavaovSession *sessions[2];
    Shot shots[2] = {{.h = h}};
    prefer(h, 8);
    hold(h, &holder);
    for (int i = 0; i < 2; i++)
        sessions[i] = open_told(h);
    const LlavaovFrameSource source = {
        .size = sizeof source, .map = map_nothing, .layout = VIDEO, .frame_data = &shots[0]};
    assert_int_equal(
        llavaov_session_push_frame(sessions[0], &source, &shots[0].frame, NULL), LLAVAOV_OK);
    push_flats(h, sessions[1], &shots[1], 1, 33);
    wait_prepared(shots, 2);
    go_on(h, &holder, OPERATION_NONE, FAULT_FAIL);
    check_as_alone(h, &shots[1]);
    assert_int_equal(shots[0].frame->error.status, LLAVAOV_ERROR_ARGUMENT);
    drop(shots, 2);
    for (int i = 0; i < 2; i++)
        llavaov_session_close(sessions[i]);
}

/* ---- all of it at once ---- */

/* Every frame that is kept is reported once, and if it is encoded, then as it is alone. */
static const char *judge(Harness *h, const Shot *shot)
{
    pthread_mutex_lock(&h->lock);
    const unsigned encoded = shot->stages[LLAVAOV_FRAME_ENCODED],
                   failed = shot->stages[LLAVAOV_FRAME_FAILED], released = shot->released;
    pthread_mutex_unlock(&h->lock);
    if (released != 1)
        return "a source was not released once";
    if (shot->frame ? encoded + failed != 1 : encoded + failed > 1)
        return "a frame's end was not told once";
    return NULL;
}

static const char *stir_sessions(Harness *h, unsigned seed)
{
    enum { EACH = 5 };
    for (int round = 0; round < 10; round++) {
        LlavaovSession *session = open_told(h);
        Shot shots[EACH];
        int which[EACH];
        const char *complaint = NULL;
        for (int i = 0; i < EACH; i++) {
            which[i] = rand_r(&seed) % N_KINDS;
            if (!push(h, session, &shots[i], kinds[which[i]], LLAVAOV_ENCODE_ON_ARRIVAL))
                return "a frame was refused";
        }
        const int dropped = rand_r(&seed) % EACH;
        if (rand_r(&seed) % 2) {
            llavaov_frame_unref(shots[dropped].frame);
            shots[dropped].frame = NULL;
        }
        const int way = rand_r(&seed) % 4;
        if (way == 0)
            llavaov_session_cancel(session);
        for (int i = 0; i < EACH && way < 3; i++) {
            if (!shots[i].frame)
                continue;
            wait_stage(&shots[i], LLAVAOV_FRAME_ENCODED);
            pthread_mutex_lock(&h->lock);
            const bool encoded = shots[i].stages[LLAVAOV_FRAME_ENCODED];
            pthread_mutex_unlock(&h->lock);
            if (encoded && !same(&shots[i], alone(h, which[i])))
                complaint = "a frame's embeddings are not those of it alone";
            if (!encoded && way != 0)
                complaint = "a frame failed";
        }
        llavaov_session_close(session);
        for (int i = 0; i < EACH && !complaint; i++)
            complaint = judge(h, &shots[i]);
        drop(shots, EACH);
        if (complaint)
            return complaint;
    }
    return NULL;
}

typedef struct Stirrer {
    Harness *h;
    unsigned seed;
} Stirrer;

static void *stir(void *data)
{
    const Stirrer *stirrer = data;
    return (void *)stir_sessions(stirrer->h, stirrer->seed);
}

static void sessions_come_and_go_on_many_threads(void **state)
{
    Harness *h = *state;
    enum { THREADS = 5 };
    pthread_t threads[THREADS];
    Stirrer stirrers[THREADS];
    for (int i = 0; i < N_KINDS; i++)
        alone(h, i);
    prefer(h, 6);
    for (int i = 0; i < THREADS; i++) {
        stirrers[i] = (Stirrer){h, (unsigned)i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, stir, &stirrers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        if (complaint)
            fail_msg("%s", (const char *)complaint);
    }
    assert_uint_in_range(h->largest, 2, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embeddings_do_not_depend_on_the_company),
        cmocka_unit_test(pixels_that_are_no_squares),
        cmocka_unit_test(requests_share_calls),
        cmocka_unit_test(the_least_served_come_along_first),
        cmocka_unit_test(each_session_pays_for_its_tiles),
        cmocka_unit_test(on_the_cpu_frames_go_alone),
        cmocka_unit_test(one_leaves_in_the_middle),
        cmocka_unit_test(a_call_that_nobody_wants_is_stopped),
        cmocka_unit_test(an_engine_ends_with_a_call_under_way),
        cmocka_unit_test(a_device_that_fails_fails_all),
        cmocka_unit_test(memory_that_one_does_not_get_fails_that_one),
        cmocka_unit_test(broken_numbers_fail_their_own_question),
        cmocka_unit_test(a_broken_picture_never_comes_along),
        cmocka_unit_test(sessions_come_and_go_on_many_threads),
    };
    return cmocka_run_group_tests(tests, open_engine, harness_teardown);
}
