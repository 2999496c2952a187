/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include "clock.h"
#include "handover.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* A DISCONT whose times run on (a lost packet, a leaky queue) leaves the window alone; a jump further than this does
 * not. */
#define DISCONT_JUMP GST_SECOND
/* What a frame lasts when neither buffer nor caps say so. */
#define UNKNOWN_DURATION (40 * GST_MSECOND)
/* clip: pictures that may wait to be resized before a file is held up, or a live frame is passed over. */
#define CLIP_BACKLOG 8
#define CLIP_BACKLOG_LIVE 64

static void
sample_chosen (gpointer data, GstLlavaovSample * sample)
{
  GstLlavaovElement *self = data;

  if (!sample->chosen) {
    sample->chosen = TRUE;
    self->stats.frames_sampled++;
  }
  gst_llavaov_handover_sample (self, sample);
}

void
gst_llavaov_frames_setup (GstLlavaovElement * self)
{
  gst_llavaov_sampler_init (&self->sampler);
  self->sampler.settings = &self->run;
  self->sampler.chosen = sample_chosen;
  self->sampler.data = self;
  gst_llavaov_clip_init (&self->clip);
}

void
gst_llavaov_frames_reset (GstLlavaovElement * self)
{
  gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
  gst_llavaov_sampler_reset (&self->sampler);
  gst_llavaov_clip_reset (&self->clip);
  self->live_known = FALSE;
  self->have_time = FALSE;
  self->eos = FALSE;
  self->n_frames = 0;
  self->text_end = 0;
  self->layout_known = self->run.layout != GST_LLAVAOV_LAYOUT_AUTO;
  switch (self->run.layout) {
    case GST_LLAVAOV_LAYOUT_IMAGE:
      self->layout = LLAVAOV_LAYOUT_IMAGE;
      break;
    case GST_LLAVAOV_LAYOUT_IMAGES:
      self->layout = LLAVAOV_LAYOUT_IMAGES;
      break;
    default:
      self->layout = LLAVAOV_LAYOUT_VIDEO;
      break;
  }
}

/* The new question of the user takes effect with the next window: windows copy `run` as they open. */
static void
refresh_settings (GstLlavaovElement * self)
{
  GstLlavaovSettings *run = &self->run;

  GST_OBJECT_LOCK (self);
  if (run->prompt_file == NULL && g_strcmp0 (run->prompt,
          self->settings.prompt)) {
    g_free (run->prompt);
    run->prompt = g_strdup (self->settings.prompt);
  }
  if (g_strcmp0 (run->system_prompt, self->settings.system_prompt)) {
    g_free (run->system_prompt);
    run->system_prompt = g_strdup (self->settings.system_prompt);
  }
  run->window = self->settings.window;
  run->interval = self->settings.interval;
  run->frames = self->settings.frames;
  run->generation = self->settings.generation;
  GST_OBJECT_UNLOCK (self);
}

