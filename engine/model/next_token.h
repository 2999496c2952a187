/* SPDX-License-Identifier: Apache-2.0
 * The next token of each sequence of a batch: chosen on the device where the backend can, so that
 * logits need not leave it, and otherwise by the sampler on the host. */
#ifndef LV_NEXT_TOKEN_H
#define LV_NEXT_TOKEN_H

#include "model/decoder.h"
#include "model/sampler.h"

typedef struct LvNextToken {
    LvSampler *sampler;  /* of the sequence; notes the token */
    LlavaovError *error; /* filled when status is not OK */
    LlavaovStatus status;
    int32_t token;
} LvNextToken;

/* The backend cannot choose this sampler's token, so its logits are downloaded. */
bool lv_next_token_on_host(const LvBackend *backend, const LvSampler *sampler);

/* Runs all layers as lv_decoder_logits and chooses a token after each sequence's last row, one
 * choice for each sequence. `row`: vocab_size floats of scratch; may be NULL where
 * lv_next_token_on_host is false for every sampler.
 *
 * Each choice has its own status: NUMERIC when its logits are not finite. The returned status is
 * about the call as a whole. After CANCELLED no sampler has advanced, and the call may be
 * repeated. */
LlavaovStatus lv_decoder_next(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvNextToken *choices, float *row);

/* The same for a step of decoding: each sequence has one row, its token ids[i], which lies inside
 * the vocabulary. ahead: LvDecodeStep. */
LlavaovStatus lv_decoder_step(const LvModel *model, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, bool ahead, LvNextToken *choices, float *row);

#endif
