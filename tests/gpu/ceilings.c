/* SPDX-License-Identifier: Apache-2.0
 * What this GPU can do at most, by which every other time is to be judged: a bf16 product of
 * 8192 x 8192 x 8192 on random values and a copy of 2 GiB on the device. One line of JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/runtime.h"
#include "measure.h"

#define EDGE ((size_t)8192)
#define COPY_BYTES ((size_t)2 << 30)
#define STAGING ((size_t)64 << 20)
#define WARM 5
#define RUNS 20
#define BETWEEN 8 /* products or copies from wait to wait, which takes its time too */

/* Random bf16 in (-1, 1): exponents that occur, all bits of the fraction. */
static void *random_matrix(LvRuntime *runtime, uint32_t seed)
{
    void *device, *host;
    const size_t bytes = EDGE * EDGE * 2;
    must(lv_runtime_alloc(runtime, bytes, &device), "memory");
    must(lv_runtime_alloc_pinned(runtime, STAGING, &host), "pinned memory");
    for (size_t at = 0; at < bytes; at += STAGING) {
        uint16_t *values = host;
        for (size_t i = 0; i < STAGING / 2; i++) {
            seed = seed * 1664525u + 1013904223u;
            values[i] = (uint16_t)((seed >> 16 & 0x807F) | (0x3D80 + (seed >> 24 & 3) * 0x80));
        }
        must(lv_runtime_to_device(runtime, (char *)device + at, host, STAGING), "copy");
        must(lv_runtime_synchronize(runtime), "copy");
    }
    lv_runtime_free_pinned(runtime, host);
    return device;
}

static double time_product(LvRuntime *runtime)
{
    void *a = random_matrix(runtime, 1), *b = random_matrix(runtime, 2), *out;
    double times[RUNS];
    must(lv_runtime_alloc(runtime, EDGE * EDGE * 2, &out), "memory");
    const LvMatmul matmul = {.out = out,
        .in = a,
        .weight = b,
        .rows = EDGE,
        .cols = EDGE,
        .inner = EDGE,
        .out_stride = EDGE,
        .in_stride = EDGE,
        .weight_stride = EDGE,
        .type = LV_CUDA_BF16,
        .out_type = LV_CUDA_BF16};
    for (int i = -WARM; i < RUNS; i++) {
        const double start = seconds();
        for (int k = 0; k < BETWEEN; k++)
            must(lv_runtime_matmul(runtime, &matmul), "product");
        must(lv_runtime_synchronize(runtime), "product");
        if (i >= 0)
            times[i] = (seconds() - start) / BETWEEN;
    }
    lv_runtime_free(runtime, a);
    lv_runtime_free(runtime, b);
    lv_runtime_free(runtime, out);
    return median(times, RUNS);
}

static double time_copy(LvRuntime *runtime)
{
    void *from, *to;
    double times[RUNS];
    must(lv_runtime_alloc(runtime, COPY_BYTES, &from), "memory");
    must(lv_runtime_alloc(runtime, COPY_BYTES, &to), "memory");
    must(lv_runtime_zero(runtime, from, COPY_BYTES), "zeroing");
    for (int i = -WARM; i < RUNS; i++) {
        const double start = seconds();
        for (int k = 0; k < BETWEEN; k++)
            must(lv_runtime_copy_rows(
                     runtime, to, 1 << 20, from, 1 << 20, 1 << 20, COPY_BYTES >> 20),
                "copy");
        must(lv_runtime_synchronize(runtime), "copy");
        if (i >= 0)
            times[i] = (seconds() - start) / BETWEEN;
    }
    lv_runtime_free(runtime, from);
    lv_runtime_free(runtime, to);
    return median(times, RUNS);
}

int main(void)
{
    LvDeviceFacts facts;
    LvRuntime *runtime = open_device(&facts);
    const double product = time_product(runtime), copy = time_copy(runtime);
    printf("{\"device\": \"%s\", \"compute_capability\": \"%u.%u\", \"processors\": %u, "
           "\"memory_bytes\": %llu, \"driver\": %u, \"bf16_product_tflops\": %.1f, "
           "\"copy_read_and_write_tbytes\": %.3f}\n",
        facts.name, facts.major, facts.minor, facts.n_processors,
        (unsigned long long)facts.memory_bytes, facts.driver,
        2.0 * EDGE * EDGE * EDGE / product * 1e-12, 2.0 * COPY_BYTES / copy * 1e-12);
    lv_runtime_close(runtime);
    return 0;
}
