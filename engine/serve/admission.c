/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/admission.h"

#include <math.h>

#define MILLISECOND UINT64_C(1000000)
#define LEAST_SLACK (1000.0 * MILLISECOND)
#define MOST_SLACK (2000.0 * MILLISECOND)

/* What an answer counts for when the next one is there, and a slice's work. */
#define FADE 0.875
#define FADE_PRICE 0.99

#define PERIOD (1000 * MILLISECOND)
/* Those that ask can count on this much of the device, whoever else is served. */
#define LEAST_SHARE 0.5
/* What stands over when all is well: this long, and no more than an answer. */
#define LEAST_OVERDUE (50.0 * MILLISECOND)
/* So much of the windows under way can be refused for want of room before the turn stands still. */
#define MOST_REFUSED 1.0
/* Faster for an engine with less work than this part of the time. */
#define EMPTY 0.6
#define HURRY 5
/* The part of the time in which more may stand over, a round's steps of the turn's rise, and its
 * bounds: calls that hold more are cheaper on some devices, so there may be more than prices say.
 */
#define LATE 0.05
#define LOWER 0.04
#define RAISE 0.005
#define FEW_REFUSED 0.03
#define LEAST_RISE 0.3
#define MOST_RISE 3
/* The slack's part that counts, and what a turn's waiting adds. */
#define SLACK (-0.1)
#define PATIENCE 0.4
/* Windows that begin within a moment end together, and this part of their computing comes then. */
#define MOMENT (20 * MILLISECOND)
#define LAST_PART 0.45

/* Of a window that has used what was expected of it, and is not done, this much is still to come.
 */
#define LEAST_REST 0.125

void lv_admission_init(LvAdmission *a)
{
    lv_list_init(&a->streams);
    lv_list_init(&a->reservations);
    a->rise = 1;
    a->level = INFINITY;
}

void lv_admission_stream_init(LvAdmissionStream *stream)
{
    lv_list_init(&stream->reservations);
}

static void remove_reservation(LvAdmission *a, LvReservation *reservation)
{
    lv_list_remove(&reservation->in_admission);
    lv_list_remove(&reservation->in_stream);
    a->n_reservations--;
    a->unknown -= reservation->cost == 0;
}

void lv_admission_leave(LvAdmission *a, LvAdmissionStream *stream)
{
    LvReservation *reservation;
    LV_LIST_EACH(&stream->reservations, LvReservation, in_stream, reservation)
    remove_reservation(a, reservation);
    lv_list_remove(&stream->in_admission);
}

static double mean_of(const LvFadingMean *mean)
{
    return mean->n > 0 ? mean->spent / mean->n : 0;
}

static void add(LvFadingMean *mean, double fade, double spent, double n)
{
    mean->spent = mean->spent * fade + spent;
    mean->n = mean->n * fade + n;
}

double lv_admission_cost(const LvAdmission *a, const LvAdmissionStream *stream)
{
    return mean_of(stream->mean.n > 0 ? &stream->mean : &a->mean);
}

static double share_of(const LvAdmission *a)
{
    return fmax(1 - a->other_share, LEAST_SHARE);
}

/* Gone, or paused. */
static bool is_away(const LvAdmissionStream *stream, uint64_t now)
{
    return stream->next_begins + PERIOD < now;
}

/* The level at which what is given, min(rate, level) of each stream, comes to what there is: from
 * below, each round takes out of the sharing those whose rates it exceeds. */
static double find_level(const LvAdmission *a, uint64_t now)
{
    double level = 0;
    for (;;) {
        double left = a->rise * share_of(a);
        size_t n = 0;
        LvAdmissionStream *stream;
        LV_LIST_EACH(&a->streams, LvAdmissionStream, in_admission, stream)
        {
            if (is_away(stream, now))
                continue;
            const double rate = lv_admission_cost(a, stream) / stream->interval;
            if (rate <= level)
                left -= rate;
            else
                n++;
        }
        if (n == 0)
            return INFINITY;
        const double next = left / (double)n;
        if (next <= level * (1 + 1e-9))
            return level;
        level = next;
    }
}

