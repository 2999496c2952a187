/* SPDX-License-Identifier: Apache-2.0 */
#include "model/choice.h"

#include "base/alloc.h"
#include "base/status.h"
#include "model/scratch.h"
#include "model/try.h"

static LlavaovStatus choose_on_device(
    LvBackend *b, const LvRun *run, LvTensor scores, LvChoice *choices)
{
    const size_t n = scores.rows;
    LvDraw *draws = lv_alloc(n, sizeof *draws);
    int32_t *tokens = lv_alloc(n, sizeof *tokens);
    LlavaovStatus status = LLAVAOV_OK;
    if (!draws || !tokens)
        LV_TRY(lv_fail(run->error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a batch"));
    for (size_t i = 0; i < n; i++) {
        const LvSampler *s = choices[i].sampler;
        draws[i] = (LvDraw){&s->generation, s->draws, s->seen};
    }
    LV_TRY(b->ops->sample(b, run, tokens, scores, draws));
    for (size_t i = 0; i < n; i++) {
        LvChoice *choice = &choices[i];
        choice->token = tokens[i];
        if (tokens[i] >= 0 && (size_t)tokens[i] < scores.cols) {
            lv_sampler_note(choice->sampler, tokens[i]);
            choice->status = LLAVAOV_OK;
        } else {
            choice->status = lv_fail(choice->error, LLAVAOV_ERROR_NUMERIC, "logits",
                "the model gave logits that are not finite");
        }
    }
done:
    lv_free(draws);
    lv_free(tokens);
    return status;
}

static LlavaovStatus choose_here(
    LvBackend *b, const LvRun *run, LvTensor scores, LvChoice *choices, float *row)
{
    LlavaovStatus status = LLAVAOV_OK;
    for (size_t i = 0; i < scores.rows && status == LLAVAOV_OK; i++) {
        LvChoice *choice = &choices[i];
        status = b->ops->download(b, run, row, lv_tensor_rows(scores, i, 1));
        if (status == LLAVAOV_OK)
            choice->status = lv_sampler_next(choice->sampler, row, &choice->token, choice->error);
    }
    return status;
}

LlavaovStatus lv_decoder_next(const LvModel *model, const LvRun *run, LvTensor hidden,
    const LvBatch *batch, LvChoice *choices, float *row)
{
    LvBackend *b = model->backend;
    /* Once the first sampler has moved on the call cannot be repeated. */
    const LvRun uncancelled = {.stream = run->stream, .error = run->error};
    LvScratch scratch = lv_scratch(b, run->error);
    LvTensor scores =
        lv_scratch_tensor(&scratch, batch->n_sequences, model->config->text.vocab_size);
    LlavaovStatus status;
    LV_TRY(scratch.status);
    LV_TRY(lv_decoder_logits(model, run, hidden, batch, LV_LOGITS_LAST, scores));
    LV_TRY(b->ops->sample ? choose_on_device(b, &uncancelled, scores, choices)
                          : choose_here(b, &uncancelled, scores, choices, row));
done:
    lv_scratch_free(&scratch);
    return status;
}
