/* SPDX-License-Identifier: Apache-2.0
 * runtime.h on the CPU: device memory is the heap, the stream of work is the calling thread,
 * products are plain loops. Copies beside the work are put off until somebody waits for them, so
 * that whoever does not finds something else there. Together with kernels that the shim executes it
 * lets the whole CUDA backend run on a machine without a GPU, and lets it meet the failures that a
 * GPU rarely shows.
 *
 * Fresh memory is filled with NaN, 32 MiB of it. The environment variable LLAVAOV_STANDIN, read whenever a device
 * is opened, holds any of these words, separated by commas:
 *   no-driver       there is none
 *   no-device       a driver, but no GPU
 *   old             a GPU of compute capability 7.5
 *   memory=MIB      the device has so much (default 4096)
 *   alloc=N         the N-th allocation of device memory (from 1) fails
 *   pinned=N        the N-th allocation of pinned memory fails
 *   launch=N        the N-th launch or product fails
 *   send=N          the N-th copy beside the work fails
 *   no-await        work does not wait for copies beside it
 *   lost=N          from the N-th launch or product on nothing answers any more, which the first
 *                   copy to the host or wait tells
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/runtime.h"
#include "base/alloc.h"
#include "base/status.h"
#include "standin.h"

#define LAUNCH_FAILED 719 /* cudaErrorLaunchFailure */
#define DEVICE_LOST 999   /* cudaErrorUnknown */
#define FILLED ((size_t)32 << 20)

typedef struct Block {
    struct Block *next;
    void *data;
    size_t bytes;
} Block;

typedef struct Copy {
    struct Copy *next;
    void *to;
    const void *from;
    size_t bytes;
    uint64_t number;
} Copy;

struct LvRuntime {
    Block *blocks;
    uint64_t memory_bytes, used_bytes;
    uint64_t allocations, pinned, launches;
    uint64_t fail_alloc, fail_pinned, fail_launch, lose_at; /* 0: never */
    atomic_bool lost;

    pthread_mutex_t lock; /* of the copies beside the work */
    Copy *first, **end;
    uint64_t sent, fail_send; /* copies so far */
    bool no_await;
};

struct LvEvent {
    int recorded;
    uint64_t sent; /* recorded behind so many copies beside the work */
};

static struct {
    atomic_ulong allocations, live, launches;
} counts;

__attribute__((visibility("default"))) LvStandinCounts lv_standin_counts(void)
{
    return (LvStandinCounts){counts.allocations, counts.live, counts.launches};
}

__attribute__((visibility("default"))) void lv_standin_fail_alloc(int64_t n)
{
    lv_alloc_fail_after(n);
}

static void count_allocation(void)
{
    counts.allocations++;
    counts.live++;
}

static bool wish(const char *name, uint64_t *value)
{
    const char *text = getenv("LLAVAOV_STANDIN");
    const size_t n = strlen(name);
    while (text && *text) {
        const size_t length = strcspn(text, ",");
        if (length >= n && memcmp(text, name, n) == 0 && (length == n || text[n] == '=')) {
            if (value && text[n] == '=')
                *value = strtoull(text + n + 1, NULL, 10);
            return true;
        }
        text += length + (text[length] == ',');
    }
    return false;
}

LlavaovStatus lv_runtime_open(
    uint32_t device, LvRuntime **runtime, LvDeviceFacts *facts, LlavaovError *error)
{
    *runtime = NULL;
    if (wish("no-driver", NULL))
        return lv_fail(error, LLAVAOV_ERROR_DEVICE, "device", "there is no NVIDIA driver");
    if (wish("no-device", NULL))
        return lv_fail(error, LLAVAOV_ERROR_DEVICE, "device", "there is no NVIDIA GPU");
    if (device > 0)
        return lv_fail(error, LLAVAOV_ERROR_DEVICE, "device",
            "there is no GPU %u, the GPUs of this machine are numbered 0 to 0", device);
    LvRuntime *r = lv_calloc(1, sizeof *r);
    if (!r)
        return lv_fail(error, LLAVAOV_ERROR_MEMORY, NULL, "no memory for a device");
    uint64_t mib = 4096;
    wish("memory", &mib);
    wish("alloc", &r->fail_alloc);
    wish("pinned", &r->fail_pinned);
    counts.launches = 0;
    wish("launch", &r->fail_launch);
    wish("lost", &r->lose_at);
    wish("send", &r->fail_send);
    r->no_await = wish("no-await", NULL);
    pthread_mutex_init(&r->lock, NULL);
    r->end = &r->first;
    r->memory_bytes = mib << 20;
    *facts = (LvDeviceFacts){.name = "CPU stand-in",
        .major = wish("old", NULL) ? 7 : 8,
        .minor = wish("old", NULL) ? 5 : 0,
        .n_processors = 4,
        .memory_bytes = r->memory_bytes};
    *runtime = r;
    return LLAVAOV_OK;
}

