/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/reserve.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "serve/chunk.h"

LlavaovReservation *llavaov_session_reserve(
    LlavaovSession *session, uint64_t ends_in, uint64_t next_begins_in)
{
    LlavaovEngine *engine = session->engine;
    LlavaovReservation *reservation = lv_calloc(1, sizeof *reservation);
    if (!reservation)
        return NULL;
    const uint64_t now = lv_now_ns();
    const LvWindowTimes window = {now, now + ends_in, now + next_begins_in};
    pthread_mutex_lock(&engine->lock);
    engine->admission.tiles_in_a_call = lv_chunk_most_tiles(&engine->backend->info);
    const bool taken = !session->closing &&
                       (engine->remote || lv_admission_ask(&engine->admission, &session->admission,
                                              now, &window, &reservation->window));
    if (engine->remote)
        reservation->until = now + ends_in + next_begins_in;
    pthread_mutex_unlock(&engine->lock);
    if (!taken) {
        lv_free(reservation);
        return NULL;
    }
    reservation->engine = lv_engine_keep(engine);
    return reservation;
}

void llavaov_reservation_free(LlavaovReservation *reservation)
{
    if (!reservation)
        return;
    LlavaovEngine *engine = reservation->engine;
    pthread_mutex_lock(&engine->lock);
    lv_admission_end(&engine->admission, &reservation->window, false, lv_now_ns());
    pthread_mutex_unlock(&engine->lock);
    lv_free(reservation);
    llavaov_engine_unref(engine);
}
