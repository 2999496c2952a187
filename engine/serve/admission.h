/* SPDX-License-Identifier: Apache-2.0
 * Which windows of live streams an engine takes on: those that it will come to in time.
 *
 * A stream asks before its window begins, so that what is refused costs nothing: no picture of it
 * is prepared or encoded. Past its capacity an engine answers as many windows as at its capacity,
 * about as late as there.
 *
 * Shares. A stream asks for computing time at the rate cost / interval: what an answer has cost it
 * lately (before its first answer: what one has cost anybody), and the time from one of its windows
 * to the next. While all ask for no more than there is, all get it. Else nobody gets more than a
 * rate that is the same for all, so chosen that what they get comes to what there is (max-min fair
 * shares): whoever asks for less gets all of it. A stream gathers its share as credit with every
 * window, and the window that brings it to one is taken on: at four fifths every fifth window is
 * refused, never two in a row.
 *
 * What there is: the part of the device's time that others (files) leave, corrected by how well the
 * last second's windows came through: costs are estimates. A window is refused whatever its credit
 * if what is due before its end cannot be done by then and a slack of half the time to its
 * end, at least 1 s and at most 2 s; the credit stays. Its own cost does not count, so that an
 * engine that takes longer for one answer than a window lasts is not idle.
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

/* Computing time an answer, over the recent ones. */
typedef struct LvFadingMean {
    double spent, answers;
} LvFadingMean;

/* One stream's account. */
typedef struct LvAdmissionStream {
    LvLink in_admission;
    LvList reservations; /* LvReservation.in_stream, by age */
    LvFadingMean mean;
    double unaccounted; /* spent since the last answer */
    double interval;    /* from one window to the next */
    uint64_t next_begins;
    double credit; /* windows; the next is taken on when this comes to 1 */
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

    /* Measured in periods of a second. */
    uint64_t period_began;
    double other_spent;        /* in this one, by sessions that do not ask */
    bool refused, late, early; /* in this one: somebody; for lateness; none came near to it */
    double due;                /* to be computed when it began */
    double other_share;        /* of the time, lately */
    double correction;         /* of what there is */
    double level;              /* the rate that nobody gets more than; INFINITY: there is enough */
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

/* Computing time was spent on a stream's frames and requests: on its oldest window's. stream NULL:
 * on somebody's who does not ask. */
void lv_admission_spend(LvAdmission *admission, LvAdmissionStream *stream, double ns);

/* The window is answered, or given up; takes it out of the accounts. */
void lv_admission_end(LvAdmission *admission, LvReservation *reservation, bool answered);

/* The expected computing time of the stream's next window; 0: nothing is known. */
double lv_admission_cost(const LvAdmission *admission, const LvAdmissionStream *stream);

#endif
