/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/scheduler.h"

#include "base/status.h"
#include "base/clock.h"
#include "serve/decode.h"
#include "serve/encode.h"
#include "serve/grow.h"
#include "serve/policy.h"

static void run_requests(LlavaovEngine *engine, const LvNextSlice *next)
{
    const uint64_t start = lv_now_ns();
    LvStep steps[LV_MAX_SLICE_REQUESTS];
    uint64_t prefill[LV_MAX_SLICE_REQUESTS], decode[LV_MAX_SLICE_REQUESTS];
    for (size_t i = 0; i < next->n; i++) {
        LlavaovTicket *request = next->requests[i];
        steps[i].request = request;
        steps[i].finished = false;
        steps[i].rows = 0;
        steps[i].status = LLAVAOV_OK;
        lv_error_clear(&steps[i].error);
        prefill[i] = request->answer.prefill_ns;
        decode[i] = request->answer.decode_ns;
        request->running = true;
        next->sessions[i]->working++;
    }
    atomic_store(&engine->slice.cancel.requested, false);

    pthread_mutex_unlock(&engine->lock);
    if (next->kind == LV_SLICE_DECODE)
        lv_decode_step(engine, steps, next->n, next->alone);
    else
        lv_request_step(steps, next->n, next->bounded);
    pthread_mutex_lock(&engine->lock);

    lv_policy_note_answers(engine, steps, next->n);
    if (next->kind == LV_SLICE_DECODE) {
        engine->stats.decoder_steps++;
        engine->stats.decoder_rows += next->n;
    }
    const uint64_t share = (lv_now_ns() - start) / next->n;
    for (size_t i = 0; i < next->n; i++) {
        LlavaovTicket *request = next->requests[i];
        LlavaovSessionStats *stats = &next->sessions[i]->stats;
        request->running = false;
        stats->prefill_ns += request->answer.prefill_ns - prefill[i];
        stats->decode_ns += request->answer.decode_ns - decode[i];
        const double units = next->kind == LV_SLICE_DECODE ? 1 : (double)steps[i].rows;
        *(next->kind == LV_SLICE_DECODE ? &request->common->tokens : &request->common->rows) +=
            units;
        lv_policy_charge(next->sessions[i], false,
            next->kind == LV_SLICE_DECODE ? LV_WORK_TOKEN : LV_WORK_ROW, units, share);
        if (steps[i].finished)
            lv_request_finish(request, steps[i].status, &steps[i].error);
        else if (lv_cancelled(&request->cancel))
            lv_request_cancel(request);
        lv_session_rest(next->sessions[i]);
    }
}

bool lv_scheduler_step(LlavaovEngine *engine)
{
    LvNextSlice next;
    lv_policy_next(engine, &next);
    if (next.kind == LV_SLICE_ENCODE)
        lv_encode_run(engine, &next);
    else if (next.kind != LV_SLICE_NONE)
        run_requests(engine, &next);
    return next.kind != LV_SLICE_NONE || lv_grow_step(engine);
}

void *lv_scheduler_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping)
        if (!lv_scheduler_step(engine))
            pthread_cond_wait(&engine->work, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
