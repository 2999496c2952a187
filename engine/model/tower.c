/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tower.h"

#include "model/scratch.h"
#include "model/try.h"

/* Copies h into its places in `out`, if the projector reads the residual stream after `layer`
 * layers. */
static LlavaovStatus keep_features(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor h, uint32_t layer)
{
    LvBackend *b = model->backend;
    const LvVisionConfig *v = &model->config->vision;
    LlavaovStatus status = LLAVAOV_OK;
    for (uint32_t i = 0; i < v->n_feature_layers && status == LLAVAOV_OK; i++)
        if (v->feature_layers[i] == layer)
            status = b->ops->copy(b, run, lv_tensor_cols(out, i * h.cols, h.cols), h);
    return status;
}

/* h: the patches, and in the end the last layer's rows. */
static LlavaovStatus layers(
    const LvModel *model, const LvRun *run, LvTensor out, LvTensor h, size_t n_tiles)
{
    LvBackend *b = model->backend;
    const LvBackendOps *op = b->ops;
    const LvTower *tower = &model->tower;
    const LvVisionConfig *v = &model->config->vision;
    const size_t tokens = (size_t)v->grid * v->grid;
    const size_t width = (size_t)v->n_heads * v->head_dim;
    const bool whole = v->n_feature_layers == 1;

    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor normed = lv_scratch_tensor(&scratch, h.rows, v->hidden_size);
    LvTensor qkv = lv_scratch_tensor(&scratch, h.rows, 3 * width);
    LvTensor mixed = lv_scratch_tensor(&scratch, h.rows, width);
    LvTensor wide = lv_scratch_tensor(&scratch, h.rows, v->intermediate_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);

    if (!whole)
        LV_TRY(keep_features(model, run, out, h, 0));
    for (uint32_t i = 0; i < tower->n_layers; i++) {
        const LvTowerLayer *layer = &tower->layers[i];
        LV_TRY(op->layer_norm(
            b, run, normed, h, layer->norm1.scale, layer->norm1.bias, v->layer_norm_eps));
        LV_TRY(op->linear(
            b, run, qkv, normed, layer->qkv.weight, layer->qkv.bias, LV_ACTIVATION_NONE, NULL));
        LV_TRY(op->attention_full(b, run, mixed, qkv, n_tiles, tokens, v->n_heads, v->head_dim));
        LV_TRY(op->linear(
            b, run, h, mixed, layer->out.weight, layer->out.bias, LV_ACTIVATION_NONE, &h));
        LV_TRY(op->layer_norm(
            b, run, normed, h, layer->norm2.scale, layer->norm2.bias, v->layer_norm_eps));
        LV_TRY(op->linear(
            b, run, wide, normed, layer->fc1.weight, layer->fc1.bias, v->activation, NULL));
        LV_TRY(op->linear(
            b, run, h, wide, layer->fc2.weight, layer->fc2.bias, LV_ACTIVATION_NONE, &h));
        if (!whole)
            LV_TRY(keep_features(model, run, out, h, i + 1));
    }
done:
    lv_scratch_free(&scratch);
    return status;
}

/* Layers that write their rows alone, which a backend may repeat. */
static LlavaovStatus repeatable(const LvModel *model, const LvRun *run, LvTensor h, size_t n_tiles)
{
    LvBackend *b = model->backend;
    LlavaovStatus status = LLAVAOV_OK;
    LvPass pass = {0};
    do {
        pass = (LvPass){.model = model, .n_items = n_tiles, .rows = h};
        LV_TRY(b->ops->pass_begin(b, run, &pass));
        if (!pass.replayed)
            status = layers(model, run, pass.rows, pass.rows, n_tiles);
        LV_TRY(b->ops->pass_end(b, run, &pass, status));
    } while (pass.again);
done:
    return status;
}

LlavaovStatus lv_tower_run(
    const LvModel *model, const LvRun *run, LvTensor out, const LvTile *tiles, size_t n_tiles)
{
    LvBackend *b = model->backend;
    const LvTower *tower = &model->tower;
    const LvVisionConfig *v = &model->config->vision;
    const size_t rows = n_tiles * v->grid * v->grid;

    LvScratch scratch = lv_scratch(b, run->error);
    const bool whole = v->n_feature_layers == 1;
    LvTensor h = whole ? out : lv_scratch_tensor(&scratch, rows, v->hidden_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(b->ops->patch_embedding(
        b, run, h, tiles, n_tiles, v, tower->patch.weight, tower->patch.bias, tower->position));
    status = whole && b->ops->pass_begin ? repeatable(model, run, h, n_tiles)
                                         : layers(model, run, out, h, n_tiles);
done:
    lv_scratch_free(&scratch);
    return status;
}
