/* SPDX-License-Identifier: Apache-2.0
 * The stand-in's device, as its parts share it. */
#ifndef STANDIN_DEVICE_H
#define STANDIN_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "backend/cuda/runtime.h"
#include "standin.h"

#define LAUNCH_FAILED 719       /* cudaErrorLaunchFailure */
#define NOT_SUPPORTED 801       /* cudaErrorNotSupported */
#define CAPTURE_REFUSED 900     /* cudaErrorStreamCaptureUnsupported */
#define CAPTURE_INVALIDATED 901 /* cudaErrorStreamCaptureInvalidated */
#define DEVICE_LOST 999         /* cudaErrorUnknown */

typedef struct StandinBlock StandinBlock; /* of memory */
typedef struct StandinCopy StandinCopy;   /* beside the work, put off */

struct LvRuntime {
    StandinBlock *blocks, *pinned_blocks;
    pthread_mutex_t pinned_lock;
    uint64_t memory_bytes, used_bytes;
    uint64_t allocations, pinned, launches, captures;
    uint64_t fail_alloc, fail_allocs, fail_pinned, fail_launch, refuse_launch, lose_at,
        fail_graph; /* 0: never */
    atomic_bool lost;

    pthread_mutex_t lock; /* of the copies beside the work */
    StandinCopy *first, **end;
    uint64_t sent, fail_send; /* copies so far */
    bool no_await;
    bool own_products, no_fp8;
};

/* LvStandinCounts, of all devices. */
typedef struct StandinTotals {
    atomic_ulong allocations, live, asked, launches, graphs, recorded, replayed, overlapped, copies,
        sent_rows, fp8;
} StandinTotals;
extern StandinTotals standin_totals;

/* Whether LLAVAOV_STANDIN has this word; `value`, which may be NULL, gets the number behind it. */
bool standin_wish(const char *name, uint64_t *value);

/* Enqueues: runs at once, for the stream is the calling thread, or is recorded with a copy of its
 * arguments. */
int standin_enqueue(int (*run)(const void *args), const void *args, size_t bytes);

/* Of what a stream under capture does not allow: 0, or what it gives, and the recording is spoilt.
 */
int standin_refused(void);

/* Where the device is late: what is enqueued waits until somebody waits for it, or for a mark behind
 * it. Of this thread. */
int standin_be_late(void);
void standin_be_in_time(void); /* catches up; at the end */
uint64_t standin_mark(void);   /* 0: it is not late */
int standin_catch_up(uint64_t mark);
int standin_catch_up_all(void);

/* Whether pinned memory holds all of it. */
bool standin_is_pinned(LvRuntime *runtime, const void *data, size_t bytes);

/* Copies that nobody has waited for are dropped; their number. */
unsigned standin_drop_copies(LvRuntime *runtime);

#endif