void
gst_llavaov_frames_find_live (GstLlavaovElement * self)
{
  GstQuery *query;
  gboolean live = FALSE, known;
  GstClockTime minimum = 0, now;

  g_mutex_lock (&self->lock);
  known = self->live_known;
  g_mutex_unlock (&self->lock);
  if (known)
    return;

  query = gst_query_new_latency ();
  if (gst_pad_peer_query (self->sinkpad, query))
    gst_query_parse_latency (query, &live, &minimum, NULL);
  gst_query_unref (query);
  now = gst_llavaov_clock_now (self);

  g_mutex_lock (&self->lock);
  self->live_known = TRUE;
  self->live = live;
  self->upstream_latency = GST_CLOCK_TIME_IS_VALID (minimum) ? minimum : 0;
  self->sampler.live = live;
  self->sampler.early = live && !gst_llavaov_handover_blocks (self);
  self->sampler.utc_offset = G_MININT64;
  if (live && GST_CLOCK_TIME_IS_VALID (now)) {
    self->sampler.utc_offset = g_get_real_time () * 1000 - (gint64) now;
    if (self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW)
      gst_llavaov_sampler_start (&self->sampler, now);
  }
  if (live)
    gst_llavaov_handover_layout (self, LLAVAOV_LAYOUT_VIDEO);   /* nothing live is a still picture */
  self->clock_stale = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

static void
restart_windows (GstLlavaovElement * self)
{
  gst_llavaov_sampler_reset (&self->sampler);
  gst_llavaov_clip_reset (&self->clip);
  self->have_time = FALSE;
  self->clock_stale = TRUE;
  g_cond_broadcast (&self->cond);
}

static gboolean
same_segment (const GstSegment * a, const GstSegment * b)
{
  GstSegment copy = *b;

  copy.position = a->position;
  copy.duration = a->duration;
  return gst_segment_is_equal (a, &copy);
}

void
gst_llavaov_frames_segment (GstLlavaovElement * self,
    const GstSegment * segment)
{
  if (!same_segment (&self->segment, segment)) {
    restart_windows (self);
    self->live_known = FALSE;
  }
  self->segment = *segment;
  self->sampler.segment = *segment;
}

static GstClockTime
frame_duration (GstLlavaovElement * self, GstBuffer * buffer)
{
  if (GST_BUFFER_DURATION_IS_VALID (buffer) && GST_BUFFER_DURATION (buffer))
    return GST_BUFFER_DURATION (buffer);
  if (GST_VIDEO_INFO_FPS_N (&self->info) > 0)
    return gst_util_uint64_scale (GST_SECOND,
        GST_VIDEO_INFO_FPS_D (&self->info), GST_VIDEO_INFO_FPS_N (&self->info));
  return GST_CLOCK_TIME_NONE;
}

/* The frame's running time: from its timestamp, else from the clock (live), else one frame after the last. NONE when
 * it lies outside the segment. */
static GstClockTime
frame_time (GstLlavaovElement * self, GstBuffer * buffer, GstClockTime now)
{
  GstClockTime timestamp = GST_BUFFER_PTS_IS_VALID (buffer) ?
      GST_BUFFER_PTS (buffer) : GST_BUFFER_DTS (buffer);

  if (GST_CLOCK_TIME_IS_VALID (timestamp) &&
      self->segment.format == GST_FORMAT_TIME)
    return gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME,
        timestamp);
  if (self->live && GST_CLOCK_TIME_IS_VALID (now))
    return now;
  return self->have_time ? self->last_end : 0;
}

static GstFlowReturn
clip_frame (GstLlavaovElement * self, GstLlavaovSample * sample)
{
  if (gst_llavaov_handover_blocks (self)) {
    while (gst_llavaov_handover_standing (self) == GST_FLOW_OK &&
        (self->session == NULL ||
            g_atomic_int_get (self->backlog) >= CLIP_BACKLOG)) {
      /* The engine lets go of pictures without a word to this condition. */
      g_cond_wait_until (&self->cond, &self->lock,
          g_get_monotonic_time () + 5 * G_TIME_SPAN_MILLISECOND);
    }
    if (gst_llavaov_handover_standing (self) != GST_FLOW_OK)
      return gst_llavaov_handover_standing (self);
  } else if (g_atomic_int_get (self->backlog) >= CLIP_BACKLOG_LIVE ||
      (self->session == NULL && self->clip.kept->len >= CLIP_BACKLOG_LIVE)) {
    return GST_FLOW_OK;
  }
  if (self->clip.total == 0) {
    self->clip_start = sample->running;
    self->clip_utc = self->sampler.utc_offset == G_MININT64 ?
        g_get_real_time () * 1000 :
        self->sampler.utc_offset + (gint64) sample->running;
    self->clip_segment = self->segment;
  }
  if (gst_llavaov_clip_frame (&self->clip, sample)) {
    self->stats.frames_sampled++;
    gst_llavaov_handover_sample (self, sample);
  }
  return GST_FLOW_OK;
}

