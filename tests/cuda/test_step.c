/* SPDX-License-Identifier: Apache-2.0
 * The first kernel of a decoding step, and its tokens' way to the host: steps of changing sizes one
 * after the other, each from its own mail. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"

enum { VOCAB = 37, MOST = LV_CUDA_STEP_ROWS };

typedef struct Step {
    LvCudaMail *mail;
    LvCudaStepState *state;
    int32_t *tokens;
} Step;

static Step new_step(void)
{
    Step s = {device_alloc(sizeof *s.mail), device_alloc(sizeof *s.state),
        device_alloc(MOST * sizeof(int32_t))};
    memset(s.mail, 0x55, sizeof *s.mail);
    memset(s.state, 0, sizeof *s.state);
    return s;
}

static void free_step(Step *s)
{
    device_free(s->mail);
    device_free(s->state);
    device_free(s->tokens);
}

/* What step `number` finds; the other mail is rubbish. */
static LvCudaStepBlock *write_mail(Step *s, unsigned number, size_t rows, bool ahead)
{
    LvCudaStepBlock *block = &s->mail->step[number % 2];
    memset(&s->mail->step[1 - number % 2], 0x55, sizeof *block);
    block->keys_per_split = 64 * (1 + number);
    block->ids_are_tokens = ahead;
    for (size_t r = 0; r < rows; r++) {
        const uint32_t n = random_bits() >> 16;
        block->sequences[r] =
            (LvCudaSequence){(void *)(uintptr_t)(0x123456789000u + n), n + 1, n + 2, n % 2, n + 3};
        /* One in eight is outside the table. */
        const int32_t id = n % 8 ? (int32_t)(n % VOCAB) : n % 16 ? VOCAB : -1;
        (ahead ? s->tokens : block->ids)[r] = id;
        (ahead ? block->ids : s->tokens)[r] = 3;
    }
    return block;
}

static void check_block(
    const Step *s, const LvCudaStepBlock *wanted, const int32_t *ids, size_t rows, unsigned number)
{
    const LvCudaStepBlock *got = &s->state->block;
    static const LvCudaSequence none;
    assert_int_equal(s->state->n_begun, number + 1);
    assert_int_equal(got->keys_per_split, wanted->keys_per_split);
    assert_memory_equal(got->ids, ids, rows * sizeof *ids);
    assert_memory_equal(got->sequences, wanted->sequences, rows * sizeof none);
    if (rows < MOST) /* rows that no step has had yet */
        assert_memory_equal(&got->sequences[MOST - 1], &none, sizeof none);
}

static void rows_begin_a_step(void **state)
{
    static const size_t sizes[] = {1, 2, 5, 63, 3, 1, 33, 4, 2, 64};
    for (unsigned kind = 0; kind < 6; kind++) {
        const size_t cols = kind < 2 ? 24 : kind < 4 ? 520 : 7; /* 7: one by one */
        const LvDtype type = kind % 2 ? LV_BF16 : LV_F32;
        Step s = new_step();
        Matrix table = matrix_new(type, VOCAB, cols, cols + 16, 0, KIND_NOISE);
        for (unsigned number = 0; number < sizeof sizes / sizeof *sizes; number++) {
            const int at = next_case();
            const size_t rows = sizes[number];
            Matrix out = matrix_new(type, rows, cols, cols + 8, 0, KIND_EMPTY);
            const LvCudaStepBlock *block = write_mail(&s, number, rows, number % 3 == 2);
            const int32_t *ids = block->ids_are_tokens ? s.tokens : block->ids;
            double *wanted = calloc(rows * cols, sizeof *wanted);
            for (size_t r = 0; r < rows; r++)
                for (size_t c = 0; c < cols; c++)
                    wanted[r * cols + c] =
                        ids[r] < 0 || ids[r] >= VOCAB ? NAN : matrix_at(&table, (size_t)ids[r], c);
            const LvCudaStepRows args = {out.data, out.stride, table.data, table.stride, VOCAB,
                type, rows, cols, s.mail, s.state, s.tokens};
            assert_int_equal(lv_cuda_step_rows(device_stream(), &args), 0);
            assert_int_equal(device_wait(), 0);
            check_matrix(&out, wanted, "step", at);
            check_block(&s, block, ids, rows, number);
            free(wanted);
            matrix_free(&out);
        }
        matrix_free(&table);
        free_step(&s);
    }
    check_cases(60);
}

