/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/admission.h"

#include <math.h>

#define SECOND UINT64_C(1000000000)
#define PERIOD SECOND
/* Those that ask can count on this much of the device, whoever else is served. */
#define LEAST_SHARE 0.5
/* Windows that are under way while nothing is known about costs. */
#define MOST_UNKNOWN 64
/* In mean answers, or in calls: how much later than its end all that is due then may be done. */
#define PATIENCE 5
#define PATIENCE_CALLS 3
/* In mean answers: how late a window may be begun, past what stood before it, if that is more: one
 * that is given up has cost something already. */
#define PATIENCE_BEGUN 10
/* Past the capacity so much of a window is to be encoded when it ends: with more the engine has
 * time to spare, with less it is about to be late. */
#define ENCODED 0.6
/* What it is taken for where nothing needs encoding: the speed rises slowly then, until windows are
 * given up. */
#define SPARED 0.75
/* What a round of windows with all of it too much, or too little, changes the speed by. */
#define GAIN 0.125
/* Where frames are encoded along with others how many are when a window ends says little, and what
 * waits before it says more: what all that may wait counts for; and a round changes less, since it
 * shows only when the windows end that it let in. */
#define BACKLOG 2
#define GAIN_BATCHES 0.0625
/* What is behind by more changes it no faster, or the speed would fall at once and rise slowly. */
#define MOST_BEHIND 0.3
#define MOST_SPEED 4
/* Of the speed that was measured at least so much is planned with. */
#define LEAST_OF_SEEN 0.85
/* And before there is one, of the price. */
#define LEAST_SPEED 0.01
/* Of few windows none moves the speed by more than one of so many. */
#define FEW 8
/* Of a window that has used what was expected of it, and is not done, this much is still to come.
 */
#define LEAST_REST 0.125
/* How often in a window the level is found. */
#define LEVELS 16
#define MOST_OFTEN (10e6)

void lv_admission_init(LvAdmission *a)
{
    lv_list_init(&a->streams);
    lv_list_init(&a->reservations);
    a->speed = 1;
    a->enough = true;
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
}

void lv_admission_leave(LvAdmission *a, LvAdmissionStream *stream)
{
    LvReservation *reservation;
    LV_LIST_EACH(&stream->reservations, LvReservation, in_stream, reservation)
    remove_reservation(a, reservation);
    lv_list_remove(&stream->in_admission);
}

double lv_admission_cost(const LvAdmission *a, const LvAdmissionStream *stream)
{
    return lv_mean_cost(&a->prices, stream->mean.n > 0 ? &stream->mean : &a->mean);
}

static double mean_cost(const LvAdmission *a)
{
    return lv_mean_cost(&a->prices, &a->mean);
}

/* Calls hold several tiles, and full ones cost less. */
static bool batches(const LvAdmission *a)
{
    return a->tiles_in_a_call > 1;
}

