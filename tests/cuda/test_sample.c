/* SPDX-License-Identifier: Apache-2.0
 * Tokens from logits: argmax against a plain loop, greedy products against argmax of their logits,
 * sampling against engine/model/sampler.h, with the same random stream. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/generation.h"
#include "check.h"
#include "model/sampler.h"

static void argmax(void **state)
{
    static const size_t cols[] = {0, 1, 2, 31, 33, 511, 512, 513, 1500};
    for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
        for (unsigned k = 0; k < 10; k++) {
            int number = next_case();
            size_t n = cols[i], rows = k % 4;
            LvDtype type = k & 1 ? LV_BF16 : LV_F32;
            /* bf16 noise of many columns has ties; so do zeros. */
            Matrix in = matrix_new(type, rows, n, n + k, 0, k == 4 ? KIND_ZERO : KIND_OUTLIERS);
            int32_t *token = device_alloc((rows + 1) * sizeof *token);
            token[rows] = 77;
            if (n && k == 6)
                matrix_set(&in, 0, n - 1, NAN);
            if (n && k == 7)
                matrix_set(&in, rows - 1, 0, -INFINITY);
            if (n && k == 9)
                matrix_set(&in, 0, n - 1, 1e6);
            LvCudaArgmax args = {token, in.data, in.stride, type, rows, n, {NULL, NULL}};
            assert_int_equal(lv_cuda_argmax(device_stream(), &args), 0);
            assert_int_equal(device_wait(), 0);
            for (size_t r = 0; r < rows; r++) {
                int32_t best = n ? 0 : -1;
                for (size_t c = 0; c < n; c++)
                    if (matrix_at(&in, r, c) > matrix_at(&in, r, (size_t)best))
                        best = (int32_t)c;
                for (size_t c = 0; c < n; c++)
                    if (!isfinite(matrix_at(&in, r, c)))
                        best = -1;
                if (token[r] != best)
                    fail_msg(
                        "case %d: row %zu of %zu gives %d, not %d", number, r, n, token[r], best);
            }
            assert_int_equal(token[rows], 77);
            device_free(token);
            matrix_free(&in);
        }
    check_cases(60);
}

/* ---- greedy without writing the logits ---- */

/* What makes the rows of a case special. */
typedef enum Special {
    NOTHING,
    EQUAL,     /* every output is the same */
    TWINS,     /* the greatest occurs twice */
    SPOILT,    /* a row holds NaN: no token for it, the others are not touched */
    OVERFLOWS, /* an output is +Inf in some rows and -Inf in others */
    ROUNDED,   /* the last is the greatest, but not once it is rounded to bf16 */
    LATE,      /* the greatest is the last */
    N_SPECIALS
} Special;

static void make_special(Special special, Matrix *in, Matrix *weight)
{
    const size_t last = weight->rows - 1;
    if (!weight->rows || !in->rows || !in->cols)
        return;
    for (size_t k = 0; k < in->cols; k++) {
        for (size_t n = 0; special == EQUAL && n <= last; n++)
            matrix_set(weight, n, k, 0.25);
        if (special == TWINS || special == LATE) { /* in all rows, which are the same */
            for (size_t r = 1; r < in->rows; r++)
                matrix_set(in, r, k, matrix_at(in, 0, k));
            if (special == TWINS)
                matrix_set(weight, last / 3, k, 16 * matrix_at(in, 0, k));
            matrix_set(weight, last, k, 16 * matrix_at(in, 0, k));
        }
        if (special == OVERFLOWS)
            matrix_set(weight, last / 2, k, k ? 0 : 3e38);
    }
    for (size_t r = 0; special == ROUNDED && r < in->rows; r++)
        for (size_t k = 0; k < in->cols; k++)
            matrix_set(in, r, k, k < 2);
    if (special == ROUNDED) {
        matrix_set(weight, last, 0, 256);
        matrix_set(weight, last, 1, 0.5);
        matrix_set(weight, last / 3, 0, 256);
        matrix_set(weight, last / 3, 1, 0);
    }
    if (special == SPOILT)
        matrix_set(in, in->rows - 1, in->cols - 1, NAN);
    if (special == OVERFLOWS)
        for (size_t r = 0; r < in->rows; r++)
            matrix_set(in, r, 0, r % 3 == 0 ? 1 : r % 3 == 1 ? 3e4 : -3e4);
}

