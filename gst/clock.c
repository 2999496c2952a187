/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include "window-queue.h"

/* Frames of a live window may come this much later than upstream's latency promises before the clock closes it. */
#define CLOCK_SLACK (200 * GST_MSECOND)
/* The latest frame of a period this long, at least, says how late frames come. */
#define LAG_PERIOD (2 * GST_SECOND)
/* Wall clock and pipeline clock are read one after the other: a smaller difference is no change of either. */
#define CLOCKS_DIFFER (5 * GST_MSECOND)

GstClockTime
gst_llavaov_clock_now (GstLlavaovElement * self)
{
  GstClock *clock;
  GstClockTime base, now;
  gboolean playing;

  g_mutex_lock (&self->windows.lock);
  playing = gst_llavaov_timer_is_playing (&self->timer);
  g_mutex_unlock (&self->windows.lock);
  /* The base time is that of the last time in PLAYING, or none yet. */
  if (!playing || !(clock = gst_element_get_clock (GST_ELEMENT (self))))
    return GST_CLOCK_TIME_NONE;
  base = gst_element_get_base_time (GST_ELEMENT (self));
  now = gst_clock_get_time (clock);
  gst_object_unref (clock);
  if (!GST_CLOCK_TIME_IS_VALID (now))
    return GST_CLOCK_TIME_NONE;
  return now > base ? now - base : 0;
}

void
gst_llavaov_clock_update_utc (GstLlavaovElement * self, GstClockTime now)
{
  GstLlavaovSampler *sampler = &self->windows.sampler;
  gint64 offset = gst_llavaov_sampler_utc_offset (sampler);
  gint64 found = G_MININT64;

  if (gst_llavaov_input_live (&self->input, NULL) &&
      GST_CLOCK_TIME_IS_VALID (now))
    found = g_get_real_time () * 1000 - (gint64) now;
  if (found == G_MININT64 || offset == G_MININT64 ||
      ABS (found - offset) > CLOCKS_DIFFER)
    gst_llavaov_sampler_set_utc_offset (sampler, found);
}

void
gst_llavaov_clock_update_lag (GstLlavaovElement * self, GstClockTime now,
    GstClockTime running)
{
  gst_llavaov_input_update_lag (&self->input, now, running,
      MAX (self->run.window, LAG_PERIOD));
}

GstClockTime
gst_llavaov_clock_stream_position (GstLlavaovElement * self, GstClockTime now)
{
  GstClockTime late = gst_llavaov_input_lateness (&self->input);

  if (!GST_CLOCK_TIME_IS_VALID (now))
    return now;
  return now - MIN (now, late);
}

/* How long after a window's end no frame of it is expected any more. */
static GstClockTime
delay (GstLlavaovElement * self)
{
  return gst_llavaov_input_lateness (&self->input) + CLOCK_SLACK;
}

static gboolean
clock_callback (GstClock * clock, GstClockTime time, GstClockID id,
    gpointer data)
{
  GstLlavaovElement *self = data;

  g_mutex_lock (&self->windows.lock);
  if (gst_llavaov_timer_fire (&self->timer, id))
    g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
  return TRUE;
}

static void
drop_clock_id (GstClockID id)
{
  if (id == NULL)
    return;
  gst_clock_id_unschedule (id);
  gst_clock_id_unref (id);
}

/* When the clock will show `time`, in monotonic time; 0: only the clock itself can say. A system clock keeps all that it is to
 * wake for in one list, sorted: at every window of a thousand streams that would be a thousand steps. */
static gint64
monotonic_time (GstClock * clock, GstClockTime time)
{
  GstClockType type;
  GstClockTime now;

  if (G_OBJECT_TYPE (clock) != GST_TYPE_SYSTEM_CLOCK)
    return 0;
  g_object_get (clock, "clock-type", &type, NULL);
  if (type != GST_CLOCK_TYPE_MONOTONIC)
    return 0;
  now = gst_clock_get_time (clock);
  return g_get_monotonic_time () +
      (gint64) ((time - MIN (time, now)) / GST_USECOND) + 1;
}

void
gst_llavaov_clock_schedule (GstLlavaovElement * self)
{
  GstClockTime deadline = GST_CLOCK_TIME_NONE, latency, base;
  gint64 until = 0;
  GstClockID old = gst_llavaov_timer_clear (&self->timer), id = NULL;
  gboolean live, known, eos;
  GstSegment segment;
  GstClock *clock;

  gst_llavaov_input_get_segment (&self->input, &segment, &eos);
  live = gst_llavaov_input_live (&self->input, &known);
  if (known && live && !eos && gst_llavaov_timer_is_playing (&self->timer) &&
      self->windows.running && !self->windows.flushing &&
      self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW)
    deadline = gst_llavaov_sampler_deadline (&self->windows.sampler);
  latency = delay (self);
  g_mutex_unlock (&self->windows.lock);

  drop_clock_id (old);
  clock = gst_element_get_clock (GST_ELEMENT (self));
  base = gst_element_get_base_time (GST_ELEMENT (self));
  if (clock && deadline < GST_CLOCK_TIME_NONE - base - latency) {
    deadline += base + latency;
    until = monotonic_time (clock, deadline);
    if (until == 0)
      id = gst_clock_new_single_shot_id (clock, deadline);
  }
  gst_clear_object (&clock);

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_timer_set_until (&self->timer, until);
  if (id == NULL)
    return;
  gst_llavaov_timer_set (&self->timer, id);
  g_mutex_unlock (&self->windows.lock);
  gst_clock_id_wait_async (id, clock_callback, gst_object_ref (self),
      gst_object_unref);
  gst_clock_id_unref (id);
  g_mutex_lock (&self->windows.lock);
}

void
gst_llavaov_clock_cancel (GstLlavaovElement * self)
{
  GstClockID id;

  g_mutex_lock (&self->windows.lock);
  id = gst_llavaov_timer_clear (&self->timer);
  g_mutex_unlock (&self->windows.lock);
  drop_clock_id (id);
}

void
gst_llavaov_clock_close_windows (GstLlavaovElement * self)
{
  GstClockTime now = gst_llavaov_clock_now (self);
  GQueue closed = G_QUEUE_INIT;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_clock_update_utc (self, now);
  if (GST_CLOCK_TIME_IS_VALID (now) && self->windows.running
      && !self->windows.flushing && now >= delay (self)) {
    gst_llavaov_window_queue_refresh_settings (self);
    gst_llavaov_sampler_advance (&self->windows.sampler, now - delay (self),
        &closed);
    gst_llavaov_window_queue_add (self, &closed);
  }
  gst_llavaov_timer_invalidate (&self->timer);
  g_mutex_unlock (&self->windows.lock);
}

void
gst_llavaov_clock_set_playing (GstLlavaovElement * self, gboolean playing)
{
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_timer_set_playing (&self->timer, playing);
  gst_llavaov_input_forget_live (&self->input);
  g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
}
