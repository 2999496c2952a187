/* SPDX-License-Identifier: Apache-2.0 */
#include "window-queue.h"

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
gst_llavaov_window_queue_blocks (GstLlavaovElement * self)
{
  if (self->run.overload == GST_LLAVAOV_OVERLOAD_AUTO)
    return !self->live;
  return self->run.overload == GST_LLAVAOV_OVERLOAD_BLOCK;
}

void
gst_llavaov_window_queue_refresh_settings (GstLlavaovElement * self)
{
  GST_OBJECT_LOCK (self);
  gst_llavaov_settings_refresh (&self->run, &self->settings);
  GST_OBJECT_UNLOCK (self);
}

GstFlowReturn
gst_llavaov_window_queue_flow (GstLlavaovElement * self)
{
  if (!self->running || self->flushing)
    return GST_FLOW_FLUSHING;
  return self->failed ? GST_FLOW_ERROR : GST_FLOW_OK;
}

GstFlowReturn
gst_llavaov_window_queue_delay_error (GstLlavaovElement * self)
{
  while (gst_llavaov_window_queue_flow (self) == GST_FLOW_ERROR
      && g_cond_wait_until (&self->cond, &self->lock,
          self->failed_at + REFUSAL_DELAY));
  return gst_llavaov_window_queue_flow (self);
}

/* One wait while something is undelivered. FALSE: a callback of the application has the worker, and may want what this
 * thread holds. */
static gboolean
wait_once (GstLlavaovElement * self, gint64 patience)
{
  if (self->reporting == NULL) {
    g_cond_wait (&self->cond, &self->lock);
    return TRUE;
  }
  if (self->let_pass)
    return FALSE;
  if (self->waiting.length >= MAX_WAITING) {
    g_cond_wait (&self->cond, &self->lock);
    return TRUE;
  }
  if (g_cond_wait_until (&self->cond, &self->lock,
          self->reporting_since + patience))
    return TRUE;
  if (self->reporting == NULL || self->undelivered == 0)
    return TRUE;
  GST_INFO_OBJECT (self, "a callback does not return: not waiting for it");
  return FALSE;
}

static GstFlowReturn
wait_for (GstLlavaovElement * self, gint64 patience)
{
  if (g_thread_self () == self->worker && self->undelivered) {
    g_warning
        ("Waiting for an answer of %s from a callback in its worker would "
        "deadlock. Send events to it from another thread.",
        GST_OBJECT_NAME (self));
    return gst_llavaov_window_queue_flow (self);
  }
  while (gst_llavaov_window_queue_flow (self) == GST_FLOW_OK
      && self->undelivered && wait_once (self, patience));
  return gst_llavaov_window_queue_flow (self);
}

GstFlowReturn
gst_llavaov_window_queue_wait (GstLlavaovElement * self)
{
  return wait_for (self, END_PATIENCE);
}

void
gst_llavaov_window_queue_release_waiters (GstLlavaovElement * self)
{
  g_mutex_lock (&self->lock);
  if (g_thread_self () == self->worker && self->reporting) {
    self->let_pass = TRUE;
    g_cond_broadcast (&self->cond);
  }
  g_mutex_unlock (&self->lock);
}

GstFlowReturn
gst_llavaov_window_queue_wait_if_blocking (GstLlavaovElement * self)
{
  guint flushes = self->flushes;
  GstFlowReturn flow = GST_FLOW_OK;

  if (gst_llavaov_window_queue_blocks (self))
    flow = wait_for (self, PATIENCE);
  if (flow == GST_FLOW_OK && flushes != self->flushes)
    return GST_FLOW_FLUSHING;
  return flow;
}

static void
push_sample (GstLlavaovElement * self, GstLlavaovSample * sample,
    LlavaovLayout layout)
{
  if (self->session == NULL)
    return;
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    gst_llavaov_sample_push (sample, self->session, layout,
        LLAVAOV_ENCODE_ON_DEMAND, self->backlog);
  else
    gst_llavaov_sample_push (sample, self->session, layout,
        LLAVAOV_ENCODE_ON_ARRIVAL, NULL);
}

