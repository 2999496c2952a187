/* SPDX-License-Identifier: Apache-2.0
 * runtime.h on the CPU: device memory is the heap, the stream of work is the calling thread,
 * products are plain loops. Copies beside the work are put off until somebody waits for them, so
 * that whoever does not finds something else there. Together with kernels that the shim executes it
 * lets the whole CUDA backend run on a machine without a GPU, and lets it meet the failures that a
 * GPU rarely shows.
 *
 * Fresh memory is filled with NaN, 32 MiB of it. The environment variable LLAVAOV_STANDIN, read
 * whenever a device is opened, holds any of these words, separated by commas: no-driver       there
 * is none no-device       a driver, but no GPU old             a GPU of compute capability 7.5
 *   memory=MIB      the device has so much (default 4096)
 *   alloc=N         the N-th allocation of device memory (from 1) fails
 *   pinned=N        the N-th allocation of pinned memory fails
 *   launch=N        the N-th launch, product or graph fails
 *   send=N          the N-th copy beside the work fails
 *   no-await        work does not wait for copies beside it
 *   lost=N          from the N-th launch, product or graph on nothing answers any more, which the
 *                   first copy to the host or wait tells
 *   no-graphs       nothing can be recorded
 *   graph=N         the N-th recording fails when it ends
 *
 * What is recorded for a graph does not run; it runs, with the arguments as they were then, each
 * time the graph is launched. Whatever a stream under capture refuses is refused here too, and
 * spoils the recording. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/runtime.h"
#include "base/alloc.h"
#include "base/status.h"
#include "shim/shim.h"
#include "standin.h"

#define LAUNCH_FAILED 719       /* cudaErrorLaunchFailure */
#define NOT_SUPPORTED 801       /* cudaErrorNotSupported */
#define CAPTURE_REFUSED 900     /* cudaErrorStreamCaptureUnsupported */
#define CAPTURE_INVALIDATED 901 /* cudaErrorStreamCaptureInvalidated */
#define DEVICE_LOST 999         /* cudaErrorUnknown */
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

/* One thing that was enqueued, with a copy of its arguments. */
typedef struct Node {
    struct Node *next;
    int (*run)(const void *args);
    max_align_t args[];
} Node;

struct LvGraph {
    Node *first, **end;
    bool spoilt;
};

struct LvRuntime {
    Block *blocks, *pinned_blocks;
    pthread_mutex_t pinned_lock;
    uint64_t memory_bytes, used_bytes;
    uint64_t allocations, pinned, launches, captures;
    uint64_t fail_alloc, fail_pinned, fail_launch, lose_at, fail_graph; /* 0: never */
    atomic_bool lost;

    pthread_mutex_t lock; /* of the copies beside the work */
    Copy *first, **end;
    uint64_t sent, fail_send; /* copies so far */
    bool no_await;
};

/* What this thread records, for lack of a stream that could hold it. */
static _Thread_local LvGraph *recording;

struct LvEvent {
    int recorded;
    uint64_t sent; /* recorded behind so many copies beside the work */
};

static struct {
    atomic_ulong allocations, live, launches, graphs, recorded, replayed;
} counts;

__attribute__((visibility("default"))) LvStandinCounts lv_standin_counts(void)
{
    return (LvStandinCounts){counts.allocations, counts.live, counts.launches, counts.graphs,
        counts.recorded, counts.replayed};
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
    counts.launches = counts.recorded = counts.replayed = 0;
    wish("launch", &r->fail_launch);
    wish("lost", &r->lose_at);
    wish("send", &r->fail_send);
    r->no_await = wish("no-await", NULL);
    pthread_mutex_init(&r->lock, NULL);
    r->end = &r->first;
    wish("graph", &r->fail_graph);
    pthread_mutex_init(&r->pinned_lock, NULL);
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
    pthread_mutex_destroy(&runtime->pinned_lock);
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
    case NOT_SUPPORTED:
        return "operation not supported";
    case CAPTURE_REFUSED:
        return "operation not permitted when stream is capturing";
    case CAPTURE_INVALIDATED:
        return "operation failed due to a previous error during capture";
    }
    return "unknown error";
}

