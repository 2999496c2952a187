/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/encode.h"

#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"
#include "model/visual.h"
#include "base/clock.h"
#include "serve/chunk.h"

/* ---- who comes along; lock held ---- */

/* *from: of the request's frames, those before are not to be encoded. A frame that shows what is in
 * the slice already waits for that. */
static LlavaovFrame *next_frame(LlavaovSession *session, LlavaovTicket *request, size_t *from)
{
    LlavaovFrame *frame;
    if (!request)
        LV_LIST_EACH(&session->to_encode, LlavaovFrame, in_queue, frame)
    if (!frame->content->in_slice)
        return frame;
    for (; request && *from < request->question.n_frames; ++*from) {
        frame = request->question.frames[*from];
        if (frame->state == LV_FRAME_PREPARED && !frame->content->in_slice)
            return frame;
    }
    return NULL;
}

/* As many tiles of the next frame as there is room for; false when there is no frame or no room. */
static bool take_next(
    LvSlice *slice, const LvNextSlice *next, size_t i, size_t *from, uint32_t most)
{
    const uint32_t room = most - slice->n_tiles;
    LlavaovFrame *frame = room ? next_frame(next->sessions[i], next->requests[i], from) : NULL;
    if (!frame)
        return false;
    const uint32_t left = frame->content->tiles.n - frame->content->tiles_done;
    LvSlicePart *part = &slice->parts[slice->n_parts++];
    *part = (LvSlicePart){
        .frame = frame, .arrival = !next->requests[i], .n_tiles = left < room ? left : room};
    slice->n_tiles += part->n_tiles;
    frame->state = LV_FRAME_ENCODING;
    frame->in_slice = frame->content->in_slice = true;
    frame->pins++;
    lv_list_remove(&frame->in_queue);
    return true;
}

static void collect(LlavaovEngine *engine, LvSlice *slice, const LvNextSlice *next)
{
    const uint32_t most = lv_chunk_tiles(&engine->backend->info, &engine->model->config->vision,
        next->n + next->more_sessions, next->bounded);
    size_t from[LV_MAX_SLICE_REQUESTS];
    slice->n_parts = 0;
    slice->n_tiles = 0;
    atomic_store(&slice->cancel.requested, false);
    for (size_t i = 0; i < next->n; i++)
        from[i] = next->requests[i] ? next->requests[i]->n_encoded : 0;
    while (take_next(slice, next, 0, &from[0], most))
        ;
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 1; i < next->n; i++)
            any |= take_next(slice, next, i, &from[i], most);
    }
}

/* ---- the call; lock not held ---- */

typedef struct Call {
    const LlavaovEngine *engine;
    const LvRun *run;
    LvSlice *slice;
    LvTensor pooled, full; /* of video frames, and of all other tiles */
    size_t n_pooled, n_full;
    LlavaovError memory; /* why a part has the status ERROR_MEMORY */
} Call;

static size_t full_rows(const Call *call)
{
    const LvVisionConfig *vision = &call->engine->model->config->vision;
    return (size_t)vision->grid * vision->grid;
}

static size_t pooled_rows(const Call *call)
{
    const size_t edge = lv_pooled_grid(call->engine->model->config);
    return edge * edge;
}

/* Video frames come first, so that those of each kind stand together. */
static void list_tiles(Call *call, LvTile *tiles)
{
    size_t n = 0;
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < call->slice->n_parts; i++) {
            LvSlicePart *part = &call->slice->parts[i];
            const LlavaovFrame *frame = part->frame;
            if ((frame->layout == LLAVAOV_LAYOUT_VIDEO) != (kind == 0))
                continue;
            const LvContent *content = frame->content;
            const LvTiles *own = &content->tiles;
            const size_t tile_bytes = (size_t)own->image_size * own->image_size * 3;
            part->first = n - (kind ? call->n_pooled : 0);
            for (uint32_t k = 0; k < part->n_tiles; k++)
                tiles[n++] =
                    (LvTile){own->rgb ? own->rgb + (content->tiles_done + k) * tile_bytes : NULL,
                        content->picture,
                        &lv_preprocess_of(call->engine->model->config, frame->layout)->values};
        }
        *(kind ? &call->n_full : &call->n_pooled) = n - (kind ? call->n_pooled : 0);
    }
}

