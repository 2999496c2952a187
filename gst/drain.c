/* SPDX-License-Identifier: Apache-2.0 */
#include "drain.h"

#include "clock.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* Video that may pass without an answer or a message, unless windows are further apart. */
#define SILENCE (60 * GST_SECOND)

static void
end_windows (GstLlavaovElement * self, const gchar * reason, GstClockTime now)
{
  GQueue closed = G_QUEUE_INIT;
  GstClockTime end;

  now = gst_llavaov_clock_stream_position (self, now);
  end = self->have_time ? self->last_end : now;
  GST_DEBUG_OBJECT (self, "windows end: %s", reason);
  if (GST_CLOCK_TIME_IS_VALID (end))
    gst_llavaov_sampler_finish (&self->sampler, end,
        self->live ? now : GST_CLOCK_TIME_NONE, reason, &closed);
  else
    gst_llavaov_sampler_reset (&self->sampler);
  /* A live stream without frames is reported from here on. */
  if (self->live && GST_CLOCK_TIME_IS_VALID (now))
    gst_llavaov_sampler_start (&self->sampler, now);
  gst_llavaov_window_queue_add (self, &closed);
}

static void
end_clip (GstLlavaovElement * self)
{
  GQueue closed = G_QUEUE_INIT;
  GstLlavaovWindow *window;

  if (self->clip.total == 0)
    return;
  gst_llavaov_window_queue_refresh_settings (self);
  window = gst_llavaov_window_new (self->clip_start,
      MAX (self->clip_end, self->clip_start) - self->clip_start, &self->run,
      &self->clip_segment, self->run.frames);
  window->state = GST_LLAVAOV_WINDOW_WAITING;
  window->utc_start = self->clip_utc;
  window->n_seen = self->clip.total;
  gst_llavaov_clip_finish (&self->clip, window,
      self->layout == LLAVAOV_LAYOUT_IMAGE ? 1 : self->run.frames);
  g_queue_push_tail (&closed, window);
  gst_llavaov_window_queue_add (self, &closed);
}

void
gst_llavaov_drain_windows (GstLlavaovElement * self, const gchar * reason,
    GstClockTime now)
{
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW)
    end_windows (self, reason, now);
  self->have_time = FALSE;
  self->clock_stale = TRUE;
  g_cond_broadcast (&self->cond);
}

void
gst_llavaov_drain_stream (GstLlavaovElement * self, const gchar * reason,
    GstClockTime now)
{
  if (self->n_frames == 1)
    gst_llavaov_window_queue_set_layout (self, LLAVAOV_LAYOUT_IMAGE);
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    end_clip (self);
  gst_llavaov_drain_windows (self, reason, now);
}

static GstClockTime
allowed_silence (const GstLlavaovSettings * run)
{
  guint64 interval = run->interval ? run->interval : run->window;
  guint64 both = run->window + interval;

  if (both < interval)
    both = G_MAXUINT64;
  return MAX (SILENCE, both);
}

/* Nothing that is open holds a frame. */
static void
tell_silence (GstLlavaovElement * self, GstClockTime step, const gchar * reason)
{
  GQueue closed = G_QUEUE_INIT;
  GstClockTime end = self->have_time ? self->last_running + step : 0;
  GstClockTime start = end > self->silence ? end - self->silence : 0;

  g_queue_push_tail (&closed, gst_llavaov_window_new_empty (start,
          end - start, &self->run, &self->segment,
          self->sampler.utc_offset, reason));
  gst_llavaov_window_queue_add (self, &closed);
}

void
gst_llavaov_drain_watch_progress (GstLlavaovElement * self, GstClockTime step,
    GstClockTime duration)
{
  gboolean outside = !GST_CLOCK_TIME_IS_VALID (step);

  if (self->run.sampling != GST_LLAVAOV_SAMPLING_WINDOW)
    return;
  /* Timestamps that stand still or lie outside count for what their frames last. */
  self->silence += outside ? duration : MAX (step, duration);
  if (self->silence <= allowed_silence (&self->run))
    return;
  if (gst_llavaov_sampler_has_frames (&self->sampler))
    gst_llavaov_drain_windows (self, "no-progress", GST_CLOCK_TIME_NONE);
  else
    tell_silence (self, outside ? 0 : step,
        outside ? "outside-segment" : self->unreadable ? "unreadable-frames" :
        "between-windows");
  self->silence = 0;
}
