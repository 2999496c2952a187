/* SPDX-License-Identifier: Apache-2.0 */
#include "frames.h"

#include "clock.h"
#include "drain.h"
#include "topology.h"
#include "window-queue.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

/* A DISCONT whose times run on (a lost packet, a leaky queue) leaves the window alone; a jump further than this does
 * not. */
#define DISCONT_JUMP GST_SECOND
/* Frames that a decoder puts out of order are this late at most, and this many before the next in order; anything else
 * is a jump back. */
#define REORDER_TIME (250 * GST_MSECOND)
#define REORDER_FRAMES 16
/* What a frame lasts when neither buffer nor caps say so. */
#define UNKNOWN_DURATION (40 * GST_MSECOND)
/* clip: pictures that may wait to be resized before a file is held up, or a live frame is skipped. */
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
  gst_llavaov_window_queue_push_sample (self, sample);
}

/* Windows that may wait for their answers ask nobody, and before the engine is there nobody can be asked. */
static gboolean
reserve_window (gpointer data, GstLlavaovWindow * window, GstClockTime next)
{
  GstLlavaovElement *self = data;

  if (self->session == NULL || gst_llavaov_window_queue_blocks (self))
    return TRUE;
  window->reservation = llavaov_session_reserve (self->session,
      window->length, next - window->start);
  return window->reservation != NULL;
}

void
gst_llavaov_frames_setup (GstLlavaovElement * self)
{
  gst_llavaov_sampler_init (&self->sampler);
  self->sampler.reserve = reserve_window;
  self->sampler.settings = &self->run;
  self->sampler.chosen = sample_chosen;
  self->sampler.data = self;
  gst_llavaov_clip_init (&self->clip);
}

/* One image in a list is a single image to the reference too: it is not padded to a square but cut into tiles. */
static gboolean
one_of_images (const GstLlavaovSettings * settings)
{
  return settings->layout == GST_LLAVAOV_LAYOUT_IMAGES && settings->frames == 1;
}

void
gst_llavaov_frames_reset (GstLlavaovElement * self)
{
  gst_segment_init (&self->segment, GST_FORMAT_UNDEFINED);
  gst_llavaov_sampler_reset (&self->sampler);
  gst_llavaov_clip_reset (&self->clip);
  self->live_known = FALSE;
  self->arrives = FALSE;
  self->n_untimed = 0;
  self->have_time = FALSE;
  self->eos = FALSE;
  self->n_frames = 0;
  self->n_late = 0;
  self->silence = 0;
  self->layout_known = self->run.layout == GST_LLAVAOV_LAYOUT_VIDEO
      || self->run.layout == GST_LLAVAOV_LAYOUT_IMAGE
      || one_of_images (&self->run);
  switch (self->run.layout) {
    case GST_LLAVAOV_LAYOUT_IMAGE:
      self->layout = LLAVAOV_LAYOUT_IMAGE;
      break;
    case GST_LLAVAOV_LAYOUT_IMAGES:
      self->layout = one_of_images (&self->run) ? LLAVAOV_LAYOUT_IMAGE :
          LLAVAOV_LAYOUT_IMAGES;
      break;
    default:
      self->layout = LLAVAOV_LAYOUT_VIDEO;
      break;
  }
}

gboolean
gst_llavaov_frames_find_live (GstLlavaovElement * self)
{
  GstQuery *query;
  gboolean live, known;
  GstClockTime minimum = 0, now;

  g_mutex_lock (&self->lock);
  known = self->live_known;
  live = self->live;
  g_mutex_unlock (&self->lock);
  if (known)
    return live;

  live = FALSE;

  query = gst_query_new_latency ();
  if (gst_pad_peer_query (self->sinkpad, query))
    gst_query_parse_latency (query, &live, &minimum, NULL);
  gst_query_unref (query);
  now = gst_llavaov_clock_now (self);

  g_mutex_lock (&self->lock);
  live |= self->arrives;
  self->live_known = TRUE;
  self->live = live;
  self->upstream_latency = GST_CLOCK_TIME_IS_VALID (minimum) ? minimum : 0;
  self->sampler.live = live;
  self->sampler.early = live && !gst_llavaov_window_queue_blocks (self);
  gst_llavaov_clock_update_utc (self, now);
  if (live && GST_CLOCK_TIME_IS_VALID (now) &&
      self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW)
    gst_llavaov_sampler_start (&self->sampler, now);
  if (live)
    gst_llavaov_window_queue_set_layout_of_many (self); /* nothing live is a still picture */
  self->clock_stale = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  return live;
}

void
gst_llavaov_frames_untimed (GstLlavaovElement * self)
{
  gboolean arrives;
  guint n;

  g_mutex_lock (&self->lock);
  n = self->live || GST_VIDEO_INFO_FPS_N (&self->info) ? 0 : ++self->n_untimed;
  arrives = self->arrives;
  g_mutex_unlock (&self->lock);

  if (n == 1) {
    arrives = gst_llavaov_comes_over_network (self->sinkpad);
    g_mutex_lock (&self->lock);
    self->arrives = arrives;
    self->live_known &= !arrives;
    g_mutex_unlock (&self->lock);
    gst_llavaov_frames_find_live (self);
  }
  /* A single one may be a picture. */
  if (arrives ? n == 1 : n == 2)
    GST_ELEMENT_WARNING (self, STREAM, FORMAT, ("The video has neither "
            "timestamps nor a frame rate: %s.",
            arrives ? "it is taken as live, "
            "and every frame counts from its arrival" : "every frame counts as "
            "40 ms"),
        ("do-timestamp=true on a source, or a frame rate in caps "
            "behind the demuxer, says better."));
}

