/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/admission.h"

#include <math.h>

#define MILLISECOND UINT64_C(1000000)
#define LEAST_SLACK (1000 * MILLISECOND)
#define MOST_SLACK (2000 * MILLISECOND)

/* What an answer counts for when the next one is there. */
#define FADE 0.875

#define PERIOD (1000 * MILLISECOND)
/* Those that ask can count on this much of the device, whoever else is served. */
#define LEAST_SHARE 0.5
/* Steps and bounds of the correction. Down fast: what was taken on too much is late. */
#define LOWER 0.96
#define RAISE 1.02
#define LEAST_CORRECTION 0.5
#define MOST_CORRECTION 1.5

/* The part of the slack that counts for those who have not waited. */
#define MOST_SLACK_AT_FIRST 0.6
/* Credit that waits for a device that is late. */
#define MOST_CREDIT 2.0
/* Of a window that has used what was expected of it, and is not done, this much is still to come.
 */
#define LEAST_REST 0.125

void lv_admission_init(LvAdmission *a)
{
    lv_list_init(&a->streams);
    lv_list_init(&a->reservations);
    a->correction = 1;
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
    const LvFadingMean *mean = stream->mean.answers > 0 ? &stream->mean : &a->mean;
    return mean->answers > 0 ? mean->spent / mean->answers : 0;
}

static double there_is(const LvAdmission *a)
{
    const double share = 1 - a->other_share;
    return (share < LEAST_SHARE ? LEAST_SHARE : share) * a->correction;
}

/* The level at which what is given, min(rate, level) of each stream, comes to what there is: from
 * below, each round takes out of the sharing those whose rates it exceeds. */
static double find_level(const LvAdmission *a, uint64_t now)
{
    double level = 0;
    for (;;) {
        double left = there_is(a);
        size_t n = 0;
        LvAdmissionStream *stream;
        LV_LIST_EACH(&a->streams, LvAdmissionStream, in_admission, stream)
        {
            if (stream->next_begins + PERIOD < now)
                continue; /* gone, or paused */
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

static double rest_of(const LvReservation *r)
{
    return fmax(r->cost - r->used, LEAST_REST * r->cost);
}

static void measure(LvAdmission *a, uint64_t now)
{
    const uint64_t elapsed = now - a->period_began;
    if (elapsed < PERIOD)
        return;
    const double share = a->other_spent / (double)elapsed;
    a->other_share = (a->other_share + (share < 1 ? share : 1)) / 2;
    double due = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    due += rest_of(r);
    /* What is late and getting less was taken on before costs were known. */
    if (a->late && due > a->due)
        a->correction *= LOWER;
    else if (a->refused && a->early)
        a->correction *= RAISE;
    else if (!a->refused)
        a->correction += (1 - a->correction) / 8;
    a->correction = fmin(fmax(a->correction, LEAST_CORRECTION), MOST_CORRECTION);
    a->due = due;
    a->period_began = now;
    a->other_spent = 0;
    a->refused = a->late = false;
    a->early = true;
    a->level = find_level(a, now);
}

static uint64_t slack_of(uint64_t time)
{
    const uint64_t slack = time / 2;
    return slack < LEAST_SLACK ? LEAST_SLACK : slack > MOST_SLACK ? MOST_SLACK : slack;
}

/* Whether everything that is due before `ends` can be done by then and this part of the slack. */
static bool in_time(LvAdmission *a, uint64_t ends, double part, uint64_t now)
{
    const uint64_t time = ends > now ? ends - now : 0;
    const double slack = (double)slack_of(time);
    const double share = fmax(1 - a->other_share, LEAST_SHARE);
    double due = 0;
    const LvReservation *r;
    LV_LIST_EACH(&a->reservations, LvReservation, in_admission, r)
    if (r->ends <= ends)
        due += rest_of(r);
    if (due > ((double)time + 0.25 * slack) * share)
        a->early = false;
    if (due <= ((double)time + part * slack) * share)
        return true;
    a->late = true;
    return false;
}

/* Where streams begin together their refusals shall not fall together. */
static double first_credit(LvAdmission *a)
{
    const double golden = 0.6180339887498949 * ++a->n_joined;
    return golden - floor(golden);
}

bool lv_admission_ask(LvAdmission *a, LvAdmissionStream *stream, uint64_t now,
    const LvWindowTimes *window, LvReservation *reservation)
{
    if (!lv_linked(&stream->in_admission)) {
        lv_list_append(&a->streams, &stream->in_admission);
        stream->credit = first_credit(a);
        stream->next_begins = now;
    }
    stream->interval = fmax((double)window->next_begins - (double)window->begins, 1);
    stream->next_begins = window->next_begins;
    measure(a, now);

    const double cost = lv_admission_cost(a, stream);
    const double share = cost > 0 ? fmin(1, a->level * stream->interval / cost) : 1;
    stream->credit = fmin(stream->credit + share, MOST_CREDIT);
    if (share < 1)
        a->refused = true;
    /* Whoever was refused for lateness before comes before those who were not. */
    const double part = stream->credit > 1 + share / 2 ? 1 : MOST_SLACK_AT_FIRST;
    if (stream->credit < 1 || !in_time(a, window->ends, part, now) ||
        a->n_reservations >= LV_MAX_RESERVATIONS)
        return false;
    stream->credit = share < 1 ? stream->credit - 1 : fmin(stream->credit - 1, 1);
    reservation->stream = stream;
    reservation->id = ++a->next_id;
    reservation->ends = window->ends;
    reservation->give_up =
        window->ends + slack_of(window->ends > now ? window->ends - now : 0) + PERIOD / 2;
    reservation->cost = cost;
    lv_list_append(&a->reservations, &reservation->in_admission);
    lv_list_append(&stream->reservations, &reservation->in_stream);
    a->n_reservations++;
    return true;
}

void lv_admission_spend(LvAdmission *a, LvAdmissionStream *stream, double ns)
{
    if (!stream || !lv_linked(&stream->in_admission)) {
        a->other_spent += ns;
        return;
    }
    LvReservation *oldest = LV_LIST_FIRST(&stream->reservations, LvReservation, in_stream);
    if (oldest)
        oldest->used += ns;
    stream->unaccounted += ns;
}

static void add_answer(LvFadingMean *mean, double spent)
{
    mean->spent = mean->spent * FADE + spent;
    mean->answers = mean->answers * FADE + 1;
}

void lv_admission_end(LvAdmission *a, LvReservation *reservation, bool answered)
{
    LvAdmissionStream *stream = reservation->stream;
    if (!lv_linked(&reservation->in_admission))
        return;
    remove_reservation(a, reservation);
    if (!answered)
        return;
    add_answer(&stream->mean, stream->unaccounted);
    add_answer(&a->mean, stream->unaccounted);
    stream->unaccounted = 0;
}
