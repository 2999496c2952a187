/* SPDX-License-Identifier: Apache-2.0
 * A checkpoint folder: config.json, one or many *.safetensors, tokenizer.json. Opening validates
 * everything that can be validated without reading weights: names, shapes, dtypes, ranges, shards,
 * configuration. Open checkpoints are immutable: every function may be called from any thread. */
#ifndef LV_CHECKPOINT_H
#define LV_CHECKPOINT_H

#include "base/tensor.h"
#include "checkpoint/config.h"
#include "checkpoint/generation_config.h"

typedef struct LvCheckpoint LvCheckpoint;

/* Maps the weights read-only. On success every tensor that the model needs is present with the
 * right shape and a dtype of kernels/dtype.h (which may differ between tensors).
 *
 * Files: config.json; generation_config.json if there is one; the weights as shards.h finds them.
 * The tokenizer is not read here. Costs milliseconds whatever the size of the weights: only headers
 * are read, except that tensors at addresses misaligned for their dtype are copied.
 *
 * Errors name the file, tensor or field: NOT_FOUND (folder or a file), IO, FORMAT (broken or
 * absurd), UNSUPPORTED (well formed, but not this family or not implemented), MEMORY. *checkpoint
 * is NULL then.
 *
 * A file that someone shortens while it is mapped raises SIGBUS when its weights are read: replace
 * checkpoints by renaming, never in place. */
LlavaovStatus lv_checkpoint_open(
    const char *folder, LvCheckpoint **checkpoint, LlavaovError *error);
/* The same without weights, which need not be there: configurations alone, and no tensors. */
LlavaovStatus lv_checkpoint_open_configs(
    const char *folder, LvCheckpoint **checkpoint, LlavaovError *error);
void lv_checkpoint_close(LvCheckpoint *checkpoint);

const LvConfig *lv_checkpoint_config(const LvCheckpoint *checkpoint);
const LvGenerationConfig *lv_checkpoint_generation(const LvCheckpoint *checkpoint);
const char *lv_checkpoint_folder(const LvCheckpoint *checkpoint);

/* Lookup by canonical name (docs/model.md 2.1), e.g. "V.encoder.layers.0.self_attn.q_proj.weight",
 * "P.linear_1.bias", "NL", "T.layers.3.mlp.gate_proj.weight", "HEAD.weight". NULL when the file has
 * none (only optional tensors can be absent). The result lives as long as the checkpoint. */
const LvHostTensor *lv_checkpoint_tensor(
    const LvCheckpoint *checkpoint, const char *canonical_name);

/* Bytes of all tensors that the model uses. */
uint64_t lv_checkpoint_weight_bytes(const LvCheckpoint *checkpoint);
/* Their number of values of each type: LV_N_DTYPES. */
const uint64_t *lv_checkpoint_weight_elements(const LvCheckpoint *checkpoint);

#endif