/* A single image; its embeddings are assembled with the last of its tiles. */
static LlavaovStatus finish_image(
    Call *call, const LvSlicePart *part, LvContent *content, LvTensor features)
{
    LvBackend *b = call->engine->backend;
    const LvModel *model = call->engine->model;
    const LvTiles *tiles = &content->tiles;
    const size_t each = full_rows(call);
    const bool whole = part->n_tiles == tiles->n;
    LlavaovStatus status = LLAVAOV_OK;
    if (!whole) {
        if (!content->features.data)
            LV_TRY(b->ops->kept_tensor_alloc(
                b, tiles->n * each, features.cols, &content->features, call->run->error));
        const LvTensor place =
            lv_tensor_rows(content->features, content->tiles_done * each, features.rows);
        LV_TRY(b->ops->copy(b, call->run, place, features));
    }
    content->tiles_done += part->n_tiles;
    if (content->tiles_done < tiles->n)
        goto done;
    LV_TRY(b->ops->kept_tensor_alloc(
        b, tiles->plan.n_tokens, features.cols, &content->embeddings, call->run->error));
    LV_TRY(lv_visual_assemble_image(
        model, call->run, content->embeddings, whole ? features : content->features, &tiles->plan));
done:
    return status;
}

static LlavaovStatus finish_part(Call *call, const LvSlicePart *part)
{
    LvBackend *b = call->engine->backend;
    const LvModel *model = call->engine->model;
    LvContent *content = part->frame->content;
    const bool video = content->layout == LLAVAOV_LAYOUT_VIDEO;
    const size_t each = video ? pooled_rows(call) : full_rows(call);
    const LvTensor features =
        lv_tensor_rows(video ? call->pooled : call->full, part->first * each, part->n_tiles * each);
    LlavaovStatus status;
    if (content->layout == LLAVAOV_LAYOUT_IMAGE)
        return finish_image(call, part, content, features);
    const size_t rows =
        video ? lv_frame_tokens(model->config) : lv_multi_image_tokens(model->config);
    LV_TRY(
        b->ops->kept_tensor_alloc(b, rows, features.cols, &content->embeddings, call->run->error));
    if (video)
        LV_TRY(lv_visual_assemble_frame(model, call->run, content->embeddings, features));
    else
        LV_TRY(lv_visual_assemble_one_of_many(model, call->run, content->embeddings, features));
done:
    return status;
}

static LlavaovStatus encode(Call *call)
{
    LvBackend *b = call->engine->backend;
    const LvModel *model = call->engine->model;
    const size_t width = model->config->text.hidden_size;
    LvTile tiles[LV_MAX_SLICE_TILES];
    list_tiles(call, tiles);
    LvScratch scratch = lv_scratch(b, call->run->error);
    if (call->n_pooled)
        call->pooled = lv_scratch_tensor(&scratch, call->n_pooled * pooled_rows(call), width);
    if (call->n_full)
        call->full = lv_scratch_tensor(&scratch, call->n_full * full_rows(call), width);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(lv_visual_batch(
        model, call->run, call->pooled, call->full, tiles, call->n_pooled, call->n_full));
    for (size_t i = 0; i < call->slice->n_parts; i++) {
        LvSlicePart *part = &call->slice->parts[i];
        part->status = finish_part(call, part);
        if (part->status == LLAVAOV_ERROR_MEMORY)
            call->memory = *call->run->error;
        else
            LV_TRY(part->status);
    }
    LV_TRY(b->ops->synchronize(b, call->run));
done:
    lv_scratch_free(&scratch);
    return status;
}

