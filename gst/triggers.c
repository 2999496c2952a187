/* SPDX-License-Identifier: Apache-2.0 */
#include "triggers.h"

#include "objects.h"
#include "option-error.h"

void
gst_llavaov_triggers_reset (GstLlavaovTriggers * triggers)
{
  guint i;

  triggers->begun = triggers->fired = GST_CLOCK_TIME_NONE;
  triggers->end = 0;
  for (i = 0; i < G_N_ELEMENTS (triggers->since); i++)
    triggers->since[i] = GST_CLOCK_TIME_NONE;
  triggers->objects_at = GST_CLOCK_TIME_NONE;
  triggers->n_events = 0;
}

void
gst_llavaov_triggers_start (GstLlavaovTriggers * triggers)
{
  triggers->n_triggered = triggers->n_in_window = triggers->n_suppressed = 0;
  gst_llavaov_triggers_reset (triggers);
}

gboolean
gst_llavaov_triggers_fire (GstLlavaovTriggers * triggers,
    const GstLlavaovSettings * settings, GstLlavaovTrigger kind,
    GstClockTime since, GstClockTime now)
{
  GstClockTime *before = &triggers->since[g_bit_nth_lsf (kind, -1)];
  /* What goes on is one trigger until it ends; each event is one. */
  const gboolean another = kind == GST_LLAVAOV_TRIGGER_EVENT ||
      *before != since;

  *before = since;
  if (now < triggers->end) {
    triggers->n_in_window += another;
    return FALSE;
  }
  if (GST_CLOCK_TIME_IS_VALID (triggers->fired) &&
      now - MIN (now, triggers->fired) < settings->min_interval) {
    triggers->n_suppressed += another;
    return FALSE;
  }
  triggers->n_triggered++;
  triggers->fired = now;
  return TRUE;
}

gboolean
gst_llavaov_triggers_overdue (GstLlavaovTriggers * triggers,
    const GstLlavaovSettings * settings, GstClockTime now)
{
  if (!GST_CLOCK_TIME_IS_VALID (triggers->begun))
    triggers->begun = now;
  return settings->max_interval &&
      !(settings->trigger & GST_LLAVAOV_TRIGGER_PERIODIC) &&
      now >= triggers->end &&
      now - MIN (now, triggers->begun) >= settings->max_interval;
}

GstClockTime
gst_llavaov_triggers_begin (const GstLlavaovTriggers * triggers,
    const GstLlavaovSettings * settings, GstClockTime since)
{
  const GstClockTime back = gst_llavaov_triggers_lookback (settings);
  const GstClockTime end = triggers->end;

  if (since >= end)
    return since - MIN (since, back);
  /* It began in the window before. What that shows of it may be too little, or else it need not be shown twice. */
  return since > end - MIN (end, back) ? end - MIN (end, back) : end;
}

void
gst_llavaov_triggers_opened (GstLlavaovTriggers * triggers, GstClockTime now,
    GstClockTime end)
{
  triggers->begun = now;
  triggers->end = end;
}

GstClockTime
gst_llavaov_triggers_see_objects (GstLlavaovTriggers * triggers,
    GstClockTime now)
{
  const GstClockTime before = triggers->objects_at;
  const GstClockTime since =
      triggers->since[g_bit_nth_lsf (GST_LLAVAOV_TRIGGER_OBJECTS, -1)];

  triggers->objects_at = now;
  return GST_CLOCK_TIME_IS_VALID (before) && now - MIN (now, before) <=
      GST_SECOND && GST_CLOCK_TIME_IS_VALID (since) ? since : now;
}

void
gst_llavaov_triggers_add_event (GstLlavaovTriggers * triggers, guint32 seqnum,
    GstClockTime since)
{
  /* One that was sent to several sinks comes from each. */
  if (triggers->event_seqnum == seqnum)
    return;
  triggers->event_seqnum = seqnum;
  if (triggers->n_events++ == 0)
    triggers->event_since = since;
  else
    triggers->event_since = MIN (triggers->event_since, since);
}

guint
gst_llavaov_triggers_take_events (GstLlavaovTriggers * triggers,
    GstClockTime * since)
{
  guint n = triggers->n_events;

  triggers->n_events = 0;
  *since = triggers->event_since;
  return n;
}

GstClockTime
gst_llavaov_triggers_pitch (const GstLlavaovSettings * settings)
{
  return MAX (settings->window / settings->frames, 1);
}

GstClockTime
gst_llavaov_triggers_lookback (const GstLlavaovSettings * settings)
{
  const GstClockTime pitch = gst_llavaov_triggers_pitch (settings);

  return MIN (settings->lookback, settings->window - MIN (settings->window,
          pitch));
}

void
gst_llavaov_triggers_add_stats (const GstLlavaovTriggers * triggers,
    GstStructure * stats)
{
  gst_structure_set (stats,
      "triggered-windows", G_TYPE_UINT64, triggers->n_triggered,
      "triggers-in-window", G_TYPE_UINT64, triggers->n_in_window,
      "suppressed-triggers", G_TYPE_UINT64, triggers->n_suppressed, NULL);
}

static gboolean
mask_is_good (const gchar * mask, LlavaovError * error)
{
  LlavaovMotion *motion = mask ? llavaov_motion_new () : NULL;

  if (motion)
    error->status = llavaov_motion_set_mask (motion, mask, error);
  llavaov_motion_free (motion);
  return error->status == LLAVAOV_OK;
}

gboolean
gst_llavaov_triggers_check (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  if (settings->trigger != GST_LLAVAOV_TRIGGER_PERIODIC &&
      settings->sampling == GST_LLAVAOV_SAMPLING_CLIP)
    return gst_llavaov_option_error (error, "trigger",
        "sampling=clip has one answer at the end; nothing triggers it");
  if (settings->lookback >= settings->window)
    return gst_llavaov_option_error (error, "lookback",
        "as long as window, or longer: a window holds what triggered it");
  if (settings->max_interval && settings->max_interval < settings->min_interval)
    return gst_llavaov_option_error (error, "max-interval",
        "shorter than min-interval");
  return mask_is_good (settings->motion_mask, error) &&
      gst_llavaov_classes_are_good (settings->trigger_classes, error);
}
