/* SPDX-License-Identifier: Apache-2.0 */
#include "points.h"

static GstClockTime
point_time (const GstLlavaovWindow * window, guint k)
{
  return window->start + gst_util_uint64_scale (window->length, 2 * k + 1,
      2 * window->n_points);
}

static void
take (GstLlavaovWindow * window, GstLlavaovSample * sample,
    GstLlavaovPointFunc chosen, gpointer data)
{
  gst_llavaov_window_take (window, sample);
  window->next_point++;
  if (chosen)
    chosen (data, sample);
}

gboolean
gst_llavaov_points_are_decided (const GstLlavaovWindow * window)
{
  return window->next_point >= window->n_points;
}

void
gst_llavaov_points_offer (GstLlavaovWindow * window, GstLlavaovSample * last,
    GstLlavaovSample * sample, gboolean trust, GstLlavaovPointFunc chosen,
    gpointer data)
{
  GstClockTime time = sample->running;

  while (!window->refused && !gst_llavaov_points_are_decided (window)) {
    GstClockTime point = point_time (window, window->next_point);

    if (point <= time) {
      if (last && last->running >= window->start &&
          point - MIN (last->running, point) <= time - point)
        take (window, last, chosen, data);
      else
        take (window, sample, chosen, data);
    } else if (trust && 2 * (point - time) <= sample->duration) {
      take (window, sample, chosen, data);
    } else {
      break;
    }
  }
}

void
gst_llavaov_points_fill (GstLlavaovWindow * window, GstLlavaovSample * last,
    GstClockTime end, GstLlavaovPointFunc chosen, gpointer data)
{
  while (!window->refused && !gst_llavaov_points_are_decided (window) &&
      (window->next_point == 0 || !GST_CLOCK_TIME_IS_VALID (end) ||
          point_time (window, window->next_point) < end))
    take (window, last, chosen, data);
}
