/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/pictures.h"

#include "base/alloc.h"
#include "base/status.h"
#include "picture/display.h"
#include "picture/pixels.h"
#include "picture/same.h"
#include "base/clock.h"
#include "serve/frame.h"
#include "serve/policy.h"
#include "serve/remote_prompt.h"

/* The backend takes pictures of one tile that are encoded as soon as it is free. Others would stand
 * in its way while they wait. */
static bool is_for_backend(const LlavaovEngine *engine, const LlavaovFrame *frame)
{
    return engine->backend->ops->picture_take && frame->layout != LLAVAOV_LAYOUT_IMAGE &&
           frame->encode == LLAVAOV_ENCODE_ON_ARRIVAL;
}

static LlavaovStatus hand_over(const LlavaovEngine *engine, const LlavaovFrame *frame,
    const LlavaovImage *image, LvContent *prepared, LlavaovError *error)
{
    LvBackend *b = engine->backend;
    const LvVisionConfig *vision = &engine->model->config->vision;
    if (!is_for_backend(engine, frame))
        return LLAVAOV_OK;
    prepared->tiles = (LvTiles){
        .n = 1, .image_size = vision->image_size, .width = image->width, .height = image->height};
    return b->ops->picture_take(
        b, image, frame->layout, engine->resize, engine->model->config, &prepared->picture, error);
}

static LlavaovStatus take_or_resize(const LlavaovEngine *engine, LlavaovFrame *frame,
    const LlavaovImage *stored, LvContent *prepared, LlavaovError *error)
{
    LlavaovImage image = *stored, square;
    uint8_t *pixels = NULL, *squares = NULL;
    LlavaovStatus status = LLAVAOV_OK;
    if (!lv_image_as_shown(stored))
        status = lv_image_show(stored, &frame->cancel, &image, &pixels, error);
    /* A video's frame is squashed to a square whatever its shape. */
    if (status == LLAVAOV_OK && frame->layout != LLAVAOV_LAYOUT_VIDEO &&
        !lv_image_has_square_pixels(&image)) {
        status = lv_image_square(&image, engine->resize, &frame->cancel, &square, &squares, error);
        if (status == LLAVAOV_OK)
            image = square;
    }
    if (status == LLAVAOV_OK)
        status = hand_over(engine, frame, &image, prepared, error);
    if (status == LLAVAOV_OK && !prepared->picture)
        status = lv_picture_prepare(engine->model->config, frame->layout, engine->resize, &image,
            &frame->cancel, &prepared->tiles, error);
    if (status == LLAVAOV_OK && engine->remote)
        status = lv_remote_picture(engine, frame->layout, &image, &frame->cancel, prepared, error);
    lv_free(squares);
    lv_free(pixels);
    return status;
}

/* Of planes in CUDA memory, which the host does not read. */
static LlavaovStatus take_cuda(const LlavaovEngine *engine, const LlavaovFrame *frame,
    const LlavaovImage *image, LvContent *prepared, LlavaovError *error)
{
    const bool as_it_is = lv_image_as_shown(image) && (frame->layout == LLAVAOV_LAYOUT_VIDEO ||
                                                          lv_image_has_square_pixels(image));
    return as_it_is ? hand_over(engine, frame, image, prepared, error) : LLAVAOV_OK;
}

/* Maps, takes or resizes and unmaps. *memory: where planes may lie, and where they did. */
static LlavaovStatus map_and_take(const LlavaovEngine *engine, LlavaovFrame *frame,
    LlavaovMemory *memory, LvContent *prepared, LlavaovError *error)
{
    const LlavaovFrameSource *source = &frame->source;
    const LlavaovMemory offered = *memory;
    LlavaovImage image = {.memory = offered};
    LlavaovStatus status = source->map(source->data, &image, error);
    if (status != LLAVAOV_OK)
        return status;
    *memory = image.memory;
    status = lv_layout_check(engine->model->config, frame->layout, error);
    if (status == LLAVAOV_OK)
        status = lv_image_check(&image, error);
    if (status == LLAVAOV_OK && image.memory != LLAVAOV_MEMORY_HOST && image.memory != offered)
        status = lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_PICTURE, NULL,
            "the planes of a picture lie in CUDA memory where the host's was asked for");
    if (status == LLAVAOV_OK)
        status = image.memory == LLAVAOV_MEMORY_HOST
                     ? take_or_resize(engine, frame, &image, prepared, error)
                     : take_cuda(engine, frame, &image, prepared, error);
    if (source->unmap)
        source->unmap(source->data);
    return status;
}

