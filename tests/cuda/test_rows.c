/* SPDX-License-Identifier: Apache-2.0
 * The CUDA kernels that work on rows against float64 on the same rounded inputs: norms, epilogues,
 * gate, pooling, conversion, gathering. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"

/* Sizes that meet every path: aligned and not, shorter and longer than a block's reach. */
static const struct Shape {
    size_t rows, cols, gap, shift;
} shapes[] = {{0, 8, 0, 0}, {3, 0, 1, 0}, {1, 1, 0, 0}, {2, 3, 2, 1}, {1, 4, 0, 0}, {5, 7, 0, 0},
    {3, 31, 1, 0}, {2, 64, 0, 0}, {4, 96, 8, 0}, {7, 127, 0, 3}, {2, 128, 4, 0}, {3, 260, 0, 0},
    {1, 512, 0, 0}, {2, 516, 8, 4}, {2, 896, 0, 0}, {3, 1152, 0, 0}, {1, 1153, 7, 0},
    {2, 2052, 0, 0}, {1, 4100, 4, 0}, {1, 8192, 0, 0}, {1, 8200, 0, 0}};

#define N_SHAPES (sizeof shapes / sizeof *shapes)
static const LvDtype types[] = {LV_F32, LV_BF16};

static Matrix of_shape(const struct Shape *s, LvDtype type, Kind kind)
{
    return matrix_new(type, s->rows, s->cols, s->cols + s->gap, s->shift, kind);
}

/* ---- norms ---- */

static void wanted_norm(const Matrix *in, const Matrix *scale, const Matrix *bias, double eps,
    bool centred, double *wanted)
{
    size_t n = in->cols;
    for (size_t r = 0; r < in->rows; r++) {
        double mean = 0, squares = 0;
        for (size_t c = 0; c < n && centred; c++)
            mean += matrix_at(in, r, c) / (double)n;
        for (size_t c = 0; c < n; c++)
            squares += pow(matrix_at(in, r, c) - mean, 2) / (double)n;
        for (size_t c = 0; c < n; c++)
            wanted[r * n + c] =
                (matrix_at(in, r, c) - mean) / sqrt(squares + eps) * matrix_at(scale, 0, c) +
                (bias ? matrix_at(bias, 0, c) : 0);
    }
}

static void norm_case(const struct Shape *s, LvDtype type, Kind kind, bool centred)
{
    int number = next_case();
    Matrix in = of_shape(s, type, kind);
    Matrix scale = matrix_new(LV_F32, 1, s->cols, s->cols, number % 4 == 1, KIND_NOISE);
    Matrix bias = matrix_new(LV_F32, 1, s->cols, s->cols, number % 8 == 2, KIND_NOISE);
    bool in_place = number % 3 == 0, biased = number % 5 != 0;
    double *wanted = calloc(s->rows * s->cols + 1, sizeof *wanted);
    float eps = 1e-6f;
    wanted_norm(&in, &scale, centred && biased ? &bias : NULL, eps, centred, wanted);
    Matrix out = in_place ? matrix_copy(&in) : of_shape(s, type, KIND_EMPTY);
    const bool overlaps = number % 4 == 2 && !in_place;
    Matrix sent = overlaps ? matrix_sent(&in) : (Matrix){0};
    const Matrix *from = in_place ? &out : overlaps ? &sent : &in;
    LvCudaNorm args = {.out = out.data,
        .out_stride = out.stride,
        .in = from->data,
        .in_stride = from->stride,
        .type = type,
        .rows = s->rows,
        .cols = s->cols,
        .scale = scale.data,
        .bias = biased ? bias.data : NULL,
        .eps = eps,
        .overlap = overlaps && device_overlaps()};
    assert_int_equal(centred ? lv_cuda_layer_norm(device_stream(), &args)
                             : lv_cuda_rms_norm(device_stream(), &args),
        0);
    check_matrix(&out, wanted, centred ? "layer_norm" : "rms_norm", number);
    check_guards(from);
    free(wanted);
    if (overlaps)
        matrix_free(&sent);
    matrix_free(&in);
    matrix_free(&out);
    matrix_free(&scale);
    matrix_free(&bias);
}