/* Whether both give any timestamp the same running time and the same stream time: then what comes next goes on. */
static gboolean
same_times (const GstSegment * a, const GstSegment * b)
{
  guint64 at = b->rate > 0 ? b->start : b->stop, running_a, running_b;
  guint64 stream_a, stream_b;

  if (a->format != b->format)
    return FALSE;
  if (a->format != GST_FORMAT_TIME)
    return TRUE;
  if (a->rate != b->rate || a->applied_rate != b->applied_rate ||
      !GST_CLOCK_TIME_IS_VALID (at))
    return gst_segment_is_equal (a, b);
  return gst_segment_to_running_time_full (a, a->format, at, &running_a) ==
      gst_segment_to_running_time_full (b, b->format, at, &running_b) &&
      running_a == running_b &&
      gst_segment_to_stream_time_full (a, a->format, at, &stream_a) ==
      gst_segment_to_stream_time_full (b, b->format, at, &stream_b) &&
      stream_a == stream_b;
}

void
gst_llavaov_frames_segment (GstLlavaovElement * self,
    const GstSegment * segment, GstClockTime now)
{
  if (!same_times (&self->segment, segment)) {
    gst_llavaov_drain_windows (self, "segment", now);
    self->live_known = FALSE;
  }
  self->segment = *segment;
  self->sampler.segment = *segment;
}

void
gst_llavaov_frames_stream (GstLlavaovElement * self, GstClockTime now)
{
  gboolean live = self->live, live_known = self->live_known;

  gst_llavaov_drain_stream (self, "stream-start", now);
  gst_llavaov_frames_reset (self);
  if (!live_known || !live)
    return;
  /* Until the segment says more, a camera that is silent from here on is reported. */
  self->live_known = TRUE;
  if (GST_CLOCK_TIME_IS_VALID (now))
    gst_llavaov_sampler_start (&self->sampler, now);
}

/* What the frame lasts in the segment's timestamps; NONE when neither buffer nor caps say so. */
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

/* The same on the screen. */
static GstClockTime
in_running_time (GstLlavaovElement * self, GstClockTime duration)
{
  gdouble rate = ABS (self->segment.rate);

  if (!GST_CLOCK_TIME_IS_VALID (duration) || rate == 1 || rate == 0)
    return duration;
  return duration / rate;
}

/* The frame's running time: from its timestamp, else from the clock (live), else one frame after the last. NONE when
 * it lies outside the segment. */
static GstClockTime
frame_time (GstLlavaovElement * self, GstBuffer * buffer, GstClockTime now)
{
  GstClockTime timestamp = GST_BUFFER_PTS_IS_VALID (buffer) ?
      GST_BUFFER_PTS (buffer) : GST_BUFFER_DTS (buffer);

  if (GST_CLOCK_TIME_IS_VALID (timestamp) &&
      self->segment.format == GST_FORMAT_TIME) {
    GstClockTime duration = frame_duration (self, buffer);

    /* Played backwards, a frame begins with its end. */
    if (self->segment.rate < 0 && GST_CLOCK_TIME_IS_VALID (duration)
        && timestamp >= self->segment.start)
      timestamp = MIN (timestamp + duration, self->segment.stop);
    return gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME,
        timestamp);
  }
  if (self->live && GST_CLOCK_TIME_IS_VALID (now))
    return now;
  return self->have_time ? self->last_end : 0;
}

static GstFlowReturn
clip_frame (GstLlavaovElement * self, GstLlavaovSample * sample)
{
  if (gst_llavaov_window_queue_blocks (self)) {
    while (gst_llavaov_window_queue_flow (self) == GST_FLOW_OK &&
        (self->session == NULL ||
            g_atomic_int_get (self->backlog) >= CLIP_BACKLOG)) {
      /* The engine lets go of pictures without a word to this condition. */
      g_cond_wait_until (&self->cond, &self->lock,
          g_get_monotonic_time () + 5 * G_TIME_SPAN_MILLISECOND);
    }
    if (gst_llavaov_window_queue_flow (self) != GST_FLOW_OK)
      return gst_llavaov_window_queue_flow (self);
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
    self->clip_end = 0;
  }
  self->clip_end = MAX (self->clip_end, self->last_end);
  if (gst_llavaov_clip_frame (&self->clip, sample)) {
    self->stats.frames_sampled++;
    gst_llavaov_window_queue_push_sample (self, sample);
  }
  return GST_FLOW_OK;
}