void lv_runtime_close(LvRuntime *runtime)
{
    if (!runtime)
        return;
    while (runtime->first) {
        Copy *copy = runtime->first;
        runtime->first = copy->next;
        free(copy);
        counts.live += !runtime->no_await; /* nobody waited for it: shown as a leak */
    }
    pthread_mutex_destroy(&runtime->lock);
    lv_free(runtime); /* what is still allocated shows as a leak */
}

const char *lv_runtime_error(int code)
{
    switch (code) {
    case LV_RUNTIME_OUT_OF_MEMORY:
        return "out of memory";
    case LAUNCH_FAILED:
        return "unspecified launch failure";
    case DEVICE_LOST:
        return "the device does not answer";
    }
    return "unknown error";
}

/* ---- memory ---- */

int lv_runtime_memory(LvRuntime *runtime, uint64_t *free_bytes)
{
    *free_bytes = runtime->memory_bytes - runtime->used_bytes;
    return runtime->lost ? DEVICE_LOST : 0;
}

int lv_runtime_alloc(LvRuntime *runtime, size_t bytes, void **data)
{
    if (runtime->lost)
        return DEVICE_LOST;
    if (++runtime->allocations == runtime->fail_alloc ||
        bytes > runtime->memory_bytes - runtime->used_bytes)
        return LV_RUNTIME_OUT_OF_MEMORY;
    Block *block = malloc(sizeof *block);
    void *memory = block ? aligned_alloc(256, (bytes + 255) / 256 * 256) : NULL;
    if (!memory) {
        free(block);
        return LV_RUNTIME_OUT_OF_MEMORY;
    }
    memset(memory, 0xFF, bytes < FILLED ? bytes : FILLED);
    *block = (Block){runtime->blocks, memory, bytes};
    runtime->blocks = block;
    runtime->used_bytes += bytes;
    count_allocation();
    *data = memory;
    return 0;
}

void lv_runtime_free(LvRuntime *runtime, void *data)
{
    for (Block **place = &runtime->blocks; *place; place = &(*place)->next) {
        Block *block = *place;
        if (block->data != data)
            continue;
        *place = block->next;
        counts.live--;
        runtime->used_bytes -= block->bytes;
        free(block->data);
        free(block);
        return;
    }
}

int lv_runtime_alloc_pinned(LvRuntime *runtime, size_t bytes, void **data)
{
    *data = ++runtime->pinned == runtime->fail_pinned ? NULL : malloc(bytes);
    if (!*data)
        return LV_RUNTIME_OUT_OF_MEMORY;
    count_allocation();
    return 0;
}

void lv_runtime_free_pinned(LvRuntime *runtime, void *data)
{
    counts.live -= data != NULL;
    free(data);
}

/* ---- work ---- */

int lv_runtime_enter(LvRuntime *runtime)
{
    return 0;
}

LvCudaStream lv_runtime_stream(LvRuntime *runtime)
{
    return NULL;
}

int lv_runtime_to_device(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return 0;
}

int lv_runtime_to_host(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    if (runtime->lost)
        return DEVICE_LOST;
    memcpy(to, from, bytes);
    return 0;
}

int lv_runtime_copy_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        memmove((char *)to + row * to_pitch, (const char *)from + row * from_pitch, row_bytes);
    return 0;
}

int lv_runtime_zero(LvRuntime *runtime, void *data, size_t bytes)
{
    memset(data, 0, bytes);
    return 0;
}

int lv_runtime_launched(LvRuntime *runtime, int code)
{
    runtime->launches++;
    counts.launches++;
    if (runtime->launches == runtime->lose_at)
        runtime->lost = true;
    return runtime->launches == runtime->fail_launch ? LAUNCH_FAILED : code;
}

int lv_runtime_synchronize(LvRuntime *runtime)
{
    return runtime->lost ? DEVICE_LOST : 0;
}

