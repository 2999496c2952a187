/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "model/try.h"
#include "model/visual.h"
#include "picture/picture.h"
#include "tool.h"

static LlavaovStatus need_model(const ToolOptions *o, LlavaovError *error)
{
    return o->model ? LLAVAOV_OK
                    : lv_fail_about(error, LLAVAOV_ERROR_ARGUMENT, LLAVAOV_ABOUT_OPTION, "model",
                          "a checkpoint folder is wanted: -m DIR");
}

LlavaovStatus tool_open_tokenizer(
    const ToolOptions *o, LvTokenizer **tokenizer, LlavaovError *error)
{
    LlavaovStatus status = need_model(o, error);
    return status == LLAVAOV_OK ? lv_tokenizer_open_folder(o->model, tokenizer, error) : status;
}

LlavaovStatus tool_open_model(const ToolOptions *o, ToolModel *m, LlavaovError *error)
{
    memset(m, 0, sizeof *m);
    LvBackendOptions backend = {.device = o->device,
        .precision = o->precision,
        .kv_precision = o->kv_precision,
        .threads = o->threads,
        .cpu_mask = o->cpu_mask};
    LlavaovStatus status;
    LV_TRY(need_model(o, error));
    LV_TRY(lv_checkpoint_open(o->model, &m->checkpoint, error));
    backend.config = lv_checkpoint_config(m->checkpoint);
    backend.weight_elements = lv_checkpoint_weight_elements(m->checkpoint);
    LV_TRY(lv_backend_open(&backend, &m->backend, error));
    LV_TRY(lv_model_open(m->checkpoint, m->backend, NULL, NULL, &m->model, error));
    return LLAVAOV_OK;
done:
    tool_close_model(m);
    return status;
}

void tool_close_model(ToolModel *m)
{
    lv_model_close(m->model);
    if (m->backend)
        m->backend->ops->close(m->backend);
    if (m->tokenizer)
        lv_tokenizer_close(m->tokenizer);
    if (m->checkpoint)
        lv_checkpoint_close(m->checkpoint);
    memset(m, 0, sizeof *m);
}

static uint32_t rows_of(LlavaovLayout layout, const LvConfig *config, const LvTiles *tiles)
{
    return layout == LLAVAOV_LAYOUT_VIDEO   ? lv_frame_tokens(config)
           : layout == LLAVAOV_LAYOUT_IMAGE ? tiles->plan.n_tokens
                                            : lv_multi_image_tokens(config);
}

/* A video's frames, in calls of as many as the backend likes. */
static LlavaovStatus encode_video(const ToolOptions *o, ToolModel *m, const LvTiles *frames,
    size_t n, LvTensor out, LlavaovError *error)
{
    enum { MOST = 64 };
    const LvRun run = {.error = error};
    const uint32_t preferred = m->backend->info.preferred_tiles;
    const size_t most = preferred == 0 ? 1 : preferred < MOST ? preferred : MOST;
    const uint32_t edge = lv_pooled_grid(m->model->config);
    const size_t each = (size_t)edge * edge, rows = lv_frame_tokens(m->model->config);
    LvTensor pooled = {0};
    LlavaovStatus status =
        m->backend->ops->tensor_alloc(m->backend, most * each, out.cols, &pooled, error);
    for (size_t at = 0; at < n && status == LLAVAOV_OK;) {
        LvTile tiles[MOST];
        const size_t count = n - at < most ? n - at : most;
        for (size_t i = 0; i < count; i++)
            tiles[i] =
                (LvTile){.rgb = frames[at + i].rgb, .values = &m->model->config->video.values};
        status = lv_visual_video(
            m->model, &run, lv_tensor_rows(pooled, 0, count * each), tiles, count, o->pool);
        for (size_t i = 0; i < count && status == LLAVAOV_OK; i++)
            status = lv_visual_assemble_frame(m->model, &run,
                lv_tensor_rows(out, (at + i) * rows, rows), lv_tensor_rows(pooled, i * each, each));
        at += count;
    }
    if (pooled.data)
        m->backend->ops->tensor_free(m->backend, &pooled);
    return status;
}

