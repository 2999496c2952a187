/* SPDX-License-Identifier: Apache-2.0 */
#include "model/fused.h"

LvTensor lv_fused_scratch(LvScratch *scratch, size_t rows, size_t cols)
{
    if (scratch->backend->ops->norm_linear)
        return (LvTensor){0};
    return lv_scratch_tensor(scratch, rows, cols);
}

static LlavaovStatus normalise(
    LvBackend *b, const LvRun *run, LvTensor *normed, LvTensor in, LvRmsNorm norm)
{
    *normed = lv_tensor_rows(*normed, 0, in.rows);
    return b->ops->rms_norm(b, run, *normed, in, norm.scale, norm.eps);
}

LlavaovStatus lv_norm_linear(LvBackend *b, const LvRun *run, LvTensor out, LvTensor in,
    LvRmsNorm norm, const LvWeight *weight, const LvWeight *bias, LvTensor normed)
{
    if (b->ops->norm_linear)
        return b->ops->norm_linear(b, run, out, in, norm, weight, bias);
    LlavaovStatus status = normalise(b, run, &normed, in, norm);
    return status == LLAVAOV_OK
               ? b->ops->linear(b, run, out, normed, weight, bias, LV_ACTIVATION_NONE, NULL)
               : status;
}

LlavaovStatus lv_norm_linear_gated(LvBackend *b, const LvRun *run, LvTensor out, LvTensor in,
    LvRmsNorm norm, const LvWeight *gate_up, LvActivation activation, LvTensor normed)
{
    if (b->ops->norm_linear_gated)
        return b->ops->norm_linear_gated(b, run, out, in, norm, gate_up, activation);
    LlavaovStatus status = normalise(b, run, &normed, in, norm);
    return status == LLAVAOV_OK ? b->ops->linear_gated(b, run, out, normed, gate_up, activation)
                                : status;
}

LlavaovStatus lv_rope_attention(LvBackend *b, const LvRun *run, LvTensor out, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text)
{
    if (b->ops->rope_attention)
        return b->ops->rope_attention(b, run, out, qkv, batch, layer, text);
    LlavaovStatus status = b->ops->rope_store(b, run, qkv, batch, layer, text);
    return status == LLAVAOV_OK ? b->ops->attention_causal(b, run, out, qkv, batch, layer, text)
                                : status;
}
