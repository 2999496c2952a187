/* SPDX-License-Identifier: Apache-2.0
 * What disturbs decoding steps of the CUDA backend, executed on the CPU: what cannot be recorded is
 * enqueued all the same, cancelling and refused memory cost a step at the most, and failures are
 * named wherever they strike. Argument: the stand-in module. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "steps.h"

static void without_graphs_the_answers_are_the_same(void **state)
{
    static const struct {
        const char *wishes;
        Mischief mischief;
        bool told; /* when the device is opened */
    } cases[] = {
        {"no-graphs", NO_MISCHIEF, true},
        {"no-overlap,graph=1", NO_MISCHIEF, true},
        {"graph=2", NO_MISCHIEF, false},
        {"", WAIT, false},
        {"", DOWNLOAD, false},
    };
    int32_t wanted[FEW], tokens[FEW];
    open_model(LLAVAOV_PRECISION_F32, "", "");
    few_steps(wanted);
    assert_int_equal(watch.computed, 2);
    assert_null(watch.real->notice(watch.b));
    close_model();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_model(LLAVAOV_PRECISION_F32, "", cases[i].wishes);
        assert_int_equal(strstr(watch.b->info.detail, "without graphs") != NULL, cases[i].told);
        const uint64_t replayed = count().replayed;
        watch.mischief = cases[i].mischief;
        few_steps(tokens);
        assert_memory_equal(tokens, wanted, sizeof wanted);
        const char *notice = watch.real->notice(watch.b);
        assert_non_null(notice);
        assert_non_null(strstr(notice, "decoding steps without graphs: "));
        assert_int_equal(strstr(notice, "recording a step: ") != NULL, !cases[i].told);
        assert_int_equal(watch.computed, cases[i].told ? 6 : 7);
        assert_int_equal(count().replayed, replayed);
        assert_int_equal(count().graphs, 0);
        close_model();
    }
}

/* Kernels of a step begin before the one ahead is done, where the device and its graphs take that
 * and nobody has switched it off. */
static void without_overlap_the_answers_are_the_same(void **state)
{
    static const struct {
        const char *wishes, *options;
        bool overlaps;
    } cases[] = {{"", "", true}, {"no-overlap", ";overlap=on", false}, {"", ";overlap=off", false},
        {"no-overlap-in-graphs", "", false}, {"graph=1", "", false}};
    int32_t wanted[FEW], tokens[FEW];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_model(LLAVAOV_PRECISION_BF16, cases[i].options, cases[i].wishes);
        assert_null(watch.real->notice(watch.b));
        const uint64_t before = count().overlapped;
        few_steps(i ? tokens : wanted);
        assert_int_equal(watch.computed, 2);
        assert_int_equal(count().overlapped > before, cases[i].overlaps);
        if (i)
            assert_memory_equal(tokens, wanted, sizeof wanted);
        close_model();
    }
}

/* Before, while the step is recorded, and before a replay. */
static void a_cancelled_step_has_changed_nothing(void **state)
{
    static const size_t who[] = {0, 1, 2};
    int32_t wanted[FEW], tokens[FEW];
    open_model(LLAVAOV_PRECISION_F32, "", "");
    few_steps(wanted);
    close_model();
    for (int ahead = 0; ahead < 2; ahead++) {
        open_model(LLAVAOV_PRECISION_F32, "", "");
        watch.ahead = ahead;
        open_three();
        for (size_t s = 0; s < FEW; s++) {
            LlavaovError error;
            if (s < 2)
                watch.mischief = CANCEL;
            else
                lv_cancel_request(&watch.cancel);
            assert_int_equal(step(who, 3, NULL, &error), LLAVAOV_ERROR_CANCELLED);
            assert_int_equal(error.status, LLAVAOV_ERROR_CANCELLED);
            watch.mischief = NO_MISCHIEF;
            atomic_store(&watch.cancel.requested, false);
            must_step(who, 3, NULL);
            tokens[s] = watch.members[s % 3].token;
        }
        assert_memory_equal(tokens, wanted, sizeof wanted);
        assert_int_equal(count().graphs, 1);
        close_model();
    }
}

