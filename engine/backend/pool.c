/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* syscall, SCHED_BATCH, sched_getaffinity */
#include "backend/pool.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/priority.h"

/* Consecutive operations of a model are a few microseconds apart; sleeping in between would cost
 * more than it saves. */
#define SPIN_NS 40000

#define OPEN                                                                                       \
    0x40000000u /* of `state`: a loop may be joined; the bits below count the workers inside */

struct LvPool {
    uint32_t threads;
    uint32_t started; /* workers that exist */
    pthread_t *workers;
    pthread_mutex_t turn; /* held by the thread whose loop runs */

    _Atomic uint32_t epoch; /* goes up with every loop; workers sleep on it */
    _Atomic uint32_t state;
    _Atomic uint32_t sleepers;
    _Atomic uint32_t next_worker;
    atomic_bool stop;

    /* The loop; constant while it is open or a worker is inside. */
    LvPoolTask task;
    void *data;
    const LvCancel *cancel;
    size_t n_units, most;
    _Atomic size_t next;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void pause_briefly(void)
{
    for (int i = 0; i < 32; i++) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
    }
}

static void work(LvPool *pool, unsigned worker)
{
    for (;;) {
        if (lv_cancelled(pool->cancel))
            return;
        size_t first = atomic_load_explicit(&pool->next, memory_order_relaxed), n;
        do {
            if (first >= pool->n_units)
                return;
            n = (pool->n_units - first) / (2 * (size_t)pool->threads);
            n = n < 1 ? 1 : n > pool->most ? pool->most : n;
        } while (!atomic_compare_exchange_weak_explicit(
            &pool->next, &first, first + n, memory_order_relaxed, memory_order_relaxed));
        pool->task(pool->data, first, n, worker);
    }
}

/* Waits until *word differs from value. */
static void wait_for_change(LvPool *pool, _Atomic uint32_t *word, uint32_t value)
{
    int64_t until = now_ns() + SPIN_NS;
    do {
        if (atomic_load_explicit(word, memory_order_acquire) != value)
            return;
        pause_briefly();
    } while (now_ns() < until);
    while (atomic_load_explicit(word, memory_order_acquire) == value) {
        atomic_fetch_add(&pool->sleepers, 1);
        futex_wait(word, value);
        atomic_fetch_sub(&pool->sleepers, 1);
    }
}

static void *worker_main(void *data)
{
    LvPool *pool = data;
    unsigned worker = atomic_fetch_add(&pool->next_worker, 1);
    lv_thread_lower_priority();
    uint32_t seen = 0;
    for (;;) {
        wait_for_change(pool, &pool->epoch, seen);
        if (atomic_load(&pool->stop))
            return NULL;
        seen = atomic_load_explicit(&pool->epoch, memory_order_acquire);
        uint32_t state = atomic_load_explicit(&pool->state, memory_order_relaxed);
        bool joined = false;
        while ((state & OPEN) && !joined)
            joined = atomic_compare_exchange_weak_explicit(
                &pool->state, &state, state + 1, memory_order_acquire, memory_order_relaxed);
        if (!joined)
            continue;
        work(pool, worker);
        if (atomic_fetch_sub(&pool->state, 1) == 1)
            futex_wake(&pool->state, 1);
    }
}

/* Closes the loop and waits for the workers inside; late workers find it closed and do not delay
 * it. */
static void close_loop(LvPool *pool)
{
    uint32_t state = atomic_fetch_and(&pool->state, ~OPEN) & ~OPEN;
    int64_t until = now_ns() + SPIN_NS;
    while (state) {
        if (now_ns() < until)
            pause_briefly();
        else
            futex_wait(&pool->state, state);
        state = atomic_load_explicit(&pool->state, memory_order_acquire);
    }
}

bool lv_pool_run(
    LvPool *pool, size_t n_units, size_t most, LvPoolTask task, void *data, const LvCancel *cancel)
{
    pthread_mutex_lock(&pool->turn);
    pool->task = task;
    pool->data = data;
    pool->cancel = cancel;
    pool->n_units = n_units;
    pool->most = most ? most : 1;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    bool shared = pool->started && n_units > 1;
    if (shared) {
        atomic_store_explicit(&pool->state, OPEN, memory_order_release);
        atomic_fetch_add(&pool->epoch, 1);
        if (atomic_load(&pool->sleepers))
            futex_wake(&pool->epoch, INT_MAX);
    }
    work(pool, 0);
    if (shared)
        close_loop(pool);
    bool done = atomic_load_explicit(&pool->next, memory_order_relaxed) >= n_units;
    pthread_mutex_unlock(&pool->turn);
    return done && !lv_cancelled(cancel);
}

uint32_t lv_pool_threads(const LvPool *pool)
{
    return pool->threads;
}

static uint32_t processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : (uint32_t)n;
}

LvPool *lv_pool_open(uint32_t threads)
{
    LvPool *pool = lv_calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->threads = threads ? threads : processors();
    if (pool->threads > LV_MAX_THREADS)
        pool->threads = LV_MAX_THREADS;
    pthread_mutex_init(&pool->turn, NULL);
    atomic_init(&pool->next_worker, 1);
    pool->workers = lv_calloc(pool->threads, sizeof *pool->workers);
    if (!pool->workers) {
        lv_pool_close(pool);
        return NULL;
    }
    for (; pool->started + 1 < pool->threads; pool->started++)
        if (pthread_create(&pool->workers[pool->started], NULL, worker_main, pool) != 0) {
            lv_pool_close(pool);
            return NULL;
        }
    return pool;
}

void lv_pool_close(LvPool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->epoch, 1);
    futex_wake(&pool->epoch, INT_MAX);
    for (uint32_t i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_mutex_destroy(&pool->turn);
    lv_free(pool->workers);
    lv_free(pool);
}
