/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* usleep */
#include "pictures.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

Watch watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- the engine ---- */

int write_picture_model(void **state)
{
    LvWriterSpec spec;
    return lv_writer_preset("mini", &spec) ? write_random_model(&spec) : -1;
}

static void hold_here(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.hold = HOLD_NONE;
    watch.reached = true;
    pthread_cond_broadcast(&watch.changed);
    const unsigned turn = ++watch.held;
    while (watch.released < turn)
        pthread_cond_wait(&watch.changed, &watch.lock);
    pthread_mutex_unlock(&watch.lock);
}

static LlavaovStatus embedding(LvBackend *b, const LvRun *run, LvTensor out, const LvTile *tiles,
    size_t n_tiles, const LvVisionConfig *vision, const LvWeight *weight, const LvWeight *bias,
    const LvWeight *position)
{
    pthread_mutex_lock(&watch.lock);
    const Hold hold = watch.hold;
    watch.calls++;
    for (size_t i = 0; i < n_tiles; i++) {
        assert_true(!tiles[i].rgb != !tiles[i].picture);
        watch.pictures += tiles[i].picture != NULL;
        watch.tiles += tiles[i].rgb != NULL;
    }
    pthread_mutex_unlock(&watch.lock);
    if (hold == HOLD_BEFORE)
        hold_here();
    LlavaovStatus status =
        watch.real->patch_embedding(b, run, out, tiles, n_tiles, vision, weight, bias, position);
    if (hold == HOLD_AFTER)
        hold_here();
    return status;
}

static LlavaovStatus take(LvBackend *b, const LlavaovImage *image, LlavaovLayout layout,
    LlavaovResize resize, const LvConfig *config, LvPicture **picture, LlavaovError *error)
{
    *picture = NULL;
    return watch.deny ? LLAVAOV_OK
                      : watch.real->picture_take(b, image, layout, resize, config, picture, error);
}

void hold_next(Hold hold)
{
    pthread_mutex_lock(&watch.lock);
    watch.hold = hold;
    watch.reached = false;
    pthread_mutex_unlock(&watch.lock);
}

void wait_held(void)
{
    pthread_mutex_lock(&watch.lock);
    while (!watch.reached)
        pthread_cond_wait(&watch.changed, &watch.lock);
    pthread_mutex_unlock(&watch.lock);
}

void let_go(void)
{
    pthread_mutex_lock(&watch.lock);
    watch.released = watch.held;
    pthread_cond_broadcast(&watch.changed);
    pthread_mutex_unlock(&watch.lock);
}

void on_frame(void *data, void *frame_data, LlavaovFrameStage stage)
{
    Shot *shot = frame_data;
    pthread_mutex_lock(&watch.lock);
    shot->prepared |= stage == LLAVAOV_FRAME_PREPARED;
    shot->encoded |= stage == LLAVAOV_FRAME_ENCODED;
    shot->failed |= stage == LLAVAOV_FRAME_FAILED;
    pthread_cond_broadcast(&watch.changed);
    pthread_mutex_unlock(&watch.lock);
}

static LlavaovStatus open_session(LlavaovError *error)
{
    const LlavaovSessionOptions options = {.size = sizeof options, .on_frame = on_frame};
    return llavaov_session_open(watch.engine, &options, &watch.session, error);
}

LlavaovStatus try_engine(
    LlavaovPrecision precision, LlavaovResize resize, const char *wishes, LlavaovError *error)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = random_model,
        .device = "cuda",
        .precision = precision,
        .resize = resize,
        .threads = 1};
    setenv("LLAVAOV_STANDIN", wishes, 1);
    LlavaovStatus status = llavaov_engine_open(&options, &watch.engine, error);
    if (status != LLAVAOV_OK)
        return status;
    watch.real = watch.engine->backend->ops;
    watch.ops = *watch.real;
    watch.ops.patch_embedding = embedding;
    watch.ops.picture_take = take;
    watch.engine->backend->ops = &watch.ops;
    watch.deny = false;
    watch.hold = HOLD_NONE;
    return open_session(error);
}

void renew_session(void)
{
    llavaov_session_close(watch.session);
    assert_int_equal(open_session(NULL), LLAVAOV_OK);
}