/* A weight is freed that a graph may read: it is recorded anew. */
static void graphs_go_with_their_model(void **state)
{
    const size_t who = 0;
    open_model(LLAVAOV_PRECISION_F32, "", "");
    open_member(0, 7, &greedy);
    for (int s = 0; s < 3; s++)
        must_step(&who, 1, NULL);
    assert_int_equal(count().graphs, 1);
    static const float numbers[4] = {1, 2, 3, 4};
    const LvHostTensor tensor = {.name = "w",
        .file = "f",
        .dtype = LV_F32,
        .n_dims = 1,
        .shape = {4},
        .data = numbers,
        .bytes = sizeof numbers};
    const LvHostTensor *part = &tensor;
    LvWeight *weight;
    LlavaovError error = {0};
    must(watch.real->weight_load(watch.b, &part, 1, LV_WEIGHT_VECTOR, &weight, &error), &error);
    assert_int_equal(count().graphs, 1);
    watch.real->weight_free(watch.b, weight);
    assert_int_equal(count().graphs, 0);
    const unsigned computed = watch.computed;
    for (int s = 0; s < 3; s++)
        must_step(&who, 1, NULL);
    assert_int_equal(watch.computed, computed + 2);
    close_model();
}

static void steps_that_do_not_fit_are_refused(void **state)
{
    const size_t who = 0;
    LlavaovError error;
    open_model(LLAVAOV_PRECISION_F32, "", "");
    watch.ahead = true;
    open_member(0, 7, &greedy);
    for (int s = 0; s < SPARE; s++)
        must_step(&who, 1, NULL);
    assert_int_equal(step(&who, 1, NULL, &error), LLAVAOV_ERROR_INTERNAL); /* the cache is full */
    watch.members[0].position--;
    watch.members[0].token = VOCAB;
    assert_int_equal(step(&who, 1, NULL, &error), LLAVAOV_ERROR_INTERNAL);
    watch.members[0].token = 5;
    must_step(&who, 1, NULL);
    close_model();
}

/* Numbers that are not finite end that row alone. */
static void nan_is_its_rows_own(void **state)
{
    LvSequence sequences[2];
    LvNextToken choices[2];
    const int32_t ids[2] = {3, 4};
    LlavaovError errors[2] = {0}, error = {0};
    const LvRun run = {.error = &error};
    open_model(LLAVAOV_PRECISION_F32, "", "");
    open_member(0, 7, &greedy);
    open_member(1, 9, &greedy);
    const LvBatch batch = {sequences, 2};
    for (uint32_t s = 0; s < 4; s++) {
        for (uint32_t i = 0; i < 2; i++) {
            sequences[i] =
                (LvSequence){watch.members[i].cache, i, 1, watch.members[i].position + s, 0};
            choices[i] = (LvNextToken){&watch.members[i].sampler, &errors[i], LLAVAOV_OK, 0};
        }
        if (s == 3)
            sequences[1].position += 5; /* rows that nobody wrote */
        must(lv_decoder_step(watch.model, &run, ids, &batch, true, choices, NULL), &error);
        assert_int_equal(choices[0].status, LLAVAOV_OK);
        assert_int_equal(choices[1].status, s == 3 ? LLAVAOV_ERROR_NUMERIC : LLAVAOV_OK);
    }
    assert_int_equal(count().graphs, 1);
    close_model();
}

/* At every launch from the first step's last to the third's graph: while a step is enqueued, while
 * it is recorded, and while it is replayed. */
static void failures_are_named_wherever_they_strike(void **state)
{
    static const size_t who[] = {0, 1, 2};
    static const struct {
        const char *wish, *text;
    } faults[] = {{"launch=%llu", "unspecified launch failure (error 719)"},
        {"lost=%llu", "the device does not answer (error 999)"}};
    uint64_t at[4];
    int32_t wanted[FEW];
    open_model(LLAVAOV_PRECISION_F32, "", "");
    at[0] = count().launches;
    few_steps(wanted);
    at[1] = count().launches; /* six steps: direct, recorded and replayed, four replays */
    close_model();
    open_model(LLAVAOV_PRECISION_F32, "", "");
    open_three();
    must_step(who, 3, NULL);
    at[2] = count().launches;
    must_step(who, 3, NULL);
    at[3] = count().launches;
    close_model();
    assert_int_equal(at[1], at[3] + 4);
    const uint64_t strikes[] = {
        at[0] + 1, at[2], at[2] + 1, (at[2] + at[3]) / 2, at[3] - 1, at[3], at[3] + 1, at[1]};
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; i < sizeof strikes / sizeof *strikes; i++) {
            char wishes[32];
            snprintf(wishes, sizeof wishes, faults[f].wish, (unsigned long long)strikes[i]);
            open_model(LLAVAOV_PRECISION_F32, "", wishes);
            open_three();
            LlavaovError first, second;
            LlavaovStatus status = LLAVAOV_OK;
            size_t s = 0;
            for (; s < FEW && status == LLAVAOV_OK; s++) {
                status = step(who, 3, NULL, &first);
                if (status == LLAVAOV_OK)
                    assert_int_equal(watch.members[s % 3].token, wanted[s]);
            }
            assert_int_equal(status, LLAVAOV_ERROR_DEVICE);
            assert_int_equal(s, strikes[i] <= at[2]   ? 1
                                : strikes[i] <= at[3] ? 2
                                                      : strikes[i] - at[3] + 2);
            if (!strstr(first.message, faults[f].text) || !strstr(first.message, "cuda:0: "))
                fail_msg("%s", first.message);
            assert_int_equal(step(who, 3, NULL, &second), LLAVAOV_ERROR_DEVICE);
            assert_string_equal(second.message, first.message);
            close_model();
        }
}

