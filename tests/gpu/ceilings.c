/* SPDX-License-Identifier: Apache-2.0
 * What this GPU can do at most, by which every other time is to be judged: a bf16 product of
 * 8192 x 8192 x 8192 on random values and a copy of 2 GiB on the device. One line of JSON. */
#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda/runtime.h"
#include "measure.h"

#define EDGE ((size_t)8192)
#define COPY_BYTES ((size_t)2 << 30)
#define WARM 5
#define RUNS 20
#define EACH 8 /* one after the other in a run: what a launch costs is not the device's */

typedef struct Work {
    LvRuntime *runtime;
    LvMatmul matmul;
    void *from, *to;
} Work;

static void multiply(void *data)
{
    const Work *work = data;
    for (int i = 0; i < EACH; i++)
        must(lv_runtime_matmul(work->runtime, &work->matmul), "product");
}

/* Rows of a gibibyte: a device takes no longer ones. */
static void copy(void *data)
{
    const Work *work = data;
    const size_t row = (size_t)1 << 30;
    for (int i = 0; i < EACH; i++)
        must(lv_runtime_copy_rows(
                 work->runtime, work->to, row, work->from, row, row, COPY_BYTES / row),
            "copy");
}

static double time_of(void (*run)(void *data), Work *work)
{
    double times[RUNS];
    for (int i = -WARM; i < RUNS; i++) {
        const double taken = device_seconds(work->runtime, run, work) / EACH;
        if (i >= 0)
            times[i] = taken;
    }
    return median(times, RUNS);
}

static double time_product(LvRuntime *runtime)
{
    void *a = random_memory(runtime, EDGE * EDGE * 2, 1),
         *b = random_memory(runtime, EDGE * EDGE * 2, 2), *out;
    must(lv_runtime_alloc(runtime, EDGE * EDGE * 2, &out), "memory");
    Work work = {.runtime = runtime,
        .matmul = {.out = out,
            .in = a,
            .weight = {.data = b, .stride = EDGE, .type = LV_BF16},
            .rows = EDGE,
            .cols = EDGE,
            .inner = EDGE,
            .out_stride = EDGE,
            .in_stride = EDGE,
            .type = LV_BF16,
            .out_type = LV_BF16}};
    const double taken = time_of(multiply, &work);
    lv_runtime_free(runtime, a);
    lv_runtime_free(runtime, b);
    lv_runtime_free(runtime, out);
    return taken;
}

static double time_copy(LvRuntime *runtime)
{
    Work work = {.runtime = runtime, .from = random_memory(runtime, COPY_BYTES, 3)};
    must(lv_runtime_alloc(runtime, COPY_BYTES, &work.to), "memory");
    const double taken = time_of(copy, &work);
    lv_runtime_free(runtime, work.from);
    lv_runtime_free(runtime, work.to);
    return taken;
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
