/* SPDX-License-Identifier: Apache-2.0
 * A CPU backend on the bench: tensors and weights from plain floats, noise to fill them with. All
 * of it asserts that it works. */
#ifndef TESTS_KERNELS_WORKBENCH_H
#define TESTS_KERNELS_WORKBENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "backend/backend.h"

typedef struct Bench {
    LvBackend *backend;
    const LvBackendOps *ops;
    LlavaovError error;
    LvRun run;
    uint32_t seed;
} Bench;

/* mask NULL = the best of this processor. Close with b->ops->close(b->backend). */
void bench_open(Bench *b, const char *mask, uint32_t threads);

/* From -1 to 1, the same every time. */
float bench_noise(Bench *b);
/* n of them, and room for one more; free(). */
float *bench_noise_rows(Bench *b, size_t n);

/* Filled with src (packed rows) unless that is NULL; the padding with NaN, which must never matter.
 */
LvTensor bench_tensor(Bench *b, size_t rows, size_t cols, const float *src);

/* Loads rows x cols floats as a weight in n_parts parts (at most 3) of the given type, at odd
 * addresses; values are rounded to the type in place. */
LvWeight *bench_weight(
    Bench *b, float *values, size_t rows, size_t cols, size_t n_parts, LvDtype dtype, unsigned use);
/* At the end of the program: frees what the weights were loaded from. */
void bench_forget_weights(void);

#endif