static LlavaovStatus encode_one(
    LlavaovLayout layout, ToolModel *m, const LvTiles *tiles, LvTensor out, LlavaovError *error)
{
    LvBackend *b = m->backend;
    const LvVisionConfig *vision = &m->model->config->vision;
    const LvRun run = {.error = error};
    const size_t each = (size_t)vision->grid * vision->grid;
    const size_t bytes = (size_t)tiles->image_size * tiles->image_size * 3;
    LvTensor features = {0};
    LlavaovStatus status;
    LV_TRY(b->ops->tensor_alloc(b, tiles->n * each, out.cols, &features, error));
    for (uint32_t i = 0; i < tiles->n; i++) {
        const LvTile tile = {
            .rgb = tiles->rgb + i * bytes, .values = &m->model->config->image.values};
        LV_TRY(lv_visual_tiles(m->model, &run, lv_tensor_rows(features, i * each, each), &tile, 1));
    }
    if (layout == LLAVAOV_LAYOUT_IMAGE)
        LV_TRY(lv_visual_assemble_image(m->model, &run, out, features, &tiles->plan));
    else
        LV_TRY(lv_visual_assemble_one_of_many(m->model, &run, out, features));
done:
    if (features.data)
        b->ops->tensor_free(b, &features);
    return status;
}

LlavaovStatus tool_visual_rows(const ToolOptions *o, ToolModel *m, const ToolPictures *pictures,
    LvTensor *rows, uint32_t **each_out, size_t *n_visuals, LlavaovError *error)
{
    LvBackend *b = m->backend;
    const LvConfig *config = m->model->config;
    const LlavaovLayout layout = tool_layout_for(o, pictures->n);
    const bool video = layout == LLAVAOV_LAYOUT_VIDEO;
    const LvRun run = {.error = error};
    LlavaovStatus status = LLAVAOV_OK;
    memset(rows, 0, sizeof *rows);
    uint32_t *each = lv_calloc(pictures->n + 1, sizeof *each);
    LvTiles *tiles = lv_calloc(pictures->n, sizeof *tiles);
    const bool newline = video && config->video_newline == LV_NEWLINE_END;
    size_t total = newline;
    if (!each || !tiles)
        LV_TRY(lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for pictures"));
    for (size_t i = 0; i < pictures->n; i++) {
        LV_TRY(lv_image_check(&pictures->images[i], error));
        LV_TRY(lv_picture_prepare(config, layout, lv_resize_of(config, o->resize),
            &pictures->images[i], NULL, &tiles[i], error));
        each[i] = rows_of(layout, config, &tiles[i]);
        total += each[i];
    }
    LV_TRY(b->ops->tensor_alloc(b, total, config->text.hidden_size, rows, error));
    size_t done_rows = 0;
    if (video) {
        done_rows = total - newline;
        LV_TRY(encode_video(o, m, tiles, pictures->n, lv_tensor_rows(*rows, 0, done_rows), error));
    }
    for (size_t i = 0; i < pictures->n && !video; done_rows += each[i++])
        LV_TRY(encode_one(layout, m, &tiles[i], lv_tensor_rows(*rows, done_rows, each[i]), error));
    *n_visuals = pictures->n;
    if (video) {
        if (newline)
            LV_TRY(b->ops->copy(b, &run, lv_tensor_rows(*rows, done_rows, 1), m->model->newline));
        each[0] = (uint32_t)total;
        *n_visuals = 1;
    }
    *each_out = each;
    each = NULL;
done:
    for (size_t i = 0; tiles && i < pictures->n; i++)
        lv_tiles_free(&tiles[i]);
    lv_free(tiles);
    lv_free(each);
    if (status != LLAVAOV_OK && rows->data)
        b->ops->tensor_free(b, rows);
    return status;
}

/* ---- the engine, as applications have it ---- */

LlavaovStatus tool_open_engine(const ToolOptions *o, LlavaovEngine **engine, LlavaovError *error)
{
    const LlavaovEngineOptions options = {.size = sizeof options,
        .model_path = o->model,
        .device = o->device,
        .precision = o->precision,
        .kv_precision = o->kv_precision,
        .quantized_cache = o->quantized_cache,
        .resize = o->resize,
        .threads = o->threads,
        .cpu_mask = o->cpu_mask};
    LlavaovStatus status = llavaov_engine_open(&options, engine, error);
    if (status != LLAVAOV_OK)
        return status;
    const char *notice = llavaov_engine_info(*engine)->generation_notice;
    if (notice && !o->greedy && !o->choices.labels)
        fprintf(stderr, "llavaov-tool: warning: %s\n", notice);
    return LLAVAOV_OK;
}