static void norms(bool centred)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        for (size_t t = 0; t < 2; t++)
            for (Kind kind = 0; kind < N_KINDS; kind++)
                norm_case(&shapes[i], types[t], kind, centred);
    norm_case(&shapes[15], LV_F32, KIND_ZERO, centred);
    check_cases(60);
}

static void layer_norm(void **state)
{
    norms(true);
}

static void rms_norm(void **state)
{
    norms(false);
}

/* ---- epilogue and gate ---- */

static void epilogue_case(const struct Shape *s, LvDtype in_type, LvDtype out_type,
    LvDtype residual_type, LvCudaFunction function, Kind kind)
{
    int number = next_case();
    bool biased = number % 3 != 0, in_place = number % 7 == 0 && residual_type == out_type;
    size_t repeat = in_place || s->rows < 2 ? s->rows : number % 2 ? s->rows - 1 : s->rows;
    bool with_residual = number % 4 != 0 && s->rows > 0;
    Matrix in = of_shape(s, in_type, kind), bias = vector_new(s->cols, KIND_NOISE);
    Matrix residual = matrix_new(residual_type, repeat, s->cols, s->cols + s->gap, 0, KIND_NOISE);
    double *wanted = calloc(s->rows * s->cols + 1, sizeof *wanted);
    for (size_t r = 0; r < s->rows; r++)
        for (size_t c = 0; c < s->cols; c++)
            wanted[r * s->cols + c] =
                function_of(
                    function, matrix_at(&in, r, c) + (biased ? matrix_at(&bias, 0, c) : 0)) +
                (with_residual ? matrix_at(&residual, r % repeat, c) : 0);
    in_place = in_place && with_residual;
    Matrix out = in_place ? matrix_copy(&residual) : of_shape(s, out_type, KIND_EMPTY);
    LvCudaEpilogue args = {.out = out.data,
        .out_stride = out.stride,
        .out_type = out_type,
        .in = in.data,
        .in_stride = in.stride,
        .in_type = in_type,
        .rows = s->rows,
        .cols = s->cols,
        .bias = biased ? bias.data : NULL,
        .residual = !with_residual ? NULL
                    : in_place     ? out.data
                                   : residual.data,
        .residual_stride = residual.stride,
        .residual_type = residual_type,
        .residual_rows = repeat,
        .function = function};
    assert_int_equal(lv_cuda_epilogue(device_stream(), &args), 0);
    check_matrix(&out, wanted, "epilogue", number);
    free(wanted);
    matrix_free(&in);
    matrix_free(&out);
    matrix_free(&bias);
    matrix_free(&residual);
}

static void epilogue(void **state)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        for (unsigned t = 0; t < 8; t++)
            epilogue_case(&shapes[i], types[t & 1], types[t >> 1 & 1], types[t >> 2],
                (LvCudaFunction)((i + t) % 6), (Kind)((i + t) % 3 == 2 ? KIND_TINY : (i + t) % 3));
    check_cases(60);
}

/* Every function over its whole range, where one relative error would hide in a sum of squares. */
static void functions(void **state)
{
    enum { N = 4001 };
    for (LvCudaFunction f = LV_CUDA_NONE; f <= LV_LAST_CUDA_FUNCTION; f++) {
        Matrix in = matrix_new(LV_F32, 1, N, N, 0, KIND_NOISE);
        Matrix out = matrix_new(LV_F32, 1, N, N, 0, KIND_EMPTY);
        for (int i = 0; i < N; i++)
            matrix_set(&in, 0, (size_t)i, (i - N / 2) * 0.01);
        LvCudaEpilogue args = {.out = out.data,
            .in = in.data,
            .out_stride = N,
            .in_stride = N,
            .rows = 1,
            .cols = N,
            .function = f};
        assert_int_equal(lv_cuda_epilogue(device_stream(), &args), 0);
        assert_int_equal(device_wait(), 0);
        for (size_t i = 0; i < N; i++) {
            double x = matrix_at(&in, 0, i), want = function_of(f, x);
            double off = fabs(matrix_at(&out, 0, i) - want);
            if (!(off <= 4e-6 * fabs(want) + 1e-6 * fmin(1, fabs(x))))
                fail_msg("function %d of %g is off by %g", (int)f, x, off);
        }
        matrix_free(&in);
        matrix_free(&out);
    }
}

