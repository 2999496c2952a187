/* SPDX-License-Identifier: Apache-2.0 */
#include "model/visual.h"

#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/tower.h"
#include "model/try.h"

LlavaovStatus lv_visual_video(const LvModel *model, const LvRun *run, LvTensor out,
    const LvTile *tiles, size_t n_tiles, LvPoolOrder order)
{
    const LvVisionConfig *v = &model->config->vision;
    LvScratch scratch = lv_scratch(model->backend, run->error);
    LvTensor features =
        lv_scratch_tensor(&scratch, n_tiles * v->grid * v->grid, lv_feature_width(v));
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(lv_tower_run(model, run, features, tiles, n_tiles));
    LV_TRY(lv_projector_run_pooled(model, run, out, features, n_tiles, order));
done:
    lv_scratch_free(&scratch);
    return status;
}

LlavaovStatus lv_visual_batch(const LvModel *model, const LvRun *run, LvTensor pooled,
    LvTensor full, const LvTile *tiles, size_t n_video, size_t n_others)
{
    const LvVisionConfig *v = &model->config->vision;
    const size_t each = (size_t)v->grid * v->grid;
    LvScratch scratch = lv_scratch(model->backend, run->error);
    LvTensor features =
        lv_scratch_tensor(&scratch, (n_video + n_others) * each, lv_feature_width(v));
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(lv_tower_run(model, run, features, tiles, n_video + n_others));
    if (n_video)
        LV_TRY(lv_projector_run_pooled(model, run, pooled,
            lv_tensor_rows(features, 0, n_video * each), n_video, LV_POOL_EARLY));
    if (n_others)
        LV_TRY(lv_projector_run(
            model, run, full, lv_tensor_rows(features, n_video * each, n_others * each)));
done:
    lv_scratch_free(&scratch);
    return status;
}

LlavaovStatus lv_visual_tiles(
    const LvModel *model, const LvRun *run, LvTensor out, const LvTile *tiles, size_t n_tiles)
{
    return lv_visual_batch(model, run, (LvTensor){0}, out, tiles, 0, n_tiles);
}

LlavaovStatus lv_visual_assemble_frame(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor pooled)
{
    LvBackend *b = model->backend;
    const uint32_t edge = lv_pooled_grid(model->config);
    /* Rows between newlines. */
    const size_t n = model->config->video_newline == LV_NEWLINE_GRID ? edge : pooled.rows;
    LlavaovStatus status = LLAVAOV_OK;
    if (out.rows == pooled.rows)
        return b->ops->copy(b, run, out, pooled);
    for (size_t from = 0, to = 0; from < pooled.rows; from += n, to += n + 1) {
        LV_TRY(b->ops->copy(b, run, lv_tensor_rows(out, to, n), lv_tensor_rows(pooled, from, n)));
        LV_TRY(b->ops->copy(b, run, lv_tensor_rows(out, to + n, 1), model->newline));
    }
done:
    return status;
}

LlavaovStatus lv_visual_assemble_one_of_many(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor features)
{
    LvBackend *b = model->backend;
    LlavaovStatus status;
    const size_t dropped = model->config->drop_first, n = features.rows - dropped;
    LV_TRY(b->ops->copy(b, run, lv_tensor_rows(out, 0, n), lv_tensor_rows(features, dropped, n)));
    if (!model->config->no_newline)
        LV_TRY(b->ops->copy(b, run, lv_tensor_rows(out, n, 1), model->newline));
done:
    return status;
}

/* map [map_height * map_width, H]: the unpadded map, whose rows of the features are `crop`, brought
 * to its final size. */
static LlavaovStatus shrink_map(const LvModel *model, const LvRun *run, LvTensor map,
    LvTensor features, const LvAnyresPlan *plan, const uint32_t *crop)
{
    LvBackend *b = model->backend;
    const size_t n = (size_t)plan->crop_height * plan->crop_width;
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor whole = lv_scratch_tensor(&scratch, n, features.cols);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(b->ops->gather_rows(b, run, whole, features, crop));
    if (model->config->merge == LV_MERGE_HALVED)
        LV_TRY(b->ops->pool_max(b, run, map, whole, 1, plan->crop_height, plan->crop_width));
    else
        LV_TRY(b->ops->pool_bilinear(b, run, map, whole, 1, plan->crop_height, plan->crop_width,
            plan->map_height, plan->map_width));
done:
    lv_scratch_free(&scratch);
    return status;
}

/* One gather lays out the map's rows, with a newline after each where there is one; the newline is
 * the last row of the gather's source. out [map_height * (map_width + newlines), H]. */
static LlavaovStatus assemble_map(const LvModel *model, const LvRun *run, LvTensor out,
    LvTensor features, const LvAnyresPlan *plan)
{
    LvBackend *b = model->backend;
    const bool newlines = model->config->merge == LV_MERGE_UNPAD;
    const bool shrunk =
        plan->map_height != plan->crop_height || plan->map_width != plan->crop_width;
    const size_t crop_size = (size_t)plan->crop_height * plan->crop_width;
    const size_t source_rows = shrunk ? (size_t)plan->map_height * plan->map_width : features.rows;
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor source = lv_scratch_tensor(&scratch, source_rows + newlines, out.cols);
    uint32_t *rows = lv_alloc(out.rows + crop_size, sizeof *rows); /* of out, then of the crop */
    LlavaovStatus status;
    LV_TRY(scratch.status);
    if (!rows)
        LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for an image's layout"));

    uint32_t *crop = rows + out.rows;
    lv_anyres_rows(&model->config->vision, plan, crop);
    LvTensor map = lv_tensor_rows(source, 0, source_rows);
    if (shrunk)
        LV_TRY(shrink_map(model, run, map, features, plan, crop));
    else
        LV_TRY(b->ops->copy(b, run, map, features));
    if (newlines)
        LV_TRY(b->ops->copy(b, run, lv_tensor_rows(source, source_rows, 1), model->newline));

    uint32_t *row = rows, i = 0;
    for (uint32_t y = 0; y < plan->map_height; y++) {
        for (uint32_t x = 0; x < plan->map_width; x++, i++)
            *row++ = shrunk ? i : crop[i];
        if (newlines)
            *row++ = (uint32_t)source_rows;
    }
    LV_TRY(b->ops->gather_rows(b, run, out, source, rows));
done:
    lv_free(rows);
    lv_scratch_free(&scratch);
    return status;
}

LlavaovStatus lv_visual_assemble_image(const LvModel *model, const LvRun *run, LvTensor out,
    LvTensor features, const LvAnyresPlan *plan)
{
    LvBackend *b = model->backend;
    const LvConfig *config = model->config;
    const size_t each = (size_t)config->vision.grid * config->vision.grid;
    const size_t base = config->no_base ? 0 : each;
    LlavaovStatus status;
    if (out.rows != plan->n_tokens || features.rows != plan->n_tiles * each)
        return lv_fail(run->error, LLAVAOV_ERROR_INTERNAL, NULL,
            "image layout of %zu rows, plan of %u", out.rows, plan->n_tokens);
    if (plan->n_tiles == 1)
        return lv_visual_assemble_one_of_many(model, run, out, features);
    if (config->merge == LV_MERGE_FLAT)
        return b->ops->copy(b, run, out, features);
    if (base)
        LV_TRY(
            b->ops->copy(b, run, lv_tensor_rows(out, 0, base), lv_tensor_rows(features, 0, base)));
    LV_TRY(assemble_map(model, run, lv_tensor_rows(out, base, out.rows - base), features, plan));
done:
    return status;
}