static void count_refused(LvAdmission *a, uint64_t now)
{
    a->n_refused = 0;
    LvAdmissionStream *stream;
    LV_LIST_EACH(&a->streams, LvAdmissionStream, in_admission, stream)
    a->n_refused += stream->refused && !is_away(stream, now);
}

static void set_refused(LvAdmission *a, LvAdmissionStream *stream, bool refused)
{
    if (refused && !stream->refused)
        a->n_refused++;
    else if (!refused && stream->refused && a->n_refused > 0)
        a->n_refused--;
    stream->refused = refused;
}

/* Of one that was taken on before costs were known, what one costs now. */
static double rest_of(const LvAdmission *a, const LvReservation *r)
{
    const double cost = r->cost > 0 ? r->cost : mean_of(&a->mean);
    return fmax(cost - r->used, LEAST_REST * cost);
}

/* Of windows that end together, what can only be computed then. */
static double last_part(const LvAdmission *a)
{
    return LAST_PART * a->most_burst * mean_of(&a->mean);
}

/* How long what windows need that have ended has been more than it is when all is well. */
static void watch(LvAdmission *a, uint64_t now)
{
    if (a->overdue > fmax(LEAST_OVERDUE, mean_of(&a->mean) + last_part(a)))
        a->late_for += (double)(now - a->watched);
    a->watched = now;
    a->overdue = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    if (r->ends <= now)
        a->overdue += rest_of(a, r);
}

/* Not while many are refused for want of room: then the turn hardly rises anyway. */
static void adapt(LvAdmission *a, double elapsed)
{
    const double late = a->late_for / elapsed, empty = a->asked > 0 ? a->empties / a->asked : 0;
    if (a->unknown > 0)
        return;
    if (a->n_refused > FEW_REFUSED * a->n_reservations)
        a->rise *= 1 - LOWER / 2;
    else if (late > LATE)
        a->rise *= 1 - LOWER * late;
    else if (a->any_refused)
        a->rise *= 1 + RAISE + empty / 4;
    else
        a->rise += (1 - a->rise) / 8;
    a->rise = fmin(fmax(a->rise, LEAST_RISE), MOST_RISE);
}

static void measure(LvAdmission *a, uint64_t now)
{
    const double elapsed = (double)(now - a->period_began);
    if (elapsed < PERIOD)
        return;
    a->other_share = (a->other_share + fmin(a->other_spent / elapsed, 1)) / 2;
    a->other_spent = 0;
    a->period_began = now;
    const double round = (double)(now - a->round_began);
    if (round >= a->interval) {
        adapt(a, round);
        a->interval = a->asked > 0 ? a->intervals / a->asked : 0;
        a->round_began = now;
        a->intervals = a->asked = a->empties = a->late_for = 0;
        a->any_refused = false;
        a->most_burst = a->burst;
    }
    count_refused(a, now);
    a->level = find_level(a, now);
}

/* Up to this moment. */
static void raise_turn(LvAdmission *a, uint64_t now)
{
    const double most = 1 + MOST_REFUSED * a->n_reservations;
    if (a->level < INFINITY)
        a->turn += (double)(now - a->turn_since) * a->level *
                   (fmax(1 - a->n_refused / most, 0) + HURRY * fmax(a->empty - EMPTY, 0));
    a->turn_since = now;
}

static double slack_of(double time)
{
    return fmin(fmax(time / 2, LEAST_SLACK), MOST_SLACK);
}

/* overdue: turns that the stream waits already, beyond the one that is fair.
 * Whether everything that is due before `ends` can be done by then and the slack. */
static bool has_room(LvAdmission *a, uint64_t ends, double overdue, uint64_t now)
{
    const double time = ends > now ? (double)(ends - now) : 0;
    double due = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    if (r->ends <= ends)
        due += rest_of(a, r);
    const double slack = fmin(SLACK + PATIENCE * overdue, 1) * slack_of(time);
    const double room = (time + slack + last_part(a)) * share_of(a);
    a->empty = fmax(1 - due / fmax(time * share_of(a), 1), 0);
    a->empties += a->empty;
    return a->n_reservations < LV_MAX_RESERVATIONS && due <= room;
}

