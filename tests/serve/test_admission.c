/* SPDX-License-Identifier: Apache-2.0
 * Which windows an engine takes on, in virtual time: streams of many kinds around one server that
 * works on what it was given, at the cost that each window really has. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "serve/admission.h"

#define MS 1000000.0
#define SECOND 1e9
#define MOST_STREAMS 700
#define MOST_WINDOWS 4
#define STEP (8 * MS)

typedef struct Window {
    LvReservation reservation;
    double begins, ends, work, done;
    bool used;
} Window;

typedef struct Stream {
    LvAdmissionStream account;
    double period, cost, next;
    Window windows[MOST_WINDOWS];
    unsigned answers, refused;
    double last_answer, longest;
} Stream;

typedef struct Result {
    double rate;         /* answers a second, behind the first 20 s */
    double latency;      /* the greatest, from a window's end to its answer, seconds */
    double fewest, most; /* of a stream's answers, in units of the mean */
    double longest;      /* between the ends of a stream's answered windows, seconds */
    double busy;         /* share of the time that the server worked */
} Result;

static double random_unit(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) / 16777216.0;
}

/* Work becomes possible evenly over the window up to `encoded` of it; the rest when it ends. */
static double possible(const Window *w, double now)
{
    const double encoded = 0.6, part = (now - w->begins) / (w->ends - w->begins);
    return now >= w->ends ? w->work : encoded * w->work * (part < 1 ? part : 1);
}

/* What was begun goes on; then the stream that was longest without an answer, then the freshest;
 * while all is well, by age. */
static bool goes_before(const Window *a, const Window *b, double now, bool overloaded)
{
    if (!overloaded)
        return a->ends < b->ends;
    if ((a->ends <= now) != (b->ends <= now))
        return a->ends <= now;
    if ((a->done > 0) != (b->done > 0))
        return a->done > 0;
    const unsigned x = a->reservation.stream->unanswered, y = b->reservation.stream->unanswered;
    return x != y ? x > y : a->ends > b->ends;
}

static Window *next_work(Stream *streams, size_t n, double now, bool overloaded)
{
    Window *best = NULL;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < MOST_WINDOWS; k++) {
            Window *w = &streams[i].windows[k];
            if (w->used && w->done < possible(w, now) &&
                (!best || goes_before(w, best, now, overloaded)))
                best = w;
        }
    return best;
}

static Stream streams[MOST_STREAMS];

/* A part `others` of the time goes to a file. What has not been begun when it is too late is given
 * up. */
static Result simulate(size_t n, double seconds, double others, uint32_t seed)
{
    LvAdmission *a = calloc(1, sizeof *a);
    lv_admission_init(a);
    for (size_t i = 0; i < n; i++)
        lv_admission_stream_init(&streams[i].account);
    Result r = {.fewest = 1e9};
    double worked = 0;
    unsigned answers = 0;
    for (double now = 0; now < seconds * SECOND; now += STEP) {
        for (size_t i = 0; i < n; i++) {
            Stream *s = &streams[i];
            if (now < s->next)
                continue;
            Window *w = NULL;
            for (size_t k = 0; k < MOST_WINDOWS && !w; k++)
                w = s->windows[k].used ? NULL : &s->windows[k];
            const double begins = s->next;
            s->next += s->period;
            const LvWindowTimes times = {(uint64_t)begins, (uint64_t)s->next, (uint64_t)s->next};
            assert_non_null(w);
            memset(w, 0, sizeof *w);
            if (!lv_admission_ask(a, &s->account, (uint64_t)now, &times, &w->reservation)) {
                s->refused++;
                continue;
            }
            w->used = true;
            w->begins = begins;
            w->ends = s->next;
            w->work = s->cost * (0.9 + 0.2 * random_unit(&seed));
        }
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < MOST_WINDOWS; k++) {
                Window *w = &streams[i].windows[k];
                if (!w->used || now < w->ends)
                    continue;
                if (!w->reservation.ended)
                    lv_admission_ended(a, &w->reservation, (uint64_t)now);
                if (w->done > 0 || !lv_admission_too_late(a, &w->reservation, (uint64_t)now))
                    continue;
                lv_admission_end(a, &w->reservation, false, (uint64_t)now);
                w->used = false;
            }
        double left = STEP * (1 - others);
        if (others > 0)
            lv_admission_spend(a, NULL, LV_WORK_TILE, 0, STEP * others);
        const bool overloaded = lv_admission_overloaded(a, (uint64_t)now);
        for (Window *w; left > 0 && (w = next_work(streams, n, now, overloaded)) != NULL;) {
            const double part = fmin(left, possible(w, now) - w->done);
            LvAdmissionStream *account = w->reservation.stream;
            Stream *s = LV_CONTAINER(account, Stream, account);
            w->done += part;
            left -= part;
            worked += part;
            lv_admission_spend(
                a, account, now < w->ends ? LV_WORK_TILE : LV_WORK_ROW, part / MS, part);
            if (w->done < w->work)
                continue;
            lv_admission_end(a, &w->reservation, true, (uint64_t)now);
            w->used = false;
            if (now < 20 * SECOND)
                continue;
            answers++;
            s->answers++;
            r.latency = fmax(r.latency, (now - w->ends) / SECOND);
            if (s->last_answer > 0)
                s->longest = fmax(s->longest, (w->ends - s->last_answer) / SECOND);
            s->last_answer = w->ends;
        }
    }
    for (size_t i = 0; i < n; i++) {
        Stream *s = &streams[i];
        const double share = s->answers * (double)n / answers;
        r.fewest = fmin(r.fewest, share);
        r.most = fmax(r.most, share);
        r.longest = fmax(r.longest, fmax(s->longest, seconds - s->last_answer / SECOND));
        lv_admission_leave(a, &s->account);
        assert_int_equal(lv_list_empty(&s->account.reservations), true);
    }
    assert_int_equal(a->n_reservations, 0);
    r.rate = answers / (seconds - 20);
    r.busy = worked / (seconds * SECOND * (1 - others));
    free(a);
    return r;
}

