/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The thread's own time: other programs on the machine disturb less. */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Twelve chains that do not wait for each other. */
#define PEAK(name, target, bytes)                                                                  \
    target static double name(void)                                                                \
    {                                                                                              \
        typedef float V __attribute__((vector_size(bytes)));                                       \
        V c0 = {0}, c1 = c0 + 1, c2 = c0 + 2, c3 = c0 + 3, c4 = c0 + 4, c5 = c0 + 5, c6 = c0 + 6,  \
          c7 = c0 + 7, c8 = c0 + 8, c9 = c0 + 9, m = c0 + 0.999f, a = c0 + 0.5f;                   \
        const long n = 4000000;                                                                    \
        double start = now();                                                                      \
        for (long i = 0; i < n; i++) {                                                             \
            c0 = c0 * m + a, c1 = c1 * m + a, c2 = c2 * m + a, c3 = c3 * m + a, c4 = c4 * m + a;   \
            c5 = c5 * m + a, c6 = c6 * m + a, c7 = c7 * m + a, c8 = c8 * m + a, c9 = c9 * m + a;   \
            __asm__ volatile("" : : : "memory");                                                   \
        }                                                                                          \
        double time = now() - start;                                                               \
        V sum = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9;                                   \
        volatile float keep = sum[0];                                                              \
        (void)keep;                                                                                \
        return (double)n * 10 * 2 * (bytes / 4) / time * 1e-9;                                     \
    }

#if defined(__x86_64__) || defined(__aarch64__)
#if defined(__clang__)
#define CONTRACT(isa) __attribute__((target(isa), noinline))
#else /* a product and a sum become one instruction, which this project otherwise forbids */
#define CONTRACT(isa) __attribute__((target(isa), optimize("fp-contract=fast"), noinline))
#endif
#endif
#if defined(__x86_64__)
PEAK(peak_avx512, CONTRACT("avx512f,fma"), 64)
PEAK(peak_avx2, CONTRACT("avx2,fma"), 32)
#elif defined(__aarch64__)
PEAK(peak_neon, CONTRACT("arch=armv8-a"), 16)
#endif
PEAK(peak_baseline, __attribute__((noinline)), 16)

static double peak(const LvKernels *k)
{
#if defined(__x86_64__)
    if (strcmp(k->name, "avx512") == 0)
        return peak_avx512();
    if (strcmp(k->name, "avx2") == 0)
        return peak_avx2();
#elif defined(__aarch64__)
    if (strcmp(k->name, "neon") == 0)
        return peak_neon();
#endif
    return peak_baseline();
}

static double read_speed(const char *data, size_t bytes)
{
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        double start = now();
        uint64_t a = 0, b = 0, c = 0, d = 0;
        for (size_t i = 0; i + 64 <= bytes; i += 64) {
            uint64_t x[8];
            memcpy(x, data + i, sizeof x);
            a += x[0] ^ x[4], b += x[1] ^ x[5], c += x[2] ^ x[6], d += x[3] ^ x[7];
        }
        volatile uint64_t keep = a + b + c + d;
        (void)keep;
        double time = now() - start;
        best = time < best ? time : best;
    }
    return (double)bytes / best * 1e-9;
}

static float *floats(size_t n)
{
    float *p = aligned_alloc(64, (n * 4 + 63) / 64 * 64);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(i * 2654435761u % 2048) / 1024.0f - 1.0f;
    return p;
}

static void bench_many(const LvKernels *k, size_t rows, size_t cols, size_t inner)
{
    float *in = floats(rows * inner), *packed = floats((rows + 64) * inner),
          *out = floats(rows * cols);
    uint16_t *weights = aligned_alloc(64, cols * inner * 2);
    for (size_t i = 0; i < cols * inner; i++)
        weights[i] = (uint16_t)(0x3000 + i * 2654435761u % 1024);
    float *scratch = floats(k->linear_scratch(rows, inner) + 16);
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        double start = now();
        k->pack_rows(packed, in, inner, rows, inner);
        for (size_t c = 0; c < cols; c += LV_PANEL_COLS) {
            LvLinearArgs l = {.out = out + c,
                .out_stride = cols,
                .in = packed,
                .rows = rows,
                .first = c,
                .weight = {.data = weights, .dtype = LV_F16, .rows = cols, .cols = inner},
                .cols = cols - c < LV_PANEL_COLS ? cols - c : LV_PANEL_COLS,
                .scratch = scratch};
            k->linear_panel(&l);
        }
        double time = now() - start;
        best = time < best ? time : best;
    }
    printf("  linear %4zu x %5zu x %4zu  %8.2f ms  %6.1f GFLOP/s\n", rows, cols, inner, best * 1e3,
        2e-9 * (double)rows * (double)cols * (double)inner / best);
    free(in), free(packed), free(out), free(weights), free(scratch);
}

/* dots: in the bits of few rows, by tiles. */
static void bench_few(
    const LvKernels *k, size_t rows, size_t cols, size_t inner, bool dots, const uint16_t *weights)
{
    float *in = floats(rows * inner), *out = floats(rows * cols);
    float *packed = floats((rows + 64) * lv_dot_cols(k, inner)),
          *scratch = floats(k->dots_scratch(inner));
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        double start = now();
        LvLinearArgs l = {.out = out,
            .out_stride = cols,
            .in = in,
            .in_stride = inner,
            .rows = rows,
            .weight = {.data = weights, .dtype = LV_F16, .rows = cols, .cols = inner},
            .cols = cols,
            .scratch = scratch};
        if (dots) {
            k->pack_dot_rows(packed, in, inner, rows, inner);
            l.in = packed;
            k->linear_dots(&l);
        } else
            k->linear_few(&l);
        double time = now() - start;
        best = time < best ? time : best;
    }
    printf("  %s %4zu x %5zu x %4zu  %8.2f ms  %6.1f GB/s of weights  %6.1f GFLOP/s\n",
        dots ? "dots by tiles" : "dot products ", rows, cols, inner, best * 1e3,
        2e-9 * (double)cols * (double)inner / best,
        2e-9 * (double)rows * (double)cols * (double)inner / best);
    free(in), free(out), free(packed), free(scratch);
}

void kernels_bench(const LvKernels *k)
{
    const size_t big = (size_t)152000 * 896;
    uint16_t *weights = aligned_alloc(64, big * 2);
    for (size_t i = 0; i < big; i++)
        weights[i] = (uint16_t)(0x3000 + i % 1021);
    printf("%s: multiply-adds %.1f GFLOP/s, reading %.1f GB/s (one thread)\n", k->name, peak(k),
        read_speed((const char *)weights, big * 2));
    bench_many(k, 729, 1152, 1152);
    bench_many(k, 729, 4304, 1152);
    bench_many(k, 729, 1152, 4304);
    bench_many(k, 768, 896, 4864);
    bench_few(k, 1, 152000, 896, false, weights);
    bench_few(k, 4, 152000, 896, false, weights);
    for (size_t rows = 6; rows <= 32; rows += rows < 16 ? 2 : 8)
        for (int dots = 0; dots < 2; dots++) {
            bench_few(k, rows, 4864, 896, dots, weights);
            bench_few(k, rows, 896, 4864, dots, weights);
        }
    bench_few(k, 225, 4864, 896, true, weights);
    bench_few(k, 225, 896, 4864, true, weights);
    printf("  multiply-adds %.1f GFLOP/s, reading %.1f GB/s (again)\n", peak(k),
        read_speed((const char *)weights, big * 2));
    free(weights);
}
