/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include "clock.h"
#include "backpressure.h"
#include "drain.h"
#include "frame-time.h"
#include "trigger.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* A DISCONT whose times run on (a lost packet, a leaky queue) leaves the window alone; a jump further than this does
 * not. */
#define DISCONT_JUMP GST_SECOND
/* Frames out of order from a decoder are this late at most, and this many in a row; anything else is a jump back. */
#define REORDER_TIME (250 * GST_MSECOND)
#define REORDER_FRAMES 16
/* What a frame lasts when neither buffer nor caps say so. */
#define UNKNOWN_DURATION (40 * GST_MSECOND)
/* clip: pictures that may wait to be resized before a file is held up, or a live frame is passed over. */
#define CLIP_BACKLOG 8
#define CLIP_BACKLOG_LIVE 64
/* clip: the engine reports every picture it is done with (loading.c) except those a flush dropped; to notice these, the
 * count is read this often. */
#define CLIP_UNTOLD (100 * G_TIME_SPAN_MILLISECOND)

static void
sample_chosen (gpointer data, GstLlavaovSample * sample)
{
  GstLlavaovElement *self = data;

  if (!sample->chosen) {
    sample->chosen = TRUE;
    gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_FRAMES_SAMPLED);
  }
  gst_llavaov_window_queue_push_sample (self, sample);
  gst_llavaov_trigger_chosen (self, sample);
}

/* Asks the engine whether it will come to the window in time. Where the stream blocks it always does, and before the model is
 * loaded there is nobody to ask. */
static gboolean
reserve_window (gpointer data, GstLlavaovWindow * window, GstClockTime now,
    GstClockTime next)
{
  GstLlavaovElement *self = data;

  if (self->model.session == NULL || gst_llavaov_backpressure_blocks (self))
    return TRUE;
  window->reservation = llavaov_session_reserve (self->model.session,
      window->length - MIN (window->length, now - window->start), next - now);
  return window->reservation != NULL;
}

void
gst_llavaov_frames_setup (GstLlavaovElement * self)
{
  gst_llavaov_sampler_setup (&self->windows.sampler, &self->run,
      reserve_window, sample_chosen, self);
}

void
gst_llavaov_frames_reset (GstLlavaovElement * self)
{
  gst_llavaov_input_reset (&self->input);
  gst_llavaov_window_queue_reset (self);
}

void
gst_llavaov_frames_segment (GstLlavaovElement * self,
    const GstSegment * segment, GstClockTime now)
{
  if (!gst_llavaov_segments_have_same_times (&self->input.segment, segment)) {
    gst_llavaov_drain_windows (self, "segment", now);
    gst_llavaov_input_forget_live (&self->input);
  }
  gst_llavaov_input_set_segment (&self->input, segment);
  gst_llavaov_sampler_set_segment (&self->windows.sampler, segment);
}

void
gst_llavaov_frames_stream (GstLlavaovElement * self, GstClockTime now)
{
  gst_llavaov_drain_stream (self, "stream-start", now);
  gst_llavaov_window_queue_reset (self);
  /* Until the segment says more, a camera that is silent from here on is reported. */
  if (gst_llavaov_input_next_stream (&self->input) &&
      GST_CLOCK_TIME_IS_VALID (now))
    gst_llavaov_sampler_start (&self->windows.sampler, now);
}

static GstFlowReturn
clip_frame (GstLlavaovElement * self, GstLlavaovSample * sample)
{
  if (gst_llavaov_backpressure_blocks (self)) {
    while (gst_llavaov_windows_flow (&self->windows) == GST_FLOW_OK &&
        (self->model.session == NULL ||
            g_atomic_int_get (self->windows.backlog) >= CLIP_BACKLOG))
      g_cond_wait_until (&self->windows.cond, &self->windows.lock,
          g_get_monotonic_time () + CLIP_UNTOLD);
    if (gst_llavaov_windows_flow (&self->windows) != GST_FLOW_OK)
      return gst_llavaov_windows_flow (&self->windows);
  } else if (g_atomic_int_get (self->windows.backlog) >= CLIP_BACKLOG_LIVE ||
      (self->model.session == NULL &&
          gst_llavaov_clip_n_kept (&self->windows.clip) >= CLIP_BACKLOG_LIVE)) {
    return GST_FLOW_OK;
  }
  if (gst_llavaov_clip_frame (&self->windows.clip, sample,
          self->input.last_end, &self->input.segment,
          gst_llavaov_sampler_utc_offset (&self->windows.sampler))) {
    gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_FRAMES_SAMPLED);
    gst_llavaov_window_queue_push_sample (self, sample);
  }
  return GST_FLOW_OK;
}

/* A frame has come, sampled or not: windows end that it lies behind. */
static GstFlowReturn
advance (GstLlavaovElement * self, GstClockTime running, GstClockTime now)
{
  GQueue closed = G_QUEUE_INIT;
  guint64 idle;

  /* The first frame may be of any time and starts the grid: how long the stream was silent before, only the clock can say. */
  if (self->input.have_time)
    gst_llavaov_sampler_advance (&self->windows.sampler, running, &closed);
  else if (GST_CLOCK_TIME_IS_VALID (now))
    gst_llavaov_sampler_advance (&self->windows.sampler, MIN (now, running),
        &closed);
  gst_llavaov_window_queue_add (self, &closed);
  for (idle = gst_llavaov_sampler_take_idle (&self->windows.sampler); idle;
      idle--)
    gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_IDLE_WINDOWS);
  return gst_llavaov_backpressure_wait_if_blocking (self);
}

