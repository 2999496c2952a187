/* SPDX-License-Identifier: Apache-2.0
 * The CUDA backend's operations that do several in one, executed on the CPU: against float64, and
 * the greedy one against the sampling of the logits that it does not write. Arguments: the stand-in
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
#include "cuda/launch.h"
#include "standin_test.h"

#define MOST_ROWS 20
#define MOST 80 /* of inner and of outputs */
#define EPS 1e-6

/* A number that bf16 holds exactly. */
static float noise(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (float)((int32_t)(state >> 24) - 128) / 64;
}

typedef struct Case {
    LvBackend *b;
    LvRun run;
    LlavaovError error;
    size_t rows, inner, cols;
    float in[MOST_ROWS * MOST], weight[2 * MOST * MOST], bias[MOST], scale[MOST];
    LvTensor x;
    LvWeight *w, *gate_up, *v, *s;
    double normed[MOST_ROWS * MOST], wanted[MOST_ROWS * MOST];
    float got[MOST_ROWS * MOST];
} Case;

static LvWeight *load(Case *c, const float *data, size_t rows, size_t cols, unsigned use)
{
    const LvHostTensor tensor = {.name = "w",
        .file = "f",
        .dtype = LV_F32,
        .n_dims = 2,
        .shape = {rows, cols},
        .data = data,
        .bytes = rows * cols * sizeof *data};
    const LvHostTensor *part = &tensor;
    LvWeight *weight;
    if (c->b->ops->weight_load(c->b, &part, 1, use, &weight, &c->error) != LLAVAOV_OK)
        fail_msg("%s", c->error.message);
    return weight;
}

static void must(const Case *c, LlavaovStatus status)
{
    if (status != LLAVAOV_OK)
        fail_msg("[%zu, %zu] by %zu: %s", c->rows, c->cols, c->inner, c->error.message);
}

static void open_case(Case *c, size_t rows, size_t inner, size_t cols)
{
    c->rows = rows;
    c->inner = inner;
    c->cols = cols;
    c->run = (LvRun){.error = &c->error};
    for (size_t i = 0; i < rows * inner; i++)
        c->in[i] = noise() * (i % 61 ? 1 : 8);
    for (size_t i = 0; i < 2 * cols * inner; i++)
        c->weight[i] = noise();
    for (size_t i = 0; i < cols; i++)
        c->bias[i] = noise();
    for (size_t i = 0; i < inner; i++)
        c->scale[i] = 1 + noise() / 2;
    c->w = load(c, c->weight, cols, inner, LV_WEIGHT_LINEAR);
    c->gate_up = load(c, c->weight, 2 * cols, inner, LV_WEIGHT_LINEAR);
    c->v = load(c, c->bias, 1, cols, LV_WEIGHT_VECTOR);
    c->s = load(c, c->scale, 1, inner, LV_WEIGHT_VECTOR);
    must(c, c->b->ops->tensor_alloc(c->b, MOST_ROWS, inner, &c->x, &c->error));
    c->x.rows = rows;
    must(c, c->b->ops->upload(c->b, &c->run, c->x, c->in));
    must(c, c->b->ops->download(c->b, &c->run, c->in, c->x));
    for (size_t r = 0; r < rows; r++) {
        const float *in = c->in + r * inner;
        double squares = 0;
        for (size_t k = 0; k < inner; k++)
            squares += (double)in[k] * in[k] / (double)inner;
        for (size_t k = 0; k < inner; k++)
            c->normed[r * inner + k] = in[k] / sqrt(squares + EPS) * c->scale[k];
    }
}

static void close_case(Case *c)
{
    c->b->ops->tensor_free(c->b, &c->x);
    c->b->ops->weight_free(c->b, c->w);
    c->b->ops->weight_free(c->b, c->gate_up);
    c->b->ops->weight_free(c->b, c->v);
    c->b->ops->weight_free(c->b, c->s);
}

