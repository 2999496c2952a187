/* SPDX-License-Identifier: Apache-2.0
 * The answer of a request as it grows: tokens, whole characters of text, its end. */
#ifndef LV_ANSWER_H
#define LV_ANSWER_H

#include "serve/request.h"

/* Adds whole characters to the answer and to what on_text has not seen; finish: also what is left of
 * an incomplete one. Lock not held; run by the inference thread. */
LlavaovStatus lv_answer_add_text(
    LlavaovTicket *r, const char *bytes, size_t n, bool finish, LlavaovError *error);

/* Adds a token that was chosen; *finished: the answer ends with it. Lock not held; run by the
 * inference thread. */
LlavaovStatus lv_answer_take_token(
    LlavaovTicket *r, int32_t token, bool *finished, LlavaovError *error);

/* Makes engine->logits, scratch of sampling on the host. */
LlavaovStatus lv_answers_reserve_row(LlavaovEngine *engine, LlavaovError *error);

/* Runs hidden through the decoder and adds to each step's answer the token that follows its
 * sequence. Each step gets its own status: a failure that is one request's alone (NUMERIC, MEMORY)
 * finishes that step, as does the end of its answer. The returned status is of the whole call; if
 * it is not OK no step was touched. Lock not held; run by the inference thread. */
LlavaovStatus lv_answers_extend(
    LlavaovEngine *engine, const LvRun *run, LvTensor hidden, const LvBatch *batch, LvStep *steps);
/* The same for a step of decoding: sequence i has one row, which is ids[i]. ahead: LvDecodeStep. */
LlavaovStatus lv_answers_continue(LlavaovEngine *engine, const LvRun *run, const int32_t *ids,
    const LvBatch *batch, bool ahead, LvStep *steps);

#endif
