/* SPDX-License-Identifier: Apache-2.0
 * Sampling as an operation of the CUDA backend, executed on the CPU: the tokens of the sampler on
 * the host, row by row and through whole answers of several sessions. Arguments: the stand-in
 * module, the folder of the demo model. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "generation.h"
#include "requests.h"
#include "base/status.h"
#include "model/sampler.h"
#include "standin_test.h"

/* temperature, top-k, top-p, penalty, seed behind the number of tokens */
static const LlavaovGeneration settings[] = {
    GENERATION(12, 0, 0, 1, 1, 0, NULL),
    GENERATION(9, 0, 0, 1, 1.2, 0, NULL),
    GENERATION(12, 1, 0, 1, 1, 3, NULL),
    GENERATION(10, 0.7, 20, 1, 1.1, 4, NULL),
    GENERATION(12, 1.5, 0, 0.8, 1, 5, NULL),
    GENERATION(11, 2, 30, 0.6, 1.3, 6, NULL),
};
#define N_SETTINGS (sizeof settings / sizeof *settings)

static double noise(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (state >> 8) / 16777216.0;
}

/* ---- rows ---- */

enum { ROWS = 2 * N_SETTINGS + 1, VOCAB = 777, STEPS = 5 };

static void rows_are_sampled_as_on_the_host(void **state)
{
    for (int half = 0; half < 2; half++) {
        const LvBackendOptions options = {
            .device = "cuda", .precision = half ? LLAVAOV_PRECISION_BF16 : LLAVAOV_PRECISION_F32};
        LvBackend *b;
        LlavaovError error = {0};
        if (lv_backend_open(&options, &b, &error) != LLAVAOV_OK)
            fail_msg("%s", error.message);
        assert_non_null(b->ops->sample);
        const LvRun run = {.error = &error};
        LvSampler samplers[ROWS];
        static float logits[ROWS * VOCAB];
        LvTensor tensor;
        assert_int_equal(b->ops->tensor_alloc(b, ROWS, VOCAB, &tensor, &error), LLAVAOV_OK);
        for (size_t i = 0; i < ROWS; i++) {
            LlavaovGeneration g = settings[i % N_SETTINGS];
            g.seed += 100 * i;
            if (half) /* many equal scores: at the border of top-p another order holds */
                g.top_p = 1;
            assert_int_equal(lv_sampler_open(&samplers[i], &g, VOCAB, &error), LLAVAOV_OK);
            for (int32_t id = 0; id < VOCAB; id += 1 + (int32_t)i)
                lv_sampler_see(&samplers[i], &id, 1);
        }
        for (int step = 0; step < STEPS; step++) {
            LvDraw draws[ROWS];
            int32_t tokens[ROWS];
            /* Once all are greedy without a penalty: that goes another way. */
            const size_t stride = step == STEPS - 1 ? N_SETTINGS : 1, n = step ? ROWS : ROWS - 1;
            for (size_t i = 0; i < ROWS * VOCAB; i++)
                logits[i] = (float)(6 * noise());
            if (step == 2)
                logits[3 * VOCAB + 700] = NAN;
            LvTensor part = lv_tensor_rows(tensor, 0, (n + stride - 1) / stride);
            for (size_t i = 0; i < part.rows; i++) {
                const LvSampler *s = &samplers[i * stride];
                draws[i] = (LvDraw){&s->generation, s->draws, s->seen};
            }
            assert_int_equal(b->ops->upload(b, &run, part, logits), LLAVAOV_OK);
            assert_int_equal(b->ops->download(b, &run, logits, part), LLAVAOV_OK);
            assert_int_equal(b->ops->sample(b, &run, tokens, part, draws), LLAVAOV_OK);
            for (size_t i = 0; i < part.rows; i++) {
                LvSampler *s = &samplers[i * stride];
                int32_t wanted = -1;
                const uint64_t before = s->draws;
                LlavaovStatus status = lv_sampler_next(s, logits + i * VOCAB, &wanted, &error);
                assert_int_equal(status, step == 2 && i == 3 ? LLAVAOV_ERROR_NUMERIC : LLAVAOV_OK);
                assert_int_equal(tokens[i], wanted);
                assert_int_equal(
                    s->draws, before + (status == LLAVAOV_OK && s->generation.temperature > 0));
            }
        }
        for (size_t i = 0; i < ROWS; i++)
            lv_sampler_close(&samplers[i]);
        b->ops->tensor_free(b, &tensor);
        b->ops->close(b);
    }
}