static double dot(const Case *c, size_t row, size_t output)
{
    double sum = 0;
    for (size_t k = 0; k < c->inner; k++)
        sum += c->normed[row * c->inner + k] * c->weight[output * c->inner + k];
    return sum;
}

static void check(Case *c, LvTensor out)
{
    double error = 0, power = 0;
    must(c, c->b->ops->download(c->b, &c->run, c->got, out));
    for (size_t i = 0; i < c->rows * c->cols; i++) {
        error += pow(c->got[i] - c->wanted[i], 2);
        power += pow(c->wanted[i], 2);
    }
    /* Composed (more rows than the kernels of few take, or rows that are not aligned), bf16 rounds
     * four times on the way of a gate. */
    const bool composed = c->rows > LV_CUDA_FEW_ROWS || c->inner % 8;
    const double bound = c->b->info.activation_dtype == LV_F32 ? 1e-11 : composed ? 1e-4 : 1e-5;
    if (!(error <= bound * power))
        fail_msg("[%zu, %zu] by %zu is off by %g of its power", c->rows, c->cols, c->inner,
            error / power);
}

static void linear_case(Case *c, bool gated)
{
    const LvBackendOps *op = c->b->ops;
    const LvRmsNorm norm = {c->s, EPS};
    LvTensor out;
    must(c, op->tensor_alloc(c->b, MOST_ROWS, c->cols, &out, &c->error));
    out.rows = c->rows;
    for (size_t r = 0; r < c->rows; r++)
        for (size_t n = 0; n < c->cols; n++) {
            const double x = dot(c, r, n);
            c->wanted[r * c->cols + n] =
                gated ? x / (1 + exp(-x)) * dot(c, r, c->cols + n) : x + c->bias[n];
        }
    must(c, gated ? op->norm_linear_gated(
                        c->b, &c->run, out, c->x, norm, c->gate_up, LV_ACTIVATION_SILU)
                  : op->norm_linear(c->b, &c->run, out, c->x, norm, c->w, c->v));
    check(c, out);
    op->tensor_free(c->b, &out);
}

/* The token of every row, as the plain operations and `sample` choose it. */
static void greedy_case(Case *c, size_t spoilt)
{
    const LvBackendOps *op = c->b->ops;
    const LvRmsNorm norm = {c->s, EPS};
    LlavaovGeneration greedy = llavaov_generation_default();
    greedy.temperature = 0;
    greedy.repetition_penalty = 1;
    LvDraw draws[MOST_ROWS];
    int32_t tokens[MOST_ROWS + 1], wanted[MOST_ROWS];
    LvTensor logits;
    must(c, op->tensor_alloc(c->b, MOST_ROWS, c->cols, &logits, &c->error));
    logits.rows = c->rows;
    for (size_t r = 0; r < c->rows; r++)
        draws[r] = (LvDraw){.generation = &greedy};
    if (spoilt < c->rows) {
        c->in[spoilt * c->inner] = INFINITY;
        must(c, op->upload(c->b, &c->run, c->x, c->in));
    }
    tokens[c->rows] = 77;
    must(c, op->norm_linear(c->b, &c->run, logits, c->x, norm, c->w, NULL));
    must(c, op->sample(c->b, &c->run, wanted, logits, draws));
    must(c, op->norm_linear_greedy(c->b, &c->run, tokens, c->x, norm, c->w));
    for (size_t r = 0; r < c->rows; r++) {
        if (tokens[r] != wanted[r])
            fail_msg("row %zu of [%zu, %zu] by %zu: %d, not %d", r, c->rows, c->cols, c->inner,
                tokens[r], wanted[r]);
        assert_true(r == spoilt ? tokens[r] == -1 : tokens[r] >= 0);
    }
    assert_int_equal(tokens[c->rows], 77);
    op->tensor_free(c->b, &logits);
}

