/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's copies: in the stream, and beside it. */
#include <stdlib.h>
#include <string.h>

#include "standin_device.h"

typedef struct Move {
    void *to;
    const void *from;
    size_t to_pitch, from_pitch, row_bytes, rows;
} Move;

struct StandinCopy {
    struct StandinCopy *next;
    Move move;
    uint64_t number;
};

struct LvCudaEvent {
    int recorded;
    uint64_t sent; /* recorded behind so many copies beside the work */
    uint64_t mark; /* and behind this one in the stream */
};

/* ---- in the stream ---- */

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
    if (!standin_is_pinned(runtime, from, bytes) && standin_refused())
        return CAPTURE_REFUSED;
    const Move copy = {to, from, 0, 0, bytes, 1};
    standin_totals.copies++;
    return standin_enqueue(run_copy, &copy, sizeof copy);
}

int lv_runtime_to_host(LvRuntime *runtime, void *to, const void *from, size_t bytes)
{
    if (runtime->lost)
        return DEVICE_LOST;
    if (!standin_is_pinned(runtime, to, bytes) && standin_refused())
        return CAPTURE_REFUSED;
    const Move copy = {to, from, 0, 0, bytes, 1};
    standin_totals.copies++;
    return standin_enqueue(run_copy, &copy, sizeof copy);
}

int lv_runtime_copy_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows)
{
    const Move copy = {to, from, to_pitch, from_pitch, row_bytes, rows};
    standin_totals.copies++;
    return standin_enqueue(run_copy, &copy, sizeof copy);
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
    return standin_enqueue(run_zero, &zero, sizeof zero);
}

/* ---- beside it ---- */

int lv_runtime_event_open(LvRuntime *runtime, LvCudaEvent **event)
{
    *event = calloc(1, sizeof **event);
    return *event ? 0 : LV_RUNTIME_OUT_OF_MEMORY;
}

void lv_runtime_event_close(LvRuntime *runtime, LvCudaEvent *event)
{
    free(event);
}

int lv_runtime_event_record(LvRuntime *runtime, LvCudaEvent *event)
{
    event->recorded = 1;
    event->sent = 0;
    event->mark = standin_mark();
    return standin_refused();
}

/* Does the copies up to the event's. */
static void arrive(LvRuntime *runtime, const LvCudaEvent *event)
{
    pthread_mutex_lock(&runtime->lock);
    while (runtime->first && runtime->first->number <= event->sent) {
        StandinCopy *copy = runtime->first;
        runtime->first = copy->next;
        run_copy(&copy->move);
        free(copy);
    }
    if (!runtime->first)
        runtime->end = &runtime->first;
    pthread_mutex_unlock(&runtime->lock);
}

int lv_runtime_event_wait(LvRuntime *runtime, LvCudaEvent *event)
{
    arrive(runtime, event);
    const int code = standin_catch_up(event->mark);
    return runtime->lost     ? DEVICE_LOST
           : code            ? code
           : event->recorded ? standin_refused()
                             : LAUNCH_FAILED;
}

static int send(LvRuntime *runtime, Move move, LvCudaEvent *sent)
{
    StandinCopy *copy = runtime->lost ? NULL : malloc(sizeof *copy);
    if (!copy)
        return DEVICE_LOST;
    pthread_mutex_lock(&runtime->lock);
    const bool failed = ++runtime->sent == runtime->fail_send;
    if (!failed) {
        *copy = (StandinCopy){NULL, move, runtime->sent};
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

int lv_runtime_send(LvRuntime *runtime, void *to, const void *from, size_t bytes, LvCudaEvent *sent)
{
    return send(runtime, (Move){to, from, 0, 0, bytes, 1}, sent);
}

int lv_runtime_send_rows(LvRuntime *runtime, void *to, size_t to_pitch, const void *from,
    size_t from_pitch, size_t row_bytes, size_t rows, LvCudaEvent *sent)
{
    standin_totals.sent_rows += rows;
    return send(runtime, (Move){to, from, to_pitch, from_pitch, row_bytes, rows}, sent);
}

int lv_runtime_await(LvRuntime *runtime, LvCudaEvent *sent)
{
    if (!runtime->no_await)
        arrive(runtime, sent);
    return sent->recorded ? 0 : LAUNCH_FAILED;
}

unsigned standin_drop_copies(LvRuntime *runtime)
{
    unsigned n = 0;
    for (; runtime->first; n++) {
        StandinCopy *copy = runtime->first;
        runtime->first = copy->next;
        free(copy);
    }
    return n;
}