static void gate(void **state)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        for (unsigned t = 0; t < 4; t++) {
            int number = next_case();
            const struct Shape *s = &shapes[i];
            LvDtype type = types[t & 1];
            LvCudaFunction f = number % 3 ? LV_CUDA_SILU : LV_CUDA_GELU_TANH;
            Matrix in = matrix_new(type, s->rows, 2 * s->cols, 2 * s->cols + s->gap, s->shift,
                t & 2 ? KIND_OUTLIERS : KIND_NOISE);
            Matrix out = of_shape(s, type, KIND_EMPTY);
            double *wanted = calloc(s->rows * s->cols + 1, sizeof *wanted);
            for (size_t r = 0; r < s->rows; r++)
                for (size_t c = 0; c < s->cols; c++)
                    wanted[r * s->cols + c] =
                        function_of(f, matrix_at(&in, r, c)) * matrix_at(&in, r, s->cols + c);
            LvCudaGated args = {
                out.data, out.stride, in.data, in.stride, type, s->rows, s->cols, f};
            assert_int_equal(lv_cuda_gated(device_stream(), &args), 0);
            check_matrix(&out, wanted, "gated", number);
            free(wanted);
            matrix_free(&in);
            matrix_free(&out);
        }
    check_cases(60);
}

/* ---- few rows ---- */

static void few_case(size_t rows, size_t inner, size_t cols, unsigned variant)
{
    int number = next_case();
    LvDtype type = types[variant & 1], out_type = variant % 3 ? type : LV_F32;
    size_t width = 16 / lv_dtype_bytes(type);
    bool gated = variant % 4 == 3, normed = variant % 5 < 2, biased = !gated && variant % 7 < 4;
    bool with_residual = !gated && variant % 3 == 1;
    LvCudaFunction f = gated || variant % 4 == 1 ? LV_CUDA_SILU : LV_CUDA_NONE;
    Kind kind = variant % 11 < 3 ? KIND_OUTLIERS : variant % 11 == 3 ? KIND_TINY : KIND_NOISE;
    Matrix in = matrix_new(type, rows, inner, inner + width, 0, kind);
    Matrix weight = matrix_new(type, cols, inner, inner + variant % 2 * width, 0, KIND_NOISE);
    Matrix up = matrix_new(type, cols, inner, weight.stride, 0, KIND_NOISE);
    Matrix bias = vector_new(cols, KIND_NOISE), scale = vector_new(inner, KIND_NOISE);
    Matrix residual = matrix_new(type, rows, cols, cols + 3, 0, KIND_NOISE);
    Matrix out = matrix_new(out_type, rows, cols, cols + 1, 0, KIND_EMPTY);
    double *wanted = calloc(rows * cols + 1, sizeof *wanted), *x = calloc(inner + 1, sizeof *x);
    for (size_t r = 0; r < rows; r++) {
        double squares = 0;
        for (size_t k = 0; k < inner; k++)
            squares += pow(matrix_at(&in, r, k), 2) / (double)inner;
        for (size_t k = 0; k < inner; k++)
            x[k] = matrix_at(&in, r, k) *
                   (normed ? matrix_at(&scale, 0, k) / sqrt(squares + 1e-6f) : 1);
        for (size_t n = 0; n < cols; n++) {
            double sum = 0, other = 0;
            for (size_t k = 0; k < inner; k++) {
                sum += x[k] * matrix_at(&weight, n, k);
                other += x[k] * matrix_at(&up, n, k);
            }
            wanted[r * cols + n] =
                gated ? function_of(f, sum) * other
                      : function_of(f, sum + (biased ? matrix_at(&bias, 0, n) : 0)) +
                            (with_residual ? matrix_at(&residual, r, n) : 0);
        }
    }
    Matrix from = matrix_sent(&in);
    if (with_residual && out_type == type) {
        matrix_free(&out);
        out = matrix_sent(&residual);
    }
    LvCudaFew args = few_of(&out, &from, &weight, normed ? &scale : NULL);
    if (gated)
        args.up = weight_of(&up);
    args.bias = biased ? bias.data : NULL;
    args.residual = !with_residual ? NULL : out_type == type ? out.data : residual.data;
    args.residual_stride = residual.stride;
    args.function = f;
    args.overlap = number % 4 && device_overlaps();
    assert_int_equal(lv_cuda_linear_few(device_stream(), &args), 0);
    /* Tensor cores see 16 binary digits of a normed input. */
    if (type == LV_BF16 && out_type == LV_F32 && normed && rows > 2)
        check_matrix_within(&out, wanted, 1e-7, "linear_few", number);
    else
        check_matrix(&out, wanted, "linear_few", number);
    check_guards(&from);
    free(wanted);
    free(x);
    matrix_free(&from);
    matrix_free(&in);
    matrix_free(&weight);
    matrix_free(&up);
    matrix_free(&bias);
    matrix_free(&scale);
    matrix_free(&residual);
    matrix_free(&out);
}