/* Streams with windows of `period`, whose starts are spread evenly (0), at random (1) or equal (2).
 */
static void make_streams(size_t n, double period, double cost, int spread)
{
    uint32_t seed = 5;
    memset(streams, 0, sizeof streams);
    for (size_t i = 0; i < n; i++)
        streams[i] = (Stream){.period = period,
            .cost = cost,
            .next = spread == 2   ? 0
                    : spread == 1 ? period * random_unit(&seed)
                                  : period * (double)i / (double)n};
}

static void show(const char *name, double load, const Result *r)
{
    print_message("%-10s load %5.2f: %5.2f answers a second, latency %.2f s, shares %.2f to %.2f, "
                  "longest %.1f s, busy %.2f\n",
        name, load, r->rate, r->latency, r->fewest, r->most, r->longest, r->busy);
}

/* The capacity is 16 windows a second: 64 streams with windows of 4 s. */
static void test_plateau(void **state)
{
    static const double loads[] = {0.5, 1, 1.25, 2, 10};
    static const char *const spreads[] = {"even", "random", "together"};
    for (int spread = 0; spread < 3; spread++) {
        double at_capacity = 0;
        for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
            const size_t n = (size_t)(64 * loads[i]);
            make_streams(n, 4 * SECOND, SECOND / 16, spread);
            const Result r = simulate(n, loads[i] > 2 ? 140 : 80, 0, 7);
            const double asked = (double)n / 4, fair_turn = loads[i] > 1 ? 4 * loads[i] : 4;
            show(spreads[spread], loads[i], &r);
            assert_true(r.rate >= 0.9 * fmin(asked, 16));
            /* Where all windows end together that is the time that it takes to answer them. */
            if (loads[i] == 1)
                at_capacity = r.latency;
            assert_true(r.latency <= (spread == 2 ? 2 * fmax(at_capacity, 1) : 1.25));
            /* And, where all windows end together, one that was given up. */
            assert_true(r.longest <= 2 * fair_turn + (spread == 2 ? 4 : 0));
            /* Within a quarter, or one answer and a rest: they come whole. */
            const double seconds = loads[i] > 2 ? 120 : 60, mean = r.rate * seconds / (double)n;
            const double apart = fmax(0.25, 1.5 / mean);
            if (spread < 2)
                assert_true(r.fewest >= 1 - apart && r.most <= 1 + apart);
        }
    }
}

/* Streams whose windows cost eight times as much, or that ask four times as often, get their share
 * of the time and not more: their answers are fewer, everybody else's as many as among equals. */
static void test_unequal(void **state)
{
    make_streams(128, 4 * SECOND, SECOND / 16, 1);
    streams[0].cost *= 8;
    streams[1].period /= 4;
    const Result r = simulate(128, 140, 0, 3);
    show("unequal", 2, &r);
    const double equal = 120.0 * 16 / 128; /* answers of each of 128 equal streams */
    print_message("expensive %u, often %u, another %u of %.1f\n", streams[0].answers,
        streams[1].answers, streams[2].answers, equal);
    assert_true(streams[0].answers >= 1 && streams[0].answers <= equal / 4);
    assert_true(streams[1].answers >= 0.75 * equal && streams[1].answers <= 1.25 * equal);
    for (size_t i = 2; i < 128; i++)
        assert_true(streams[i].answers >= 0.75 * equal && streams[i].answers <= 1.25 * equal);
}

/* A file takes part of the time: the streams share the rest. */
static void test_others(void **state)
{
    make_streams(64, 4 * SECOND, SECOND / 16, 1);
    const Result r = simulate(64, 80, 0.4, 9);
    show("others", 1 / 0.6, &r);
    assert_true(r.rate >= 0.9 * 16 * 0.6);
    assert_true(r.latency <= 2.5);
}

/* An answer takes longer than a window lasts. */
static void test_slow_device(void **state)
{
    for (size_t n = 1; n <= 4; n += 3) {
        make_streams(n, 4 * SECOND, 25 * SECOND, 0);
        const Result r = simulate(n, 620, 0, 11);
        show("slow", 25 * (double)n / 4, &r);
        /* Between one and the next it waits for a window's frames, at most. */
        assert_true(r.rate >= 1 / 29.0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plateau),
        cmocka_unit_test(test_unequal),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_slow_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
