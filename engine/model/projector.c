/* SPDX-License-Identifier: Apache-2.0 */
#include "model/projector.h"

#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"
#include "picture/layout.h"

#define PRE_NORM_EPS 1e-5 /* torch's LayerNorm */

/* Its bias and weight; the activation stands between layers. */
static LlavaovStatus layer(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor in, uint32_t i)
{
    LvBackend *b = model->backend;
    const LvProjector *p = &model->projector;
    return b->ops->linear(b, run, out, in, p->layers[i].weight, p->layers[i].bias,
        i + 1 < p->n_layers ? model->config->projector_activation : LV_ACTIVATION_NONE, NULL);
}

/* Layers [0, n): out [rows, H], n > 0. */
static LlavaovStatus layers(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor in, uint32_t n)
{
    LvScratch scratch = lv_scratch(model->backend, run->error);
    LlavaovStatus status;
    LvTensor hidden[2] = {{0}};
    for (uint32_t i = 0; i < 2 && i + 1 < n; i++)
        hidden[i] = lv_scratch_tensor(&scratch, in.rows, out.cols);
    LV_TRY(scratch.status);
    for (uint32_t i = 0; i < n; i++) {
        const LvTensor to = i + 1 == n ? out : hidden[i % 2];
        LV_TRY(layer(model, run, to, in, i));
        in = to;
    }
done:
    lv_scratch_free(&scratch);
    return status;
}

static LlavaovStatus blocks(const LvModel *model, const LvRun *run, LvTensor x)
{
    LvBackend *b = model->backend;
    const LvProjector *p = &model->projector;
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor normed = lv_scratch_tensor(&scratch, x.rows, x.cols);
    LvTensor hidden = lv_scratch_tensor(&scratch, x.rows, x.cols);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        const LvProjectorBlock *block = &p->blocks[i];
        LV_TRY(b->ops->layer_norm(
            b, run, normed, x, block->norm.scale, block->norm.bias, PRE_NORM_EPS));
        LV_TRY(b->ops->linear(b, run, hidden, normed, block->first.weight, block->first.bias,
            model->config->projector_activation, NULL));
        LV_TRY(b->ops->linear(b, run, x, hidden, block->second.weight, block->second.bias,
            LV_ACTIVATION_NONE, &normed));
    }
done:
    lv_scratch_free(&scratch);
    return status;
}

LlavaovStatus lv_projector_run(const LvModel *model, const LvRun *run, LvTensor out, LvTensor in)
{
    LlavaovStatus status;
    LV_TRY(layers(model, run, out, in, model->projector.n_layers));
    if (model->projector.n_blocks)
        LV_TRY(blocks(model, run, out));
done:
    return status;
}

/* For a map with an even edge, 2 x 2 means are the same as bilinear halving; the last row and
 * column of an odd one are ignored. */
static LlavaovStatus average(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor in, size_t n_frames)
{
    LvBackend *b = model->backend;
    const uint32_t grid = model->config->vision.grid, even = grid / 2 * 2;
    const size_t n = n_frames * even * even;
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor whole = in;
    uint32_t *rows = NULL;
    LlavaovStatus status;
    if (even != grid) {
        whole = lv_scratch_tensor(&scratch, n, in.cols);
        rows = lv_alloc(n, sizeof *rows);
        LV_TRY(scratch.status);
        if (!rows)
            LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for pooling"));
        for (size_t i = 0; i < n; i++) {
            const size_t frame = i / (even * even), at = i % (even * even);
            rows[i] = (uint32_t)((frame * grid + at / even) * grid + at % even);
        }
        LV_TRY(b->ops->gather_rows(b, run, whole, in, rows));
    }
    LV_TRY(b->ops->pool_bilinear(b, run, out, whole, n_frames, even, even, even / 2, even / 2));
done:
    lv_free(rows);
    lv_scratch_free(&scratch);
    return status;
}

static LlavaovStatus pool(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor in, size_t n_frames)
{
    LvBackend *b = model->backend;
    const uint32_t grid = model->config->vision.grid, pooled = lv_pooled_grid(model->config);
    switch (model->config->pooling) {
    case LV_POOLING_AVERAGE:
        return average(model, run, out, in, n_frames);
    case LV_POOLING_MAX:
        return b->ops->pool_max(b, run, out, in, n_frames, grid, grid);
    default:
        return b->ops->pool_bilinear(b, run, out, in, n_frames, grid, grid, pooled, pooled);
    }
}

LlavaovStatus lv_projector_run_pooled(const LvModel *model, const LvRun *run, LvTensor out,
    LvTensor in, size_t n_frames, LvPoolOrder order)
{
    const LvProjector *p = &model->projector;
    const bool early =
        order == LV_POOL_EARLY && model->config->pooling != LV_POOLING_MAX && !p->n_blocks;
    LvScratch scratch = lv_scratch(model->backend, run->error);
    LlavaovStatus status;
    if (!early) {
        LvTensor projected = lv_scratch_tensor(&scratch, in.rows, out.cols);
        LV_TRY(scratch.status);
        LV_TRY(lv_projector_run(model, run, projected, in));
        LV_TRY(pool(model, run, out, projected, n_frames));
    } else {
        LvTensor hidden = in;
        if (p->n_layers > 1)
            hidden = lv_scratch_tensor(&scratch, in.rows, out.cols);
        LvTensor fewer = lv_scratch_tensor(&scratch, out.rows, hidden.cols);
        LV_TRY(scratch.status);
        if (p->n_layers > 1)
            LV_TRY(layers(model, run, hidden, in, p->n_layers - 1));
        LV_TRY(pool(model, run, fewer, hidden, n_frames));
        LV_TRY(layer(model, run, out, fewer, p->n_layers - 1));
    }
done:
    lv_scratch_free(&scratch);
    return status;
}
