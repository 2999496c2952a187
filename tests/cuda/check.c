/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GUARD 512u

static uint32_t random_state = 1;
static int n_cases, first_case;

uint32_t random_bits(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state;
}

double noise(void)
{
    return (float)(int32_t)random_bits() * 0x1p-31;
}

static double value_of(Kind kind)
{
    double x = noise();
    switch (kind) {
    case KIND_OUTLIERS:
        return random_state >> 8 & 1 && (random_state >> 9) % 30 == 0 ? x * 3000 : x;
    case KIND_OFFSET:
        return 100 + x;
    case KIND_TINY:
        return x * 1e-3;
    case KIND_ZERO:
        return 0;
    default:
        return x;
    }
}

/* ---- values ---- */

static double load(const void *at, LvDtype type)
{
    if (type == LV_F32) {
        float x;
        memcpy(&x, at, sizeof x);
        return x;
    }
    uint16_t bits;
    memcpy(&bits, at, sizeof bits);
    if (type == LV_BF16) {
        uint32_t wide = (uint32_t)bits << 16;
        float x;
        memcpy(&x, &wide, sizeof x);
        return x;
    }
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double size = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                 : ldexp(fraction, -24);
    return bits & 0x8000 ? -size : size;
}

/* Rounds to nearest even in a format of `digits` binary digits and this least exponent. */
static double round_to(double x, int digits, int least)
{
    int exponent;
    if (x == 0 || !isfinite(x))
        return x;
    frexp(x, &exponent);
    double unit = ldexp(1, (exponent < least ? least : exponent) - digits);
    return rint(x / unit) * unit;
}

static void store(void *at, LvDtype type, double value)
{
    if (type == LV_F16) {
        double x = fabs(round_to(value, 11, -13));
        uint16_t bits = isnan(value) ? 0x7E00 : x >= 65536 ? 0x7C00 : 0;
        if (bits == 0 && x > 0) {
            int exponent;
            double fraction = frexp(x, &exponent);
            bits = exponent < -13
                       ? (uint16_t)ldexp(x, 24)
                       : (uint16_t)((exponent + 14) * 1024 + (int)ldexp(fraction, 11) - 1024);
        }
        bits |= signbit(value) ? 0x8000 : 0;
        memcpy(at, &bits, sizeof bits);
        return;
    }
    float x = (float)(type == LV_BF16 ? round_to(value, 8, -125) : value);
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (type == LV_F32)
        memcpy(at, &bits, sizeof bits);
    else
        memcpy(at, &(uint16_t){(uint16_t)(bits >> 16)}, 2);
}

static unsigned char *place(const Matrix *m, size_t row, size_t col)
{
    return (unsigned char *)m->data + (row * m->stride + col) * lv_dtype_bytes(m->type);
}

double matrix_at(const Matrix *m, size_t row, size_t col)
{
    return load(place(m, row, col), m->type);
}

void matrix_set(Matrix *m, size_t row, size_t col, double value)
{
    store(place(m, row, col), m->type, value);
}

/* ---- matrices ---- */

Matrix matrix_new(LvDtype type, size_t rows, size_t cols, size_t stride, size_t shift, Kind kind)
{
    Matrix m = {.type = type, .rows = rows, .cols = cols, .stride = stride};
    m.bytes = (rows * stride + shift) * lv_dtype_bytes(type) + 2 * GUARD;
    m.base = device_alloc(m.bytes);
    assert_non_null(m.base);
    memset(m.base, 0xFF, m.bytes);
    m.data = m.base + GUARD + shift * lv_dtype_bytes(type);
    if (kind != KIND_EMPTY)
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < cols; c++)
                matrix_set(&m, r, c, value_of(kind));
    return m;
}

Matrix vector_new(size_t n, Kind kind)
{
    return matrix_new(LV_F32, 1, n, n, 0, kind);
}

Matrix matrix_copy(const Matrix *m)
{
    Matrix copy = *m;
    copy.base = device_alloc(m->bytes);
    assert_non_null(copy.base);
    memcpy(copy.base, m->base, m->bytes);
    copy.data = copy.base + ((unsigned char *)m->data - m->base);
    return copy;
}

Matrix matrix_sent(const Matrix *m)
{
    Matrix to = matrix_new(m->type, m->rows, m->cols, m->stride, 0, KIND_EMPTY);
    LvCudaConvert args = {
        to.data, to.stride, to.type, m->data, m->stride, m->type, m->rows, m->cols};
    assert_int_equal(lv_cuda_convert(device_stream(), &args), 0);
    return to;
}

void matrix_free(Matrix *m)
{
    device_free(m->base);
    *m = (Matrix){0};
}

