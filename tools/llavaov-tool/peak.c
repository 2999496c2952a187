/* SPDX-License-Identifier: Apache-2.0 */
#include "peak.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/clock.h"

#define FMA_CHAINS                                                                                 \
    12 /* enough to cover the latency of two FMA units, few enough to stay in registers */
#define FMA_ROUNDS 20000000u
#define READ_BYTES ((size_t)512 << 20)
#define READ_PASSES 4

/* FMA_CHAINS independent chains of one vector each, unrolled by the compiler; the sum keeps them
 * alive. */
#define FMA_LOOP(bytes)                                                                            \
    typedef float Vector __attribute__((vector_size(bytes)));                                      \
    Vector chain[FMA_CHAINS], factor = {0}, term = {0};                                            \
    factor += 0.999999f;                                                                           \
    term += seed;                                                                                  \
    for (int i = 0; i < FMA_CHAINS; i++)                                                           \
        chain[i] = term + (float)i;                                                                \
    for (uint32_t round = 0; round < FMA_ROUNDS; round++)                                          \
        for (int i = 0; i < FMA_CHAINS; i++)                                                       \
            chain[i] = chain[i] * factor + term;                                                   \
    for (int i = 1; i < FMA_CHAINS; i++)                                                           \
        chain[0] += chain[i];                                                                      \
    return chain[0][0];

#if defined(__x86_64__)
__attribute__((target("avx512f,fma"), optimize("O3,fp-contract=fast,unroll-loops"))) static float
fma_512(float seed)
{
    FMA_LOOP(64)
}

__attribute__((target("avx2,fma"), optimize("O3,fp-contract=fast,unroll-loops"))) static float
fma_256(float seed)
{
    FMA_LOOP(32)
}
#endif

__attribute__((optimize("O3,fp-contract=fast,unroll-loops"))) static float fma_128(float seed)
{
    FMA_LOOP(16)
}

static float (*widest(size_t *lanes))(float)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) {
        *lanes = 16;
        return fma_512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        *lanes = 8;
        return fma_256;
    }
#endif
    *lanes = 4;
    return fma_128;
}

typedef struct PeakJob {
    const uint64_t *data; /* NULL: arithmetic */
    size_t n;
    volatile uint64_t sum;
    volatile float value;
} PeakJob;

__attribute__((optimize("O3"))) static uint64_t read_all(const uint64_t *data, size_t n)
{
    typedef uint64_t Vector __attribute__((vector_size(32), aligned(32)));
    const Vector *v = (const Vector *)data;
    Vector a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i + 4 <= n / 4; i += 4) {
        a ^= v[i];
        b ^= v[i + 1];
        c ^= v[i + 2];
        d ^= v[i + 3];
    }
    a ^= b ^ c ^ d;
    return a[0] ^ a[1] ^ a[2] ^ a[3];
}

static void *work(void *data)
{
    PeakJob *job = data;
    size_t lanes;
    if (!job->data)
        job->value = widest(&lanes)(1e-3f);
    for (int pass = 0; job->data && pass < READ_PASSES; pass++)
        job->sum ^= read_all(job->data, job->n);
    return NULL;
}

/* Nanoseconds that all jobs together take. */
static uint64_t run(PeakJob *jobs, uint32_t threads)
{
    pthread_t ids[LV_MAX_THREADS];
    bool started[LV_MAX_THREADS];
    const uint64_t start = lv_now_ns();
    for (uint32_t i = 1; i < threads; i++)
        started[i] = pthread_create(&ids[i], NULL, work, &jobs[i]) == 0;
    work(&jobs[0]);
    for (uint32_t i = 1; i < threads; i++)
        if (started[i])
            pthread_join(ids[i], NULL);
    return lv_now_ns() - start;
}

double lv_peak_gflops(uint32_t threads)
{
    PeakJob jobs[LV_MAX_THREADS] = {0};
    size_t lanes;
    widest(&lanes);
    threads = threads < LV_MAX_THREADS ? threads : LV_MAX_THREADS;
    const uint64_t ns = run(jobs, threads);
    return 2.0 * (double)lanes * FMA_CHAINS * FMA_ROUNDS * threads / (double)ns;
}

double lv_peak_gbytes(uint32_t threads)
{
    PeakJob jobs[LV_MAX_THREADS] = {0};
    threads = threads < LV_MAX_THREADS ? threads : LV_MAX_THREADS;
    const size_t each = READ_BYTES / 8 / threads / 16 * 16;
    uint64_t *memory = lv_alloc_aligned(READ_BYTES / 8, 8);
    if (!memory)
        return 0;
    memset(memory, 1, READ_BYTES);
    for (uint32_t i = 0; i < threads; i++) {
        jobs[i].data = memory + i * each;
        jobs[i].n = each;
    }
    const uint64_t ns = run(jobs, threads);
    lv_free(memory);
    return (double)each * 8 * threads * READ_PASSES / (double)ns;
}