/* Also in a step that nobody has asked for yet; tokens that were given before are right. */
static void failures_ahead_are_named_too(void **state)
{
    static const size_t who[] = {0, 1, 2};
    static const char *const wishes[] = {"launch=%llu", "lost=%llu"};
    int32_t wanted[FEW];
    open_model(LLAVAOV_PRECISION_F32, "", "");
    few_steps(wanted);
    const uint64_t launches = count().launches;
    close_model();
    for (size_t f = 0; f < 2; f++)
        for (uint64_t at = launches - 4; at <= launches + 1; at += 2) {
            char wish[32];
            snprintf(wish, sizeof wish, wishes[f], (unsigned long long)at);
            open_model(LLAVAOV_PRECISION_F32, "", wish);
            watch.ahead = true;
            open_three();
            LlavaovError first, second;
            LlavaovStatus status = LLAVAOV_OK;
            for (size_t s = 0; s < FEW && status == LLAVAOV_OK; s++) {
                status = step(who, 3, NULL, &first);
                if (status == LLAVAOV_OK)
                    assert_int_equal(watch.members[s % 3].token, wanted[s]);
            }
            assert_int_equal(status, LLAVAOV_ERROR_DEVICE);
            assert_int_equal(step(who, 3, NULL, &second), LLAVAOV_ERROR_DEVICE);
            assert_string_equal(second.message, first.message);
            close_model();
        }
}

/* Every allocation that steps ask for is refused in turn, once: memory that is kept makes up for
 * it; or twice: a step ends with an error and can be repeated, and without the last, which graphs
 * lie in, there are none. */
static void refused_memory_costs_no_more_than_a_step(void **state)
{
    static const size_t who[] = {0, 1, 2};
    int32_t wanted[FEW];
    open_model(LLAVAOV_PRECISION_F32, "", "");
    open_three();
    const uint64_t first = count().asked + 1;
    close_model();
    open_model(LLAVAOV_PRECISION_F32, "", "");
    few_steps(wanted);
    const uint64_t last = count().asked;
    close_model();
    assert_true(last >= first + 4);
    for (unsigned times = 1; times <= 2; times++)
        for (uint64_t n = first; n <= last; n++) {
            char wishes[32];
            unsigned failed = 0;
            snprintf(wishes, sizeof wishes, "alloc=%u,allocs=%u", (unsigned)n, times);
            open_model(LLAVAOV_PRECISION_F32, "", wishes);
            open_three();
            for (size_t s = 0; s < FEW; s++) {
                LlavaovError error;
                LlavaovStatus status = step(who, 3, NULL, &error);
                if (status != LLAVAOV_OK) {
                    assert_int_equal(status, LLAVAOV_ERROR_MEMORY);
                    assert_non_null(strstr(error.message, "no memory for "));
                    must_step(who, 3, NULL);
                    failed++;
                }
                assert_int_equal(watch.members[s % 3].token, wanted[s]);
            }
            assert_true(count().asked >= n + times);
            assert_int_equal(failed, times == 2 && n < last);
            assert_int_equal(count().replayed > 3, times == 1 || n < last);
            close_model();
        }
}

int main(int argc, char **argv)
{
    if (argc != 2 || !load_standin(argv[1]))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_graphs_the_answers_are_the_same),
        cmocka_unit_test(without_overlap_the_answers_are_the_same),
        cmocka_unit_test(a_cancelled_step_has_changed_nothing),
        cmocka_unit_test(graphs_go_with_their_model),
        cmocka_unit_test(steps_that_do_not_fit_are_refused),
        cmocka_unit_test(nan_is_its_rows_own),
        cmocka_unit_test(failures_are_named_wherever_they_strike),
        cmocka_unit_test(failures_ahead_are_named_too),
        cmocka_unit_test(refused_memory_costs_no_more_than_a_step),
    };
    return cmocka_run_group_tests(tests, write_step_model, remove_random_model);
}
