/* SPDX-License-Identifier: Apache-2.0 */
#include "trigger.h"

#include "backpressure.h"
#include "motion-check.h"
#include "objects.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* What a window says of its trigger. */
static GstStructure *
describe (const gchar * kind, GstClockTime since)
{
  return gst_structure_new ("trigger", "trigger", G_TYPE_STRING, kind,
      "trigger-time", G_TYPE_UINT64, since, NULL);
}

/* Opens a window about something since `since`. Takes the description. */
static void
open_window (GstLlavaovElement * self, GstClockTime since, GstClockTime now,
    GstStructure * triggered)
{
  GstLlavaovTriggers *triggers = &self->windows.triggers;
  GstLlavaovLookback *lookback = &self->windows.lookback;
  const GstClockTime half = gst_llavaov_triggers_pitch (&self->run) / 2;
  GstClockTime start = gst_llavaov_triggers_begin (triggers, &self->run,
      since);
  GstLlavaovSample *first = gst_llavaov_lookback_find (lookback, start);
  GstLlavaovWindow *window;

  /* The window's points are where frames were kept. */
  if (first)
    start = first->running - MIN (first->running, half);
  else if (lookback->samples.length == 0 || start > now)
    start = now;
  window = gst_llavaov_sampler_open (&self->windows.sampler, start, now,
      triggered, &lookback->samples);
  gst_llavaov_triggers_opened (triggers, now, window->start + window->length);
  gst_llavaov_timer_invalidate (&self->timer);
  g_cond_broadcast (&self->windows.cond);
}

/* field: what else the window says of its trigger, or NULL. */
static void
fire (GstLlavaovElement * self, GstLlavaovTrigger kind, const gchar * name,
    GstClockTime since, GstClockTime now, const gchar * field, GValue * value)
{
  GstStructure *triggered;

  since = MIN (since, now);
  if (!gst_llavaov_triggers_fire (&self->windows.triggers, &self->run, kind,
          since, now))
    return;
  triggered = describe (name, since);
  if (field)
    gst_structure_set_value (triggered, field, value);
  open_window (self, since, now, triggered);
}

static void
see_objects (GstLlavaovElement * self, GstBuffer * buffer, GstClockTime now)
{
  GValue labels = G_VALUE_INIT;

  if (!(self->run.trigger & GST_LLAVAOV_TRIGGER_OBJECTS) ||
      !gst_llavaov_objects_match (buffer, &self->run, &labels))
    return;
  fire (self, GST_LLAVAOV_TRIGGER_OBJECTS, "objects",
      gst_llavaov_triggers_see_objects (&self->windows.triggers, now), now,
      "objects", &labels);
  g_value_unset (&labels);
}

static void
take_events (GstLlavaovElement * self, GstClockTime now)
{
  GstClockTime since;
  guint n = gst_llavaov_triggers_take_events (&self->windows.triggers, &since);

  if (!(self->run.trigger & GST_LLAVAOV_TRIGGER_EVENT))
    return;
  for (; n; n--)
    fire (self, GST_LLAVAOV_TRIGGER_EVENT, "event", since, now, NULL, NULL);
}

/* Keeps the frame for a window that may begin before it. */
static void
keep (GstLlavaovElement * self, GstLlavaovSample * sample)
{
  GstLlavaovLookback *lookback = &self->windows.lookback;
  const GstClockTime back = gst_llavaov_triggers_lookback (&self->run);
  const GstClockTime pitch = gst_llavaov_triggers_pitch (&self->run);

  if (back == 0 || !(self->run.trigger & ~GST_LLAVAOV_TRIGGER_PERIODIC)) {
    gst_llavaov_lookback_clear (lookback);
    return;
  }
  gst_llavaov_lookback_trim (lookback, sample->running - MIN (sample->running,
          back + pitch + GST_LLAVAOV_TRIGGER_DELAY));
  if (!gst_llavaov_lookback_wants (lookback, sample->running) ||
      gst_llavaov_sampler_has_frames (&self->windows.sampler))
    return;
  /* Nobody can prepare it yet, and no buffer is to wait. */
  if (self->model.session == NULL)
    return;
  gst_llavaov_lookback_take (lookback, sample, pitch);
  gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_FRAMES_KEPT);
  gst_llavaov_window_queue_keep_sample (self, sample);
}