/* The parts' best, joined, against the first maximum of the logits that the same product writes. */
static void best_case(LvDtype type, size_t rows, size_t inner, size_t cols, Special special)
{
    int number = next_case();
    size_t width = 16 / lv_dtype_bytes(type);
    bool normed = number % 3 == 0;
    Matrix in =
        matrix_new(type, rows, inner, inner + width, 0, number % 5 ? KIND_NOISE : KIND_OUTLIERS);
    Matrix weight = matrix_new(type, cols, inner, inner + width, 0, KIND_NOISE);
    Matrix scale = vector_new(inner, KIND_NOISE);
    Matrix logits = matrix_new(type, rows, cols, cols + 1, 0, KIND_EMPTY);
    make_special(special, &in, &weight);
    uint32_t n_parts = lv_cuda_best_parts(cols);
    LvCudaBest *best = device_alloc((rows * n_parts + 1) * sizeof *best);
    int32_t *token = device_alloc((rows + 1) * sizeof *token), *wanted = device_alloc(64);
    best[rows * n_parts].id = 77;
    token[rows] = 77;
    Matrix from = matrix_sent(&in);
    LvCudaFew args = few_of(&logits, &from, &weight, normed ? &scale : NULL);
    args.best = best;
    args.overlap = number % 4 && device_overlaps();
    assert_int_equal(lv_cuda_linear_few_best(device_stream(), &args), 0);
    assert_int_equal(device_wait(), 0);
    for (size_t r = 0; r < rows; r++) /* nothing was written there */
        for (size_t c = 0; c < cols; c++)
            assert_true(isnan(matrix_at(&logits, r, c)));
    if (n_parts < 16) { /* once more, under way when its parts are joined */
        memset(best, 0x7F, rows * n_parts * sizeof *best);
        assert_int_equal(lv_cuda_linear_few_best(device_stream(), &args), 0);
    }
    assert_int_equal(lv_cuda_best_of(device_stream(),
                         &(LvCudaBestOf){token, best, rows, n_parts, args.overlap, {NULL, NULL}}),
        0);
    assert_int_equal(lv_cuda_linear_few(device_stream(), &args), 0);
    assert_int_equal(
        lv_cuda_argmax(device_stream(),
            &(LvCudaArgmax){wanted, logits.data, logits.stride, type, rows, cols, {NULL, NULL}}),
        0);
    assert_int_equal(device_wait(), 0);
    for (size_t r = 0; r < rows; r++)
        if (token[r] != wanted[r])
            fail_msg("case %d: row %zu of [%zu, %zu] by %zu gives %d, not %d", number, r, rows,
                cols, inner, token[r], wanted[r]);
    if (special == EQUAL && rows && cols)
        assert_int_equal(token[0], 0);
    if (special == TWINS && !normed && rows && cols > 3 && inner)
        assert_int_equal(token[rows - 1], (cols - 1) / 3);
    if (special == LATE && !normed && rows && cols > 3 && inner)
        assert_int_equal(token[rows - 1], cols - 1);
    if (special == ROUNDED && !normed && rows && cols > 3 && inner)
        assert_int_equal(token[0], type == LV_BF16 ? (cols - 1) / 3 : cols - 1);
    if (special == SPOILT && rows && cols && inner)
        assert_int_equal(token[rows - 1], -1);
    if (special == OVERFLOWS && !normed && rows > 2 && cols && inner) {
        assert_int_equal(token[1], -1);
        assert_int_equal(token[2], -1);
    }
    assert_int_equal(token[rows], 77);
    assert_int_equal(best[rows * n_parts].id, 77);
    check_guards(&logits);
    check_guards(&from);
    matrix_free(&from);
    device_free(best);
    device_free(token);
    device_free(wanted);
    matrix_free(&in);
    matrix_free(&weight);
    matrix_free(&scale);
    matrix_free(&logits);
}

