/* SPDX-License-Identifier: Apache-2.0
 * Frames whose pictures the CUDA backend takes: embeddings are those of tiles from the host, bit by
 * bit; what the backend cannot take goes the host's way; memory that waits is counted and comes
 * back; failures are named. Argument: the stand-in module; without it a GPU runs what needs no
 * injected failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "checkpoint_writer.h"
#include "serve/frame.h"
#include "standin.h"

#define TILE 56
#define TILE_BYTES (TILE * TILE * 3)

static char folder[] = "/tmp/llavaov-pictures-XXXXXX";
static LvStandinCount count;
static LvStandinFailAlloc fail_alloc;

/* ---- an engine whose encoder can be watched and held up ---- */

typedef enum Hold { HOLD_NONE, HOLD_BEFORE, HOLD_AFTER } Hold;

static struct {
    LlavaovEngine *engine;
    LlavaovSession *session;
    LvBackendOps ops;
    const LvBackendOps *real;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool deny; /* the backend takes no picture */
    Hold hold; /* of the next encoder call */
    bool reached;
    unsigned held, released;         /* holds so far, and how many of them are over */
    unsigned calls, pictures, tiles; /* that came to the encoder */
} t = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hold_here(void)
{
    pthread_mutex_lock(&t.lock);
    t.hold = HOLD_NONE;
    t.reached = true;
    pthread_cond_broadcast(&t.changed);
    const unsigned turn = ++t.held;
    while (t.released < turn)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
}

static LlavaovStatus embedding(LvBackend *b, const LvRun *run, LvTensor out, const LvTile *tiles,
    size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight, const LvWeight *bias,
    const LvWeight *position)
{
    pthread_mutex_lock(&t.lock);
    const Hold hold = t.hold;
    t.calls++;
    for (size_t i = 0; i < n_tiles; i++) {
        assert_true(!tiles[i].rgb != !tiles[i].picture);
        t.pictures += tiles[i].picture != NULL;
        t.tiles += tiles[i].rgb != NULL;
    }
    pthread_mutex_unlock(&t.lock);
    if (hold == HOLD_BEFORE)
        hold_here();
    LlavaovStatus status =
        t.real->patch_embedding(b, run, out, tiles, n_tiles, vision, weight, bias, position);
    if (hold == HOLD_AFTER)
        hold_here();
    return status;
}

static LlavaovStatus take(LvBackend *b, const LlavaovImage *image, LlavaovLayout layout,
    LlavaovResize resize, const LvVisionConfig *vision, LvPicture **picture, LlavaovError *error)
{
    *picture = NULL;
    return t.deny ? LLAVAOV_OK
                  : t.real->picture_take(b, image, layout, resize, vision, picture, error);
}

static void hold_next(Hold hold)
{
    pthread_mutex_lock(&t.lock);
    t.hold = hold;
    t.reached = false;
    pthread_mutex_unlock(&t.lock);
}

static void wait_held(void)
{
    pthread_mutex_lock(&t.lock);
    while (!t.reached)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&t.lock);
    t.released = t.held;
    pthread_cond_broadcast(&t.changed);
    pthread_mutex_unlock(&t.lock);
}

typedef struct Shot {
    LlavaovImage image;
    uint8_t *pixels[3];
    LlavaovFrame *frame;
    bool prepared, encoded, failed;
} Shot;

static void on_frame(void *data, void *frame_data, LlavaovFrameStage stage)
{
    Shot *shot = frame_data;
    pthread_mutex_lock(&t.lock);
    shot->prepared |= stage == LLAVAOV_FRAME_PREPARED;
    shot->encoded |= stage == LLAVAOV_FRAME_ENCODED;
    shot->failed |= stage == LLAVAOV_FRAME_FAILED;
    pthread_cond_broadcast(&t.changed);
    pthread_mutex_unlock(&t.lock);
}

