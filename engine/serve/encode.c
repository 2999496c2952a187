/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"

#include <string.h>

#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"
#include "model/visual.h"
#include "serve/thread.h"

static uint32_t slice_tiles(const LlavaovEngine *engine)
{
    uint32_t n = engine->backend->info.preferred_tiles;
    return n == 0 ? 1 : n < LV_MAX_SLICE_TILES ? n : LV_MAX_SLICE_TILES;
}

/* True when the slice can take no more. A single image brings many tiles and goes alone. */
static bool take(LvSlice *slice, LlavaovFrame *frame, uint32_t most)
{
    if (slice->n_frames > 0 && slice->frames[0]->layout != frame->layout)
        return true;
    frame->state = LV_FRAME_ENCODING;
    frame->pins++;
    lv_list_remove(&frame->in_queue);
    slice->frames[slice->n_frames++] = frame;
    return frame->layout == LLAVAOV_LAYOUT_IMAGE || slice->n_frames == most;
}

void lv_encode_collect(
    LlavaovEngine *engine, LvSlice *slice, LlavaovSession *session, LlavaovTicket *request)
{
    const uint32_t most = slice_tiles(engine);
    slice->n_frames = 0;
    atomic_store(&slice->cancel.requested, false);
    if (request) {
        for (size_t i = request->n_encoded; i < request->n_frames; i++)
            if (request->frames[i]->state == LV_FRAME_PREPARED &&
                take(slice, request->frames[i], most))
                return;
        return;
    }
    LlavaovFrame *frame;
    LV_LIST_EACH(&session->to_encode, LlavaovFrame, in_queue, frame)
    if (take(slice, frame, most))
        return;
}

/* Video frames or images of several: one tile each, encoded in one call. */
static LlavaovStatus encode_batch(const LlavaovEngine *engine, LvSlice *slice, const LvRun *run)
{
    LvBackend *b = engine->backend;
    const LvModel *model = engine->model;
    const bool video = slice->frames[0]->layout == LLAVAOV_LAYOUT_VIDEO;
    const size_t grid = model->config->vision.grid, pooled = lv_pooled_grid(&model->config->vision);
    const size_t each = video ? pooled * pooled : grid * grid;
    const size_t width = model->config->text.hidden_size;
    LvTile tiles[LV_MAX_SLICE_TILES];
    for (size_t i = 0; i < slice->n_frames; i++)
        tiles[i] = (LvTile){slice->frames[i]->tiles.rgb, slice->frames[i]->picture};

    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor all = lv_scratch_tensor(&scratch, slice->n_frames * each, width);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    if (video)
        LV_TRY(lv_visual_video(model, run, all, tiles, slice->n_frames, LV_POOL_EARLY));
    else
        LV_TRY(lv_visual_tiles(model, run, all, tiles, slice->n_frames));
    for (size_t i = 0; i < slice->n_frames; i++) {
        LvTensor *embeddings = &slice->frames[i]->embeddings;
        const LvTensor features = lv_tensor_rows(all, i * each, each);
        LV_TRY(b->ops->tensor_alloc(b, each + !video, width, embeddings, run->error));
        if (video)
            LV_TRY(b->ops->copy(b, run, *embeddings, features));
        else
            LV_TRY(lv_visual_assemble_one_of_many(model, run, *embeddings, features));
    }
    LV_TRY(b->ops->synchronize(b, run));
done:
    lv_scratch_free(&scratch);
    return status;
}