/* ---- comparing ---- */

void check_guards(const Matrix *m)
{
    size_t bytes = lv_dtype_bytes(m->type);
    const unsigned char *next = m->base;
    for (size_t r = 0; r <= m->rows; r++) {
        const unsigned char *end = r < m->rows ? place(m, r, 0) : m->base + m->bytes;
        for (; next < end; next++)
            if (*next != 0xFF)
                fail_msg("byte %td before row %zu of [%zu, %zu] was written", end - next, r,
                    m->rows, m->cols);
        next = r < m->rows ? end + m->cols * bytes : next;
    }
}

void check_matrix(const Matrix *m, const double *wanted, const char *what, int number)
{
    check_matrix_within(m, wanted, m->type == LV_F32 ? 1e-11 : 1e-5, what, number);
}

void check_matrix_within(
    const Matrix *m, const double *wanted, double bound, const char *what, int number)
{
    assert_int_equal(device_wait(), 0);
    double error = 0, power = 0, rounding = 0;
    for (size_t r = 0; r < m->rows; r++)
        for (size_t c = 0; c < m->cols; c++) {
            double got = matrix_at(m, r, c), want = wanted[r * m->cols + c];
            if (!isfinite(want) || !isfinite(got)) {
                if (got == want || (isnan(got) && isnan(want)))
                    continue;
                fail_msg("%s, case %d: %g at [%zu, %zu] of [%zu, %zu], not %g", what, number, got,
                    r, c, m->rows, m->cols, want);
            }
            error += (got - want) * (got - want);
            power += want * want;
            if (m->type == LV_BF16)
                rounding += pow(round_to(want, 8, -125) - want, 2);
        }
    if (error > bound * power && error > 1.1 * rounding)
        fail_msg("%s, case %d: [%zu, %zu] is off by %g of its power, bound %g", what, number,
            m->rows, m->cols, error / power, bound);
    check_guards(m);
}

int next_case(void)
{
    n_cases++;
    device_seed(n_cases % 4 ? (uint32_t)n_cases : 0);
    return n_cases - first_case;
}

void check_cases(int least)
{
    int n = n_cases - first_case;
    first_case = n_cases;
    random_state = 1; /* a test's values do not depend on the tests before it */
    assert_uint_in_range(n, least, 1000000);
}

LvCudaWeight weight_of(const Matrix *m)
{
    return (LvCudaWeight){.data = m->data, .stride = m->stride, .type = m->type};
}

LvCudaFew few_of(const Matrix *out, const Matrix *in, const Matrix *weight, const Matrix *scale)
{
    return (LvCudaFew){.out = out->data,
        .out_stride = out->stride,
        .out_type = out->type,
        .in = in->data,
        .in_stride = in->stride,
        .type = in->type,
        .rows = in->rows,
        .cols = weight->rows,
        .inner = in->cols,
        .weight = weight_of(weight),
        .norm_scale = scale ? scale->data : NULL,
        .norm_eps = 1e-6f};
}

double function_of(LvCudaFunction function, double x)
{
    switch (function) {
    case LV_CUDA_NONE:
        break;
    case LV_CUDA_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case LV_CUDA_GELU_ERF:
        return 0.5 * x * erfc(-x * 0.70710678118654752440);
    case LV_CUDA_SILU:
        return x / (1.0 + exp(-x));
    case LV_CUDA_RELU:
        return x < 0 ? 0 : x;
    case LV_CUDA_QUICK_GELU:
        return x / (1.0 + exp(-1.702 * x));
    case LV_CUDA_LEAKY_RELU:
        return fmax(x, 0.01 * x);
    case LV_CUDA_RELU2:
        return fmax(x, 0) * fmax(x, 0);
    case LV_CUDA_RELU6:
        return fmin(fmax(x, 0), 6);
    case LV_CUDA_TANH:
        return tanh(x);
    case LV_CUDA_SIGMOID:
        return 0.5 + 0.5 * tanh(0.5 * x);
    case LV_CUDA_MISH:
        return x * tanh(fmax(x, 0) + log1p(exp(-fabs(x))));
    case LV_CUDA_HARDSWISH:
        return x * fmin(fmax(x + 3, 0), 6) / 6;
    case LV_CUDA_GELU_10:
        return fmin(0.5 * x * erfc(-x * 0.70710678118654752440), 10);
    case LV_CUDA_LAPLACE:
        return 0.5 * erfc((0.707107 - x) / (0.282095 * 1.41421356237309504880));
    case LV_CUDA_SQRTSOFTPLUS:
        return sqrt(fmax(x, 0) + log1p(exp(-fabs(x))));
    }
    return x;
}
