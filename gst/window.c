/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include "alert-settings.h"
#include "choices.h"

GstLlavaovWindow *
gst_llavaov_window_new (GstClockTime start, GstClockTime length,
    const GstLlavaovSettings * settings, const GstSegment * segment,
    guint n_points)
{
  GstLlavaovWindow *window = g_new0 (GstLlavaovWindow, 1);

  window->start = start;
  window->length = length;
  window->segment = *segment;
  window->n_points = n_points;
  window->prompt = g_strdup (settings->prompt);
  window->system_prompt = g_strdup (settings->system_prompt);
  window->json_schema = g_strdup (settings->json_schema);
  window->generation = gst_llavaov_settings_generation (settings);
  window->labels = g_strdup (settings->choices);
  window->choices = gst_llavaov_choices_of (settings, window->labels);
  if ((window->labels && !gst_llavaov_choices_agree (settings,
              &window->error)) || !gst_llavaov_alert_rule (settings,
          &window->alert, &window->error))
    window->status = window->error.status;
  window->full_length = settings->window;
  window->interval = settings->interval ? settings->interval : settings->window;
  window->samples = g_ptr_array_new_full (n_points,
      (GDestroyNotify) gst_llavaov_sample_unref);
  return window;
}

gint64
gst_llavaov_window_utc (gint64 utc_offset, GstClockTime running)
{
  return utc_offset == G_MININT64 ? g_get_real_time () * 1000 :
      utc_offset + (gint64) running;
}

GstLlavaovWindow *
gst_llavaov_window_new_empty (GstClockTime start, GstClockTime length,
    const GstLlavaovSettings * settings, const GstSegment * segment,
    gint64 utc_offset, const gchar * reason)
{
  GstLlavaovWindow *window =
      gst_llavaov_window_new (start, length, settings, segment, 0);

  window->state = GST_LLAVAOV_WINDOW_EMPTY;
  window->utc_start = gst_llavaov_window_utc (utc_offset, start);
  window->reason = reason;
  return window;
}

void
gst_llavaov_window_free (GstLlavaovWindow * window)
{
  g_free (window->prompt);
  g_free (window->system_prompt);
  g_free (window->json_schema);
  g_ptr_array_unref (window->samples);
  llavaov_reservation_free (window->reservation);
  g_free (window->text);
  g_free (window->labels);
  gst_clear_structure (&window->chosen);
  gst_clear_structure (&window->json_values);
  g_free (window);
}

void
gst_llavaov_window_take (GstLlavaovWindow * window, GstLlavaovSample * sample)
{
  g_ptr_array_add (window->samples, gst_llavaov_sample_ref (sample));
  window->last_arrival = MAX (window->last_arrival, sample->arrival);
}
