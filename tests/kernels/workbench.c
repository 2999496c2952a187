/* SPDX-License-Identifier: Apache-2.0 */
#include "workbench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

float bench_noise(Bench *b)
{
    b->seed = b->seed * 1664525u + 1013904223u;
    return (float)(int32_t)b->seed * 0x1p-31f;
}

float *bench_noise_rows(Bench *b, size_t n)
{
    float *data = malloc((n + 1) * sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < n; i++)
        data[i] = bench_noise(b);
    return data;
}

void bench_open(Bench *b, const char *mask, uint32_t threads)
{
    memset(b, 0, sizeof *b);
    b->seed = 7;
    LvBackendOptions options = {.device = "cpu", .threads = threads, .cpu_mask = mask};
    assert_int_equal(lv_backend_open(&options, &b->backend, &b->error), LLAVAOV_OK);
    b->ops = b->backend->ops;
    b->run.error = &b->error;
}

LvTensor bench_tensor(Bench *b, size_t rows, size_t cols, const float *src)
{
    LvTensor t;
    assert_int_equal(b->ops->tensor_alloc(b->backend, rows, cols, &t, &b->error), LLAVAOV_OK);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < t.stride; c++)
            ((float *)t.data)[r * t.stride + c] = NAN; /* padding must never matter */
    if (src)
        assert_int_equal(b->ops->upload(b->backend, &b->run, t, src), LLAVAOV_OK);
    return t;
}

/* Memory until the end of the program, as a checkpoint outlives its weights. */
typedef struct Kept {
    struct Kept *next;
    char data[];
} Kept;
static Kept *kept;

static char *keep(size_t bytes)
{
    Kept *block = malloc(sizeof *block + bytes);
    assert_non_null(block);
    block->next = kept;
    kept = block;
    return block->data;
}

LvWeight *bench_weight(
    Bench *b, float *values, size_t rows, size_t cols, size_t n_parts, LvDtype dtype, unsigned use)
{
    LvHostTensor parts[3];
    const LvHostTensor *pointers[3];
    LvWeight *w = NULL;
    size_t row = 0;
    for (size_t i = 0; i < n_parts; i++) {
        size_t n = i + 1 == n_parts ? rows - row : rows / n_parts;
        char *data = keep(n * cols * 4 + 1);
        for (size_t k = 0; k < n * cols; k++) {
            float *v = &values[row * cols + k];
            if (dtype == LV_F32) {
                memcpy(data + 1 + 4 * k, v, 4);
                continue;
            }
            uint32_t bits;
            if (dtype == LV_BF16) {
                memcpy(&bits, v, 4);
                bits &= 0xFFFF0000u;
                memcpy(v, &bits, 4);
                bits >>= 16;
            } else { /* 8 fraction bits of a normal half */
                *v = ldexpf(roundf(ldexpf(*v, 8)), -8);
                float m = fabsf(*v);
                int e = 0;
                bits = 0;
                if (m > 0) {
                    m = frexpf(m, &e);
                    bits = (uint32_t)(e + 14) << 10 | (uint32_t)((m * 2 - 1) * 1024);
                }
                bits |= *v < 0 ? 0x8000u : 0;
            }
            uint16_t half = (uint16_t)bits;
            memcpy(data + 1 + 2 * k, &half, 2);
        }
        parts[i] = (LvHostTensor){.name = "w",
            .file = "f",
            .dtype = dtype,
            .n_dims = 2,
            .shape = {n, cols},
            .data = data + 1,
            .bytes = n * cols * lv_dtype_bytes(dtype)};
        pointers[i] = &parts[i];
        row += n;
    }
    assert_int_equal(
        b->ops->weight_load(b->backend, pointers, n_parts, use, &w, &b->error), LLAVAOV_OK);
    return w;
}

void bench_forget_weights(void)
{
    for (Kept *next; kept; kept = next) {
        next = kept->next;
        free(kept);
    }
}
