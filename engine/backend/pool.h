/* SPDX-License-Identifier: Apache-2.0
 * Persistent worker threads that share one loop at a time.
 *
 * The calling thread works too (as worker 0), so a pool of n threads owns n - 1. Work is handed out
 * dynamically, in pieces that shrink towards the end, because processors are rarely equally idle.
 * Waiting threads spin for some microseconds and then sleep. Workers run at low priority so that
 * streaming threads go first. */
#ifndef LV_POOL_H
#define LV_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cancel.h"

typedef struct LvPool LvPool;

/* Does units [first, first + n) of a loop. worker < threads is this thread's number, for scratch of
 * its own. */
typedef void (*LvPoolTask)(void *data, size_t first, size_t n, unsigned worker);

/* threads: 0 = one per processor that this process may use. NULL when threads or memory ran out. */
LvPool *lv_pool_open(uint32_t threads);
/* No loop may be running. NULL is allowed. */
void lv_pool_close(LvPool *pool);
uint32_t lv_pool_threads(const LvPool *pool);

/* Runs all units of a loop, at most `most` in one call of the task, and returns when they are done.
 * cancel (or NULL) is polled before every piece: false = it was raised and some units were not
 * done. Calls from several threads take turns. */
bool lv_pool_run(
    LvPool *pool, size_t n_units, size_t most, LvPoolTask task, void *data, const LvCancel *cancel);

#endif