/* A frame has come, sampled or not: windows end whose time is over. */
static GstFlowReturn
advance (GstLlavaovElement * self, GstClockTime running, GstClockTime now)
{
  GQueue closed = G_QUEUE_INIT;

  /* The first frame begins the windows. What has passed in silence before is for the clock to say: it may be of any time. */
  if (self->have_time)
    gst_llavaov_sampler_advance (&self->sampler, running, &closed);
  else if (GST_CLOCK_TIME_IS_VALID (now))
    gst_llavaov_sampler_advance (&self->sampler, MIN (now, running), &closed);
  gst_llavaov_window_queue_add (self, &closed);
  return gst_llavaov_window_queue_wait_if_blocking (self);
}

static GstFlowReturn
window_frame (GstLlavaovElement * self, GstLlavaovSample * sample,
    GstClockTime now)
{
  GQueue closed = G_QUEUE_INIT;
  GstFlowReturn flow = advance (self, sample->running, now);

  if (flow != GST_FLOW_OK)
    return flow;
  gst_llavaov_sampler_frame (&self->sampler, sample, &closed);
  gst_llavaov_window_queue_add (self, &closed);
  return GST_FLOW_OK;
}

/* Why the windows end in front of a frame at this time, or NULL. */
static const gchar *
interruption (GstLlavaovElement * self, GstClockTime running, gboolean discont)
{
  if (!self->have_time)
    return NULL;
  if (running >= self->last_running)
    return discont && running > self->last_end + DISCONT_JUMP ? "hole" : NULL;
  if (discont || self->last_running - running > REORDER_TIME ||
      self->n_late >= REORDER_FRAMES)
    return "jump-back";
  return NULL;
}

GstFlowReturn
gst_llavaov_frames_take (GstLlavaovElement * self, GstBuffer * buffer,
    GstClockTime now)
{
  GstClockTime running = frame_time (self, buffer, now);
  GstClockTime duration = in_running_time (self, frame_duration (self, buffer));
  gboolean known = GST_CLOCK_TIME_IS_VALID (duration);
  GstClockTime counted = known ? duration : UNKNOWN_DURATION;
  const gchar *interrupted;
  GstLlavaovSample *sample;
  GstFlowReturn flow;

  self->stats.frames_seen++;
  gst_llavaov_clock_update_utc (self, now);
  gst_llavaov_clock_update_lag (self, now, running);
  if (!GST_CLOCK_TIME_IS_VALID (running)) {
    gst_llavaov_drain_watch_progress (self, GST_CLOCK_TIME_NONE, counted);
    return gst_llavaov_window_queue_wait_if_blocking (self);
  }
  interrupted = interruption (self, running, GST_BUFFER_IS_DISCONT (buffer));
  if (interrupted) {
    gst_llavaov_drain_windows (self, interrupted, self->live ? now : running);
    flow = gst_llavaov_window_queue_wait_if_blocking (self);
    if (flow != GST_FLOW_OK)
      return flow;
  }
  gst_llavaov_drain_watch_progress (self, self->have_time &&
      running > self->last_running ? running - self->last_running : 0, counted);
  if (self->have_time && running < self->last_running) {
    GST_DEBUG_OBJECT (self, "frame out of order: not sampled");
    self->n_late++;
    return gst_llavaov_window_queue_wait_if_blocking (self);
  }
  if (!self->have_time || running > self->last_running)
    self->n_late = 0;
  self->last_running = running;
  self->last_end = running + (known ? duration : GST_BUFFER_PTS_IS_VALID
      (buffer) ? 0 : UNKNOWN_DURATION);
  gst_llavaov_window_queue_refresh_settings (self);
  if (self->unreadable) {
    flow = self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP ?
        gst_llavaov_window_queue_wait_if_blocking (self) : advance (self,
        running, now);
    self->have_time = flow == GST_FLOW_OK;
    return flow;
  }
  if (++self->n_frames == 2)
    gst_llavaov_window_queue_set_layout_of_many (self);

  sample = gst_llavaov_sample_new (buffer, &self->info, running, duration);
  sample->orientation = self->turn;
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    flow = clip_frame (self, sample);
  else
    flow = window_frame (self, sample, now);
  self->have_time = flow == GST_FLOW_OK;
  gst_llavaov_sample_unref (sample);
  return flow;
}

GstClockTime
gst_llavaov_frames_gap (GstLlavaovElement * self, GstClockTime timestamp,
    GstClockTime duration)
{
  GQueue closed = G_QUEUE_INIT;
  GstClockTime running;

  if (self->segment.format != GST_FORMAT_TIME ||
      gst_llavaov_window_queue_flow (self) != GST_FLOW_OK)
    return GST_CLOCK_TIME_NONE;
  if (GST_CLOCK_TIME_IS_VALID (duration) && self->segment.rate > 0)
    timestamp += duration;
  running = gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME,
      timestamp);
  if (!GST_CLOCK_TIME_IS_VALID (running) ||
      self->run.sampling != GST_LLAVAOV_SAMPLING_WINDOW)
    return running;
  gst_llavaov_window_queue_refresh_settings (self);
  gst_llavaov_sampler_advance (&self->sampler, running, &closed);
  gst_llavaov_window_queue_add (self, &closed);
  gst_llavaov_window_queue_wait_if_blocking (self);
  return running;
}
