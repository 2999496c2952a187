/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/decode.h"

#include "base/status.h"
#include "serve/answer.h"
#include "serve/verify.h"
#include "base/clock.h"

static LlavaovStatus forward(
    LlavaovEngine *engine, LvStep *steps, size_t n, bool alone, LlavaovError *error)
{
    const LvRun run = {.cancel = &engine->slice.cancel, .error = error};
    int32_t ids[LV_MAX_SLICE_REQUESTS];
    LvGuesses guesses;
    if (lv_guess(steps, n, &guesses))
        return lv_answers_verify(engine, &run, &guesses, steps, n);
    LvSequence sequences[LV_MAX_SLICE_REQUESTS];
    for (size_t i = 0; i < n; i++) {
        const LlavaovTicket *r = steps[i].request;
        ids[i] = r->tokens[r->n_tokens - 1];
        sequences[i] = (LvSequence){r->cache, (uint32_t)i, 1, r->n_cached, 0};
        alone = alone && r->input.n + r->n_tokens + 1 < r->capacity; /* or it ends with this */
    }
    const LvBatch batch = {sequences, n};
    LlavaovStatus status = lv_answers_continue(engine, &run, ids, &batch, alone, steps);
    for (size_t i = 0; i < n && status == LLAVAOV_OK; i++)
        if (lv_request_drafts(steps[i].request))
            lv_drafts_judge(&steps[i].request->session->drafts, steps[i].request->draft_key, 0, 0);
    return status;
}

void lv_decode_step(LlavaovEngine *engine, LvStep *steps, size_t n, bool alone)
{
    const uint64_t start = lv_now_ns();
    LlavaovError error;
    lv_error_clear(&error);
    const LlavaovStatus status = forward(engine, steps, n, alone, &error);
    const uint64_t used = lv_now_ns() - start;
    for (size_t i = 0; i < n; i++) {
        steps[i].request->answer.decode_ns += used / n;
        if (status == LLAVAOV_OK || status == LLAVAOV_ERROR_CANCELLED ||
            lv_cancelled(&steps[i].request->cancel))
            continue;
        steps[i].status = status;
        steps[i].error = error;
        steps[i].finished = true;
    }
}
