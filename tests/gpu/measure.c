/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
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