/* ---- what becomes of the frames; lock held ---- */

static void charge(LvSlice *slice, uint64_t used)
{
    for (size_t i = 0; i < slice->n_parts; i++) {
        const LvSlicePart *part = &slice->parts[i];
        const uint64_t share = used * part->n_tiles / slice->n_tiles;
        LlavaovSession *session = part->frame->session;
        part->frame->encode_ns += share;
        if (!session)
            continue;
        session->stats.encode_ns += share;
        lv_policy_charge(session, part->arrival, LV_WORK_TILE, part->n_tiles, share);
    }
}

/* What has no more use. */
typedef struct Leftover {
    LvDeferredFrees frame;
    LvContentFrees content;
} Leftover;

static void settle_frame(
    LlavaovFrame *frame, LlavaovStatus status, const LlavaovError *error, LvDeferredFrees *frees)
{
    frame->in_slice = false;
    if (frame->state == LV_FRAME_FAILED || frame->refs == 0) { /* cancelled or dropped meanwhile */
        *frees = lv_frame_detach(frame);
    } else if (status != LLAVAOV_OK) {
        lv_frame_fail(frame, error);
        *frees = lv_frame_detach(frame);
    } else if (frame->content->encoded) {
        lv_frame_set_encoded(frame, false);
    } else {
        frame->state = LV_FRAME_PREPARED;
        if (frame->encode == LLAVAOV_ENCODE_ON_ARRIVAL)
            lv_list_prepend(&frame->session->to_encode, &frame->in_queue);
    }
}

static Leftover settle(LlavaovFrame *frame, LlavaovStatus status, const LlavaovError *error)
{
    Leftover left = {0};
    LvContent *content = frame->content;
    content->in_slice = false;
    if (status != LLAVAOV_OK)
        left.content = lv_content_reset(content);
    else if (content->embeddings.data)
        left.content = lv_content_set_encoded(content);
    if (content->encoded)
        lv_frames_share(content);
    settle_frame(frame, status, error, &left.frame);
    return left;
}

/* Dropped meanwhile. */
static void let_go(LlavaovEngine *engine, LvSlice *slice, Leftover *left)
{
    const size_t n = slice->n_parts;
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < n; i++) {
        lv_content_release(engine, &left[i].content);
        lv_frame_release(engine, &left[i].frame);
    }
    pthread_mutex_lock(&engine->lock);
    bool last[LV_MAX_SLICE_TILES];
    for (size_t i = 0; i < n; i++)
        last[i] = lv_frame_unpin(slice->parts[i].frame);
    slice->n_parts = 0;
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < n; i++)
        if (last[i])
            lv_frame_free(slice->parts[i].frame);
    pthread_mutex_lock(&engine->lock);
}

void lv_encode_run(LlavaovEngine *engine, const LvNextSlice *next)
{
    LvSlice *slice = &engine->slice;
    Leftover left[LV_MAX_SLICE_TILES];
    LlavaovError error;
    lv_error_clear(&error);
    const LvRun run = {.cancel = &slice->cancel, .error = &error};
    Call call = {.engine = engine, .run = &run, .slice = slice};
    collect(engine, slice, next);
    pthread_mutex_unlock(&engine->lock);
    const uint64_t start = lv_now_ns();
    LlavaovStatus status = encode(&call);
    const uint64_t used = lv_now_ns() - start;
    pthread_mutex_lock(&engine->lock);

    engine->stats.encoder_calls++;
    engine->stats.encoder_tiles += slice->n_tiles;
    charge(slice, used);
    for (size_t i = 0; i < slice->n_parts; i++) {
        const LvSlicePart *part = &slice->parts[i];
        const bool own = status == LLAVAOV_OK && part->status != LLAVAOV_OK;
        left[i] = settle(part->frame, own ? part->status : status, own ? &call.memory : &error);
    }
    let_go(engine, slice, left);
}
