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
 * What there is: the part of the device's time that others (files) leave, times the device's speed at
 * these prices. It is measured: what was lately done for streams, by the time that it took (or the
 * picture thread, if that took longer). A device whose calls hold one tile cannot do more. How much
 * of it may be planned with is found by trial while windows are refused: more with each window that
 * ends with more of its frames encoded than a part, since then there was time to spare, less with
 * each that ends with less, and with each that is given up. On a device with large calls, where frames
 * are encoded along with others, also less with each that ends behind others, and what waits is made
 * up for within about a window. It is never less than most of what was measured, since a backlog that
 * is too long is not a device that is too slow.
 *
 * Room. A window whose turn it is, is refused nevertheless when more is due before its end than can
 * be done by then or little later; the turn stands still until that is over. So it is when many
 * streams begin at once, and when a device has suddenly become slow. The window's own cost does not
 * count, so that an engine that takes longer for one answer than a window lasts is not idle. Room is
 * kept for streams that were longer without an answer and will ask for windows that end no later,
 * and a stream that another refusal would keep waiting for longer than its fair turn has more room.
 *
 * Too late. While windows are refused there is always a fresh one to take instead, so one that has
 * waited for what had ended before it and some answers' time more is given up, later where its
 * stream is past its turn. Otherwise it may wait for as long as from one window of its stream to the
 * next.
 *
 * While nothing is known about costs so many windows are taken on.
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
    double length;          /* of a window */
    uint64_t next_begins;
    double served;       /* on the scale of LvAdmission.turn */
    unsigned unanswered; /* windows in a row: refused, or given up */
    bool placed;  /* served means something: a window was taken on, or refused, at a known cost */
    double phase; /* 0 to 1: streams that begin together do not stay together */
} LvAdmissionStream;

/* A window that was taken on. */
typedef struct LvReservation {
    LvLink in_admission, in_stream;
    LvAdmissionStream *stream;
    uint64_t id, ends;
    uint64_t ended; /* when its request came; 0: it has not */
    double before;  /* then: what had ended before it and was not begun */
    double place;   /* what it added to served */
    double spared;  /* tiles that needed no encoding, being those of other frames */
    LvWorkDone done;
} LvReservation;

/* An engine's account. Zero-initialise, then lv_admission_init. */
typedef struct LvAdmission {
    LvList streams;      /* of those that have asked */
    LvList reservations; /* LvReservation.in_admission */
    uint32_t n_reservations, n_joined;
    uint64_t next_id;
    double tiles_in_a_call; /* of the encoder, at most */
    LvMeanWork mean;        /* of all streams' answers */
    LvPrices prices;

    double turn;   /* mean answers that a stream may have had */
    uint64_t time; /* up to which turn is */
    bool full;     /* there was no room when it was last asked for */

    uint64_t level_since;
    double level; /* the rate that nobody gets more than */
    bool enough;  /* nobody asks for more */

    /* Measured in periods of a second. */
    uint64_t period_began;
    double other_spent; /* in this one, by sessions that do not ask */
    double other_share; /* of the time, lately */

    /* Measured in rounds. */
    uint64_t round_began;
    double interval;         /* in the round before: from window to window */
    double intervals, asked; /* in this one */
    double speed;            /* of the device, at prices, by trial */
    double seen;             /* the same, as measured; 0: not yet */
    double busy, worked; /* lately: the time of streams' slices, and what it was worth at prices */
    double pictures;     /* lately: time of the picture thread for streams */
    bool refused;        /* ever */
    uint64_t refused_at; /* last */
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

/* The picture thread spent so much on a picture of the stream. */
void lv_admission_prepared(LvAdmission *admission, const LvAdmissionStream *stream, double ns);
/* A frame of the stream, of so many tiles, needs no encoding. */
void lv_admission_spare(LvAdmissionStream *stream, double tiles);

/* Windows are refused these days: there is more than the engine can do. */
bool lv_admission_overloaded(const LvAdmission *admission, uint64_t now);

/* The window has ended and all its frames are there. */
void lv_admission_ended(LvAdmission *admission, LvReservation *reservation, uint64_t now);

/* Less for a fresher window, and the same for those that ended within a few answers' time: of these
 * the first goes first. */
uint64_t lv_admission_age(const LvAdmission *admission, const LvReservation *reservation);

/* Nothing has been computed for the window, and it has waited for too long. */
bool lv_admission_too_late(
    const LvAdmission *admission, const LvReservation *reservation, uint64_t now);

/* What an answer to somebody who did not ask took: the first guess at what answers take. */
void lv_admission_learn(LvAdmission *admission, const LvWorkDone *done);

/* The window is answered, or given up; takes it out of the accounts. */
void lv_admission_end(
    LvAdmission *admission, LvReservation *reservation, bool answered, uint64_t now);

/* The expected computing time of the stream's next window; 0: nothing is known. */
double lv_admission_cost(const LvAdmission *admission, const LvAdmissionStream *stream);

#endif
