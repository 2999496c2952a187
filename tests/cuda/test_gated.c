/* SPDX-License-Identifier: Apache-2.0
 * Gate and up in one kernel with what they become, against float64: sizes beside whole tiles, every
 * depth beside whole steps, operands with padding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "check.h"

static LvCudaGatedProduct args_of(
    const Matrix *out, const Matrix *in, const Matrix *gate, const Matrix *up, LvCudaFunction f)
{
    return (LvCudaGatedProduct){.out = out->data,
        .out_stride = out->stride,
        .in = in->data,
        .in_stride = in->stride,
        .gate = gate->data,
        .up = up->data,
        .weight_stride = gate->stride,
        .rows = in->rows,
        .cols = gate->rows,
        .inner = in->cols,
        .function = f};
}

static void gated_case(size_t rows, size_t inner, size_t cols)
{
    const int number = next_case();
    const LvCudaFunction f = number % 4 ? LV_CUDA_SILU : LV_CUDA_GELU_ERF;
    Matrix in =
        matrix_new(LV_BF16, rows, inner, inner + 8, 0, number % 5 ? KIND_NOISE : KIND_OUTLIERS);
    Matrix gate = matrix_new(LV_BF16, cols, inner, inner + number % 3 * 8, 0, KIND_NOISE);
    Matrix up = matrix_new(LV_BF16, cols, inner, gate.stride, 0, KIND_NOISE);
    Matrix out = matrix_new(LV_BF16, rows, cols, cols + 8, 0, KIND_EMPTY);
    double *wanted = calloc(rows * cols + 1, sizeof *wanted);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) {
            double g = 0, u = 0;
            for (size_t k = 0; k < inner; k++) {
                g += matrix_at(&in, r, k) * matrix_at(&gate, c, k);
                u += matrix_at(&in, r, k) * matrix_at(&up, c, k);
            }
            wanted[r * cols + c] = function_of(f, g) * u;
        }
    const LvCudaGatedProduct args = args_of(&out, &in, &gate, &up, f);
    assert_int_equal(lv_cuda_gated_product(device_stream(), &args), 0);
    check_matrix(&out, wanted, "gated product", number);
    free(wanted);
    matrix_free(&in);
    matrix_free(&gate);
    matrix_free(&up);
    matrix_free(&out);
}

static void gated_product(void **state)
{
    static const size_t sizes[][3] = {{1, 8, 8}, {128, 32, 64}, {129, 40, 72}, {17, 96, 8},
        {130, 24, 136}, {257, 64, 64}, {5, 152, 200}, {127, 0, 56}, {0, 32, 64}, {3, 128, 0},
        {96, 72, 120}, {64, 200, 24}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        gated_case(sizes[i][0], sizes[i][1], sizes[i][2]);
    check_cases(12);
}

static void what_does_not_fit_is_refused(void **state)
{
    Matrix in = matrix_new(LV_BF16, 2, 16, 24, 0, KIND_NOISE);
    Matrix out = matrix_new(LV_BF16, 2, 8, 16, 0, KIND_EMPTY);
    const LvCudaGatedProduct good = args_of(&out, &in, &in, &in, LV_CUDA_SILU);
    LvCudaGatedProduct args = good;
    args.inner = 12;
    assert_int_equal(lv_cuda_gated_product(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args = good;
    args.cols = 7;
    assert_int_equal(lv_cuda_gated_product(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args = good;
    args.weight_stride = 20;
    assert_int_equal(lv_cuda_gated_product(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args = good;
    args.up = (const char *)args.up + 2;
    assert_int_equal(lv_cuda_gated_product(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    check_guards(&out);
    matrix_free(&in);
    matrix_free(&out);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gated_product),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