/* As above, and releases; lock not held. */
static LlavaovStatus prepare(
    const LlavaovEngine *engine, LlavaovFrame *frame, LvContent *prepared, LlavaovError *error)
{
    const LlavaovFrameSource *source = &frame->source;
    LlavaovMemory memory = engine->backend->info.cuda_pictures && is_for_backend(engine, frame)
                               ? LLAVAOV_MEMORY_CUDA
                               : LLAVAOV_MEMORY_HOST;
    LlavaovStatus status =
        prepared ? map_and_take(engine, frame, &memory, prepared, error)
                 : lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a frame");
    if (status == LLAVAOV_OK && memory == LLAVAOV_MEMORY_CUDA && !prepared->picture) {
        memory = LLAVAOV_MEMORY_HOST;
        status = map_and_take(engine, frame, &memory, prepared, error);
    }
    if (source->release)
        source->release(source->data);
    if (status == LLAVAOV_OK && prepared->tiles.rgb)
        prepared->hash = lv_tiles_hash(&prepared->tiles);
    return status;
}

/* Lock held, dropped meanwhile. */
static void work_on(LlavaovEngine *engine, LlavaovSession *session, LlavaovFrame *frame)
{
    LlavaovError error;
    lv_fail_about(
        &error, LLAVAOV_ERROR_IO, LLAVAOV_ABOUT_PICTURE, NULL, "the frame cannot be mapped");
    lv_list_remove(&frame->in_queue);
    if (!lv_list_empty(&session->to_prepare)) /* to the end of the line */
        lv_list_append(&engine->with_pictures, &session->in_pictures);
    frame->state = LV_FRAME_PREPARING;
    frame->has_source = false;
    frame->pins++;
    session->working++;
    pthread_mutex_unlock(&engine->lock);
    const uint64_t start = lv_now_ns();
    LvContent *prepared = lv_content_new(frame->layout);
    LlavaovStatus status = prepare(engine, frame, prepared, &error);
    const uint64_t used = lv_now_ns() - start;
    pthread_mutex_lock(&engine->lock);

    session->stats.prepare_ns += used;
    lv_admission_prepared(&engine->admission, &session->admission, (double)used);
    if (status == LLAVAOV_OK && !lv_cancelled(&frame->cancel))
        prepared = lv_content_share(session, prepared, frame->reuse_below);
    if (lv_cancelled(&frame->cancel))
        status = lv_fail(&error, LLAVAOV_ERROR_CANCELLED, NULL, "the frame was cancelled");
    if (status != LLAVAOV_OK) {
        error.status = status;
        lv_frame_fail(frame, &error);
        prepared = lv_content_drop(prepared);
    } else {
        lv_frame_set_prepared(frame, prepared);
        prepared = NULL;
    }
    bool last = lv_frame_unpin(frame);
    pthread_mutex_unlock(&engine->lock);
    lv_content_free(engine, prepared);
    if (last)
        lv_frame_free(frame);
    pthread_mutex_lock(&engine->lock);
    lv_session_rest(session);
}

bool lv_pictures_step(LlavaovEngine *engine)
{
    LlavaovSession *session;
    while ((session = LV_LIST_FIRST(&engine->with_pictures, LlavaovSession, in_pictures))) {
        lv_list_remove(&session->in_pictures);
        if (!engine->remote)
            lv_policy_give_up(session);
        LlavaovFrame *frame = LV_LIST_FIRST(&session->to_prepare, LlavaovFrame, in_queue);
        if (!frame) /* cancelled meanwhile */
            continue;
        work_on(engine, session, frame);
        return true;
    }
    return false;
}

void *lv_pictures_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping)
        if (!lv_pictures_step(engine))
            pthread_cond_wait(&engine->pictures, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