static void few(void **state)
{
    static const size_t inner[] = {0, 8, 264, 896, 2056}, cols[] = {0, 1, 7, 9, 18};
    unsigned variant = 0;
    for (size_t rows = 0; rows <= LV_CUDA_FEW_ROWS; rows++)
        for (size_t i = 0; i < 5; i++)
            for (size_t c = 0; c < 5; c++, variant++)
                if (rows <= lv_cuda_few_rows(types[variant & 1]))
                    few_case(rows, inner[i], cols[c], variant);
    check_cases(60);
}

/* ---- products of any size ---- */

static void product_case(size_t rows, size_t inner, size_t cols, unsigned variant)
{
    static const LvCudaFunction functions[] = {LV_CUDA_NONE, LV_CUDA_GELU_TANH, LV_CUDA_RELU};
    const int number = next_case();
    const LvDtype type = types[variant % 3 != 0];
    const LvDtype out_type = types[variant % 3 == 1];
    const bool biased = variant % 2, added = variant % 5 < 2;
    const LvCudaFunction f = functions[variant % 4 % 3];
    Matrix in = matrix_new(type, rows, inner, inner + variant % 4, variant % 7,
        variant % 5 ? KIND_NOISE : KIND_OUTLIERS);
    Matrix weight = matrix_new(type, cols, inner, inner + variant % 3, variant % 2, KIND_NOISE);
    Matrix bias = matrix_new(out_type, 1, cols, cols, variant % 3, KIND_NOISE);
    Matrix addend = matrix_new(out_type, rows, cols, cols + variant % 4, 0, KIND_NOISE);
    Matrix out = added && variant % 2
                     ? matrix_copy(&addend)
                     : matrix_new(out_type, rows, cols, addend.stride, variant % 2, KIND_EMPTY);
    double *wanted = calloc(rows * cols + 1, sizeof *wanted);
    for (size_t r = 0; r < rows; r++)
        for (size_t n = 0; n < cols; n++) {
            double sum = biased ? matrix_at(&bias, 0, n) : 0;
            for (size_t k = 0; k < inner; k++)
                sum += matrix_at(&in, r, k) * matrix_at(&weight, n, k);
            wanted[r * cols + n] = function_of(f, sum) + (added ? matrix_at(&addend, r, n) : 0);
        }
    const LvCudaProduct args = {.out = out.data,
        .in = in.data,
        .weight = weight_of(&weight),
        .bias = biased ? bias.data : NULL,
        .addend = !added        ? NULL
                  : variant % 2 ? out.data
                                : addend.data,
        .rows = rows,
        .cols = cols,
        .inner = inner,
        .out_stride = out.stride,
        .in_stride = in.stride,
        .type = type,
        .out_type = out_type,
        .function = f};
    assert_int_equal(lv_cuda_product(device_stream(), &args), 0);
    check_matrix(&out, wanted, "product", number);
    check_guards(&in);
    free(wanted);
    matrix_free(&in);
    matrix_free(&weight);
    matrix_free(&bias);
    matrix_free(&addend);
    matrix_free(&out);
}

