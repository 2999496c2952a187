/* SPDX-License-Identifier: Apache-2.0
 * The shim itself: every thread of every block runs once, barriers and meetings hold in any order,
 * and what a device would not forgive is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "shim/shim.h"

typedef struct Job {
    uint32_t *seen;
    int part;
} Job;

static void count(const void *data)
{
    const Job *job = data;
    const LvShimThread *t = lv_shim_self();
    unsigned block = (t->block.z * t->grid_size.y + t->block.y) * t->grid_size.x + t->block.x;
    unsigned size = t->block_size.x * t->block_size.y * t->block_size.z;
    unsigned thread = (t->thread.z * t->block_size.y + t->thread.y) * t->block_size.x + t->thread.x;
    assert_int_equal(t->lane, thread % LV_SHIM_WARP);
    job->seen[block * size + thread]++;
}

static void every_thread(void **state)
{
    uint32_t seen[3 * 2 * 2 * 64] = {0};
    Job job = {seen, 0};
    for (uint32_t seed = 0; seed < 4; seed++) {
        lv_shim_seed(seed);
        assert_int_equal(
            lv_shim_launch(count, &job, (LvShimIndex){3, 2, 2}, (LvShimIndex){16, 2, 2}, 0), 0);
    }
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++)
        assert_int_equal(seen[i], 4);
}

/* Each thread hands its number on by one place, again and again. */
static void hand_on(const void *data)
{
    const LvShimThread *t = lv_shim_self();
    uint32_t *places = t->shared;
    unsigned n = t->block_size.x, own = t->thread.x;
    assert_true(places[own] == ~0u || t->block.x > 0); /* filled before every block */
    places[own] = own;
    lv_shim_barrier();
    for (unsigned i = 0; i < 5; i++) {
        uint32_t next = places[(own + 1) % n];
        lv_shim_barrier();
        places[own] = next;
        lv_shim_barrier();
    }
    assert_int_equal(places[own], (own + 5) % n);
    ((const Job *)data)->seen[own] = places[own];
}

static void barriers(void **state)
{
    uint32_t seen[96];
    Job job = {seen, 0};
    for (uint32_t seed = 0; seed < 6; seed++) {
        lv_shim_seed(seed);
        memset(seen, 0, sizeof seen);
        assert_int_equal(lv_shim_launch(hand_on, &job, (LvShimIndex){1, 1, 1},
                             (LvShimIndex){96, 1, 1}, sizeof seen),
            0);
        for (unsigned i = 0; i < 96; i++)
            assert_int_equal(seen[i], (i + 5) % 96);
    }
}

/* What goes wrong, by part: lanes that wait for others that never come; too long an arm; a copy
 * that is read before it has landed. */
static void go_wrong(const void *data)
{
    const Job *job = data;
    const LvShimThread *t = lv_shim_self();
    static const uint32_t source[4] = {1, 2, 3, 4};
    if (job->part == 0 && t->thread.x < 16) {
        lv_shim_meet(NULL, NULL);
    } else if (job->part == 0) {
        lv_shim_barrier();
    } else if (job->part == 1) {
        ((unsigned char *)t->shared)[64] = 0;
    } else {
        uint32_t *to = (uint32_t *)t->shared + 4 * t->thread.x;
        lv_shim_copy(to, source, 16, 8);
        lv_shim_copy_commit();
        lv_shim_copy_wait(1);
        assert_int_equal(to[0], ~0u);
        lv_shim_copy_wait(0);
        assert_true(to[0] == 1 && to[1] == 2 && to[2] == 0 && to[3] == 0);
    }
}

