/* SPDX-License-Identifier: Apache-2.0 */
#include "drain.h"

#include "clock.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* How much video may pass without an answer or a message, unless windows are further apart. */
#define SILENCE (60 * GST_SECOND)

/* Timestamps that advance by less do not tell how much video there is: frames count with their durations then, which may be
 * wrong too, so none for more than the second number. */
#define STANDSTILL GST_MSECOND
#define LONGEST_FRAME (10 * GST_SECOND)

static void
end_windows (GstLlavaovElement * self, const gchar * reason, GstClockTime now)
{
  GQueue closed = G_QUEUE_INIT;
  GstClockTime end;

  now = gst_llavaov_clock_stream_position (self, now);
  end = self->input.have_time ? self->input.last_end : now;
  GST_DEBUG_OBJECT (self, "windows end: %s", reason);
  if (GST_CLOCK_TIME_IS_VALID (end))
    gst_llavaov_sampler_finish (&self->windows.sampler, end,
        self->input.live ? now : GST_CLOCK_TIME_NONE, reason, &closed);
  else
    gst_llavaov_sampler_reset (&self->windows.sampler);
  gst_llavaov_windows_forget_triggers (&self->windows);
  /* A live stream without frames is reported from here on. */
  if (self->input.live && GST_CLOCK_TIME_IS_VALID (now))
    gst_llavaov_sampler_start (&self->windows.sampler, now);
  gst_llavaov_window_queue_add (self, &closed);
}

static void
end_clip (GstLlavaovElement * self)
{
  GQueue closed = G_QUEUE_INIT;
  GstLlavaovWindow *window;

  gst_llavaov_window_queue_refresh_settings (self);
  window = gst_llavaov_clip_finish (&self->windows.clip, &self->run,
      self->windows.layout == LLAVAOV_LAYOUT_IMAGE ? 1 : self->run.frames);
  if (window == NULL)
    return;
  g_queue_push_tail (&closed, window);
  gst_llavaov_window_queue_add (self, &closed);
}

void
gst_llavaov_drain_windows (GstLlavaovElement * self, const gchar * reason,
    GstClockTime now)
{
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW)
    end_windows (self, reason, now);
  gst_llavaov_input_set_have_time (&self->input, FALSE);
  gst_llavaov_timer_invalidate (&self->timer);
  g_cond_broadcast (&self->windows.cond);
}

void
gst_llavaov_drain_stream (GstLlavaovElement * self, const gchar * reason,
    GstClockTime now)
{
  if (self->input.n_frames == 1)
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

/* No open window holds a frame. */
static void
report_silence (GstLlavaovElement * self, GstClockTime silence,
    GstClockTime step, const gchar * reason, gboolean quiet)
{
  GQueue closed = G_QUEUE_INIT;
  GstLlavaovWindow *window;
  GstClockTime end = self->input.have_time ?
      self->input.last_running + step : 0;
  GstClockTime start = end > silence ? end - silence : 0;

  window = gst_llavaov_window_new_empty (start, end - start, &self->run,
      &self->input.segment,
      gst_llavaov_sampler_utc_offset (&self->windows.sampler), reason);
  window->quiet = quiet;
  g_queue_push_tail (&closed, window);
  gst_llavaov_window_queue_add (self, &closed);
}

/* Why good frames are in no window that holds one. */
static const gchar *
why_quiet (const GstLlavaovSettings * run)
{
  if (!run->enabled)
    return "disabled";
  return gst_llavaov_sampler_is_asked (run) ? "between-windows" : "no-trigger";
}

void
gst_llavaov_drain_watch_progress (GstLlavaovElement * self, GstClockTime step,
    GstClockTime duration)
{
  gboolean outside = !GST_CLOCK_TIME_IS_VALID (step);
  GstClockTime silence;

  if (self->run.sampling != GST_LLAVAOV_SAMPLING_WINDOW)
    return;
  silence = gst_llavaov_windows_add_silence (&self->windows,
      outside || step < STANDSTILL ? MIN (duration, LONGEST_FRAME) : step);
  if (silence <= allowed_silence (&self->run))
    return;
  if (gst_llavaov_sampler_has_frames (&self->windows.sampler))
    gst_llavaov_drain_windows (self, "no-progress", GST_CLOCK_TIME_NONE);
  else if (outside || self->format.unreadable)
    report_silence (self, silence, outside ? 0 : step,
        outside ? "outside-segment" : "unreadable-frames", FALSE);
  else
    report_silence (self, silence, step, why_quiet (&self->run),
        !gst_llavaov_sampler_is_asked (&self->run));
  gst_llavaov_windows_end_silence (&self->windows);
}
