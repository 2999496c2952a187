/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/admission.h"

#include <math.h>

#define SECOND UINT64_C(1000000000)
#define LEAST_SLACK (1.0 * SECOND)
#define MOST_SLACK (2.0 * SECOND)
#define PERIOD SECOND
/* Those that ask can count on this much of the device, whoever else is served. */
#define LEAST_SHARE 0.5
#define LEAST_RISE 0.3
#define MOST_RISE 3
/* Of a window that has used what was expected of it, and is not done, this much is still to come.
 */
#define LEAST_REST 0.125
/* How often in a window the level is found. */
#define LEVELS 16
#define MOST_OFTEN (10e6)
/* The part of a window that `lasting` is the mean of: windows that end together then count for no
 * more than others. */
#define LASTS 0.25
/* What is taken on now comes to the device over the next window, the end of it at its end: with
 * about 0.7 windows of delay a backlog that is to be gone after one window comes to rest, and does
 * so up to twice as fast (pi / 2 over the delay). Half and one and a half times these two, and half
 * and twice the third, give the same results in tests/serve/test_overload.c within a few percent.
 */
#define WINDOWS_TO_BE_RID 1
#define GAIN 0.25
#define STEP (1 / 128.0)
/* Where so many more have asked than in the round before, what they need is yet to come. */
#define MANY_MORE 1.125

void lv_admission_init(LvAdmission *a)
{
    lv_list_init(&a->streams);
    lv_list_init(&a->reservations);
    a->rise = 1;
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
 * below, each round takes out of the sharing those whose rates it exceeds. Where there is enough,
 * the greatest rate, so that everybody keeps a place for when there is not. */
static void find_level(LvAdmission *a, uint64_t now)
{
    const double rid = a->lasting / fmax(WINDOWS_TO_BE_RID * a->interval, 1),
                 all = a->rise * share_of(a) * fmax(1 - rid, 0);
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

/* Still to come of a window. */
static double rest_of(const LvAdmission *a, const LvReservation *r)
{
    const double cost = lv_admission_cost(a, r->stream);
    return fmax(cost - lv_cost_of(&a->prices, &r->done), LEAST_REST * cost);
}

static bool is_begun(const LvReservation *r)
{
    return r->done.units[LV_WORK_ROW] > 0;
}

/* What could be computed now, and for windows that have ended has not been begun. Of a window that
 * is open it is what belongs to frames, as far as they have come; some are ahead of that and some
 * behind, so only their sum counts. */
static double find_backlog(const LvAdmission *a, uint64_t now)
{
    const double early = lv_early_part(&a->prices, &a->mean);
    double open = 0, ended = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    {
        const double left = ((double)r->ends - (double)now) / r->stream->interval;
        if (left > 0)
            open += early * fmax(1 - left, 0) * lv_admission_cost(a, r->stream) -
                    lv_cost_of(&a->prices, &r->done);
        else if (!is_begun(r))
            ended += rest_of(a, r);
    }
    return fmax(open, 0) + ended;
}

static double slack_of(double time)
{
    return fmin(fmax(time / 2, LEAST_SLACK), MOST_SLACK);
}

static void adapt(LvAdmission *a, double round)
{
    const double cost = mean_cost(a);
    if (a->least_backlog > cost)
        a->rise -= GAIN * fmin((a->least_backlog - cost) / round, 1);
    else if (a->any_refused && !a->any_full && !a->full_before &&
             a->asked < MANY_MORE * a->asked_before)
        a->rise += fmax(GAIN * a->idle / round, STEP);
    a->asked_before = a->asked;
    a->full_before = a->any_full;
    a->rise = fmin(fmax(a->rise, LEAST_RISE), MOST_RISE);
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
    const double round = (double)(now - a->round_began);
    if (round >= a->interval) {
        if (a->interval > 0)
            adapt(a, round);
        lv_prices_age(&a->prices);
        a->interval = a->asked > 0 ? a->intervals / a->asked : 0;
        a->round_began = now;
        a->intervals = a->asked = a->idle = 0;
        a->least_backlog = a->backlog;
        a->any_refused = a->any_full = false;
    }
}

/* Up to this moment. */
static void pass_time(LvAdmission *a, uint64_t now)
{
    const double time = now > a->time ? (double)(now - a->time) : 0, mean = mean_cost(a);
    a->lasting += (a->backlog - a->lasting) * -expm1(-time / fmax(LASTS * a->interval, 1));
    if (mean > 0 && !a->full)
        a->turn += time * a->level / mean;
    a->time = now;
}

static void watch(LvAdmission *a, uint64_t now, bool joins)
{
    pass_time(a, now);
    a->backlog = find_backlog(a, now);
    a->least_backlog = fmin(a->least_backlog, a->backlog);
    measure(a, now, joins);
}

static double give_up_after(const LvAdmission *a, double time)
{
    return slack_of(time) + SECOND / 2.0 + 2 * mean_cost(a);
}

/* Whether everything that is due before `ends` can be done before it would be given up. */
static bool has_room(const LvAdmission *a, uint64_t ends, uint64_t now)
{
    const double time = ends > now ? (double)(ends - now) : 0;
    double due = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    if (r->ends <= ends)
        due += rest_of(a, r);
    return a->n_reservations < LV_MAX_RESERVATIONS &&
           due <= (time + give_up_after(a, time)) * share_of(a);
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
    a->full = known && !has_room(a, window->ends, now);
    if (a->full || (known && stream->served > a->turn)) {
        a->any_refused = true;
        a->any_full |= a->full;
        return false;
    }
    stream->served += place;
    reservation->stream = stream;
    reservation->id = ++a->next_id;
    reservation->ends = window->ends;
    const double time = window->ends > now ? (double)(window->ends - now) : 0;
    reservation->give_up = window->ends + (uint64_t)give_up_after(a, time);
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
    LvReservation *oldest = LV_LIST_FIRST(&stream->reservations, LvReservation, in_stream);
    if (oldest)
        oldest->done.units[work] += units;
    stream->unaccounted.units[work] += units;
}

void lv_admission_idle(LvAdmission *a, uint64_t since, uint64_t now)
{
    pass_time(a, since);
    a->backlog = a->least_backlog = 0;
    pass_time(a, now);
    a->idle += (double)(now - since);
}

void lv_admission_end(LvAdmission *a, LvReservation *reservation, bool answered, uint64_t now)
{
    LvAdmissionStream *stream = reservation->stream;
    if (!lv_linked(&reservation->in_admission))
        return;
    remove_reservation(a, reservation);
    watch(a, now, false);
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
