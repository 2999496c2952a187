/* SPDX-License-Identifier: Apache-2.0
 * Matrices for tests of the CUDA kernels: NaN in every gap and guarded ends, and the comparison
 * with float64. */
#ifndef TEST_CUDA_CHECK_H
#define TEST_CUDA_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "launch.h"
#include "memory.h"

/* [rows, cols] in device memory. Everything else in the allocation, guards before and behind and
 * the gaps between rows, is filled with 0xFF: NaN, and never to be written. */
typedef struct Matrix {
    unsigned char *base;
    size_t bytes;
    void *data;
    LvDtype type;
    size_t rows, cols, stride;
} Matrix;

typedef enum Kind {
    KIND_NOISE,    /* uniform in [-1, 1) */
    KIND_OUTLIERS, /* noise, one in 61 three thousand times as large */
    KIND_OFFSET,   /* noise around 100 */
    KIND_TINY,     /* noise times 1e-3 */
    KIND_ZERO,
    KIND_EMPTY, /* as allocated: all NaN */
    N_KINDS = KIND_ZERO
} Kind;

/* shift: the data begins `shift` elements off a 256-byte boundary. */
Matrix matrix_new(LvDtype type, size_t rows, size_t cols, size_t stride, size_t shift, Kind kind);
void matrix_free(Matrix *m);
double matrix_at(const Matrix *m, size_t row, size_t col);
void matrix_set(Matrix *m, size_t row, size_t col, double value);
Matrix matrix_copy(const Matrix *m);
/* A copy that a kernel makes: it is there for the kernels behind it in the stream, and no sooner.
 * For those that overlap it. */
Matrix matrix_sent(const Matrix *m);

/* Vectors of float32, guarded in the same way. */
Matrix vector_new(size_t n, Kind kind);

/* Fails the test where a gap or a guard was written. */
void check_guards(const Matrix *m);

/* Compares with wanted [rows * cols]: normalised mean square error within the type's bound (1e-11
 * or 1e-5; where one value is most of the power, rounding the wanted ones to bf16 may cost more:
 * that much is allowed), NaN and Inf where NaN and Inf are wanted; then check_guards. `what` and
 * the numbers of the case name it in a failure. */
void check_matrix(const Matrix *m, const double *wanted, const char *what, int number);
void check_matrix_within(
    const Matrix *m, const double *wanted, double bound, const char *what, int number);

/* Noise in [-1, 1), the same in every run. */
double noise(void);
uint32_t random_bits(void);

/* Counts a case, chooses the fibers' order by it (every fourth by index), and gives its number. */
int next_case(void);
/* Fails where fewer than `least` cases were counted since the last call. */
void check_cases(int least);

LvCudaWeight weight_of(const Matrix *m);
/* out = in * weight^T, each row of `in` normalised by `scale` where that is given: the fields that
 * four matrices fill, all others zero. */
LvCudaFew few_of(const Matrix *out, const Matrix *in, const Matrix *weight, const Matrix *scale);

/* The wanted result of one function. */
double function_of(LvCudaFunction function, double x);

#endif
