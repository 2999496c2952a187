/* SPDX-License-Identifier: Apache-2.0
 * The sum of exponentials of every set: against libm in long double, and to the bit against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <cmocka.h>

#include "ops.h"
#include "sum_exp.h"

#define MOST 3001

static void check(const float *x, size_t n, float greatest)
{
    const double got = lv_sum_exp_choose(0)(x, n, greatest);
    long double want = 0;
    for (size_t i = 0; i < n; i++)
        want += expl((long double)x[i] - greatest);
    if (!(fabsl(got - want) <= 2e-14L * want + (long double)n * 1e-300L))
        fail_msg("%zu numbers: %.17g, not %.17Lg", n, got, want);
    for (unsigned flags = lv_cpu_flags(); flags; flags >>= 1)
        assert_true(lv_sum_exp_choose(flags & lv_cpu_flags())(x, n, greatest) == got);
}

static void sums_are_those_of_libm(void **state)
{
    static float x[MOST];
    const float spreads[] = {0, 1e-7f, 1, 30, 690, 5000, 1e30f};
    const size_t sizes[] = {0, 1, 7, 8, 9, 16, 61, 1000, MOST};
    uint32_t seed = 1;
    for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            float greatest = 12.25f;
            for (size_t i = 0; i < sizes[k]; i++) {
                seed = seed * 1664525u + 1013904223u;
                x[i] = greatest - (float)(seed >> 8) * 0x1p-24f * spreads[s];
            }
            check(x, sizes[k], greatest);
            if (sizes[k])
                check(x + 1, sizes[k] - 1, greatest);
        }
}

/* Each term by itself, over all of the range. */
static void terms_are_those_of_libm(void **state)
{
    for (float x = 0; x > -710; x -= 0.0137f)
        check(&x, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_libm),
        cmocka_unit_test(terms_are_those_of_libm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