static void no_rows_give_no_tokens(void **state)
{
    const LvBackendOptions options = {.device = "cuda"};
    LvBackend *b;
    LvTensor tensor;
    const LvRun run = {0};
    assert_int_equal(lv_backend_open(&options, &b, NULL), LLAVAOV_OK);
    assert_int_equal(b->ops->tensor_alloc(b, 1, 10, &tensor, NULL), LLAVAOV_OK);
    assert_int_equal(b->ops->sample(b, &run, NULL, lv_tensor_rows(tensor, 0, 0), NULL), LLAVAOV_OK);
    b->ops->tensor_free(b, &tensor);
    b->ops->close(b);
}

/* ---- answers ---- */

static LlavaovStatus no_download(LvBackend *b, const LvRun *run, float *dst, LvTensor src)
{
    return lv_fail(run->error, LLAVAOV_ERROR_INTERNAL, NULL, "logits went to the host");
}

static void forbid(LvBackendOps *ops)
{
    assert_non_null(ops->sample);
    ops->download = no_download;
}

/* Every setting is asked by a session of its own, all at once. */
static void answers_are_the_cpus_and_logits_stay(void **state)
{
    Question questions[N_SETTINGS];
    for (size_t i = 0; i < N_SETTINGS; i++)
        questions[i] = (Question){i % 2 ? "What is shown?" : "Hello", settings[i], NULL, 0};
    answers_are_the_cpus(demo_model, questions, N_SETTINGS, forbid);
}

static LlavaovStatus (*device_sample)(
    LvBackend *b, const LvRun *run, int32_t *tokens, LvTensor logits, const LvDraw *draws);
static LlavaovStatus (*device_step)(LvBackend *b, const LvRun *run, LvDecodeStep *step);
static unsigned n_drawn;

static LlavaovStatus simple_sample(
    LvBackend *b, const LvRun *run, int32_t *tokens, LvTensor logits, const LvDraw *draws)
{
    n_drawn += (unsigned)logits.rows;
    for (size_t i = 0; i < logits.rows; i++)
        if (!lv_generation_simple(draws[i].generation))
            return lv_fail(run->error, LLAVAOV_ERROR_INTERNAL, NULL, "a row for the host");
    return device_sample(b, run, tokens, logits, draws);
}

static LlavaovStatus simple_step(LvBackend *b, const LvRun *run, LvDecodeStep *step)
{
    for (size_t i = 0; i < step->batch->n_sequences; i++)
        if (!lv_generation_simple(step->draws[i].generation))
            return lv_fail(run->error, LLAVAOV_ERROR_INTERNAL, NULL, "a step for the host");
    return device_step(b, run, step);
}

static void watch_draws(LvBackendOps *ops)
{
    device_sample = ops->sample;
    device_step = ops->step_begin;
    ops->sample = simple_sample;
    ops->step_begin = simple_step;
}

/* Rules that the device does not know, in a batch with rows that it does. */
static void rules_are_applied_on_the_host(void **state)
{
    static const int32_t ids[] = {5, 6, 7, 8};
    static const LlavaovPhrase words[] = {{{ids, 2}, -INFINITY}, {{ids + 3, 1}, -INFINITY}};
    enum { SIZE = sizeof(LlavaovRules) };
    static const LlavaovRules rules[] = {{.size = SIZE, .min_new_tokens = 9},
        {.size = SIZE, .no_repeat_ngram_size = 1},
        {.size = SIZE, .encoder_repetition_penalty = 1.5},
        {.size = SIZE, .suppress_tokens = {ids, 4}, .bad_words = {words, 2}},
        {.size = SIZE, .min_p = 0.1, .typical_p = 0.9}};
    enum { N_RULES = sizeof rules / sizeof *rules, ASKED = N_RULES + 3 };
    Question questions[ASKED];
    for (size_t i = 0; i < ASKED; i++) {
        questions[i] =
            (Question){i % 2 ? "What is shown?" : "Hello", settings[i % N_SETTINGS], NULL, 0};
        if (i < N_RULES)
            questions[i].generation.rules = &rules[i];
    }
    n_drawn = 0;
    answers_are_the_cpus(demo_model, questions, ASKED, watch_draws);
    assert_true(n_drawn > 0);
}

int main(int argc, char **argv)
{
    if (!take_standin(argc, argv))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sampled_as_on_the_host),
        cmocka_unit_test(no_rows_give_no_tokens),
        cmocka_unit_test(answers_are_the_cpus_and_logits_stay),
        cmocka_unit_test(rules_are_applied_on_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