/* ---- recording ---- */

/* Of what a stream under capture does not allow: 0, or what it gives. */
static int refused(void)
{
    if (!recording)
        return 0;
    recording->spoilt = true;
    return CAPTURE_REFUSED;
}

static int append(int (*run)(const void *args), const void *args, size_t bytes)
{
    Node *node = malloc(sizeof *node + bytes);
    if (!node) {
        recording->spoilt = true;
        return LV_RUNTIME_OUT_OF_MEMORY;
    }
    node->next = NULL;
    node->run = run;
    memcpy(node->args, args, bytes);
    *recording->end = node;
    recording->end = &node->next;
    return 0;
}

/* Enqueues: runs at once, for the stream is the calling thread, or is recorded. */
static int enqueue(int (*run)(const void *args), const void *args, size_t bytes)
{
    return recording ? append(run, args, bytes) : run(args);
}

static int run_kernel(const void *args)
{
    LvShimLaunch launch = *(const LvShimLaunch *)args;
    launch.args =
        (const max_align_t *)args + (sizeof launch + sizeof(max_align_t) - 1) / sizeof(max_align_t);
    return lv_shim_launch(
        launch.entry, launch.args, launch.grid, launch.block, launch.shared_bytes);
}

/* The launch, and from the next aligned place on its arguments. */
static int record_kernel(void *data, const LvShimLaunch *launch)
{
    const size_t at =
        (sizeof *launch + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    char *both = malloc(at + launch->args_bytes);
    if (!both)
        return LV_RUNTIME_OUT_OF_MEMORY;
    memcpy(both, launch, sizeof *launch);
    memcpy(both + at, launch->args, launch->args_bytes);
    int code = append(run_kernel, both, at + launch->args_bytes);
    free(both);
    return code;
}

static void free_graph(LvGraph *graph)
{
    while (graph->first) {
        Node *node = graph->first;
        graph->first = node->next;
        free(node);
    }
    free(graph);
}

int lv_runtime_capture_begin(LvRuntime *runtime)
{
    if (wish("no-graphs", NULL))
        return NOT_SUPPORTED;
    if (recording)
        return refused();
    recording = calloc(1, sizeof *recording);
    if (!recording)
        return LV_RUNTIME_OUT_OF_MEMORY;
    recording->end = &recording->first;
    lv_shim_record(record_kernel, NULL);
    return 0;
}

int lv_runtime_capture_end(LvRuntime *runtime, LvGraph **graph)
{
    LvGraph *recorded = recording;
    recording = NULL;
    lv_shim_record(NULL, NULL);
    if (graph)
        *graph = NULL;
    int code = ++runtime->captures == runtime->fail_graph ? LV_RUNTIME_OUT_OF_MEMORY
               : recorded->spoilt                         ? CAPTURE_INVALIDATED
                                                          : 0;
    if (code == 0 && graph) {
        *graph = recorded;
        counts.graphs++;
        counts.recorded++;
    } else {
        free_graph(recorded);
    }
    return code;
}

bool lv_runtime_not_recordable(int code)
{
    return code == NOT_SUPPORTED || code == CAPTURE_REFUSED || code == CAPTURE_INVALIDATED;
}

int lv_runtime_graph_launch(LvRuntime *runtime, LvGraph *graph)
{
    int code = refused();
    for (const Node *node = graph->first; node && code == 0; node = node->next)
        code = node->run(node->args);
    counts.replayed++;
    return lv_runtime_launched(runtime, code);
}

void lv_runtime_graph_close(LvRuntime *runtime, LvGraph *graph)
{
    if (!graph)
        return;
    counts.graphs--;
    free_graph(graph);
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
    if (refused())
        return CAPTURE_REFUSED;
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
    if (refused())
        return CAPTURE_REFUSED;
    pthread_mutex_lock(&runtime->pinned_lock);
    Block *block = malloc(sizeof *block);
    *data = ++runtime->pinned == runtime->fail_pinned || !block ? NULL : malloc(bytes);
    if (*data) {
        *block = (Block){runtime->pinned_blocks, *data, bytes};
        runtime->pinned_blocks = block;
        count_allocation();
    } else {
        free(block);
    }
    pthread_mutex_unlock(&runtime->pinned_lock);
    return *data ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
}

void lv_runtime_free_pinned(LvRuntime *runtime, void *data)
{
    pthread_mutex_lock(&runtime->pinned_lock);
    for (Block **place = &runtime->pinned_blocks; *place; place = &(*place)->next) {
        Block *block = *place;
        if (block->data != data)
            continue;
        *place = block->next;
        counts.live--;
        free(block->data);
        free(block);
        break;
    }
    pthread_mutex_unlock(&runtime->pinned_lock);
}

static bool is_pinned(LvRuntime *runtime, const void *data, size_t bytes)
{
    bool found = false;
    pthread_mutex_lock(&runtime->pinned_lock);
    for (const Block *block = runtime->pinned_blocks; block && !found; block = block->next) {
        const uintptr_t at = (uintptr_t)data - (uintptr_t)block->data;
        found = at <= block->bytes && bytes <= block->bytes - at;
    }
    pthread_mutex_unlock(&runtime->pinned_lock);
    return found;
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

typedef struct Move {
    void *to;
    const void *from;
    size_t to_pitch, from_pitch, row_bytes, rows;
} Move;

static int run_copy(const void *args)
{
    const Move *copy = args;
    for (size_t row = 0; row < copy->rows; row++)
        memmove((char *)copy->to + row * copy->to_pitch,
            (const char *)copy->from + row * copy->from_pitch, copy->row_bytes);
    return 0;
}

int lv_runtime_to_device(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    if (!is_pinned(runtime, from, bytes) && refused())
        return CAPTURE_REFUSED;
    const Move copy = {to, from, 0, 0, bytes, 1};
    return enqueue(run_copy, &copy, sizeof copy);
}

int lv_runtime_to_host(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    if (runtime->lost)
        return DEVICE_LOST;
    if (!is_pinned(runtime, to, bytes) && refused())
        return CAPTURE_REFUSED;
    const Move copy = {to, from, 0, 0, bytes, 1};
    return enqueue(run_copy, &copy, sizeof copy);
}

int lv_runtime_copy_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows)
{
    const Move copy = {to, from, to_pitch, from_pitch, row_bytes, rows};
    return enqueue(run_copy, &copy, sizeof copy);
}

typedef struct Zero {
    void *data;
    size_t bytes;
} Zero;

static int run_zero(const void *args)
{
    const Zero *zero = args;
    memset(zero->data, 0, zero->bytes);
    return 0;
}

int lv_runtime_zero(LvRuntime *runtime, void *data, size_t bytes)
{
    const Zero zero = {data, bytes};
    return enqueue(run_zero, &zero, sizeof zero);
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
    return runtime->lost ? DEVICE_LOST : refused();
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
    return refused();
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
    return runtime->lost ? DEVICE_LOST : event->recorded ? refused() : LAUNCH_FAILED;
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

static int run_product(const void *args)
{
    const LvMatmul *m = args;
    float *weight = malloc((m->cols * m->inner + 1) * sizeof *weight),
          *row = malloc((m->inner + 1) * sizeof *row);
    if (weight && row)
        multiply(m, weight, row);
    int code = weight && row ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
    free(weight);
    free(row);
    return code;
}

int lv_runtime_matmul(LvRuntime *runtime, const LvMatmul *m)
{
    if (m->type == LV_CUDA_F16 || (m->out_type != m->type && m->out_type != LV_CUDA_F32) ||
        (m->tail != LV_TAIL_NONE && m->addend))
        return LV_CUDA_BAD_ARGUMENT;
    return lv_runtime_launched(runtime, enqueue(run_product, m, sizeof *m));
}
