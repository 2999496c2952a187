/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE             /* SCHED_BATCH, SCHED_RESET_ON_FORK */
#include "worker-thread.h"

#include <sched.h>

void
gst_llavaov_worker_thread_start (GstLlavaovWorkerThread * worker,
    GThreadFunc function, gpointer data)
{
  worker->stop = worker->ended = worker->left_alone = FALSE;
  worker->engine_changed = TRUE;
  worker->thread = g_thread_new ("llavaov", function, data);
}

void
gst_llavaov_worker_thread_begin (void)
{
  struct sched_param parameter = { 0, };

  /* Threads that a callback starts are none of ours. */
  sched_setscheduler (0, SCHED_BATCH | SCHED_RESET_ON_FORK, &parameter);
}

gboolean
gst_llavaov_worker_thread_exists (const GstLlavaovWorkerThread * worker)
{
  return worker->thread != NULL;
}

gboolean
gst_llavaov_worker_thread_is_current (const GstLlavaovWorkerThread * worker)
{
  return g_thread_self () == worker->thread;
}

void
gst_llavaov_worker_thread_ask_to_stop (GstLlavaovWorkerThread * worker)
{
  worker->stop = TRUE;
}

gboolean
gst_llavaov_worker_thread_is_stopping (const GstLlavaovWorkerThread * worker)
{
  return worker->stop;
}

void
gst_llavaov_worker_thread_leave_alone (GstLlavaovWorkerThread * worker)
{
  worker->left_alone = TRUE;
}

gboolean
gst_llavaov_worker_thread_is_left_alone (const GstLlavaovWorkerThread * worker)
{
  return worker->left_alone;
}

void
gst_llavaov_worker_thread_end (GstLlavaovWorkerThread * worker)
{
  worker->ended = TRUE;
}

gboolean
gst_llavaov_worker_thread_await_end (GstLlavaovWorkerThread * worker,
    GCond * cond, GMutex * lock, gint64 until)
{
  while (!worker->ended)
    if (gst_llavaov_worker_thread_is_current (worker) ||
        !g_cond_wait_until (cond, lock, until))
      return worker->ended;
  return TRUE;
}

GThread *
gst_llavaov_worker_thread_take (GstLlavaovWorkerThread * worker)
{
  return g_steal_pointer (&worker->thread);
}

void
gst_llavaov_worker_thread_set_engine_changed (GstLlavaovWorkerThread * worker)
{
  worker->engine_changed = TRUE;
}

gboolean
gst_llavaov_worker_thread_take_engine_changed (GstLlavaovWorkerThread * worker)
{
  gboolean changed = worker->engine_changed;

  worker->engine_changed = FALSE;
  return changed;
}
