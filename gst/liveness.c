/* SPDX-License-Identifier: Apache-2.0 */
#include "liveness.h"

#include "backpressure.h"
#include "clock.h"
#include "topology.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

void
gst_llavaov_liveness_update (GstLlavaovElement * self)
{
  GstClockTime minimum = 0, now;
  gboolean live = FALSE, known;
  GstQuery *query;

  gst_llavaov_input_live (&self->input, &known);
  if (known)
    return;

  query = gst_query_new_latency ();
  if (gst_pad_peer_query (self->sinkpad, query))
    gst_query_parse_latency (query, &live, &minimum, NULL);
  gst_query_unref (query);
  now = gst_llavaov_clock_now (self);

  g_mutex_lock (&self->windows.lock);
  live = gst_llavaov_input_set_live (&self->input, live, minimum);
  gst_llavaov_sampler_set_live (&self->windows.sampler, live,
      live && !gst_llavaov_backpressure_blocks (self));
  gst_llavaov_clock_update_utc (self, now);
  if (live && GST_CLOCK_TIME_IS_VALID (now) &&
      self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW)
    gst_llavaov_sampler_start (&self->windows.sampler, now);
  if (live)
    gst_llavaov_window_queue_set_layout_of_many (self); /* nothing live is a still picture */
  gst_llavaov_timer_invalidate (&self->timer);
  g_cond_broadcast (&self->windows.cond);
  g_mutex_unlock (&self->windows.lock);
}

void
gst_llavaov_liveness_untimed (GstLlavaovElement * self)
{
  gboolean by_arrival = self->input.by_arrival;
  guint n;

  if (GST_VIDEO_INFO_FPS_N (&self->format.info))
    return;
  n = gst_llavaov_input_count_untimed (&self->input);
  if (n == 1) {
    by_arrival = gst_llavaov_comes_over_network (self->sinkpad);
    gst_llavaov_input_set_by_arrival (&self->input, by_arrival);
    gst_llavaov_liveness_update (self);
  }
  /* A single one may be a picture. */
  if (by_arrival ? n == 1 : n == 2)
    GST_ELEMENT_WARNING (self, STREAM, FORMAT, ("The video has neither "
            "timestamps nor a frame rate: %s.",
            by_arrival ? "it is taken as live, "
            "and every frame counts from its arrival" : "every frame counts as "
            "40 ms"),
        ("do-timestamp=true on a source, or a frame rate in caps "
            "behind the demuxer, says better."));
}