/* By trial, and where more load makes nothing cheaper, no more than what was measured. */
static double speed_of(const LvAdmission *a)
{
    return a->seen > 0 && !batches(a) ? fmin(a->speed, a->seen) : a->speed;
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

/* Still to come of a window. */
static double rest_of(const LvAdmission *a, const LvReservation *r)
{
    const double cost = lv_admission_cost(a, r->stream);
    return fmax(cost - lv_cost_of(&a->prices, &r->done), LEAST_REST * cost);
}

/* All its frames are there: often they are before its end. */
static bool is_over(const LvReservation *r, uint64_t now)
{
    return r->ended || r->ends <= now;
}

static bool is_begun(const LvReservation *r)
{
    return r->done.units[LV_WORK_ROW] > 0;
}

/* Of windows that have ended and are not begun. */
static double backlog_of(const LvAdmission *a, uint64_t now)
{
    double backlog = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    if (is_over(r, now) && !is_begun(r))
        backlog += rest_of(a, r);
    return backlog;
}

/* The level at which what is given, min(rate, level) of each stream, comes to what there is, less
 * what is to be made up for until windows end that begin now: from
 * below, each round takes out of the sharing those whose rates it exceeds. Where there is enough,
 * the greatest rate, so that everybody keeps a place for when there is not. */
static void find_level(LvAdmission *a, uint64_t now)
{
    const double pace = speed_of(a) * share_of(a),
                 waits = batches(a) ? backlog_of(a, now) / fmax(a->interval, PERIOD) : 0,
                 all = fmax(pace - waits, pace / 2);
    double level = 0, most = 0;
    for (;;) {
        double left = all;
        size_t n = 0;
        LvAdmissionStream *stream;
        LV_LIST_EACH(&a->streams, LvAdmissionStream, in_admission, stream)
        {
            if (is_away(stream, now))
                continue;
            const double rate = lv_admission_cost(a, stream) / stream->interval;
            most = fmax(most, rate);
            if (rate <= level)
                left -= rate;
            else
                n++;
        }
        a->level = n == 0 ? most : level;
        a->enough = n == 0;
        const double next = n > 0 ? left / (double)n : 0;
        if (next <= level * (1 + 1e-9))
            return;
        level = next;
    }
}

static void adapt(LvAdmission *a, double by)
{
    a->speed =
        fmin(fmax(a->speed * (1 + by), fmax(LEAST_OF_SEEN * a->seen, LEAST_SPEED)), MOST_SPEED);
}

/* Over about a round. */
static void see_speed(LvAdmission *a, double elapsed)
{
    const double fade = exp(-elapsed / fmax(a->interval, PERIOD));
    if (a->busy > 0)
        a->seen = a->worked / fmax(a->busy, a->pictures);
    adapt(a, 0);
    a->busy *= fade;
    a->worked *= fade;
    a->pictures *= fade;
}

static void measure(LvAdmission *a, uint64_t now, bool joins)
{
    const double elapsed = (double)(now - a->period_began);
    if (joins || (double)(now - a->level_since) >= fmax(a->interval / LEVELS, MOST_OFTEN)) {
        find_level(a, now);
        a->level_since = now;
    }
    if (elapsed < PERIOD)
        return;
    a->other_share = (a->other_share + fmin(a->other_spent / elapsed, 1)) / 2;
    a->other_spent = 0;
    a->period_began = now;
    see_speed(a, elapsed);
    if ((double)(now - a->round_began) >= a->interval) {
        lv_prices_age(&a->prices);
        a->interval = a->asked > 0 ? a->intervals / a->asked : 0;
        a->round_began = now;
        a->intervals = a->asked = 0;
    }
}

/* Up to this moment. */
static void pass_time(LvAdmission *a, uint64_t now)
{
    const double time = now > a->time ? (double)(now - a->time) : 0, mean = mean_cost(a);
    if (mean > 0 && !a->full)
        a->turn += time * a->level / mean;
    a->time = now;
}

static void watch(LvAdmission *a, uint64_t now, bool joins)
{
    pass_time(a, now);
    measure(a, now, joins);
}

/* What the device does in a nanosecond, at prices. */
static double pace(const LvAdmission *a)
{
    return speed_of(a) * share_of(a);
}

static double margin(const LvAdmission *a)
{
    const double call = a->tiles_in_a_call * lv_price(&a->prices, LV_WORK_TILE);
    return fmax(PATIENCE * mean_cost(a), PATIENCE_CALLS * call) / pace(a);
}

bool lv_admission_overloaded(const LvAdmission *a, uint64_t now)
{
    return a->refused && (double)(now - a->refused_at) < fmax(a->interval, margin(a));
}

/* Of a window that has ended. One with frames that mostly needed no encoding says nothing, unless
 * hardly anybody's do. */
static bool part_encoded(const LvAdmission *a, const LvReservation *reservation, double *encoded)
{
    const LvMeanWork *mean =
        reservation->stream->mean.n > 0 ? &reservation->stream->mean : &a->mean;
    const double tiles = mean->sum.units[LV_WORK_TILE],
                 done = reservation->done.units[LV_WORK_TILE];
    if (reservation->spared > done) {
        *encoded = SPARED;
        return a->mean.sum.units[LV_WORK_TILE] < a->mean.n;
    }
    *encoded = done * mean->n / tiles;
    return tiles > 0;
}

void lv_admission_ended(LvAdmission *a, LvReservation *reservation, uint64_t now)
{
    const double own = rest_of(a, reservation);
    double before = 0;
    LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    {
        if (r == reservation || !is_over(r, now) || is_begun(r))
            continue;
        before += rest_of(a, r);
        if ((double)now - (double)r->ended < mean_cost(a)) /* as good as together */
            r->before += own;
    }
    reservation->ended = now;
    reservation->before = before;
    double encoded;
    if (!lv_admission_overloaded(a, now) || !part_encoded(a, reservation, &encoded))
        return;
    double spare = fmin(encoded, 1) - ENCODED;
    if (batches(a))
        spare = fmax(spare - BACKLOG * before / (margin(a) * pace(a)), -MOST_BEHIND);
    adapt(a, (batches(a) ? GAIN_BATCHES : GAIN) * spare / fmax(a->n_reservations, FEW));
}

uint64_t lv_admission_age(const LvAdmission *a, const LvReservation *r)
{
    return UINT64_MAX - (uint64_t)((double)r->ended / fmax(margin(a), 1));
}

/* Windows that the stream will have gone without an answer for, beyond its fair turn, if it is
 * refused another one. */
static double overdue(const LvAdmission *a, const LvAdmissionStream *stream)
{
    const double rate = lv_admission_cost(a, stream) / stream->interval,
                 turn = a->level > 0 ? fmax(rate / a->level, 1) : 1;
    return fmin(fmax(stream->unanswered + 1 - turn, 0), FEW);
}

bool lv_admission_too_late(const LvAdmission *a, const LvReservation *r, uint64_t now)
{
    const double most = fmax(r->stream->interval, margin(a)),
                 late = fmax(PATIENCE_BEGUN * mean_cost(a) / pace(a), margin(a)),
                 later = late * (1 + overdue(a, r->stream)),
                 wait = lv_admission_overloaded(a, now) ? fmin(r->before / pace(a) + later, most)
                                                        : most;
    return (double)now - (double)r->ended > wait;
}

/* The windows that others will ask for, that end by then, and that come first since those streams
 * have been longer without an answer: where all windows begin together, who asks first is chance. */
static double owed(
    const LvAdmission *a, const LvAdmissionStream *stream, uint64_t ends, uint64_t now)
{
    double cost = 0;
    LvAdmissionStream *other;
    LV_LIST_EACH(&a->streams, LvAdmissionStream, in_admission, other)
    if (other->unanswered > stream->unanswered && !is_away(other, now) &&
        (double)other->next_begins + other->length <= (double)ends)
        cost += lv_admission_cost(a, other);
    return cost;
}

/* Whether everything that is due before `ends` can be done by then, or little later; for a stream
 * that is overdue, so much later. */
static bool has_room(
    const LvAdmission *a, const LvAdmissionStream *stream, uint64_t ends, uint64_t now)
{
    const double later = margin(a) * (1 + overdue(a, stream));
    const double time = ends > now ? (double)(ends - now) : 0;
    double due = owed(a, stream, ends, now);
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    if (r->ends <= ends)
        due += rest_of(a, r);
    /* Not the measured speed: of windows that end together much is only due after that. */
    return a->n_reservations < LV_MAX_RESERVATIONS &&
           due <= (time + later) * a->speed * share_of(a);
}

bool lv_admission_ask(LvAdmission *a, LvAdmissionStream *stream, uint64_t now,
    const LvWindowTimes *window, LvReservation *reservation)
{
    const bool joins = !lv_linked(&stream->in_admission) || is_away(stream, now);
    if (!lv_linked(&stream->in_admission)) {
        lv_list_append(&a->streams, &stream->in_admission);
        const double golden = 0.6180339887498949 * ++a->n_joined;
        stream->phase = golden - floor(golden);
    }
    stream->interval = fmax((double)window->next_begins - (double)window->begins, 1);
    stream->length = (double)window->ends - (double)window->begins;
    stream->next_begins = window->next_begins;
    a->intervals += stream->interval;
    a->asked++;
    watch(a, now, joins);

    const double mean = mean_cost(a), cost = lv_admission_cost(a, stream);
    const bool known = mean > 0;
    const double place = known ? cost / mean : 0; /* of the window, on the scale of the turn */
    if (!stream->placed)
        stream->served = a->turn + (a->enough ? stream->phase - 1 : stream->phase) * place;
    stream->placed = known;
    /* Nothing is saved up, but for a window. */
    stream->served = fmax(stream->served, a->turn - (a->enough ? 1 - stream->phase : 1) * place);
    if (a->enough)
        stream->served = fmin(stream->served, a->turn);
    /* Looking for room takes a while with many streams, so the turn comes first. */
    const bool turn = !known || stream->served <= a->turn;
    if (turn)
        a->full =
            known ? !has_room(a, stream, window->ends, now) : a->n_reservations >= MOST_UNKNOWN;
    if (!turn || a->full) {
        a->refused = true;
        a->refused_at = now;
        stream->unanswered++;
        return false;
    }
    stream->served += place;
    reservation->stream = stream;
    reservation->id = ++a->next_id;
    reservation->ends = window->ends;
    reservation->place = place;
    lv_list_append(&a->reservations, &reservation->in_admission);
    lv_list_append(&stream->reservations, &reservation->in_stream);
    a->n_reservations++;
    return true;
}

void lv_admission_spend(
    LvAdmission *a, LvAdmissionStream *stream, LvWork work, double units, double ns)
{
    if (units > 0)
        lv_prices_note(&a->prices, work, units, ns);
    if (!stream || !lv_linked(&stream->in_admission)) {
        a->other_spent += ns;
        return;
    }
    if (!(units > 0)) {
        work = LV_WORK_OTHER;
        units = ns;
    }
    a->busy += ns;
    a->worked += units * lv_price(&a->prices, work);
    LvReservation *oldest = LV_LIST_FIRST(&stream->reservations, LvReservation, in_stream);
    if (oldest)
        oldest->done.units[work] += units;
    stream->unaccounted.units[work] += units;
}

void lv_admission_prepared(LvAdmission *a, const LvAdmissionStream *stream, double ns)
{
    if (lv_linked(&stream->in_admission))
        a->pictures += ns;
}

void lv_admission_spare(LvAdmissionStream *stream, double tiles)
{
    LvReservation *oldest = LV_LIST_FIRST(&stream->reservations, LvReservation, in_stream);
    if (oldest)
        oldest->spared += tiles;
}

void lv_admission_learn(LvAdmission *a, const LvWorkDone *done)
{
    if (!(a->mean.n > 0))
        lv_mean_work_add(&a->mean, done);
}

void lv_admission_end(LvAdmission *a, LvReservation *reservation, bool answered, uint64_t now)
{
    LvAdmissionStream *stream = reservation->stream;
    if (!lv_linked(&reservation->in_admission))
        return;
    const double n = fmax(a->n_reservations, FEW);
    /* What was taken on at unknown costs says nothing. */
    const bool given_up = !answered && is_over(reservation, now) && reservation->place > 0;
    remove_reservation(a, reservation);
    watch(a, now, false);
    a->full = false;
    if (given_up)
        adapt(a, -1 / n);
    stream->unanswered = answered ? 0 : stream->unanswered + 1;
    if (answered) {
        lv_mean_work_add(&stream->mean, &stream->unaccounted);
        lv_mean_work_add(&a->mean, &stream->unaccounted);
        stream->unaccounted = (LvWorkDone){0};
        return;
    }
    stream->served -= reservation->place;
    for (int work = 0; work < LV_WORKS; work++)
        stream->unaccounted.units[work] =
            fmax(stream->unaccounted.units[work] - reservation->done.units[work], 0);
}