int lv_runtime_event_open(LvRuntime *runtime, LvEvent **event)
{
    *event = calloc(1, sizeof **event);
    return *event ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
}

void lv_runtime_event_close(LvRuntime *runtime, LvEvent *event)
{
    free(event);
}

int lv_runtime_event_record(LvRuntime *runtime, LvEvent *event)
{
    event->recorded = 1;
    event->sent = 0;
    return 0;
}

/* Does the copies up to the event's. */
static void arrive(LvRuntime *runtime, const LvEvent *event)
{
    pthread_mutex_lock(&runtime->lock);
    while (runtime->first && runtime->first->number <= event->sent) {
        Copy *copy = runtime->first;
        runtime->first = copy->next;
        memcpy(copy->to, copy->from, copy->bytes);
        free(copy);
    }
    if (!runtime->first)
        runtime->end = &runtime->first;
    pthread_mutex_unlock(&runtime->lock);
}

int lv_runtime_event_wait(LvRuntime *runtime, LvEvent *event)
{
    arrive(runtime, event);
    return runtime->lost ? DEVICE_LOST : event->recorded ? 0 : LAUNCH_FAILED;
}

int lv_runtime_send(LvRuntime *runtime, void *to, const void *from, size_t bytes, LvEvent *sent)
{
    Copy *copy = runtime->lost ? NULL : malloc(sizeof *copy);
    if (!copy)
        return DEVICE_LOST;
    pthread_mutex_lock(&runtime->lock);
    const bool failed = ++runtime->sent == runtime->fail_send;
    if (!failed) {
        *copy = (Copy){NULL, to, from, bytes, runtime->sent};
        *runtime->end = copy;
        runtime->end = &copy->next;
        sent->recorded = 1;
        sent->sent = runtime->sent;
    }
    pthread_mutex_unlock(&runtime->lock);
    if (failed)
        free(copy);
    return failed ? LAUNCH_FAILED : 0;
}

int lv_runtime_await(LvRuntime *runtime, LvEvent *sent)
{
    if (!runtime->no_await)
        arrive(runtime, sent);
    return sent->recorded ? 0 : LAUNCH_FAILED;
}

/* ---- products ---- */

static float load(const void *data, LvCudaType type, size_t i)
{
    if (type == LV_CUDA_F32)
        return ((const float *)data)[i];
    const uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void store(void *data, LvCudaType type, size_t i, float x)
{
    if (type == LV_CUDA_F32) {
        ((float *)data)[i] = x;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    ((uint16_t *)data)[i] = x != x ? 0x7FFF : (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static float gelu_tanh(float x)
{
    return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
}

static void multiply(const LvMatmul *m, float *weight, float *row)
{
    for (size_t n = 0; n < m->cols; n++)
        for (size_t k = 0; k < m->inner; k++)
            weight[n * m->inner + k] = load(m->weight, m->type, n * m->weight_stride + k);
    for (size_t r = 0; r < m->rows; r++) {
        for (size_t k = 0; k < m->inner; k++)
            row[k] = load(m->in, m->type, r * m->in_stride + k);
        for (size_t n = 0; n < m->cols; n++) {
            /* Four sums, so that the processor need not wait for each. */
            float sum[4] = {0};
            const float *w = weight + n * m->inner;
            for (size_t k = 0; k < m->inner; k++)
                sum[k % 4] += row[k] * w[k];
            float x = (sum[0] + sum[1]) + (sum[2] + sum[3]);
            if (m->bias)
                x += load(m->bias, m->out_type, n);
            if (m->tail == LV_TAIL_GELU_TANH)
                x = gelu_tanh(x);
            if (m->addend)
                x += load(m->addend, m->out_type, r * m->out_stride + n);
            store(m->out, m->out_type, r * m->out_stride + n, x);
        }
    }
}

int lv_runtime_matmul(LvRuntime *runtime, const LvMatmul *m)
{
    if (m->type == LV_CUDA_F16 || (m->out_type != m->type && m->out_type != LV_CUDA_F32) ||
        (m->tail != LV_TAIL_NONE && m->addend))
        return LV_CUDA_BAD_ARGUMENT;
    float *weight = malloc((m->cols * m->inner + 1) * sizeof *weight),
          *row = malloc((m->inner + 1) * sizeof *row);
    if (weight && row)
        multiply(m, weight, row);
    int code = weight && row ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
    free(weight);
    free(row);
    return lv_runtime_launched(runtime, code);
}