static GstFlowReturn
window_frame (GstLlavaovElement * self, GstBuffer * buffer,
    GstLlavaovSample * sample, GstClockTime now)
{
  GQueue closed = G_QUEUE_INIT;
  GstFlowReturn flow = advance (self, sample->running, now);

  if (flow != GST_FLOW_OK)
    return flow;
  flow = gst_llavaov_trigger_wait (self);
  if (flow != GST_FLOW_OK)
    return flow;
  gst_llavaov_sampler_frame (&self->windows.sampler, sample, &closed);
  gst_llavaov_window_queue_add (self, &closed);
  return gst_llavaov_trigger_frame (self, buffer, sample);
}

/* Why the windows end in front of a frame at this time, or NULL. */
static const gchar *
interruption (GstLlavaovElement * self, GstClockTime running, gboolean discont)
{
  if (!self->input.have_time)
    return NULL;
  if (running >= self->input.last_running)
    return discont
        && running > self->input.last_end + DISCONT_JUMP ? "hole" : NULL;
  if (discont || self->input.last_running - running > REORDER_TIME
      || self->input.n_late >= REORDER_FRAMES)
    return "jump-back";
  return NULL;
}

GstFlowReturn
gst_llavaov_frames_take (GstLlavaovElement * self, GstBuffer * buffer,
    GstClockTime now)
{
  GstClockTime running = gst_llavaov_frame_time (&self->input,
      &self->format.info, buffer, now);
  GstClockTime duration = gst_llavaov_frame_duration (&self->input,
      &self->format.info, buffer);
  gboolean known = GST_CLOCK_TIME_IS_VALID (duration);
  GstClockTime counted = known ? duration : UNKNOWN_DURATION;
  const gchar *interrupted;
  GstLlavaovSample *sample;
  GstFlowReturn flow;

  gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_FRAMES_SEEN);
  gst_llavaov_clock_update_utc (self, now);
  gst_llavaov_clock_update_lag (self, now, running);
  if (!GST_CLOCK_TIME_IS_VALID (running)) {
    gst_llavaov_drain_watch_progress (self, GST_CLOCK_TIME_NONE, counted);
    return gst_llavaov_backpressure_wait_if_blocking (self);
  }
  interrupted = interruption (self, running, GST_BUFFER_IS_DISCONT (buffer));
  if (interrupted) {
    gst_llavaov_drain_windows (self, interrupted,
        self->input.live ? now : running);
    flow = gst_llavaov_backpressure_wait_if_blocking (self);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  gst_llavaov_drain_watch_progress (self, self->input.have_time &&
      running >
      self->input.last_running ? running - self->input.last_running : 0,
      counted);
  if (self->input.have_time && running < self->input.last_running) {
    GST_DEBUG_OBJECT (self, "frame out of order: not sampled");
    gst_llavaov_input_count_late (&self->input);
    return gst_llavaov_backpressure_wait_if_blocking (self);
  }
  gst_llavaov_input_set_time (&self->input, running, running + (known ?
          duration : GST_BUFFER_PTS_IS_VALID (buffer) ? 0 : UNKNOWN_DURATION));
  gst_llavaov_window_queue_refresh_settings (self);
  if (self->format.unreadable) {
    flow = self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP ?
        gst_llavaov_backpressure_wait_if_blocking (self) : advance (self,
        running, now);
    gst_llavaov_input_set_have_time (&self->input, flow == GST_FLOW_OK);
    return flow;
  }
  if (gst_llavaov_input_count_frame (&self->input) == 2)
    gst_llavaov_window_queue_set_layout_of_many (self);

  sample =
      gst_llavaov_sample_new (buffer, &self->format.info, running, duration);
  sample->orientation = self->format.orientation;
  sample->decoded = self->input.decoded;
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    flow = self->run.enabled ? clip_frame (self, sample) : GST_FLOW_OK;
  else
    flow = window_frame (self, buffer, sample, now);
  gst_llavaov_input_set_have_time (&self->input, flow == GST_FLOW_OK);
  gst_llavaov_sample_unref (sample);
  return flow;
}

GstClockTime
gst_llavaov_frames_gap (GstLlavaovElement * self, GstClockTime timestamp,
    GstClockTime duration)
{
  GQueue closed = G_QUEUE_INIT;
  GstClockTime running;

  if (self->input.segment.format != GST_FORMAT_TIME ||
      gst_llavaov_windows_flow (&self->windows) != GST_FLOW_OK)
    return GST_CLOCK_TIME_NONE;
  running = gst_llavaov_gap_end (&self->input, timestamp, duration);
  if (!GST_CLOCK_TIME_IS_VALID (running) ||
      self->run.sampling != GST_LLAVAOV_SAMPLING_WINDOW)
    return running;
  gst_llavaov_window_queue_refresh_settings (self);
  gst_llavaov_sampler_advance (&self->windows.sampler, running, &closed);
  gst_llavaov_window_queue_add (self, &closed);
  gst_llavaov_backpressure_wait_if_blocking (self);
  return running;
}