static void best(void **state)
{
    static const size_t inner[] = {0, 8, 64, 264}, cols[] = {0, 1, 7, 8, 9, 50};
    static const LvDtype types[] = {LV_F32, LV_BF16};
    unsigned variant = 0;
    for (size_t rows = 0; rows <= LV_CUDA_FEW_ROWS; rows++)
        for (size_t c = 0; c < 6; c++)
            for (size_t i = 0; i < 4; i++, variant++) {
                LvDtype type = types[(variant + rows) & 1];
                if (rows <= lv_cuda_few_rows(type))
                    best_case(type, rows, inner[i], cols[c],
                        (Special)((variant / 2 + rows) % N_SPECIALS));
            }
    for (size_t rows = 1; rows <= LV_CUDA_FEW_ROWS; rows++)
        best_case(LV_BF16, rows, 64, 50, ROUNDED);
    check_cases(60);
}

/* More outputs than parts for one pass: blocks go on to the next ones. */
static void best_of_many(void **state)
{
    const size_t cols = 8 * 2048 + 11;
    for (size_t rows = 5; rows <= LV_CUDA_FEW_ROWS; rows += 2)
        best_case(LV_BF16, rows, 8, cols, rows % 4 == 1 ? LATE : TWINS);
    for (unsigned special = 0; special < N_SPECIALS; special++)
        best_case(special & 1 ? LV_BF16 : LV_F32, 1 + special % 2, 8, cols, (Special)special);
    check_cases(N_SPECIALS + 6);
}

/* Equal scores at the border of top-p are dropped in an order of the reference's sort that the
 * kernels do not follow: scores here are all different. */
static void sample(void **state)
{
    static const uint32_t cols[] = {1, 2, 5, 100, 511, 513, 1281, 4097, 9000};
    static const LlavaovGeneration settings[] = {
        GENERATION(1, 0, 0, 1, 1, 1, NULL),
        GENERATION(1, 0, 0, 1, 1.3, 2, NULL),
        GENERATION(1, 1, 0, 1, 1, 3, NULL),
        GENERATION(1, 0.7, 20, 0.8, 1.05, 4, NULL),
        GENERATION(1, 1.5, 0, 0.5, 1, 5, NULL),
        GENERATION(1, 0.3, 1, 1, 1, 6, NULL),
        GENERATION(1, 2, 40, 1, 1.1, 7, NULL),
        GENERATION(1, 1, 3, 0, 1, 8, NULL),
    };
    for (size_t i = 0; i < sizeof cols / sizeof *cols; i++)
        for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
            int number = next_case();
            uint32_t n = cols[i], rows = number % 2 + 1;
            LvSampler sampler;
            LlavaovError error;
            LlavaovGeneration g = settings[k];
            Matrix logits = matrix_new(LV_F32, rows, n, n + 3, 0, KIND_EMPTY);
            LvCudaDraw *draws = device_alloc(rows * sizeof *draws);
            int32_t *token = device_alloc(rows * sizeof *token);
            void *workspace = device_alloc(rows * LV_CUDA_SAMPLE_ROW_BYTES);
            memset(workspace, 0xFF, rows * LV_CUDA_SAMPLE_ROW_BYTES);
            for (int step = 0; step < 4; step++) {
                for (uint32_t r = 0; r < rows; r++)
                    for (uint32_t c = 0; c < n; c++)
                        matrix_set(&logits, r, c, 5 * noise() + c * 1e-5);
                Matrix before = matrix_copy(&logits);
                uint8_t *seen = device_alloc(rows * n);
                for (uint32_t c = 0; c < rows * n; c++)
                    seen[c] = random_bits() >> 30 == 0;
                uint8_t *seen_before = malloc(rows * n);
                memcpy(seen_before, seen, rows * n);
                for (uint32_t r = 0; r < rows; r++)
                    draws[r] = (LvCudaDraw){(float)g.temperature, (float)g.repetition_penalty,
                        g.top_p, g.top_k, g.seed + r, (uint64_t)step, seen + r * n};
                LvCudaSample args = {.token = token,
                    .logits = logits.data,
                    .stride = logits.stride,
                    .rows = rows,
                    .cols = n,
                    .draws = draws,
                    .workspace = workspace,
                    .no_top_k = g.top_k == 0,
                    .no_top_p = g.top_p == 1,
                    .overlap = number % 3 && device_overlaps()};
                assert_int_equal(lv_cuda_sample(device_stream(), &args), 0);
                assert_int_equal(device_wait(), 0);
                check_guards(&logits);
                for (uint32_t r = 0; r < rows; r++) {
                    float *wanted = malloc(n * sizeof *wanted), *again = malloc(n * sizeof *again);
                    g.seed = settings[k].seed + r;
                    assert_int_equal(lv_sampler_open(&sampler, &g, n, &error), LLAVAOV_OK);
                    memcpy(sampler.seen, seen_before + r * n, n);
                    sampler.draws = (uint64_t)step;
                    for (uint32_t c = 0; c < n; c++)
                        wanted[c] = again[c] = (float)matrix_at(&before, r, c);
                    int32_t want;
                    assert_int_equal(lv_sampler_process(&sampler, again, &error), LLAVAOV_OK);
                    assert_int_equal(lv_sampler_next(&sampler, wanted, &want, &error), LLAVAOV_OK);
                    for (uint32_t c = 0; c < n; c++) {
                        double got = matrix_at(&logits, r, c);
                        if (!(fabs(got - again[c]) <= 1e-6 * fabs(again[c])))
                            fail_msg("case %d: score %u of %u is %g, not %g", number, c, n, got,
                                again[c]);
                    }
                    assert_int_equal(token[r], want);
                    assert_int_equal(draws[r].index, sampler.draws);
                    assert_memory_equal(seen + r * n, sampler.seen, n);
                    g.seed = settings[k].seed;
                    lv_sampler_close(&sampler);
                    free(wanted);
                    free(again);
                }
                device_free(seen);
                free(seen_before);
                matrix_free(&before);
            }
            device_free(draws);
            device_free(token);
            device_free(workspace);
            matrix_free(&logits);
        }
    check_cases(60);
}

