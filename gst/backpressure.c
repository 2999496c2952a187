/* SPDX-License-Identifier: Apache-2.0 */
#include "backpressure.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* gst-launch-1.0 of GStreamer 1.22 forgets an ERROR that is posted before its main loop runs, and waits for ever. The
 * source's own ERROR, which follows a refused buffer, comes late enough for it. */
#define REFUSAL_DELAY (200 * G_TIME_SPAN_MILLISECOND)

/* How long a callback of the application may keep the worker before the stream goes on without the answers that wait for
 * it: one that sends EOS to a source waits for the source's streaming thread. Windows wait meanwhile, so many at most. */
#define PATIENCE G_TIME_SPAN_SECOND
#define END_PATIENCE (10 * G_TIME_SPAN_SECOND)
#define MAX_WAITING 64

gboolean
gst_llavaov_backpressure_blocks (GstLlavaovElement * self)
{
  if (self->run.overload == GST_LLAVAOV_OVERLOAD_AUTO)
    return !gst_llavaov_input_live (&self->input, NULL);
  return self->run.overload == GST_LLAVAOV_OVERLOAD_BLOCK;
}

GstFlowReturn
gst_llavaov_backpressure_delay_error (GstLlavaovElement * self)
{
  while (gst_llavaov_windows_flow (&self->windows) == GST_FLOW_ERROR
      && g_cond_wait_until (&self->windows.cond, &self->windows.lock,
          self->windows.failed_at + REFUSAL_DELAY));
  return gst_llavaov_windows_flow (&self->windows);
}

/* Whether windows, or questions of the application up to this id, are to be reported yet. */
static gboolean
owes (GstLlavaovElement * self, guint64 ask_id)
{
  return self->windows.undelivered || (ask_id &&
      gst_llavaov_windows_owe_ask (&self->windows, ask_id));
}

/* One wait while something is undelivered. FALSE: a callback of the application has the worker, and may want what this
 * thread holds. */
static gboolean
wait_once (GstLlavaovElement * self, gint64 patience, guint64 ask_id)
{
  if (self->windows.reporting == NULL) {
    g_cond_wait (&self->windows.cond, &self->windows.lock);
    return TRUE;
  }
  if (self->windows.let_pass)
    return FALSE;
  if (self->windows.waiting.length >= MAX_WAITING) {
    g_cond_wait (&self->windows.cond, &self->windows.lock);
    return TRUE;
  }
  if (g_cond_wait_until (&self->windows.cond, &self->windows.lock,
          self->windows.reporting_since + patience))
    return TRUE;
  if (self->windows.reporting == NULL || !owes (self, ask_id))
    return TRUE;
  GST_INFO_OBJECT (self, "a callback does not return: not waiting for it");
  return FALSE;
}

static GstFlowReturn
wait_for (GstLlavaovElement * self, gint64 patience, guint64 ask_id)
{
  if (gst_llavaov_worker_thread_is_current (&self->worker) &&
      owes (self, ask_id)) {
    g_warning
        ("Waiting for an answer of %s from a callback in its worker would "
        "deadlock. Send events to it from another thread.",
        GST_OBJECT_NAME (self));
    return gst_llavaov_windows_flow (&self->windows);
  }
  while (gst_llavaov_windows_flow (&self->windows) == GST_FLOW_OK
      && owes (self, ask_id) && wait_once (self, patience, ask_id));
  return gst_llavaov_windows_flow (&self->windows);
}

GstFlowReturn
gst_llavaov_backpressure_wait (GstLlavaovElement * self)
{
  return wait_for (self, END_PATIENCE, self->windows.asks.last_id);
}

void
gst_llavaov_backpressure_release_waiters (GstLlavaovElement * self)
{
  g_mutex_lock (&self->windows.lock);
  if (gst_llavaov_worker_thread_is_current (&self->worker) &&
      self->windows.reporting)
    gst_llavaov_windows_let_pass (&self->windows);
  g_mutex_unlock (&self->windows.lock);
}

GstFlowReturn
gst_llavaov_backpressure_wait_if_blocking (GstLlavaovElement * self)
{
  guint flushes = self->windows.flushes;
  GstFlowReturn flow = GST_FLOW_OK;

  if (gst_llavaov_backpressure_blocks (self))
    flow = wait_for (self, PATIENCE, 0);
  if (flow == GST_FLOW_OK && flushes != self->windows.flushes)
    return GST_FLOW_FLUSHING;
  return flow;
}
