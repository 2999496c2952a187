/* SPDX-License-Identifier: Apache-2.0
 * Rows of bf16 that become fp8, against the plain conversion: sizes beside whole blocks, padding,
 * zeros, and numbers that are none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "check.h"
#include "e4m3.h"

static LvCudaQuantise args_of(
    const Matrix *out, const Matrix *in, LvScaling scaling, const Matrix *scales, Matrix *greatest)
{
    return (LvCudaQuantise){.out = out->data,
        .out_stride = out->stride,
        .in = in->data,
        .in_stride = in->stride,
        .rows = in->rows,
        .cols = in->cols,
        .scaling = scaling,
        .scales = scales->data,
        .greatest = greatest->data};
}

static float greatest_of(const Matrix *in, size_t first, size_t end)
{
    float greatest = 0;
    for (size_t r = first; r < end; r++)
        for (size_t c = 0; c < in->cols; c++) {
            const float x = (float)matrix_at(in, r, c);
            greatest = isfinite(x) && fabsf(x) > greatest ? fabsf(x) : greatest;
        }
    return greatest;
}

static void check(const Matrix *out, const Matrix *in, LvScaling scaling, const Matrix *scales)
{
    for (size_t r = 0; r < in->rows; r++) {
        const bool own = scaling == LV_SCALE_ROW;
        const float scale = lv_e4m3_scale(greatest_of(in, own ? r : 0, own ? r + 1 : in->rows));
        assert_true((float)matrix_at(scales, 0, own ? r : 0) == scale);
        const uint8_t *row = (const uint8_t *)out->data + r * out->stride;
        for (size_t c = 0; c < in->cols; c++) {
            const float x = (float)matrix_at(in, r, c);
            if (isfinite(x))
                assert_int_equal(row[c], lv_e4m3_from_float(x * (1.0f / scale)));
            else
                assert_int_equal(row[c] & 0x7F, LV_E4M3_NAN);
        }
    }
    check_guards(out);
    check_guards(scales);
}

/* What the last rows of a matrix hold. */
static void spoil(Matrix *in, int number)
{
    if (in->rows < 3 || in->cols < 16)
        return;
    for (size_t c = 0; c < in->cols; c++)
        matrix_set(in, 0, c, number % 2 ? 0 : -0.0);
    matrix_set(in, 1, 3, number % 3 ? NAN : INFINITY);
    matrix_set(in, 1, in->cols - 1, -INFINITY);
    for (size_t c = 0; c < in->cols; c++)
        matrix_set(in, 2, c, ldexp(matrix_at(in, 2, c), -110));
}

static void quantise_case(size_t rows, size_t cols, LvScaling scaling)
{
    const int number = next_case();
    Matrix in = matrix_new(LV_BF16, rows, cols, cols + 8, 0, number % N_KINDS);
    Matrix out = matrix_new(LV_E4M3, rows, cols, cols + 8, 0, KIND_EMPTY);
    Matrix scales = vector_new(scaling == LV_SCALE_ROW ? rows : 1, KIND_EMPTY);
    Matrix greatest = vector_new(rows, KIND_EMPTY);
    if (number % 2)
        spoil(&in, number);
    else if (rows > 100) /* the greatest is beyond what a block's threads see at once */
        matrix_set(&in, rows - 1, cols - 1, 1e6);
    const LvCudaQuantise args = args_of(&out, &in, scaling, &scales, &greatest);
    assert_int_equal(lv_cuda_quantise(device_stream(), &args), 0);
    assert_int_equal(device_wait(), 0);
    check(&out, &in, scaling, &scales);
    matrix_free(&in);
    matrix_free(&out);
    matrix_free(&scales);
    matrix_free(&greatest);
}

static void quantise(void **state)
{
    static const size_t sizes[][2] = {{1, 8}, {3, 16}, {5, 896}, {4, 1024}, {3, 1032}, {2, 4864},
        {7, 1152}, {140, 24}, {3, 4304}, {0, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int again = 0; again < 2; again++) {
            quantise_case(sizes[i][0], sizes[i][1], LV_SCALE_ROW);
            quantise_case(sizes[i][0], sizes[i][1], LV_SCALE_TENSOR);
        }
    check_cases(40);
}

static void what_does_not_fit_is_refused(void **state)
{
    Matrix in = matrix_new(LV_BF16, 2, 16, 24, 0, KIND_NOISE);
    Matrix out = matrix_new(LV_E4M3, 2, 16, 24, 0, KIND_EMPTY);
    Matrix scales = vector_new(2, KIND_EMPTY);
    const LvCudaQuantise good = args_of(&out, &in, LV_SCALE_ROW, &scales, &scales);
    LvCudaQuantise args = good;
    args.cols = 12;
    assert_int_equal(lv_cuda_quantise(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args = good;
    args.in = (const char *)args.in + 2;
    assert_int_equal(lv_cuda_quantise(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args = good;
    args.out_stride = 20;
    assert_int_equal(lv_cuda_quantise(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    args = good;
    args.scaling = LV_SCALE_BLOCK;
    assert_int_equal(lv_cuda_quantise(device_stream(), &args), LV_CUDA_BAD_ARGUMENT);
    check_guards(&out);
    matrix_free(&in);
    matrix_free(&out);
    matrix_free(&scales);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantise),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