/* The three kernels that end a step; those of the padding arrive too, and nothing else is written. */
static void tokens_are_posted(void **state)
{
    const size_t rows = 5;
    Step s = new_step();
    Matrix table = matrix_new(LV_F32, VOCAB, 8, 8, 0, KIND_NOISE);
    Matrix out = matrix_new(LV_F32, rows, 8, 8, 0, KIND_EMPTY);
    LvCudaBest *best = device_alloc(rows * 2 * sizeof *best);
    LvCudaDraw *draws = device_alloc(rows * sizeof *draws);
    void *workspace = device_alloc(rows * LV_CUDA_SAMPLE_ROW_BYTES);
    const LvCudaPost post = {s.mail, s.state};
    for (unsigned number = 0; number < 6; number++) {
        next_case();
        Matrix logits = matrix_new(LV_F32, rows, VOCAB, VOCAB, 0, KIND_NOISE);
        int32_t wanted[2][MOST];
        memset(wanted, 0x33, sizeof wanted);
        memset(s.mail->tokens, 0x33, sizeof s.mail->tokens);
        write_mail(&s, number, rows, false);
        const LvCudaStepRows begin = {out.data, out.stride, table.data, table.stride, VOCAB, LV_F32,
            rows, 8, s.mail, s.state, s.tokens};
        assert_int_equal(lv_cuda_step_rows(device_stream(), &begin), 0);
        assert_int_equal(device_wait(), 0);
        for (size_t r = 0; r < rows; r++) {
            const int32_t token = wanted[number % 2][r] = (int32_t)(random_bits() >> 8) % VOCAB;
            matrix_set(&logits, r, (size_t)token, 50);
            best[2 * r] = (LvCudaBest){1, 36, 0};
            best[2 * r + 1] = (LvCudaBest){2, (uint32_t)token, 0};
            draws[r] = (LvCudaDraw){.temperature = number % 2, .repetition_penalty = 1, .top_p = 1};
        }
        const LvCudaArgmax argmax = {
            s.tokens, logits.data, logits.stride, LV_F32, rows, VOCAB, post};
        const LvCudaBestOf best_of = {s.tokens, best, rows, 2, 0, post};
        const LvCudaSample sample = {.token = s.tokens,
            .logits = logits.data,
            .stride = logits.stride,
            .rows = rows,
            .cols = VOCAB,
            .draws = draws,
            .workspace = workspace,
            .overlap = device_overlaps(),
            .post = post};
        const int code = number / 2 == 0   ? lv_cuda_argmax(device_stream(), &argmax)
                         : number / 2 == 1 ? lv_cuda_best_of(device_stream(), &best_of)
                                           : lv_cuda_sample(device_stream(), &sample);
        assert_int_equal(code, 0);
        assert_int_equal(device_wait(), 0);
        assert_memory_equal(s.mail->tokens, wanted, sizeof wanted);
        assert_memory_equal(s.tokens, wanted[number % 2], rows * sizeof *s.tokens);
        matrix_free(&logits);
    }
    device_free(workspace);
    device_free(draws);
    device_free(best);
    matrix_free(&out);
    matrix_free(&table);
    free_step(&s);
    check_cases(6);
}

static void too_many_rows_are_refused(void **state)
{
    Step s = new_step();
    float *row = device_alloc(65 * 4);
    LvCudaStepRows args = {row, 1, row, 1, 1, LV_F32, MOST + 1, 1, s.mail, s.state, s.tokens};
    assert_int_equal(lv_cuda_step_rows(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args.rows = 1;
    args.type = LV_F16;
    assert_int_equal(lv_cuda_step_rows(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    device_free(row);
    free_step(&s);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_begin_a_step),
        cmocka_unit_test(tokens_are_posted),
        cmocka_unit_test(too_many_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
