/* SPDX-License-Identifier: Apache-2.0
 * Fused operations that a backend may offer (backend.h), composed of single operations where it
 * does not. */
#ifndef LV_FUSED_H
#define LV_FUSED_H

#include "backend/backend.h"
#include "model/scratch.h"

/* Where composed operations leave rms_norm's result, [rows, cols]; empty where none is composed. */
LvTensor lv_fused_scratch(LvScratch *scratch, size_t rows, size_t cols);

/* out [rows, N] = linear(rms_norm(in), weight, bias). normed: lv_fused_scratch with at least as
 * many rows as `in`; likewise below. */
LlavaovStatus lv_norm_linear(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    LvRmsNorm norm, const LvWeight *weight, const LvWeight *bias, LvTensor normed);

/* out [rows, I] = linear_gated(rms_norm(in), gate_up, activation). */
LlavaovStatus lv_norm_linear_gated(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor in,
    LvRmsNorm norm, const LvWeight *gate_up, LvActivation activation, LvTensor normed);

/* Rotates qkv and stores keys and values, then out = the causal attention of its rows. qkv is
 * undefined afterwards. */
LlavaovStatus lv_rope_attention(LvBackend *backend, const LvRun *run, LvTensor out, LvTensor qkv,
    const LvBatch *batch, uint32_t layer, const LvTextConfig *text);

#endif
