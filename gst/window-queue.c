/* SPDX-License-Identifier: Apache-2.0 */
#include "window-queue.h"

#include "backpressure.h"
#include "frame-source.h"

void
gst_llavaov_window_queue_refresh_settings (GstLlavaovElement * self)
{
  GST_OBJECT_LOCK (self);
  gst_llavaov_settings_refresh (&self->run, &self->settings);
  GST_OBJECT_UNLOCK (self);
}

static void
push_sample (gpointer data, GstLlavaovSample * sample, LlavaovLayout layout)
{
  GstLlavaovElement *self = data;

  if (self->model.session == NULL)
    return;
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    gst_llavaov_frame_source_push (sample, self->model.session, layout,
        LLAVAOV_ENCODE_ON_DEMAND, self->run.reuse_below, self->windows.backlog);
  else
    gst_llavaov_frame_source_push (sample, self->model.session, layout,
        sample->chosen ? LLAVAOV_ENCODE_ON_ARRIVAL : LLAVAOV_ENCODE_ON_DEMAND,
        self->run.reuse_below, NULL);
}

void
gst_llavaov_window_queue_keep_sample (GstLlavaovElement * self,
    GstLlavaovSample * sample)
{
  if (self->windows.layout_known)
    push_sample (self, sample, self->windows.layout);
}

void
gst_llavaov_window_queue_push_sample (GstLlavaovElement * self,
    GstLlavaovSample * sample)
{
  if (self->windows.layout_known)
    push_sample (self, sample, self->windows.layout);
}

void
gst_llavaov_window_queue_push_for (GstLlavaovElement * self,
    GstLlavaovSample * sample, LlavaovLayout layout)
{
  push_sample (self, sample, layout);
}

void
gst_llavaov_window_queue_push_held_samples (GstLlavaovElement * self)
{
  gst_llavaov_windows_foreach_sample (&self->windows, push_sample, self);
}

/* One image in a list is a single image to the reference too: it is not padded to a square but cut into tiles. */
static gboolean
one_of_images (const GstLlavaovSettings * settings)
{
  return settings->layout == GST_LLAVAOV_LAYOUT_IMAGES && settings->frames == 1;
}

void
gst_llavaov_window_queue_reset (GstLlavaovElement * self)
{
  const GstLlavaovSettings *run = &self->run;

  if (run->layout == GST_LLAVAOV_LAYOUT_IMAGE || one_of_images (run))
    gst_llavaov_windows_reset (&self->windows, LLAVAOV_LAYOUT_IMAGE, TRUE);
  else if (run->layout == GST_LLAVAOV_LAYOUT_IMAGES)
    gst_llavaov_windows_reset (&self->windows, LLAVAOV_LAYOUT_IMAGES, FALSE);
  else
    gst_llavaov_windows_reset (&self->windows, LLAVAOV_LAYOUT_VIDEO,
        run->layout == GST_LLAVAOV_LAYOUT_VIDEO);
}

void
gst_llavaov_window_queue_set_layout (GstLlavaovElement * self,
    LlavaovLayout layout)
{
  if (self->windows.layout_known)
    return;
  gst_llavaov_windows_set_layout (&self->windows, layout);
  gst_llavaov_window_queue_push_held_samples (self);
}

void
gst_llavaov_window_queue_set_layout_of_many (GstLlavaovElement * self)
{
  gst_llavaov_window_queue_set_layout (self,
      self->run.layout == GST_LLAVAOV_LAYOUT_IMAGES ? LLAVAOV_LAYOUT_IMAGES :
      LLAVAOV_LAYOUT_VIDEO);
}

static void
add (GstLlavaovElement * self, GstLlavaovWindow * window)
{
  GstLlavaovOutput *output = &self->output;
  guint i;

  if (window->state == GST_LLAVAOV_WINDOW_EMPTY) {
    if (!window->quiet)
      gst_llavaov_output_count (output, GST_LLAVAOV_COUNT_EMPTY_WINDOWS);
  } else {
    gst_llavaov_window_queue_set_layout_of_many (self);
    window->layout = self->windows.layout;
    if (window->layout == LLAVAOV_LAYOUT_IMAGE)
      g_ptr_array_set_size (window->samples, 1);
    gst_llavaov_output_count (output, GST_LLAVAOV_COUNT_WINDOWS);
  }
  if (window->state == GST_LLAVAOV_WINDOW_DROPPED)
    gst_llavaov_output_count (output, GST_LLAVAOV_COUNT_DROPPED_WINDOWS);
  if (window->state == GST_LLAVAOV_WINDOW_WAITING)
    for (i = 0; i < window->samples->len; i++)
      push_sample (self, g_ptr_array_index (window->samples, i),
          window->layout);
  gst_llavaov_windows_add (&self->windows, window);
}

void
gst_llavaov_window_queue_add (GstLlavaovElement * self, GQueue * closed)
{
  GstLlavaovWindow *window;
  guint n;

  if (g_queue_is_empty (closed))
    return;
  while ((window = g_queue_pop_head (closed)))
    add (self, window);
  if (!gst_llavaov_backpressure_blocks (self)) {
    n = gst_llavaov_windows_drop (&self->windows, self->run.max_pending +
        (self->windows.asked.length == 0 && self->model.session));
    for (; n; n--)
      gst_llavaov_output_count (&self->output,
          GST_LLAVAOV_COUNT_DROPPED_WINDOWS);
  }
  gst_llavaov_timer_invalidate (&self->timer);
  g_cond_broadcast (&self->windows.cond);
}

LlavaovTicket *
gst_llavaov_window_queue_flush (GstLlavaovElement * self)
{
  LlavaovTicket *ticket = gst_llavaov_windows_flush (&self->windows);

  gst_llavaov_partials_clear (&self->partials);
  gst_llavaov_output_flush (&self->output, self->windows.flushes);
  gst_llavaov_alerts_flush (&self->alerts, self->windows.flushes);
  return ticket;
}
