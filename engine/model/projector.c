/* SPDX-License-Identifier: Apache-2.0 */
#include "model/projector.h"

#include "model/scratch.h"
#include "model/try.h"
#include "picture/layout.h"

LlavaovStatus lv_projector_run(const LvModel *model, const LvRun *run, LvTensor out, LvTensor in)
{
    LvBackend *b = model->backend;
    const LvProjector *p = &model->projector;
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor hidden = lv_scratch_tensor(&scratch, in.rows, out.cols);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(b->ops->linear(b, run, hidden, in, p->linear_1.weight, p->linear_1.bias,
        model->config->projector_activation, NULL));
    LV_TRY(b->ops->linear(
        b, run, out, hidden, p->linear_2.weight, p->linear_2.bias, LV_ACTIVATION_NONE, NULL));
done:
    lv_scratch_free(&scratch);
    return status;
}

LlavaovStatus lv_projector_run_pooled(const LvModel *model, const LvRun *run, LvTensor out,
    LvTensor in, size_t n_frames, LvPoolOrder order)
{
    LvBackend *b = model->backend;
    const LvProjector *p = &model->projector;
    const uint32_t grid = model->config->vision.grid;
    const uint32_t pooled = lv_pooled_grid(&model->config->vision);
    LvScratch scratch = lv_scratch(b, run->error);
    LlavaovStatus status;

    if (order == LV_POOL_LITERAL) {
        LvTensor projected = lv_scratch_tensor(&scratch, in.rows, out.cols);
        LV_TRY(scratch.status);
        LV_TRY(lv_projector_run(model, run, projected, in));
        LV_TRY(b->ops->pool_bilinear(b, run, out, projected, n_frames, grid, grid, pooled, pooled));
    } else {
        LvTensor hidden = lv_scratch_tensor(&scratch, in.rows, out.cols);
        LvTensor fewer = lv_scratch_tensor(&scratch, out.rows, out.cols);
        LV_TRY(scratch.status);
        LV_TRY(b->ops->linear(b, run, hidden, in, p->linear_1.weight, p->linear_1.bias,
            model->config->projector_activation, NULL));
        LV_TRY(b->ops->pool_bilinear(b, run, fewer, hidden, n_frames, grid, grid, pooled, pooled));
        LV_TRY(b->ops->linear(
            b, run, out, fewer, p->linear_2.weight, p->linear_2.bias, LV_ACTIVATION_NONE, NULL));
    }
done:
    lv_scratch_free(&scratch);
    return status;
}