static void product(void **state)
{
    static const size_t rows[] = {0, 1, 17, 65}, inner[] = {0, 1, 16, 35, 130},
                        cols[] = {0, 1, 63, 130};
    unsigned variant = 0;
    for (size_t r = 0; r < 4; r++)
        for (size_t i = 0; i < 5; i++)
            for (size_t c = 0; c < 4; c++)
                product_case(rows[r], inner[i], cols[c], variant++);
    check_cases(60);
}

/* ---- pooling ---- */

static double source_of(size_t at, size_t in, size_t out, size_t *first, size_t *second)
{
    double position = fmax(0, ((double)at + 0.5) * (double)in / (double)out - 0.5);
    *first = (size_t)position < in - 1 ? (size_t)position : in - 1;
    *second = *first + (*first < in - 1);
    return position - (double)*first;
}

/* Of every 2 x 2, in the first rows of what args wrote before. */
static void greatest(
    LvCudaPool args, const Matrix *in, const Matrix *out, double *wanted, int number)
{
    const size_t n = args.cols, w = args.in_w, half_h = args.in_h / 2, half_w = w / 2;
    args.out_h = args.in_h / 2;
    args.out_w = args.in_w / 2;
    for (size_t row = 0; row < args.n_items * half_h * half_w; row++) {
        const size_t item = row / (half_h * half_w), place = row % (half_h * half_w);
        const size_t at = (item * args.in_h + place / half_w * 2) * w + place % half_w * 2;
        for (size_t k = 0; k < n; k++)
            wanted[row * n + k] = fmax(fmax(matrix_at(in, at, k), matrix_at(in, at + 1, k)),
                fmax(matrix_at(in, at + w, k), matrix_at(in, at + w + 1, k)));
    }
    assert_int_equal(lv_cuda_pool_max(device_stream(), &args), 0);
    check_matrix(out, wanted, "pool max", number);
}

static void pool(void **state)
{
    static const uint32_t sizes[][4] = {{27, 27, 14, 14}, {1, 1, 1, 1}, {1, 5, 3, 2},
        {12, 12, 6, 6}, {2, 3, 5, 7}, {54, 13, 9, 11}, {3, 1, 1, 4}, {7, 7, 7, 7}};
    static const size_t cols[] = {0, 1, 8, 33, 132};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t c = 0; c < 5; c++)
            for (size_t t = 0; t < 2; t++) {
                int number = next_case();
                uint32_t ih = sizes[i][0], iw = sizes[i][1], oh = sizes[i][2], ow = sizes[i][3];
                size_t items = (size_t)number % 3, n = cols[c], row = 0;
                Matrix in = matrix_new(types[t], items * ih * iw, n, n + c % 3 * 4, c % 2,
                    number % 2 ? KIND_NOISE : KIND_OUTLIERS);
                Matrix out = matrix_new(types[t], items * oh * ow, n, n + c, 0, KIND_EMPTY);
                double *wanted = calloc(out.rows * n + 1, sizeof *wanted);
                for (size_t item = 0; item < items; item++)
                    for (size_t y = 0; y < oh; y++)
                        for (size_t x = 0; x < ow; x++, row++) {
                            size_t x0, x1, y0, y1, base = item * ih * iw;
                            double wx = source_of(x, iw, ow, &x0, &x1);
                            double wy = source_of(y, ih, oh, &y0, &y1);
                            for (size_t k = 0; k < n; k++)
                                wanted[row * n + k] =
                                    (1 - wy) * ((1 - wx) * matrix_at(&in, base + y0 * iw + x0, k) +
                                                   wx * matrix_at(&in, base + y0 * iw + x1, k)) +
                                    wy * ((1 - wx) * matrix_at(&in, base + y1 * iw + x0, k) +
                                             wx * matrix_at(&in, base + y1 * iw + x1, k));
                        }
                LvCudaPool args = {
                    out.data, out.stride, in.data, in.stride, types[t], items, n, ih, iw, oh, ow};
                assert_int_equal(lv_cuda_pool_bilinear(device_stream(), &args), 0);
                check_matrix(&out, wanted, "pool", number);
                if (ih >= 2 && iw >= 2 && oh >= ih / 2 && ow >= iw / 2)
                    greatest(args, &in, &out, wanted, number);
                free(wanted);
                matrix_free(&in);
                matrix_free(&out);
            }
    check_cases(60);
}