static void several_in_one_are_the_single_ones(void **state)
{
    /* Below and above what the kernels of few rows take, and rows that they do not. */
    static const size_t rows[] = {0, 1, 2, 5, 8, 9, 16, 17, MOST_ROWS}, inner[] = {8, 10, 64, 80};
    static const size_t cols[] = {7, 9, 80};
    static Case c;
    for (int half = 0; half < 2; half++) {
        const LvBackendOptions options = {
            .device = "cuda", .precision = half ? LLAVAOV_PRECISION_BF16 : LLAVAOV_PRECISION_F32};
        if (lv_backend_open(&options, &c.b, &c.error) != LLAVAOV_OK)
            fail_msg("%s", c.error.message);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t i = 0; i < 4; i++)
                for (size_t n = 0; n < 3; n++) {
                    open_case(&c, rows[r], inner[i], cols[n]);
                    linear_case(&c, false);
                    linear_case(&c, true);
                    greedy_case(&c, (i + n) % 3 == 0 ? rows[r] / 2 : SIZE_MAX);
                    close_case(&c);
                }
        c.b->ops->close(c.b);
    }
}

static void operands_that_do_not_fit_are_refused(void **state)
{
    static Case c;
    const LvBackendOptions options = {.device = "cuda"};
    int32_t token;
    LvTensor out;
    assert_int_equal(lv_backend_open(&options, &c.b, &c.error), LLAVAOV_OK);
    open_case(&c, 2, 16, 8);
    const LvBackendOps *op = c.b->ops;
    const LvRmsNorm norm = {c.s, EPS}, other = {c.v, EPS}, none = {c.w, EPS};
    must(&c, op->tensor_alloc(c.b, 2, 9, &out, &c.error));
    assert_int_equal(
        op->norm_linear(c.b, &c.run, out, c.x, norm, c.w, NULL), LLAVAOV_ERROR_INTERNAL);
    assert_int_equal(
        op->norm_linear_gated(c.b, &c.run, out, c.x, norm, c.gate_up, LV_ACTIVATION_SILU),
        LLAVAOV_ERROR_INTERNAL);
    assert_int_equal(
        op->norm_linear_greedy(c.b, &c.run, &token, c.x, other, c.w), LLAVAOV_ERROR_INTERNAL);
    assert_int_equal(
        op->norm_linear_greedy(c.b, &c.run, &token, c.x, none, c.w), LLAVAOV_ERROR_INTERNAL);
    op->tensor_free(c.b, &out);
    close_case(&c);
    c.b->ops->close(c.b);
}

/* ---- answers ---- */

static LlavaovStatus no_norm(
    LvBackend *b, const LvRun *run, LvTensor out, LvTensor in, const LvWeight *scale, double eps)
{
    return lv_fail(run->error, LLAVAOV_ERROR_INTERNAL, NULL, "a norm by itself");
}

static LlavaovStatus no_sampling(
    LvBackend *b, const LvRun *run, int32_t *tokens, LvTensor logits, const LvDraw *draws)
{
    return lv_fail(run->error, LLAVAOV_ERROR_INTERNAL, NULL, "logits were written");
}

static void forbid(LvBackendOps *ops)
{
    assert_non_null(ops->norm_linear_greedy);
    ops->rms_norm = no_norm;
    ops->sample = no_sampling;
}

static void greedy_answers_write_no_logits(void **state)
{
    const LlavaovGeneration greedy = GENERATION(12, 0, 0, 1, 1, 0, NULL);
    const Question questions[] = {{"Hello", greedy, NULL, 0}, {"What is shown?", greedy, NULL, 0},
        {"Hello", greedy, NULL, 0}};
    answers_are_the_cpus(demo_model, questions, sizeof questions / sizeof *questions, forbid);
}

int main(int argc, char **argv)
{
    if (!take_standin(argc, argv))
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_in_one_are_the_single_ones),
        cmocka_unit_test(operands_that_do_not_fit_are_refused),
        cmocka_unit_test(greedy_answers_write_no_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