GstFlowReturn
gst_llavaov_trigger_wait (GstLlavaovElement * self)
{
  const guint flushes = self->windows.flushes;

  if (!self->run.enabled ||
      !(self->run.trigger & ~GST_LLAVAOV_TRIGGER_PERIODIC) ||
      gst_llavaov_triggers_lookback (&self->run) == 0)
    return GST_FLOW_OK;
  while (self->model.session == NULL && gst_llavaov_backpressure_blocks (self)
      && gst_llavaov_windows_flow (&self->windows) == GST_FLOW_OK)
    g_cond_wait (&self->windows.cond, &self->windows.lock);
  return flushes != self->windows.flushes ? GST_FLOW_FLUSHING :
      gst_llavaov_windows_flow (&self->windows);
}

void
gst_llavaov_trigger_chosen (GstLlavaovElement * self, GstLlavaovSample * sample)
{
  if (gst_llavaov_triggers_lookback (&self->run) &&
      self->run.trigger & ~GST_LLAVAOV_TRIGGER_PERIODIC)
    gst_llavaov_lookback_take (&self->windows.lookback, sample,
        gst_llavaov_triggers_pitch (&self->run));
}

/* With the lock. */
static void
motion_seen (GstLlavaovElement * self, const LlavaovMotionSeen * seen,
    GstClockTime time)
{
  const GstClockTime now =
      gst_llavaov_sampler_position (&self->windows.sampler);
  GValue yes = G_VALUE_INIT;

  if (!GST_CLOCK_TIME_IS_VALID (now) || !self->run.enabled ||
      !(self->run.trigger & GST_LLAVAOV_TRIGGER_MOTION))
    return;
  g_value_init (&yes, G_TYPE_BOOLEAN);
  g_value_set_boolean (&yes, TRUE);
  if (seen->scene_change)
    fire (self, GST_LLAVAOV_TRIGGER_MOTION, "motion", time, now,
        "scene-change", &yes);
  else if (seen->moving)
    fire (self, GST_LLAVAOV_TRIGGER_MOTION, "motion", seen->since, now, NULL,
        NULL);
  gst_llavaov_sampler_tell_motion (&self->windows.sampler, seen->level);
}

GstFlowReturn
gst_llavaov_trigger_frame (GstLlavaovElement * self, GstBuffer * buffer,
    GstLlavaovSample * sample)
{
  const GstClockTime now = sample->running;
  GstClockTime since;

  if (!self->run.enabled || self->run.trigger == GST_LLAVAOV_TRIGGER_PERIODIC) {
    gst_llavaov_lookback_clear (&self->windows.lookback);
    gst_llavaov_motion_watch_reset (&self->windows.motion);
    gst_llavaov_triggers_take_events (&self->windows.triggers, &since);
    return GST_FLOW_OK;
  }
  keep (self, sample);
  take_events (self, now);
  see_objects (self, buffer, now);
  if (gst_llavaov_triggers_overdue (&self->windows.triggers, &self->run, now))
    open_window (self, now, now, describe ("max-interval", now));
  if (self->run.trigger & GST_LLAVAOV_TRIGGER_MOTION)
    return gst_llavaov_motion_check (self, buffer, sample, motion_seen);
  return GST_FLOW_OK;
}

gboolean
gst_llavaov_trigger_event (GstLlavaovElement * self, GstEvent * event)
{
  const GstStructure *structure = gst_event_get_structure (event);
  GstClockTime since = GST_CLOCK_TIME_NONE;

  if (structure == NULL ||
      !gst_structure_has_name (structure, GST_LLAVAOV_TRIGGER_EVENT_NAME))
    return FALSE;
  gst_structure_get_uint64 (structure, "running-time", &since);
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_triggers_add_event (&self->windows.triggers,
      gst_event_get_seqnum (event), since);
  g_mutex_unlock (&self->windows.lock);
  return TRUE;
}