static void
push_samples (GstLlavaovElement * self, GPtrArray * samples,
    LlavaovLayout layout)
{
  guint i;

  for (i = 0; i < samples->len; i++)
    push_sample (self, g_ptr_array_index (samples, i), layout);
}

void
gst_llavaov_window_queue_push_sample (GstLlavaovElement * self,
    GstLlavaovSample * sample)
{
  if (self->layout_known)
    push_sample (self, sample, self->layout);
}

void
gst_llavaov_window_queue_push_held_samples (GstLlavaovElement * self)
{
  GstLlavaovWindow *window;
  GList *walk;

  /* What waits has its layout, maybe that of the stream before. */
  for (walk = self->waiting.head; walk; walk = walk->next) {
    window = walk->data;
    push_samples (self, window->samples, window->layout);
  }
  if (!self->layout_known)
    return;
  for (walk = self->sampler.open.head; walk; walk = walk->next) {
    window = walk->data;
    push_samples (self, window->samples, self->layout);
  }
  push_samples (self, self->clip.kept, self->layout);
}

void
gst_llavaov_window_queue_set_layout (GstLlavaovElement * self,
    LlavaovLayout layout)
{
  if (self->layout_known)
    return;
  self->layout_known = TRUE;
  self->layout = layout;
  gst_llavaov_window_queue_push_held_samples (self);
  g_cond_broadcast (&self->cond);
}

void
gst_llavaov_window_queue_set_layout_of_many (GstLlavaovElement * self)
{
  gst_llavaov_window_queue_set_layout (self,
      self->run.layout == GST_LLAVAOV_LAYOUT_IMAGES ? LLAVAOV_LAYOUT_IMAGES :
      LLAVAOV_LAYOUT_VIDEO);
}

void
gst_llavaov_window_queue_add (GstLlavaovElement * self, GQueue * closed)
{
  GstLlavaovWindow *window;
  guint room;

  if (g_queue_is_empty (closed))
    return;
  self->silence = 0;
  while ((window = g_queue_pop_head (closed))) {
    window->flushes = self->flushes;
    self->undelivered++;
    if (window->state == GST_LLAVAOV_WINDOW_EMPTY) {
      self->stats.empty_windows++;
      g_queue_push_tail (&self->outbox, window);
      continue;
    }
    gst_llavaov_window_queue_set_layout_of_many (self);
    if (self->layout == LLAVAOV_LAYOUT_IMAGE)
      g_ptr_array_set_size (window->samples, 1);
    window->layout = self->layout;
    window->seq = self->next_seq++;
    self->stats.windows++;
    if (window->state == GST_LLAVAOV_WINDOW_DROPPED) {
      self->stats.dropped_windows++;
      g_queue_push_tail (&self->outbox, window);
      continue;
    }
    push_samples (self, window->samples, window->layout);
    g_queue_push_tail (&self->waiting, window);
  }
  if (!gst_llavaov_window_queue_blocks (self)) {
    room = self->run.max_pending + (self->asked == NULL && self->session);
    while (self->waiting.length > room) {
      window = g_queue_pop_head (&self->waiting);
      window->state = GST_LLAVAOV_WINDOW_DROPPED;
      window->reason = "overload";
      self->stats.dropped_windows++;
      g_ptr_array_set_size (window->samples, 0);
      llavaov_reservation_free (g_steal_pointer (&window->reservation));
      g_queue_push_tail (&self->outbox, window);
    }
  }
  self->clock_stale = TRUE;
  g_cond_broadcast (&self->cond);
}

static void
free_windows (GQueue * windows)
{
  GstLlavaovWindow *window;

  while ((window = g_queue_pop_head (windows)))
    gst_llavaov_window_free (window);
}

LlavaovTicket *
gst_llavaov_window_queue_flush (GstLlavaovElement * self)
{
  LlavaovTicket *ticket = g_steal_pointer (&self->ticket);
  GstStructure *meta;

  self->flushes++;
  self->undelivered = 0;
  free_windows (&self->waiting);
  free_windows (&self->outbox);
  while ((meta = g_queue_pop_head (&self->metas)))
    gst_structure_free (meta);
  gst_llavaov_sampler_reset (&self->sampler);
  gst_llavaov_clip_reset (&self->clip);
  g_cond_broadcast (&self->cond);
  return ticket;
}
