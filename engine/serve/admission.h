/* SPDX-License-Identifier: Apache-2.0
 * Which windows of live streams an engine takes on: those that it will come to in time.
 *
 * A stream asks before its window begins, so that what is refused costs nothing: no picture of it
 * is prepared or encoded. Past its capacity an engine answers as many windows as at its capacity,
 * about as late as there.
 *
 * Turns. A stream asks for computing time at the rate cost / interval: what an answer costs it
 * (cost.h; before its first answer: what one costs anybody), and the time from one of its windows
 * to the next. While all ask for no more than there is, all get it. Else nobody gets more than a
 * rate that is the same for all, the level (max-min fair shares): whoever asks for less gets all of
 * it. The engine's `turn` rises at that rate, and a window is taken on when what its stream has
 * had, `served`, is no more than the turn; then `served` grows by what the window costs. So a
 * stream that gets the part f of what it asks for gets that part of its windows, evenly: of 5 each
 * time 4, or each time 1. Where in its cycle a stream begins (`phase`) follows the golden ratio, so
 * that of any few streams that ask one after the other about the part f is taken on. What was taken
 * on and is not answered is given back. Turns are counted in mean answers: prices that change move
 * nobody's place.
 *
 * What there is: the part of the device's time that others (files) leave, times `rise`, less what
 * it takes to be rid of the backlog, which is what could be computed now and has not been begun, in
 * the time of a window. `rise` is corrected once a round, a round being the mean time from one
 * window to the next. It falls by a part of the least backlog of the round, beyond an answer:
 * bursts do not count, since behind them there is none. It rises, while somebody is refused and
 * none stands, by a part of the time in which there was nothing to do, and by a little always: on a
 * device whose calls grow with what waits only trying tells how much more it can do.
 *
 * Room. A window whose turn it is, is refused nevertheless when more is due before its end than can
 * be done before it would be given up; the turn stands still until that is over. So it is when
 * many streams begin before costs are known, and when a device has suddenly become slow. The
 * window's own cost does not count, so that an engine that takes longer for one answer than a
 * window lasts is not idle.
 *
 * While nothing is known about costs every window is taken on.
 *
 * Nothing here looks at a clock, takes a lock or allocates. Times are in nanoseconds. */
#ifndef LV_ADMISSION_H
#define LV_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "serve/cost.h"
#include "serve/list.h"

/* One stream's account. */
typedef struct LvAdmissionStream {
    LvLink in_admission;
    LvList reservations;    /* LvReservation.in_stream, by age */
    LvMeanWork mean;        /* of its answers */
    LvWorkDone unaccounted; /* since the last answer */
    double interval;        /* from one window to the next */
    uint64_t next_begins;
    double served; /* on the scale of LvAdmission.turn */
    bool placed;   /* served means something: a window was taken on, or refused, at a known cost */
    double phase;  /* 0 to 1: streams that begin together do not stay together */
} LvAdmissionStream;

/* A window that was taken on. */
typedef struct LvReservation {
    LvLink in_admission, in_stream;
    LvAdmissionStream *stream;
    uint64_t id, ends;
    uint64_t give_up; /* if nothing has been computed for it by then, it is too late: its slack
                         and half a second after its end */
    double place;     /* what it added to served */
    LvWorkDone done;
} LvReservation;

/* An engine's account. Zero-initialise, then lv_admission_init. */
typedef struct LvAdmission {
    LvList streams;      /* of those that have asked */
    LvList reservations; /* LvReservation.in_admission */
    uint32_t n_reservations, n_joined;
    uint64_t next_id;
    LvMeanWork mean; /* of all streams' answers */
    LvPrices prices;

    double turn;    /* mean answers that a stream may have had */
    double backlog; /* when last looked at */
    double lasting; /* its mean over the last part of a window */
    uint64_t time;  /* up to which turn and lasting are */
    bool full;      /* there was no room when it was last asked for */

    uint64_t level_since;
    double level; /* the rate that nobody gets more than */
    bool enough;  /* nobody asks for more */

    /* Measured in periods of a second. */
    uint64_t period_began;
    double other_spent; /* in this one, by sessions that do not ask */
    double other_share; /* of the time, lately */

    /* Measured in rounds. */
    uint64_t round_began;
    double interval, asked_before; /* in the round before: from window to window; windows */
    double intervals, asked;       /* in this one */
    double idle, least_backlog;
    bool any_refused, any_full, full_before; /* full: for want of room */
    double rise;                             /* of what prices say that there is */
} LvAdmission;

void lv_admission_init(LvAdmission *admission);
void lv_admission_stream_init(LvAdmissionStream *stream);
/* Takes the stream and its reservations, which the caller frees, out of the account. */
void lv_admission_leave(LvAdmission *admission, LvAdmissionStream *stream);

typedef struct LvWindowTimes {
    uint64_t begins, ends;
    uint64_t next_begins; /* of the stream's next window */
} LvWindowTimes;

/* Takes the window on: fills *reservation (zeroed by the caller) and puts it into the accounts; or
 * refuses it. */
bool lv_admission_ask(LvAdmission *admission, LvAdmissionStream *stream, uint64_t now,
    const LvWindowTimes *window, LvReservation *reservation);

/* So much computing time was spent on so many units of work of a stream, for its oldest window.
 * stream NULL: of somebody's who does not ask. units 0: on something else. */
void lv_admission_spend(
    LvAdmission *admission, LvAdmissionStream *stream, LvWork work, double units, double ns);

/* There was nothing to do. */
void lv_admission_idle(LvAdmission *admission, uint64_t since, uint64_t now);

/* The window is answered, or given up; takes it out of the accounts. */
void lv_admission_end(
    LvAdmission *admission, LvReservation *reservation, bool answered, uint64_t now);

/* The expected computing time of the stream's next window; 0: nothing is known. */
double lv_admission_cost(const LvAdmission *admission, const LvAdmissionStream *stream);

#endif
