/* SPDX-License-Identifier: Apache-2.0
 * Which windows of live streams an engine takes on: those that it will come to in time.
 *
 * A stream asks before its window begins, so that what is refused costs nothing: no picture of it
 * is prepared or encoded. Past its capacity an engine answers as many windows as at its capacity,
 * about as late as there.
 *
 * Costs. Computing time is counted at prices: what a tile, a row of a prompt and a token have
 * lately taken anybody. So equal streams cost the same, whatever a busy machine did to one of them.
 *
 * Turns. A stream asks for computing time at the rate cost / interval: what an answer has cost it
 * lately (before its first answer: what one has cost anybody), and the time from one of its windows
 * to the next. While all ask for no more than there is, all get it. Else nobody gets more than a
 * rate that is the same for all (max-min fair shares): whoever asks for less gets all of it. The
 * engine's `turn` rises at that rate, and a window is taken on when what its stream has had,
 * `served`, is no more than the turn: the least served first. What was taken on and is not answered
 * is given back.
 *
 * Room. A window whose turn has come is refused nevertheless if what is due before its end cannot
 * be done by about then; who waits longer than is fair is allowed more. Its own cost does not
 * count, so that an engine that takes longer for one answer than a window lasts is not idle. The
 * more streams are refused so, the slower the turn rises, and it stands still for many: nobody is
 * served again before they were.
 *
 * What there is: the part of the device's time that others (files) leave, times `rise`, which each
 * round of about a window corrects. It falls when the computing that windows still need which have
 * ended was more than an answer's and than 50 ms for more than a twentieth of the time, or when
 * more than a few were refused for want of room; it rises, the faster the emptier the engine was,
 * while somebody is refused and neither is so.
 *
 * While nothing is known about costs every window is taken on.
 *
 * Nothing here looks at a clock, takes a lock or allocates. Times are in nanoseconds. */
#ifndef LV_ADMISSION_H
#define LV_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "serve/list.h"

/* Computing time of one, over the recent ones. */
typedef struct LvFadingMean {
    double spent, n;
} LvFadingMean;

typedef enum LvWork {
    LV_WORK_TILE,
    LV_WORK_ROW,   /* of a prompt */
    LV_WORK_TOKEN, /* of an answer, one step of a sequence */
    LV_WORKS
} LvWork;

/* One stream's account. */
typedef struct LvAdmissionStream {
    LvLink in_admission;
    LvList reservations; /* LvReservation.in_stream, by age */
    LvFadingMean mean;   /* an answer */
    double unaccounted;  /* spent since the last answer */
    double interval;     /* from one window to the next */
    uint64_t next_begins;
    double served; /* on the scale of LvAdmission.turn */
    bool placed;   /* a window was taken on at a known cost */
    bool joins;    /* it has asked since costs are known */
    double joined; /* the turn when it first did */
    double phase;  /* 0 to 1, of an answer: streams that begin together do not stay together */
    bool refused;  /* its last window, for want of room */
    double passed; /* windows that were refused since one was taken on */
} LvAdmissionStream;

/* A window that was taken on. */
typedef struct LvReservation {
    LvLink in_admission, in_stream;
    LvAdmissionStream *stream;
    uint64_t id, ends;
    uint64_t give_up; /* if nothing has been computed for it by then, it is too late: its slack
                         and half a second after its end */
    double cost;      /* expected when it was taken on */
    double used;
} LvReservation;

/* An engine's account. Zero-initialise, then lv_admission_init. */
typedef struct LvAdmission {
    LvList streams;      /* of those that have asked */
    LvList reservations; /* LvReservation.in_admission */
    uint32_t n_reservations, n_joined;
    uint64_t next_id;
    LvFadingMean mean; /* of all streams' answers */
    LvFadingMean prices[LV_WORKS];

    double turn; /* computing time of a stream */
    uint64_t turn_since;
    uint32_t n_refused; /* streams, for want of room */
    double empty;       /* the part of the time to its end that was free at the last asking */

    /* Measured in periods of a second. */
    uint64_t period_began;
    double other_spent; /* in this one, by sessions that do not ask */
    double other_share; /* of the time, lately */
    double level;       /* the rate that nobody gets more than; INFINITY: there is enough */
    /* In rounds of a window. */
    uint64_t round_began;
    double interval; /* between windows, the mean over those asked for in the round before */
    double intervals, asked; /* in this round */
    double late_for, empties;
    uint64_t burst_began; /* windows that were taken on within a moment, and the most of a round */
    double burst, most_burst;
    bool any_refused; /* in this round */
    double rise;      /* of the turn, of what prices say that there is */
    double overdue;   /* when last watched */
    uint64_t watched;
    uint32_t unknown; /* windows that were taken on before costs were known */
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

/* The window is answered, or given up; takes it out of the accounts. */
void lv_admission_end(
    LvAdmission *admission, LvReservation *reservation, bool answered, uint64_t now);

/* The expected computing time of the stream's next window; 0: nothing is known. */
double lv_admission_cost(const LvAdmission *admission, const LvAdmissionStream *stream);

#endif