/* Equal scores: top-k keeps all of them, top-p drops the first ids; one always stays. */
static void ties(void **state)
{
    enum { N = 4600 }; /* more than a block's */
    void *workspace = device_alloc(LV_CUDA_SAMPLE_ROW_BYTES);
    Matrix logits = matrix_new(LV_F32, 1, N, N, 0, KIND_ZERO);
    LvCudaDraw *draw = device_alloc(sizeof *draw);
    int32_t *token = device_alloc(sizeof *token);
    for (int k = 0; k < 3; k++) {
        for (size_t c = 0; c < N; c++)
            matrix_set(&logits, 0, c, 1);
        *draw = (LvCudaDraw){1, 1, k == 0 ? 1 : k == 1 ? 0.5 : 0, k == 0 ? 7 : 0, 9, 0, NULL};
        LvCudaSample args = {
            token, logits.data, N, 1, N, draw, workspace, 0, 0, device_overlaps(), {NULL, NULL}};
        assert_int_equal(lv_cuda_sample(device_stream(), &args), 0);
        assert_int_equal(device_wait(), 0);
        size_t kept = 0;
        for (size_t c = 0; c < N; c++)
            kept += matrix_at(&logits, 0, c) > 0;
        if (k == 0)
            assert_int_equal(kept, N);
        else if (k == 1)
            assert_uint_in_range(kept, N / 2, N / 2 + 1);
        else
            assert_int_equal(kept, 1);
        assert_true(matrix_at(&logits, 0, (size_t)*token) > 0);
        assert_true(matrix_at(&logits, 0, N - 1) > 0);
    }
    device_free(draw);
    device_free(workspace);
    device_free(token);
    matrix_free(&logits);
}