static void faults(void **state)
{
    static const int wanted[] = {LV_SHIM_STUCK, LV_SHIM_BAD_ADDRESS, 0};
    LvShimIndex one = {1, 1, 1}, block = {32, 1, 1};
    for (uint32_t seed = 0; seed < 4; seed++) {
        lv_shim_seed(seed);
        for (int part = 0; part < 3; part++) {
            Job job = {NULL, part};
            assert_int_equal(
                lv_shim_launch(go_wrong, &job, one, block, part == 2 ? 512 : 64), wanted[part]);
        }
    }
    Job job = {NULL, 2};
    assert_int_equal(
        lv_shim_launch(go_wrong, &job, one, (LvShimIndex){33, 1, 1}, 0), LV_SHIM_BAD_CONFIGURATION);
    assert_int_equal(lv_shim_launch(go_wrong, &job, one, (LvShimIndex){1056, 1, 1}, 0),
        LV_SHIM_BAD_CONFIGURATION);
    assert_int_equal(lv_shim_launch(go_wrong, &job, (LvShimIndex){1, 65536, 1}, block, 0),
        LV_SHIM_BAD_CONFIGURATION);
    assert_int_equal(
        lv_shim_launch(go_wrong, &job, one, block, 228u << 10), LV_SHIM_BAD_CONFIGURATION);
}

/* Adds what lies at `from` to what lies at `to`; `part` says when it waits: 0 first, 1 between, 2
 * last, 3 in half of its threads. */
typedef struct Add {
    uint32_t *to;
    const uint32_t *from;
    int part;
} Add;

static void add(const void *data)
{
    const Add *a = data;
    const unsigned i = lv_shim_self()->block.x * 32 + lv_shim_self()->thread.x;
    if (a->part == 0 || (a->part == 3 && i % 2))
        lv_shim_wait_previous();
    uint32_t sum = a->to[i] + a->from[i];
    if (a->part == 1)
        lv_shim_wait_previous();
    a->to[i] = sum;
    if (a->part == 2)
        lv_shim_wait_previous();
}

static int submit(uint32_t *to, const uint32_t *from, int part, int overlapped)
{
    const Add args = {to, from, part};
    const LvShimLaunch launch = {.entry = add,
        .args = &args,
        .args_bytes = sizeof args,
        .grid = {2, 1, 1},
        .block = {32, 1, 1},
        .overlapped = overlapped};
    return lv_shim_submit(&launch);
}

/* One kernel's result is the next one's operand: y = x + 1, z = y + y. */
static int run_chain(uint32_t *values, int part, int overlapped)
{
    uint32_t *one = values, *x = values + 64, *y = values + 128, *z = values + 192;
    for (unsigned i = 0; i < 64; i++) {
        one[i] = 1;
        x[i] = i;
        y[i] = z[i] = 0;
    }
    int result = submit(y, x, 0, 0);
    result = result ? result : submit(y, one, 0, overlapped);
    result = result ? result : submit(z, y, part, overlapped);
    return result ? result : submit(z, y, part, overlapped);
}

/* A kernel that waits finds all that was ahead of it, however long it is held; one that waits too
 * late finds what was there before, and threads that do not wait are reported. */
static void overlaps(void **state)
{
    uint32_t values[256], *z = values + 192;
    for (uint32_t seed = 0; seed < 4; seed++) {
        lv_shim_seed(seed);
        for (int hold = 0; hold < 2; hold++) {
            lv_shim_hold(hold);
            for (int overlapped = 0; overlapped < 2; overlapped++) {
                assert_int_equal(run_chain(values, 0, overlapped), 0);
                assert_int_equal(lv_shim_drain(), 0);
                for (unsigned i = 0; i < 64; i++)
                    assert_int_equal(z[i], 2 * (i + 1));
            }
            for (int part = 1; part < 3; part++) {
                assert_int_equal(run_chain(values, part, 1), 0);
                assert_int_equal(lv_shim_drain(), 0);
                if (hold)
                    assert_int_not_equal(z[5], 12);
                else
                    assert_int_equal(z[5], 12);
            }
            int result = run_chain(values, 3, 1);
            int drained = lv_shim_drain();
            assert_int_equal(hold ? drained : result, LV_SHIM_NOT_WAITED);
        }
    }
    lv_shim_hold(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread),
        cmocka_unit_test(barriers),
        cmocka_unit_test(faults),
        cmocka_unit_test(overlaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
