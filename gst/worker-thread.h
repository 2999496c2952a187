/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker's thread: whether it runs, whether it is to end, and whether this is it. worker.c says what it does.
 *
 * The lock rule: the members are read and written by the functions of worker-thread.c alone, with the lock of the windows held
 * around every call: it is what the worker waits with.
 */
#ifndef GST_LLAVAOV_WORKER_THREAD_H
#define GST_LLAVAOV_WORKER_THREAD_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* All zero: there is none. */
typedef struct
{
  GThread *thread;              /* until it has been joined */
  gboolean stop;                /* it is to end */
  gboolean ended;               /* it has made its last call */
  gboolean left_alone;          /* nobody waits for its end: it releases the model itself */
  gboolean engine_changed;      /* the load has come further */
} GstLlavaovWorkerThread;

/* The thread begins, and looks at the engine first. */
void gst_llavaov_worker_thread_start (GstLlavaovWorkerThread * worker,
    GThreadFunc function, gpointer data);
/* Whether there is one that has not been joined. */
gboolean gst_llavaov_worker_thread_exists (const GstLlavaovWorkerThread *
    worker);
/* Whether the caller runs in it. */
gboolean gst_llavaov_worker_thread_is_current (const GstLlavaovWorkerThread *
    worker);

/* It is to end as soon as it can; the caller wakes it. */
void gst_llavaov_worker_thread_ask_to_stop (GstLlavaovWorkerThread * worker);
gboolean gst_llavaov_worker_thread_is_stopping (const GstLlavaovWorkerThread *
    worker);
/* Nobody will wait for its end. */
void gst_llavaov_worker_thread_leave_alone (GstLlavaovWorkerThread * worker);
gboolean gst_llavaov_worker_thread_is_left_alone (const GstLlavaovWorkerThread
    * worker);
/* By the thread itself, first. It takes turns with the engine's threads instead of interrupting them: what it does may wait for
 * some milliseconds, and a thousand streams have as many of it. Without the lock. */
void gst_llavaov_worker_thread_begin (void);
/* By the thread itself: it makes no further calls. The caller wakes those who wait. */
void gst_llavaov_worker_thread_end (GstLlavaovWorkerThread * worker);

/* Waits on `cond`, and releases the lock meanwhile, until the thread has ended, or `until` (monotonic microseconds). FALSE:
 * it has not ended; at once when the caller runs in it. */
gboolean gst_llavaov_worker_thread_await_end (GstLlavaovWorkerThread * worker,
    GCond * cond, GMutex * lock, gint64 until);
/* The thread (or NULL), to be joined or unreferenced by the caller without the lock. */
GThread *gst_llavaov_worker_thread_take (GstLlavaovWorkerThread * worker);

/* The caller wakes it. */
void gst_llavaov_worker_thread_set_engine_changed (GstLlavaovWorkerThread *
    worker);
/* Whether the load has come further since the last call. */
gboolean gst_llavaov_worker_thread_take_engine_changed (GstLlavaovWorkerThread
    * worker);

G_END_DECLS

#endif
