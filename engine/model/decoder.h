/* SPDX-License-Identifier: Apache-2.0
 * The Qwen2 decoder (docs/model.md 5): embedding merge, layers over a batch of sequences, logits.
 */
#ifndef LV_DECODER_H
#define LV_DECODER_H

#include "model/model.h"

/* Rows of visual vectors, one piece after the other, that replace the placeholder ids of a prompt
 * in order. */
typedef struct LvVisualRows {
    const LvTensor *pieces; /* each [any, H] */
    size_t n_pieces;
} LvVisualRows;

/* A prompt: ids with placeholders in place. Without visual vectors both tokens are -1. */
typedef struct LvPrompt {
    const int32_t *ids;
    size_t n;
    int32_t image_token, video_token; /* the placeholders' ids; -1: none */
    LvVisualRows visual;
} LvPrompt;

/* Placeholders and visual rows must agree and every other id must lie inside the vocabulary:
 * checked once per prompt instead of in every chunk. */
LlavaovStatus lv_prompt_check(const LvModel *model, const LvPrompt *prompt, LlavaovError *error);

/* How many ids there are up to the end of the last picture or clip; 0: there is none. */
size_t lv_prompt_visual_end(const LvPrompt *prompt);

/* How many rows of pictures and clips it has. */
size_t lv_prompt_visual_rows(const LvPrompt *prompt);

/* hidden [count, H] = embeddings of prompt positions [first, first + count). */
LlavaovStatus lv_decoder_embed(
    const LvModel *model, const LvRun *run, LvTensor hidden, const LvPrompt *prompt, size_t first);

typedef enum LvLogits {
    LV_LOGITS_NONE, /* only the caches are filled: a prefill chunk that is not the last */
    LV_LOGITS_LAST, /* of the last row of every sequence */
    LV_LOGITS_ALL   /* of every row */
} LvLogits;

/* Runs all layers over hidden [rows, H] (overwritten) and appends to the sequences' caches. scores
 * [rows asked for, vocab_size], on the device, receives the logits in order; not read for
 * LV_LOGITS_NONE. The caller checks that the caches have room. */
LlavaovStatus lv_decoder_logits(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvLogits want, LvTensor scores);

/* The same, but with tokens [n_sequences] (host) = the first maximum of the logits after each
 * sequence's last row, or -1 where they are not finite; NULL in a step (backend.h).
 * Only where the backend has norm_linear_greedy. */
LlavaovStatus lv_decoder_greedy(
    const LvModel *model, const LvRun *run, LvTensor hidden, const LvBatch *batch, int32_t *tokens);

/* As lv_decoder_logits, with the logits in host memory (float32); NULL for LV_LOGITS_NONE. */
LlavaovStatus lv_decoder_run(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvLogits want, float *logits);

#endif