static GstFlowReturn
window_frame (GstLlavaovElement * self, GstLlavaovSample * sample)
{
  GQueue closed = G_QUEUE_INIT;
  GstFlowReturn flow;

  gst_llavaov_sampler_advance (&self->sampler, sample->running, &closed);
  gst_llavaov_handover_windows (self, &closed);
  if (gst_llavaov_handover_blocks (self)) {
    guint generation = self->generation;

    flow = gst_llavaov_handover_wait (self);
    if (flow != GST_FLOW_OK)
      return flow;
    if (generation != self->generation)
      return GST_FLOW_FLUSHING;
  }
  gst_llavaov_sampler_frame (&self->sampler, sample, &closed);
  gst_llavaov_handover_windows (self, &closed);
  return GST_FLOW_OK;
}

GstFlowReturn
gst_llavaov_frames_take (GstLlavaovElement * self, GstBuffer * buffer,
    GstClockTime now)
{
  GstClockTime running = frame_time (self, buffer, now);
  GstClockTime duration = frame_duration (self, buffer);
  gboolean known = GST_CLOCK_TIME_IS_VALID (duration);
  GstLlavaovSample *sample;
  GstFlowReturn flow;

  self->stats.frames_seen++;
  if (!GST_CLOCK_TIME_IS_VALID (running))
    return GST_FLOW_OK;
  if (self->have_time && GST_BUFFER_IS_DISCONT (buffer) &&
      (running < self->last_running ||
          running > self->last_end + DISCONT_JUMP)) {
    GST_DEBUG_OBJECT (self, "discontinuity: the window starts again");
    restart_windows (self);
  }
  if (self->have_time && running < self->last_running) {
    if (self->last_running - running < self->run.window) {
      GST_DEBUG_OBJECT (self, "frame out of order: not sampled");
      return GST_FLOW_OK;
    }
    restart_windows (self);
  }
  self->have_time = TRUE;
  self->last_running = running;
  self->last_end = running + (known ? duration : GST_BUFFER_PTS_IS_VALID
      (buffer) ? 0 : UNKNOWN_DURATION);
  if (++self->n_frames == 2)
    gst_llavaov_handover_layout (self, LLAVAOV_LAYOUT_VIDEO);

  refresh_settings (self);
  sample = gst_llavaov_sample_new (buffer, &self->info, running, duration);
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    flow = clip_frame (self, sample);
  else
    flow = window_frame (self, sample);
  gst_llavaov_sample_unref (sample);
  return flow;
}

void
gst_llavaov_frames_gap (GstLlavaovElement * self, GstClockTime until)
{
  GQueue closed = G_QUEUE_INIT;
  GstClockTime running;

  if (self->segment.format != GST_FORMAT_TIME ||
      gst_llavaov_handover_standing (self) != GST_FLOW_OK ||
      self->run.sampling != GST_LLAVAOV_SAMPLING_WINDOW)
    return;
  running = gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME,
      until);
  if (!GST_CLOCK_TIME_IS_VALID (running))
    return;
  gst_llavaov_sampler_advance (&self->sampler, running, &closed);
  gst_llavaov_handover_windows (self, &closed);
  if (gst_llavaov_handover_blocks (self))
    gst_llavaov_handover_wait (self);
}

void
gst_llavaov_frames_finish (GstLlavaovElement * self)
{
  GQueue closed = G_QUEUE_INIT;

  if (self->n_frames == 1)
    gst_llavaov_handover_layout (self, LLAVAOV_LAYOUT_IMAGE);
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP) {
    if (self->clip.total) {
      GstLlavaovWindow *window = gst_llavaov_window_new (self->clip_start,
          self->last_end - self->clip_start, &self->run, &self->clip_segment,
          self->run.frames);

      refresh_settings (self);
      window->state = GST_LLAVAOV_WINDOW_WAITING;
      window->utc_start = self->clip_utc;
      window->n_seen = self->clip.total;
      gst_llavaov_clip_finish (&self->clip, window,
          self->layout == LLAVAOV_LAYOUT_IMAGE ? 1 : self->run.frames);
      g_queue_push_tail (&closed, window);
    }
  } else if (self->have_time) {
    gst_llavaov_sampler_finish (&self->sampler, self->last_end, &closed);
  }
  gst_llavaov_handover_windows (self, &closed);
}