void open_engine(LlavaovPrecision precision, LlavaovResize resize, const char *wishes)
{
    LlavaovError error;
    if (try_engine(precision, resize, wishes, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
}

void close_engine(void)
{
    llavaov_session_close(watch.session);
    llavaov_engine_unref(watch.engine);
    if (count)
        assert_int_equal(count().live, 0);
}

/* ---- frames ---- */

void draw(Shot *shot, Kind kind)
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

static void unmap_shot(void *data)
{
    Shot *shot = data;
    for (int p = 0; p < 3; p++) {
        free(shot->pixels[p]);
        shot->pixels[p] = NULL;
    }
}

LlavaovFrameSource source_of(Shot *shot)
{
    return (LlavaovFrameSource){.size = sizeof(LlavaovFrameSource),
        .map = map_shot,
        .unmap = unmap_shot,
        .data = shot,
        .frame_data = shot};
}

void push_to(
    LlavaovSession *session, Shot *shot, Kind kind, LlavaovLayout layout, LlavaovEncode encode)
{
    draw(shot, kind);
    LlavaovFrameSource source = source_of(shot);
    source.layout = layout;
    source.encode = encode;
    LlavaovError error;
    if (llavaov_session_push_frame(session, &source, &shot->frame, &error) != LLAVAOV_OK)
        fail_msg("%s", error.message);
}

void push(Shot *shot, Kind kind, LlavaovLayout layout, LlavaovEncode encode)
{
    push_to(watch.session, shot, kind, layout, encode);
}

void wait_quiet(bool threads)
{
    for (bool quiet = false; !quiet; usleep(500)) {
        pthread_mutex_lock(&watch.engine->lock);
        const LlavaovSession *s = watch.session;
        quiet = !threads || watch.engine->slice.n_parts == 0;
        if (s)
            quiet &= !s->delivering && lv_list_empty(&s->events) && !(threads && s->working);
        pthread_mutex_unlock(&watch.engine->lock);
    }
}

void wait_prepared(Shot *shot)
{
    pthread_mutex_lock(&watch.lock);
    while (!shot->prepared && !shot->failed)
        pthread_cond_wait(&watch.changed, &watch.lock);
    pthread_mutex_unlock(&watch.lock);
    wait_quiet(false);
}

void wait_settled(Shot *shot)
{
    pthread_mutex_lock(&watch.lock);
    while (!shot->encoded && !shot->failed)
        pthread_cond_wait(&watch.changed, &watch.lock);
    pthread_mutex_unlock(&watch.lock);
    wait_quiet(false);
}

float *embeddings(Shot *shot, size_t *n)
{
    wait_settled(shot);
    if (shot->failed)
        fail_msg("%s", shot->frame->error.message);
    LvBackend *b = watch.engine->backend;
    const LvTensor rows = shot->frame->content->embeddings;
    *n = rows.rows * rows.cols;
    float *values = malloc(*n * sizeof *values);
    assert_int_equal(b->ops->download(b, &(LvRun){0}, values, rows), LLAVAOV_OK);
    llavaov_frame_unref(shot->frame);
    return values;
}

uint64_t waiting(void)
{
    pthread_mutex_lock(&watch.engine->lock);
    const uint64_t bytes = watch.session->tile_bytes;
    pthread_mutex_unlock(&watch.engine->lock);
    return bytes;
}

void push_held(Shot *shot, Hold hold)
{
    const Kind small = {LLAVAOV_PIXEL_RGB, 20, 20, 0};
    hold_next(hold);
    push(shot, small, LLAVAOV_LAYOUT_VIDEO, LLAVAOV_ENCODE_ON_ARRIVAL);
    wait_held();
}

void drop(Shot *shot)
{
    llavaov_frame_unref(shot->frame);
}

void encode_all(const Kind *kinds, size_t n, LlavaovLayout layout, unsigned taken, float **values,
    size_t *sizes)
{
    Shot shots[MOST_KINDS], first;
    if (n > 1)
        push_held(&first, HOLD_BEFORE);
    const unsigned calls = watch.calls, pictures = watch.pictures, tiles = watch.tiles;
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
    assert_int_equal(watch.calls - calls, 1);
    assert_int_equal(watch.pictures - pictures, taken);
    assert_int_equal(watch.tiles - tiles, n - taken);
    assert_int_equal(waiting(), 0);
}
