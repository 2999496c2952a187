/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define STAGING ((size_t)64 << 20)

double seconds(void)
{
    return 1e-9 * (double)lv_now_ns();
}

void must(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s (error %d)\n", what, lv_runtime_error(code), code);
    exit(1);
}

LvRuntime *open_device(LvDeviceFacts *facts)
{
    LvRuntime *runtime;
    LlavaovError error = {0};
    if (lv_runtime_open(0, &runtime, facts, &error) != LLAVAOV_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    must(lv_runtime_enter(runtime), "device");
    return runtime;
}

double device_seconds(LvRuntime *runtime, void (*work)(void *data), void *data)
{
    const cudaStream_t stream = lv_runtime_stream(runtime);
    cudaEvent_t start, end;
    float ms = 0;
    must((int)cudaEventCreate(&start), "event");
    must((int)cudaEventCreate(&end), "event");
    must((int)cudaEventRecord(start, stream), "event");
    work(data);
    must((int)cudaEventRecord(end, stream), "event");
    must((int)cudaEventSynchronize(end), "kernels");
    must((int)cudaEventElapsedTime(&ms, start, end), "event");
    cudaEventDestroy(start);
    cudaEventDestroy(end);
    return 1e-3 * (double)ms;
}

void *random_memory(LvRuntime *runtime, size_t bytes, uint32_t seed)
{
    void *device, *host;
    must(lv_runtime_alloc(runtime, bytes, &device), "memory");
    must(lv_runtime_alloc_pinned(runtime, STAGING, &host), "pinned memory");
    for (size_t at = 0; at < bytes; at += STAGING) {
        const size_t n = bytes - at < STAGING ? bytes - at : STAGING;
        uint16_t *values = host;
        for (size_t i = 0; i < n / 2; i++) {
            seed = seed * 1664525u + 1013904223u;
            values[i] = (uint16_t)((seed >> 16 & 0x807F) | (0x3D80 + (seed >> 24 & 3) * 0x80));
        }
        must(lv_runtime_to_device(runtime, (char *)device + at, host, n), "copy");
        must(lv_runtime_synchronize(runtime), "copy");
    }
    lv_runtime_free_pinned(runtime, host);
    return device;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}