/* ---- moving ---- */

static void convert(void **state)
{
    static const double special[] = {0, -0.0, 1, -1, 65504, 65519.9, 65520, 1e38, -3.4e38, INFINITY,
        -INFINITY, NAN, 0x1p-14, 0x1p-24, 0x1.8p-25, 0x1p-25, 0x1.00001p-25, 0x1.004p0, 0x1.00cp0,
        0x1.01p0, 0x1.03p0, 0x1p-126};
    const size_t n_special = sizeof special / sizeof *special;
    for (unsigned from = 0; from < 3; from++)
        for (unsigned to = 0; to < 3; to++)
            for (size_t i = 0; i < N_SHAPES; i++) {
                int number = next_case();
                const struct Shape *s = &shapes[i];
                Matrix in = of_shape(s, (LvDtype)from, KIND_OUTLIERS);
                Matrix out = of_shape(s, (LvDtype)to, KIND_EMPTY);
                Matrix exact = matrix_copy(&out);
                for (size_t k = 0; k < n_special && k < s->cols && s->rows; k++)
                    matrix_set(&in, s->rows - 1, k, special[k]);
                for (size_t r = 0; r < s->rows; r++)
                    for (size_t c = 0; c < s->cols; c++)
                        matrix_set(&exact, r, c, matrix_at(&in, r, c));
                LvCudaConvert args = {
                    out.data, out.stride, out.type, in.data, in.stride, in.type, s->rows, s->cols};
                assert_int_equal(lv_cuda_convert(device_stream(), &args), 0);
                assert_int_equal(device_wait(), 0);
                for (size_t r = 0; r < s->rows; r++)
                    for (size_t c = 0; c < s->cols; c++) {
                        double got = matrix_at(&out, r, c), want = matrix_at(&exact, r, c);
                        if (!(got == want || (isnan(got) && isnan(want))))
                            fail_msg("convert %u to %u, case %d: %g became %g", from, to, number,
                                matrix_at(&in, r, c), got);
                    }
                check_guards(&out);
                matrix_free(&in);
                matrix_free(&out);
                matrix_free(&exact);
            }
    check_cases(60);
}

static void gather(void **state)
{
    for (size_t i = 0; i < N_SHAPES; i++)
        for (unsigned t = 0; t < 6; t++) {
            int number = next_case();
            const struct Shape *s = &shapes[i];
            size_t rows = (size_t)number % 6;
            Matrix in = of_shape(s, (LvDtype)(t % 3), KIND_NOISE);
            Matrix out = matrix_new(types[t & 1], rows, s->cols, s->cols + s->gap, 0, KIND_EMPTY);
            int32_t *index = device_alloc(8 * sizeof *index);
            double *wanted = calloc(rows * s->cols + 1, sizeof *wanted);
            for (size_t r = 0; r < rows; r++) {
                bool outside = random_bits() >> 28 == 0 || s->rows == 0;
                index[r] = outside ? (r % 2 ? -1 : (int32_t)s->rows)
                                   : (int32_t)(random_bits() >> 8) % (int32_t)s->rows;
                for (size_t c = 0; c < s->cols; c++)
                    wanted[r * s->cols + c] = outside ? NAN : matrix_at(&in, (size_t)index[r], c);
            }
            LvCudaGather args = {out.data, out.stride, out.type, in.data, in.stride, in.type,
                s->rows, index, rows, s->cols};
            assert_int_equal(lv_cuda_gather(device_stream(), &args), 0);
            check_matrix(&out, wanted, "gather", number);
            free(wanted);
            device_free(index);
            matrix_free(&in);
            matrix_free(&out);
        }
    check_cases(60);
}

