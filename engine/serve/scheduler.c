/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/scheduler.h"

#include "base/status.h"
#include "base/clock.h"
#include "serve/decode.h"
#include "serve/encode.h"
#include "serve/turn.h"

static void run_requests(LlavaovEngine *engine, const LvTurn *turn)
{
    const uint64_t start = lv_now_ns();
    LvStep steps[LV_MAX_SLICE_REQUESTS];
    uint64_t prefill[LV_MAX_SLICE_REQUESTS], decode[LV_MAX_SLICE_REQUESTS];
    const uint32_t cached = turn->requests[0]->n_cached;
    for (size_t i = 0; i < turn->n; i++) {
        LlavaovTicket *request = turn->requests[i];
        steps[i].request = request;
        steps[i].finished = false;
        steps[i].status = LLAVAOV_OK;
        lv_error_clear(&steps[i].error);
        prefill[i] = request->answer.prefill_ns;
        decode[i] = request->answer.decode_ns;
        request->running = true;
        turn->sessions[i]->working++;
    }
    atomic_store(&engine->slice.cancel.requested, false);

    pthread_mutex_unlock(&engine->lock);
    if (turn->kind == LV_TURN_DECODE)
        lv_decode_step(engine, steps, turn->n, turn->alone);
    else
        lv_request_step(&steps[0], turn->bounded);
    pthread_mutex_lock(&engine->lock);

    lv_turn_note_answers(engine, steps, turn->n);
    if (turn->kind == LV_TURN_DECODE) {
        engine->stats.decoder_steps++;
        engine->stats.decoder_rows += turn->n;
    }
    const uint64_t share = (lv_now_ns() - start) / turn->n;
    for (size_t i = 0; i < turn->n; i++) {
        LlavaovTicket *request = turn->requests[i];
        LlavaovSessionStats *stats = &turn->sessions[i]->stats;
        request->running = false;
        stats->prefill_ns += request->answer.prefill_ns - prefill[i];
        stats->decode_ns += request->answer.decode_ns - decode[i];
        const double units =
            turn->kind == LV_TURN_DECODE ? 1 : (double)(request->n_cached - cached);
        lv_turn_charge(turn->sessions[i], false,
            turn->kind == LV_TURN_DECODE ? LV_WORK_TOKEN : LV_WORK_ROW, units, share);
        if (steps[i].finished)
            lv_request_finish(request, steps[i].status, &steps[i].error);
        else if (lv_cancelled(&request->cancel))
            lv_request_cancel(request);
        lv_session_rest(turn->sessions[i]);
    }
}

static void note_idle(LlavaovEngine *engine, bool idle)
{
    const uint64_t now = lv_now_ns();
    if (engine->idle_since)
        lv_admission_idle(&engine->admission, engine->idle_since, now);
    engine->idle_since = idle && !engine->preparing ? now : 0;
}

bool lv_scheduler_turn(LlavaovEngine *engine)
{
    LvTurn turn;
    lv_turn_next(engine, &turn);
    note_idle(engine, turn.kind == LV_TURN_NONE);
    if (turn.kind == LV_TURN_ENCODE)
        lv_encode_run(engine, &turn);
    else if (turn.kind != LV_TURN_NONE)
        run_requests(engine, &turn);
    return turn.kind != LV_TURN_NONE;
}

void *lv_scheduler_main(void *data)
{
    LlavaovEngine *engine = data;
    pthread_mutex_lock(&engine->lock);
    while (!engine->stopping)
        if (!lv_scheduler_turn(engine))
            pthread_cond_wait(&engine->work, &engine->lock);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}