/* `wishes`: of the stand-in (standin.c). */
static LlavaovStatus try_engine(
    LlavaovPrecision precision, LlavaovResize resize, const char *wishes, LlavaovError *error)
{
    const LlavaovEngineOptions options = {.model_path = folder,
        .device = "cuda",
        .precision = precision,
        .resize = resize,
        .threads = 1};
    setenv("LLAVAOV_STANDIN", wishes, 1);
    LlavaovStatus status = llavaov_engine_open(&options, &t.engine, error);
    if (status != LLAVAOV_OK)
        return status;
    t.real = t.engine->backend->ops;
    t.ops = *t.real;
    t.ops.patch_embedding = embedding;
    t.ops.picture_take = take;
    t.engine->backend->ops = &t.ops;
    t.deny = false;
    t.hold = HOLD_NONE;
    const LlavaovSessionOptions session = {.on_frame = on_frame};
    return llavaov_session_open(t.engine, &session, &t.session, error);
}

static void open_engine(LlavaovPrecision precision, LlavaovResize resize, const char *wishes)
{
    LlavaovError error;
    if (try_engine(precision, resize, wishes, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
}

static void close_engine(void)
{
    llavaov_session_close(t.session);
    t.engine->backend->ops = t.real;
    llavaov_engine_unref(t.engine);
    if (count)
        assert_int_equal(count().live, 0);
}

/* ---- pictures ---- */

/* `number` varies pixels, gaps between rows, matrix and range. */
typedef struct Kind {
    LlavaovPixelFormat format;
    uint32_t width, height;
    unsigned number;
} Kind;

/* Noise. */
static void draw(Shot *shot, Kind kind)
{
    *shot = (Shot){.image = {.format = kind.format,
                       .width = kind.width,
                       .height = kind.height,
                       .matrix = kind.number & 1 ? LLAVAOV_MATRIX_BT709 : LLAVAOV_MATRIX_BT601,
                       .range = kind.number & 2 ? LLAVAOV_RANGE_FULL : LLAVAOV_RANGE_LIMITED}};
    LvPlaneSize planes[3];
    const uint32_t n = lv_image_planes(&shot->image, planes);
    uint32_t state = kind.number + 1;
    for (uint32_t p = 0; p < n; p++) {
        const size_t stride = planes[p].row_bytes + kind.number % 5 * (p + 1);
        shot->pixels[p] = malloc(stride * planes[p].rows);
        for (size_t i = 0; i < stride * planes[p].rows; i++)
            shot->pixels[p][i] = (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
        shot->image.plane[p] = shot->pixels[p];
        shot->image.stride[p] = (ptrdiff_t)stride;
    }
}

static LlavaovStatus map_shot(void *data, LlavaovImage *image, LlavaovError *error)
{
    *image = ((Shot *)data)->image;
    return LLAVAOV_OK;
}

/* What the backend keeps is its own: the caller's pixels are gone once they are unmapped. */
static void unmap_shot(void *data)
{
    Shot *shot = data;
    for (int p = 0; p < 3; p++) {
        free(shot->pixels[p]);
        shot->pixels[p] = NULL;
    }
}

static void push_to(
    LlavaovSession *session, Shot *shot, Kind kind, LlavaovLayout layout, LlavaovEncode encode)
{
    draw(shot, kind);
    const LlavaovFrameSource source = {.map = map_shot, .unmap = unmap_shot, .data = shot};
    LlavaovError error;
    if (llavaov_session_push_frame(session, &source, layout, encode, shot, &shot->frame, &error) !=
        LLAVAOV_OK)
        fail_msg("%s", error.message);
}

static void push(Shot *shot, Kind kind, LlavaovLayout layout, LlavaovEncode encode)
{
    push_to(t.session, shot, kind, layout, encode);
}

/* No callback of the session runs or will; with `threads`, no other thread works for it or at a
 * call of the encoder either. A frame that is dropped now is freed here. */
static void wait_quiet(bool threads)
{
    for (bool quiet = false; !quiet; usleep(500)) {
        pthread_mutex_lock(&t.engine->lock);
        const LlavaovSession *s = t.session;
        quiet = !threads || t.engine->slice.n_parts == 0;
        if (s)
            quiet &= !s->delivering && lv_list_empty(&s->events) && !(threads && s->working);
        pthread_mutex_unlock(&t.engine->lock);
    }
}

static void wait_prepared(Shot *shot)
{
    pthread_mutex_lock(&t.lock);
    while (!shot->prepared && !shot->failed)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
    wait_quiet(false);
}

static void wait_settled(Shot *shot)
{
    pthread_mutex_lock(&t.lock);
    while (!shot->encoded && !shot->failed)
        pthread_cond_wait(&t.changed, &t.lock);
    pthread_mutex_unlock(&t.lock);
    wait_quiet(false);
}

/* Its embeddings once they are there, to be freed; the frame goes. */
static float *embeddings(Shot *shot, size_t *n)
{
    wait_settled(shot);
    if (shot->failed)
        fail_msg("%s", shot->frame->error.message);
    LvBackend *b = t.engine->backend;
    const LvTensor rows = shot->frame->embeddings;
    *n = rows.rows * rows.cols;
    float *values = malloc(*n * sizeof *values);
    assert_int_equal(b->ops->download(b, &(LvRun){0}, values, rows), LLAVAOV_OK);
    llavaov_frame_unref(shot->frame);
    return values;
}

static uint64_t waiting(void)
{
    pthread_mutex_lock(&t.engine->lock);
    const uint64_t bytes = t.session->tile_bytes;
    pthread_mutex_unlock(&t.engine->lock);
    return bytes;
}

/* A frame that the encoder stops at; let_go() lets it go on. */
static void push_held(Shot *shot, Hold hold)
{
    const Kind small = {LLAVAOV_PIXEL_RGB, 20, 20, 0};
    hold_next(hold);
    push(shot, small, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    wait_held();
}

static void drop(Shot *shot)
{
    llavaov_frame_unref(shot->frame);
}

/* ---- the same embeddings ---- */

#define MOST_KINDS 6

/* Encodes the pictures in one call; `taken` of them by the backend itself. */
static void encode_all(const Kind *kinds, size_t n, LlavaovLayout layout, unsigned taken,
    float **values, size_t *sizes)
{
    Shot shots[MOST_KINDS], first;
    if (n > 1)
        push_held(&first, HOLD_BEFORE);
    const unsigned calls = t.calls, pictures = t.pictures, tiles = t.tiles;
    for (size_t i = 0; i < n; i++)
        push(&shots[i], kinds[i], layout, LLAVAOV_ENCODE_ON_ARRIVAL);
    for (size_t i = 0; i < n && n > 1; i++)
        wait_prepared(&shots[i]);
    let_go();
    for (size_t i = 0; i < n; i++)
        values[i] = embeddings(&shots[i], &sizes[i]);
    if (n > 1) {
        wait_settled(&first);
        drop(&first);
    }
    assert_int_equal(t.calls - calls, 1);
    assert_int_equal(t.pictures - pictures, taken);
    assert_int_equal(t.tiles - tiles, n - taken);
    assert_int_equal(waiting(), 0);
}

/* The same pictures twice, the second time as tiles from the host. */
static void same_both_ways(const Kind *kinds, size_t n, LlavaovLayout layout, unsigned taken)
{
    float *values[2][MOST_KINDS];
    size_t sizes[2][MOST_KINDS];
    for (int way = 0; way < 2; way++) {
        t.deny = way == 1;
        encode_all(kinds, n, layout, way ? 0 : taken, values[way], sizes[way]);
    }
    t.deny = false;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(sizes[0][i], sizes[1][i]);
        assert_true(sizes[0][i] > 0);
        if (memcmp(values[0][i], values[1][i], sizes[0][i] * sizeof(float)) != 0)
            fail_msg("layout %d: picture %zu, format %d, %ux%u", layout, i, kinds[i].format,
                kinds[i].width, kinds[i].height);
        free(values[0][i]);
        free(values[1][i]);
    }
}

/* Every format with every size, with every resize and precision. */
static void a_picture_gives_what_its_tile_gives(void **state)
{
    static const uint32_t sizes[][2] = {
        {TILE, TILE}, {57, 43}, {320, 180}, {1, 1}, {64, 480}, {33, TILE}, {641, 363}};
    unsigned number = 0;
    for (unsigned engine = 0; engine < 4; engine++) {
        open_engine(engine & 1 ? LLAVAOV_PRECISION_BF16 : LLAVAOV_PRECISION_F32,
            engine & 2 ? LLAVAOV_RESIZE_PILLOW : LLAVAOV_RESIZE_TORCHVISION, "");
        for (unsigned format = LLAVAOV_PIXEL_I420; format <= LLAVAOV_PIXEL_BGRX; format++)
            for (unsigned i = format + engine; i < format + engine + 7; i += 2) {
                const uint32_t *size = sizes[i % 7];
                const Kind kind = {(LlavaovPixelFormat)format, size[0], size[1], number++};
                same_both_ways(
                    &kind, 1, number & 1 ? LLAVAOV_LAYOUT_VIDEO : LLAVAOV_LAYOUT_IMAGES, 1);
            }
        close_engine();
    }
    assert_true(number >= 100);
}

/* One that is too large among others: its tile stands between pictures. */
static void a_batch_mixes_pictures_and_tiles(void **state)
{
    const Kind kinds[] = {{LLAVAOV_PIXEL_NV12, 640, 360, 1}, {LLAVAOV_PIXEL_RGB, 3840, 2200, 2},
        {LLAVAOV_PIXEL_BGRX, 99, 55, 3}, {LLAVAOV_PIXEL_I420, 320, 241, 4}};
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    same_both_ways(kinds, 4, LLAVAOV_LAYOUT_VIDEO, 3);
    close_engine();
}

/* ---- several sessions ---- */

enum { SHARERS = 5 };

/* Pictures of the backend beside tiles of the host: one that is too large, and a single image's. */
static const struct {
    Kind kind;
    LlavaovLayout layout;
    int session;
} sharers[SHARERS] = {
    {{LLAVAOV_PIXEL_NV12, 640, 360, 1}, LLAVAOV_LAYOUT_VIDEO, 0},
    {{LLAVAOV_PIXEL_RGB, 120, 70, 2}, LLAVAOV_LAYOUT_IMAGE, 0},
    {{LLAVAOV_PIXEL_BGRX, 99, 55, 3}, LLAVAOV_LAYOUT_IMAGES, 1},
    {{LLAVAOV_PIXEL_RGB, 3840, 2200, 4}, LLAVAOV_LAYOUT_VIDEO, 1},
    {{LLAVAOV_PIXEL_I420, 320, 241, 5}, LLAVAOV_LAYOUT_VIDEO, 2},
};

/* All of them in one call. */
static void share(LlavaovSession *const *sessions, float **values, size_t *sizes)
{
    Shot shots[SHARERS], first;
    push_held(&first, HOLD_BEFORE);
    const unsigned calls = t.calls, pictures = t.pictures, tiles = t.tiles;
    for (int i = 0; i < SHARERS; i++)
        push_to(sessions[sharers[i].session], &shots[i], sharers[i].kind, sharers[i].layout,
            LLAVAOV_ENCODE_ON_ARRIVAL);
    for (int i = 0; i < SHARERS; i++)
        wait_prepared(&shots[i]);
    let_go();
    for (int i = 0; i < SHARERS; i++)
        values[i] = embeddings(&shots[i], &sizes[i]);
    wait_settled(&first);
    drop(&first);
    assert_int_equal(t.calls - calls, 1);
    assert_int_equal(t.pictures - pictures, 3);
    assert_in_range(t.tiles - tiles, 4, 28);
}

/* What they give in a call of one session, which has as many rows. */
static void sessions_share_a_call(void **state)
{
    for (int precision = LLAVAOV_PRECISION_F32; precision <= LLAVAOV_PRECISION_BF16; precision++) {
        float *one[SHARERS], *many[SHARERS];
        size_t sizes[2][SHARERS];
        LlavaovSession *sessions[3];
        const LlavaovSessionOptions options = {.on_frame = on_frame};
        open_engine((LlavaovPrecision)precision, LLAVAOV_RESIZE_TORCHVISION, "");
        for (int i = 0; i < 3; i++)
            sessions[i] = t.session;
        share(sessions, one, sizes[0]);
        for (int i = 0; i < 3; i++)
            assert_int_equal(
                llavaov_session_open(t.engine, &options, &sessions[i], NULL), LLAVAOV_OK);
        share(sessions, many, sizes[1]);
        for (int i = 0; i < SHARERS; i++) {
            assert_int_equal(sizes[1][i], sizes[0][i]);
            assert_memory_equal(many[i], one[i], sizes[0][i] * sizeof(float));
            free(one[i]);
            free(many[i]);
        }
        for (int i = 0; i < 3; i++)
            llavaov_session_close(sessions[i]);
        close_engine();
    }
}

/* ---- what goes the host's way ---- */

static void tiles_of_the_host(Kind kind, LlavaovLayout layout, LlavaovEncode encode, unsigned n)
{
    Shot shot;
    size_t size;
    const unsigned pictures = t.pictures, tiles = t.tiles;
    push(&shot, kind, layout, encode);
    if (encode == LLAVAOV_ENCODE_ON_ARRIVAL) {
        free(embeddings(&shot, &size));
        assert_int_equal(t.tiles - tiles, n);
    } else {
        wait_prepared(&shot);
        assert_int_equal(waiting(), n * TILE_BYTES);
        drop(&shot);
    }
    assert_int_equal(t.pictures, pictures);
    assert_int_equal(waiting(), 0);
}

static void others_go_the_hosts_way(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    const LlavaovEncode now = LLAVAOV_ENCODE_ON_ARRIVAL, later = LLAVAOV_ENCODE_ON_DEMAND;
    LvAnyresPlan plan;
    const Kind kind = {LLAVAOV_PIXEL_NV12, 120, 70, 1}, tall = {LLAVAOV_PIXEL_RGB, 480, 16384, 2};
    assert_int_equal(
        lv_anyres_plan(t.engine->model->config, kind.width, kind.height, &plan, NULL), 0);
    assert_true(plan.n_tiles > 2);
    tiles_of_the_host(kind, LLAVAOV_LAYOUT_IMAGE, now, plan.n_tiles);
    tiles_of_the_host(kind, LLAVAOV_LAYOUT_VIDEO, later, 1);
    tiles_of_the_host(tall, LLAVAOV_LAYOUT_VIDEO, now, 1); /* the rows between the passes */
    close_engine();
}

/* A picture that is none fails its frame as it does on the host. */
static void a_broken_picture_is_named(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    Shot shot;
    draw(&shot, (Kind){LLAVAOV_PIXEL_NV12, 32, 32, 0});
    shot.image.stride[1] = 31;
    const LlavaovFrameSource source = {.map = map_shot, .unmap = unmap_shot, .data = &shot};
    assert_int_equal(llavaov_session_push_frame(t.session, &source, LLAVAOV_LAYOUT_VIDEO,
                         LLAVAOV_ENCODE_ON_ARRIVAL, &shot, &shot.frame, NULL),
        LLAVAOV_OK);
    wait_settled(&shot);
    assert_true(shot.failed);
    assert_int_equal(shot.frame->error.status, LLAVAOV_ERROR_ARGUMENT);
    assert_string_equal(
        shot.frame->error.message, "stride 31 of plane 1 cannot hold rows of 32 bytes");
    drop(&shot);
    close_engine();
}

/* ---- memory ---- */

/* The engine on the smallest device that will do: one tile an encoder call, and so little room for
 * pictures. */
static void open_small(void)
{
    LlavaovError error;
    LlavaovStatus status = LLAVAOV_ERROR_MEMORY;
    for (unsigned mib = 32; status == LLAVAOV_ERROR_MEMORY && mib < 256; mib++) {
        char wishes[32];
        snprintf(wishes, sizeof wishes, "memory=%u", mib);
        status = try_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, wishes, &error);
    }
    assert_int_equal(status, LLAVAOV_OK);
    assert_int_equal(t.engine->backend->info.preferred_tiles, 1);
}

/* Two of them fit (cuda.h, LV_PICTURE_PLACE), a third does not. */
static const Kind half = {LLAVAOV_PIXEL_NV12, 1440, 1200, 7};
#define HALF_BYTES (1440u * 1200 * 3 / 2)

static bool is_picture(const Shot *shot)
{
    pthread_mutex_lock(&t.engine->lock);
    const bool picture = shot->frame->picture != NULL;
    assert_true(picture != (shot->frame->tiles.rgb != NULL));
    pthread_mutex_unlock(&t.engine->lock);
    return picture;
}

static void push_waiting(Shot *shot, bool picture)
{
    push(shot, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    wait_prepared(shot);
    assert_int_equal(is_picture(shot), picture);
}

/* All the room there is can be had at once: nobody holds any. */
static void all_room_is_free(void)
{
    const Kind whole = {LLAVAOV_PIXEL_NV12, 1600, 2400, 8}; /* 5.5 MiB */
    Shot shot;
    LvPicture *picture = NULL;
    LvBackend *b = t.engine->backend;
    wait_quiet(true);
    draw(&shot, whole);
    assert_int_equal(
        t.real->picture_take(b, &shot.image, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_RESIZE_TORCHVISION,
            &t.engine->model->config->vision, &picture, NULL),
        LLAVAOV_OK);
    assert_non_null(picture);
    t.real->picture_free(b, picture);
    t.real->picture_free(b, NULL);
    unmap_shot(&shot);
}

static void waiting_pictures_are_counted_and_bounded(void **state)
{
    open_small();
    Shot held, shots[4];
    push_held(&held, HOLD_BEFORE);
    const uint64_t before = waiting(); /* the one that is being encoded */
    push_waiting(&shots[0], true);
    push_waiting(&shots[1], true);
    const uint64_t two = waiting() - before;
    assert_in_range(two, 2 * HALF_BYTES, 2 * HALF_BYTES + HALF_BYTES / 10);
    push_waiting(&shots[2], false); /* no room: its tile waits instead */
    assert_int_equal(waiting() - before, two + TILE_BYTES);
    drop(&shots[0]);
    assert_int_equal(waiting() - before, two / 2 + TILE_BYTES);
    push_waiting(&shots[3], true);
    let_go();
    wait_settled(&held);
    drop(&held);
    for (int i = 1; i < 4; i++) {
        wait_settled(&shots[i]);
        assert_true(shots[i].encoded);
    }
    assert_int_equal(waiting(), 0);
    all_room_is_free();
    for (int i = 1; i < 4; i++)
        drop(&shots[i]);
    close_engine();
}

static void cancelled_pictures_leave_nothing(void **state)
{
    for (Hold hold = HOLD_BEFORE; hold <= HOLD_AFTER; hold++) {
        open_small();
        Shot held, waits;
        push_held(&held, hold);
        push_waiting(&waits, true);
        llavaov_session_cancel(t.session);
        wait_settled(&waits);
        assert_true(waits.failed);
        assert_int_equal(waits.frame->error.status, LLAVAOV_ERROR_CANCELLED);
        let_go();
        wait_settled(&held);
        assert_true(held.failed);
        assert_int_equal(held.frame->error.status, LLAVAOV_ERROR_CANCELLED);
        drop(&waits);
        drop(&held);
        wait_quiet(true);
        assert_int_equal(waiting(), 0);
        all_room_is_free();
        push(&waits, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
        wait_settled(&waits);
        assert_true(waits.encoded);
        drop(&waits);
        close_engine();
    }
}

static void closing_with_pictures_that_wait_leaves_nothing(void **state)
{
    open_small();
    Shot held, waits;
    push_held(&held, HOLD_AFTER);
    push_waiting(&waits, true);
    let_go();
    llavaov_session_close(t.session);
    t.session = NULL;
    all_room_is_free();
    drop(&held);
    drop(&waits);
    close_engine();
}

/* The call is held behind its first operation: closing does not wait for it, and what it had of the
 * closed session comes back with its end. */
static void closing_one_of_a_call_leaves_nothing(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    const LlavaovSessionOptions options = {.on_frame = on_frame};
    LlavaovSession *other;
    Shot first, stays, goes;
    assert_int_equal(llavaov_session_open(t.engine, &options, &other, NULL), LLAVAOV_OK);
    push_held(&first, HOLD_BEFORE);
    push(&stays, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    push_to(other, &goes, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    wait_prepared(&stays);
    wait_prepared(&goes);
    hold_next(HOLD_AFTER);
    let_go();
    wait_held();
    llavaov_session_close(other);
    assert_true(goes.failed);
    drop(&goes);
    let_go();
    wait_settled(&stays);
    assert_true(stays.encoded);
    wait_quiet(true);
    assert_int_equal(waiting(), 0);
    drop(&stays);
    drop(&first);
    close_engine();
}

/* After the first round nothing is asked of the driver. */
static void steady_work_allocates_nothing(void **state)
{
    const Kind kinds[MOST_KINDS] = {{LLAVAOV_PIXEL_NV12, 640, 360, 1},
        {LLAVAOV_PIXEL_NV12, 640, 360, 2}, {LLAVAOV_PIXEL_I420, 300, 200, 3},
        {LLAVAOV_PIXEL_RGB, 64, 48, 4}, {LLAVAOV_PIXEL_RGB, 48, 64, 5},
        {LLAVAOV_PIXEL_NV12, 60, 60, 6}};
    float *values[MOST_KINDS];
    size_t sizes[MOST_KINDS];
    uint64_t after_first = 0;
    open_engine(LLAVAOV_PRECISION_BF16, LLAVAOV_RESIZE_TORCHVISION, "");
    for (size_t round = 0; round < 3 * MOST_KINDS; round++) {
        const size_t n = 1 + round % MOST_KINDS;
        encode_all(kinds, n, LLAVAOV_LAYOUT_VIDEO, (unsigned)n, values, sizes);
        for (size_t i = 0; i < n; i++)
            free(values[i]);
        if (round == MOST_KINDS)
            after_first = count().allocations;
    }
    assert_int_equal(count().allocations, after_first);
    close_engine();
}

/* ---- faults ---- */

static void refused_pinned_memory_is_named(void **state)
{
    static const char *const texts[] = {
        "cuda:0: no memory for staging memory: ", "cuda:0: no memory for pictures: "};
    for (unsigned i = 0; i < 2; i++) {
        char wishes[32];
        LlavaovError error;
        snprintf(wishes, sizeof wishes, "pinned=%u", i + 1);
        assert_int_equal(
            try_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, wishes, &error),
            LLAVAOV_ERROR_MEMORY);
        assert_null(t.engine);
        assert_string_equal(error.subject, "cuda:0");
        if (strncmp(error.message, texts[i], strlen(texts[i])) != 0)
            fail_msg("%s", error.message);
        assert_int_equal(count().live, 0);
    }
}

static void refused_host_memory_is_named(void **state)
{
    open_small();
    Shot shot;
    draw(&shot, half);
    int failures = 0;
    LvPicture *picture = NULL;
    for (int n = 0; !picture; n++) {
        LlavaovError error = {0};
        fail_alloc(n);
        LlavaovStatus status =
            t.real->picture_take(t.engine->backend, &shot.image, LLAVAOV_LAYOUT_VIDEO,
                LLAVAOV_RESIZE_TORCHVISION, &t.engine->model->config->vision, &picture, &error);
        fail_alloc(-1);
        if (status == LLAVAOV_OK)
            break;
        failures++;
        assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
        assert_int_equal(error.status, LLAVAOV_ERROR_MEMORY);
        assert_memory_equal(error.message, "no memory for ", 14);
        assert_null(picture);
    }
    assert_true(failures > 4);
    assert_non_null(picture);
    t.real->picture_free(t.engine->backend, picture);
    unmap_shot(&shot);
    all_room_is_free();
    close_engine();
}

/* The picture's launch is the first after opening. */
static void a_failing_picture_kernel_is_named(void **state)
{
    static const struct {
        const char *wish, *message;
    } faults[] = {
        {"launch=%u", "cuda:0: patch_embedding failed: unspecified launch failure (error 719); the "
                      "device is not used any more"},
        {"lost=%u", "failed: the device does not answer (error 999); the device is not used any "
                    "more"},
    };
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "");
    const unsigned launches = (unsigned)count().launches;
    close_engine();
    for (size_t i = 0; i < 2; i++) {
        char wishes[32], first[768];
        snprintf(wishes, sizeof wishes, faults[i].wish, launches + 1);
        open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, wishes);
        for (int round = 0; round < 2; round++) {
            Shot shot;
            push(&shot, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
            wait_settled(&shot);
            assert_true(shot.failed);
            assert_int_equal(shot.frame->error.status, LLAVAOV_ERROR_DEVICE);
            if (!strstr(shot.frame->error.message, faults[i].message))
                fail_msg("%s", shot.frame->error.message);
            if (round == 0)
                snprintf(first, sizeof first, "%s", shot.frame->error.message);
            assert_string_equal(shot.frame->error.message, first);
            drop(&shot);
            assert_int_equal(waiting(), 0);
        }
        close_engine();
    }
}

/* Its planes are somewhere else still when they are read: in new memory, and where another picture
 * was. */
static void a_copy_that_is_not_awaited_shows(void **state)
{
    const Kind kind[2] = {{LLAVAOV_PIXEL_NV12, TILE, TILE, 1}, {LLAVAOV_PIXEL_NV12, TILE, TILE, 2}};
    for (int awaited = 1; awaited >= 0; awaited--) {
        open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, awaited ? "" : "no-await");
        for (int i = 0; i < 2; i++) {
            float *values[2];
            size_t n[2];
            for (int way = 0; way < 2; way++) {
                t.deny = way == 1;
                encode_all(&kind[i], 1, LLAVAOV_LAYOUT_VIDEO, way ? 0 : 1, &values[way], &n[way]);
            }
            t.deny = false;
            const bool same = memcmp(values[0], values[1], n[0] * sizeof(float)) == 0;
            assert_int_equal(same, awaited);
            free(values[0]);
            free(values[1]);
        }
        close_engine();
    }
}

static void a_failing_copy_is_named(void **state)
{
    open_engine(LLAVAOV_PRECISION_F32, LLAVAOV_RESIZE_TORCHVISION, "send=2");
    for (int round = 0; round < 3; round++) {
        Shot shot;
        push(&shot, half, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
        wait_settled(&shot);
        assert_int_equal(shot.encoded, round == 0);
        if (round > 0) {
            assert_int_equal(shot.frame->error.status, LLAVAOV_ERROR_DEVICE);
            assert_string_equal(shot.frame->error.message,
                "cuda:0: patch_embedding failed: unspecified launch failure (error 719); the "
                "device is not used any more");
        }
        drop(&shot);
        assert_int_equal(waiting(), 0);
    }
    close_engine();
}

static int make_folder(void **state)
{
    LvWriterSpec spec;
    LlavaovError error;
    return mkdtemp(folder) && lv_writer_preset("mini", &spec) &&
                   lv_write_checkpoint(folder, &spec, &error) == LLAVAOV_OK
               ? 0
               : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest anywhere[] = {
        cmocka_unit_test(a_picture_gives_what_its_tile_gives),
        cmocka_unit_test(a_batch_mixes_pictures_and_tiles),
        cmocka_unit_test(others_go_the_hosts_way),
        cmocka_unit_test(a_broken_picture_is_named),
    };
    const struct CMUnitTest on_the_standin[] = {
        cmocka_unit_test(sessions_share_a_call),
        cmocka_unit_test(waiting_pictures_are_counted_and_bounded),
        cmocka_unit_test(cancelled_pictures_leave_nothing),
        cmocka_unit_test(closing_with_pictures_that_wait_leaves_nothing),
        cmocka_unit_test(closing_one_of_a_call_leaves_nothing),
        cmocka_unit_test(steady_work_allocates_nothing),
        cmocka_unit_test(refused_pinned_memory_is_named),
        cmocka_unit_test(refused_host_memory_is_named),
        cmocka_unit_test(a_failing_picture_kernel_is_named),
        cmocka_unit_test(a_copy_that_is_not_awaited_shows),
        cmocka_unit_test(a_failing_copy_is_named),
    };
    void *module = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (argc > 1) {
        if (!module)
            return 2;
        setenv("LLAVAOV_CUDA_MODULE", argv[1], 1);
        count = (LvStandinCount)(uintptr_t)dlsym(module, "lv_standin_counts");
        fail_alloc = (LvStandinFailAlloc)(uintptr_t)dlsym(module, "lv_standin_fail_alloc");
        if (!count || !fail_alloc)
            return 2;
    }
    int failed = cmocka_run_group_tests(anywhere, make_folder, module ? NULL : remove_folder);
    if (module)
        failed += cmocka_run_group_tests(on_the_standin, NULL, remove_folder);
    return failed;
}