static void find_not_finite(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 255, 256, 257, 1000, 3000};
    static const double bad[] = {0, INFINITY, -INFINITY, NAN};
    int32_t *found = device_alloc(sizeof *found);
    for (size_t i = 0; i < 8; i++)
        for (unsigned t = 0; t < 3; t++)
            for (unsigned k = 0; k < 4; k++) {
                next_case();
                Matrix in = matrix_new((LvDtype)t, 1, sizes[i], sizes[i], t, KIND_OUTLIERS);
                bool spoilt = k && sizes[i];
                if (spoilt)
                    matrix_set(&in, 0, k == 1 ? 0 : sizes[i] - 1, bad[k]);
                *found = 0;
                LvCudaFinite args = {found, in.data, (LvDtype)t, sizes[i]};
                assert_int_equal(lv_cuda_find_not_finite(device_stream(), &args), 0);
                assert_int_equal(device_wait(), 0);
                assert_int_equal(*found, spoilt);
                matrix_free(&in);
            }
    device_free(found);
    check_cases(60);
}

/* What the kernels cannot do is refused, not done wrongly. */
static void refused(void **state)
{
    float x = 0;
    LvCudaNorm norm = {&x, 1, &x, 1, LV_F16, 1, 1, &x, &x, 1, 0};
    assert_int_equal(lv_cuda_layer_norm(device_stream(), &norm), LV_CUDA_BAD_ARGUMENT);
    assert_int_equal(lv_cuda_rms_norm(device_stream(), &norm), LV_CUDA_BAD_ARGUMENT);
    LvCudaPool pool_args = {&x, 1, &x, 1, LV_F32, 1, 1, 0, 1, 1, 1};
    assert_int_equal(lv_cuda_pool_bilinear(device_stream(), &pool_args), LV_CUDA_BAD_ARGUMENT);
    assert_int_equal(lv_cuda_pool_max(device_stream(), &pool_args), LV_CUDA_BAD_ARGUMENT);
    LvCudaGated gated = {&x, 1, &x, 2, LV_F16, 1, 1, LV_CUDA_SILU};
    assert_int_equal(lv_cuda_gated(device_stream(), &gated), LV_CUDA_BAD_ARGUMENT);
    LvCudaEpilogue end = {.out = &x, .in = &x, .in_type = LV_F16, .rows = 1, .cols = 1};
    assert_int_equal(lv_cuda_epilogue(device_stream(), &end), LV_CUDA_BAD_ARGUMENT);
    LvCudaFew few_args = {.out = &x, .in = &x, .weight = {.data = &x}, .rows = 9, .cols = 1};
    assert_int_equal(lv_cuda_linear_few_best(device_stream(), &few_args), LV_CUDA_BAD_ARGUMENT);
    assert_int_equal(lv_cuda_linear_few(device_stream(), &few_args), LV_CUDA_BAD_ARGUMENT);
    few_args.rows = 1;
    few_args.inner = 3;
    assert_int_equal(lv_cuda_linear_few(device_stream(), &few_args), LV_CUDA_BAD_ARGUMENT);
    few_args.inner = 0;
    few_args.bias = &x;
    assert_int_equal(lv_cuda_linear_few_best(device_stream(), &few_args), LV_CUDA_BAD_ARGUMENT);
    few_args.bias = NULL;
    few_args.weight.type = LV_BF16;
    assert_int_equal(lv_cuda_linear_few_best(device_stream(), &few_args), LV_CUDA_BAD_ARGUMENT);
    assert_int_equal(lv_cuda_linear_few(device_stream(), &few_args), LV_CUDA_BAD_ARGUMENT);
    LvCudaProduct product = {.type = LV_F32, .out_type = LV_BF16};
    assert_int_equal(lv_cuda_product(device_stream(), &product), LV_CUDA_BAD_ARGUMENT);
    product.out_type = LV_F32;
    product.weight.type = LV_BF16;
    assert_int_equal(lv_cuda_product(device_stream(), &product), LV_CUDA_BAD_ARGUMENT);
    LvCudaGather none = {.out = &x, .in = &x, .in_rows = 1, .rows = 1, .cols = 1};
    assert_int_equal(lv_cuda_gather(device_stream(), &none), LV_CUDA_BAD_ARGUMENT);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the mutations run one test */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layer_norm),
        cmocka_unit_test(rms_norm),
        cmocka_unit_test(epilogue),
        cmocka_unit_test(functions),
        cmocka_unit_test(gate),
        cmocka_unit_test(few),
        cmocka_unit_test(product),
        cmocka_unit_test(pool),
        cmocka_unit_test(convert),
        cmocka_unit_test(gather),
        cmocka_unit_test(find_not_finite),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