/* The next tiles of a single image; its embeddings are assembled with the last of them. */
static LlavaovStatus encode_image(
    const LlavaovEngine *engine, LlavaovFrame *frame, const LvRun *run)
{
    LvBackend *b = engine->backend;
    const LvModel *model = engine->model;
    const size_t grid = model->config->vision.grid;
    const size_t width = model->config->text.hidden_size;
    const size_t tile_bytes = (size_t)frame->tiles.image_size * frame->tiles.image_size * 3;
    const uint32_t left = frame->tiles.n - frame->tiles_done;
    const uint32_t n = left < slice_tiles(engine) ? left : slice_tiles(engine);
    LvTile tiles[LV_MAX_SLICE_TILES];
    LlavaovStatus status;
    if (!frame->features.data)
        LV_TRY(b->ops->tensor_alloc(
            b, frame->tiles.n * grid * grid, width, &frame->features, run->error));
    for (uint32_t i = 0; i < n; i++)
        tiles[i] = (LvTile){.rgb = frame->tiles.rgb + (frame->tiles_done + i) * tile_bytes};
    const LvTensor out =
        lv_tensor_rows(frame->features, frame->tiles_done * grid * grid, n * grid * grid);
    LV_TRY(lv_visual_tiles(model, run, out, tiles, n));
    frame->tiles_done += n;
    if (frame->tiles_done == frame->tiles.n) {
        LV_TRY(b->ops->tensor_alloc(
            b, frame->tiles.plan.n_tokens, width, &frame->embeddings, run->error));
        LV_TRY(lv_visual_assemble_image(
            model, run, frame->embeddings, frame->features, &frame->tiles.plan));
    }
    LV_TRY(b->ops->synchronize(b, run));
done:
    return status;
}

/* Takes from a frame what its state has no more use for. Lock held. */
static LvFrameRemains leftovers(LlavaovFrame *frame)
{
    if (frame->state == LV_FRAME_FAILED)
        return lv_frame_strip(frame);
    const LvTensor embeddings = frame->embeddings;
    LvFrameRemains remains = lv_frame_strip(frame);
    frame->embeddings = embeddings;
    memset(&remains.embeddings, 0, sizeof remains.embeddings);
    return remains;
}

/* Lock held, dropped while memory is freed. */
static void settle(
    LlavaovEngine *engine, LlavaovFrame *frame, LlavaovStatus status, const LlavaovError *error)
{
    LlavaovError cancelled;
    if (lv_cancelled(&frame->cancel)) {
        lv_fail(&cancelled, LLAVAOV_ERROR_CANCELLED, NULL, "the frame was cancelled");
        lv_frame_fail(frame, &cancelled);
    } else if (status != LLAVAOV_OK) {
        lv_frame_fail(frame, error);
    } else if (frame->tiles_done > 0 && frame->tiles_done < frame->tiles.n) {
        frame->state = LV_FRAME_PREPARED;
        if (frame->encode == LLAVAOV_ENCODE_ON_ARRIVAL)
            lv_list_append(&frame->session->to_encode, &frame->in_queue);
    } else {
        lv_frame_set_encoded(frame);
    }
    LvFrameRemains remains = {0};
    if (frame->state != LV_FRAME_PREPARED)
        remains = leftovers(frame);
    bool last = lv_frame_unpin(frame);
    pthread_mutex_unlock(&engine->lock);
    lv_frame_bury(engine, &remains);
    if (last)
        lv_frame_free(frame);
    pthread_mutex_lock(&engine->lock);
}

void lv_encode_run(LlavaovEngine *engine, LvSlice *slice)
{
    LlavaovSession *session = slice->session;
    LlavaovError error;
    lv_error_clear(&error);
    const LvRun run = {.cancel = &slice->cancel, .error = &error};
    pthread_mutex_unlock(&engine->lock);
    const uint64_t start = lv_now_ns();
    LlavaovStatus status = slice->frames[0]->layout == LLAVAOV_LAYOUT_IMAGE
                               ? encode_image(engine, slice->frames[0], &run)
                               : encode_batch(engine, slice, &run);
    const uint64_t used = lv_now_ns() - start;
    pthread_mutex_lock(&engine->lock);

    session->stats.encode_ns += used;
    const size_t n = slice->n_frames;
    slice->n_frames = 0;
    for (size_t i = 0; i < n; i++) {
        slice->frames[i]->encode_ns += used / n;
        settle(engine, slice->frames[i], status, &error);
    }
}