/* Top-p at a border that is known to a few millionths: thousands of masses add up exactly. */
static void masses_are_exact(void **state)
{
    enum { N = 4600, HIGH = 1000, DROPPED = 500 };
    const double weight = (double)expf(-1), sum = HIGH + (N - HIGH) * weight;
    const double low = trunc((double)(float)(weight / sum) * 0x1p60);
    const double high = trunc((double)(float)(1 / sum) * 0x1p60);
    const double drop = ((N - HIGH) * low + (DROPPED + 1) * high) * 0x1p-60;
    Matrix logits = matrix_new(LV_F32, 1, N, N, 0, KIND_ZERO);
    LvCudaDraw *draw = device_alloc(sizeof *draw);
    int32_t *token = device_alloc(sizeof *token);
    void *workspace = device_alloc(LV_CUDA_SAMPLE_ROW_BYTES);
    for (int more = 0; more < 2; more++) {
        for (size_t c = 0; c < N; c++)
            matrix_set(&logits, 0, c, c * 37 % N < HIGH);
        *draw = (LvCudaDraw){1, 1, 1 - drop * (more ? 1 + 1e-6 : 1 - 1e-6), 0, 9, 0, NULL};
        LvCudaSample args = {token, logits.data, N, 1, N, draw, workspace, 1, 0, 0, {NULL, NULL}};
        assert_int_equal(lv_cuda_sample(device_stream(), &args), 0);
        assert_int_equal(device_wait(), 0);
        size_t kept = 0;
        for (size_t c = 0; c < N; c++)
            kept += matrix_at(&logits, 0, c) > 0;
        assert_int_equal(kept, HIGH - DROPPED - more);
    }
    device_free(workspace);
    device_free(draw);
    device_free(token);
    matrix_free(&logits);
}

/* NaN and Inf, given or made by a tiny temperature, give no token and use up no number. */
static void not_finite(void **state)
{
    enum { N = 40 };
    Matrix logits = matrix_new(LV_F32, 3, N, N, 0, KIND_NOISE);
    LvCudaDraw *draws = device_alloc(3 * sizeof *draws);
    int32_t *token = device_alloc(3 * sizeof *token);
    matrix_set(&logits, 0, 39, NAN);
    matrix_set(&logits, 1, 0, INFINITY);
    matrix_set(&logits, 2, 5, 3e38);
    for (int r = 0; r < 3; r++)
        draws[r] = (LvCudaDraw){r == 2 ? 1e-3f : 1, 1, 1, 0, 1, 5, NULL};
    void *workspace = device_alloc(3 * LV_CUDA_SAMPLE_ROW_BYTES);
    LvCudaSample args = {token, logits.data, N, 3, N, draws, workspace, 0, 0, 0, {NULL, NULL}};
    assert_int_equal(lv_cuda_sample(device_stream(), &args), 0);
    assert_int_equal(device_wait(), 0);
    for (int r = 0; r < 3; r++) {
        assert_int_equal(token[r], -1);
        assert_int_equal(draws[r].index, 5);
    }
    device_free(workspace);
    device_free(draws);
    device_free(token);
    matrix_free(&logits);
}

/* A kernel's attributes are set once on a device, not at every launch, whatever size and shared
 * memory it has.
 */
static void told_once(void **state)
{
    int32_t *token = device_alloc(sizeof *token);
    LvCudaBest *parts = device_alloc(64 * sizeof *parts);
    memset(parts, 0, 64 * sizeof *parts);
    uint64_t before = 0;
    for (uint32_t n = 1; n <= 64; n *= 2) {
        assert_int_equal(
            lv_cuda_best_of(device_stream(), &(LvCudaBestOf){token, parts, 1, n, 0, {NULL, NULL}}),
            0);
        assert_int_equal(device_wait(), 0);
        before = n == 1 ? device_told() : before;
        assert_int_equal(device_told(), before);
    }
    device_free(token);
    device_free(parts);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argmax),
        cmocka_unit_test(best),
        cmocka_unit_test(best_of_many),
        cmocka_unit_test(sample),
        cmocka_unit_test(ties),
        cmocka_unit_test(masses_are_exact),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