bool lv_admission_ask(LvAdmission *a, LvAdmissionStream *stream, uint64_t now,
    const LvWindowTimes *window, LvReservation *reservation)
{
    if (!lv_linked(&stream->in_admission)) {
        lv_list_append(&a->streams, &stream->in_admission);
        const double golden = 0.6180339887498949 * ++a->n_joined;
        stream->phase = golden - floor(golden);
    }
    stream->interval = fmax((double)window->next_begins - (double)window->begins, 1);
    stream->next_begins = window->next_begins;
    a->intervals += stream->interval;
    a->asked++;
    watch(a, now);
    raise_turn(a, now);
    measure(a, now);

    const double cost = lv_admission_cost(a, stream);
    /* Until it has had something its place in the turn follows what answers are known to cost. */
    if (!stream->joins && cost > 0)
        stream->joined = a->turn;
    stream->joins = cost > 0;
    if (!stream->placed)
        stream->served = stream->joined + stream->phase * cost;
    /* Nothing is saved up, but for a window. */
    stream->served = fmax(stream->served, a->turn - cost);
    if (a->level == INFINITY)
        stream->served = fmin(stream->served, a->turn - (1 - stream->phase) * cost);
    const double share = cost > 0 ? fmin(a->level * stream->interval / cost, 1) : 1;
    /* Who waits less than is fair comes behind those that were refused. */
    const double overdue = fmax((stream->passed + 1) * share - 1, a->n_refused > 0 ? -1 : 0);
    const bool room = has_room(a, window->ends, overdue, now);
    if (cost > 0 && stream->served > a->turn) {
        set_refused(a, stream, false);
        a->any_refused = true;
        stream->passed++;
        return false;
    }
    set_refused(a, stream, cost > 0 && !room);
    if (stream->refused) {
        a->any_refused = true;
        stream->passed++;
        return false;
    }
    stream->served += cost;
    stream->placed = cost > 0;
    a->unknown += cost == 0;
    if (now - a->burst_began > MOMENT) {
        a->burst_began = now;
        a->burst = 0;
    }
    a->most_burst = fmax(a->most_burst, ++a->burst);
    stream->passed = 0;
    reservation->stream = stream;
    reservation->id = ++a->next_id;
    reservation->ends = window->ends;
    const double time = window->ends > now ? (double)(window->ends - now) : 0;
    reservation->give_up =
        window->ends + (uint64_t)(slack_of(time) + PERIOD / 2 + 2 * mean_of(&a->mean));
    reservation->cost = cost;
    lv_list_append(&a->reservations, &reservation->in_admission);
    lv_list_append(&stream->reservations, &reservation->in_stream);
    a->n_reservations++;
    return true;
}

void lv_admission_spend(
    LvAdmission *a, LvAdmissionStream *stream, LvWork work, double units, double ns)
{
    if (units > 0)
        add(&a->prices[work], FADE_PRICE, ns, units);
    if (!stream || !lv_linked(&stream->in_admission)) {
        a->other_spent += ns;
        return;
    }
    const double cost = units > 0 ? units * mean_of(&a->prices[work]) : ns;
    LvReservation *oldest = LV_LIST_FIRST(&stream->reservations, LvReservation, in_stream);
    if (oldest)
        oldest->used += cost;
    stream->unaccounted += cost;
}

void lv_admission_end(LvAdmission *a, LvReservation *reservation, bool answered, uint64_t now)
{
    LvAdmissionStream *stream = reservation->stream;
    if (!lv_linked(&reservation->in_admission))
        return;
    remove_reservation(a, reservation);
    watch(a, now);
    if (!answered) {
        stream->served -= reservation->cost > 0 ? reservation->cost : mean_of(&a->mean);
        stream->unaccounted = fmax(stream->unaccounted - reservation->used, 0);
        return;
    }
    add(&stream->mean, FADE, stream->unaccounted, 1);
    add(&a->mean, FADE, stream->unaccounted, 1);
    stream->unaccounted = 0;
}
