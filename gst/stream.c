/* SPDX-License-Identifier: Apache-2.0
 *
 * The streaming side: everything that happens on the threads of the pads. */
#include "gstllavaovelement.h"

#include "answers.h"
#include "handover.h"
#include "stream.h"
#include "textflow.h"
#include "worker.h"

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
gst_llavaov_stream_reset (GstLlavaovElement * self)
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

/* ---- frames ---- */

/* Without the lock: a query walks upstream. */
static void
find_out_live (GstLlavaovElement * self)
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
  now = gst_llavaov_worker_now (self);

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

static void
restart_windows (GstLlavaovElement * self)
{
  gst_llavaov_sampler_reset (&self->sampler);
  gst_llavaov_clip_reset (&self->clip);
  self->have_time = FALSE;
  self->clock_stale = TRUE;
  g_cond_broadcast (&self->cond);
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

static GstFlowReturn
take_frame (GstLlavaovElement * self, GstBuffer * buffer, GstClockTime now)
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

static GstBuffer *
attach_metas (GstLlavaovElement * self, GstBuffer * buffer)
{
  GstLlavaovMetaMode mode;
  GstStructure *answer;

  GST_OBJECT_LOCK (self);
  mode = self->settings.meta_mode;
  GST_OBJECT_UNLOCK (self);

  while ((answer = g_queue_pop_head (&self->metas))) {
    if (mode == GST_LLAVAOV_META_ONCE) {
      buffer = gst_buffer_make_writable (buffer);
      gst_llavaov_answer_attach (answer, buffer);
    }
    gst_structure_free (answer);
  }
  if (mode == GST_LLAVAOV_META_STICKY && self->sticky) {
    buffer = gst_buffer_make_writable (buffer);
    gst_llavaov_answer_attach (self->sticky, buffer);
  }
  return buffer;
}

/* ---- pad functions ---- */

static GstFlowReturn
sink_chain (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  GstClockTime now, until;
  GstFlowReturn flow;

  find_out_live (self);
  now = GST_BUFFER_PTS_IS_VALID (buffer) ? GST_CLOCK_TIME_NONE :
      gst_llavaov_worker_now (self);

  g_mutex_lock (&self->lock);
  flow = gst_llavaov_handover_standing (self);
  if (flow == GST_FLOW_OK && !self->have_info)
    flow = GST_FLOW_NOT_NEGOTIATED;
  if (flow == GST_FLOW_OK)
    flow = take_frame (self, buffer, now);
  if (flow != GST_FLOW_OK) {
    g_mutex_unlock (&self->lock);
    gst_buffer_unref (buffer);
    return flow;
  }
  buffer = attach_metas (self, buffer);
  until = GST_BUFFER_PTS_IS_VALID (buffer) ? GST_BUFFER_PTS (buffer) +
      (GST_BUFFER_DURATION_IS_VALID (buffer) ? GST_BUFFER_DURATION (buffer) :
      GST_MSECOND) : gst_llavaov_textflow_timestamp (self, self->last_end);
  self->text_end = until;
  until = gst_llavaov_textflow_limit (self, until);
  g_mutex_unlock (&self->lock);

  gst_llavaov_textflow_advance (self, until);
  return gst_pad_push (self->srcpad, buffer);
}

static gboolean
sink_caps (GstLlavaovElement * self, GstEvent * event)
{
  GstVideoInfo info;
  GstCaps *caps;
  gboolean ok;

  gst_event_parse_caps (event, &caps);
  ok = gst_video_info_from_caps (&info, caps);
  g_mutex_lock (&self->lock);
  self->have_info = ok;
  if (ok)
    self->info = info;
  g_mutex_unlock (&self->lock);
  if (!ok) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("Raw video of an unknown kind."), ("%" GST_PTR_FORMAT, caps));
    gst_event_unref (event);
    return FALSE;
  }
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
same_segment (const GstSegment * a, const GstSegment * b)
{
  GstSegment copy = *b;

  copy.position = a->position;
  copy.duration = a->duration;
  return gst_segment_is_equal (a, &copy);
}

static gboolean
sink_segment (GstLlavaovElement * self, GstEvent * event)
{
  GstSegment segment;

  gst_event_copy_segment (event, &segment);
  g_mutex_lock (&self->lock);
  if (!same_segment (&self->segment, &segment)) {
    restart_windows (self);
    self->live_known = FALSE;
  }
  self->segment = segment;
  self->sampler.segment = segment;
  g_mutex_unlock (&self->lock);
  find_out_live (self);

  gst_llavaov_textflow_segment (self, event);
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
sink_gap (GstLlavaovElement * self, GstEvent * event)
{
  GstClockTime timestamp, duration, running, until;
  GQueue closed = G_QUEUE_INIT;

  gst_event_parse_gap (event, &timestamp, &duration);
  until = timestamp;
  if (GST_CLOCK_TIME_IS_VALID (duration))
    until += duration;
  g_mutex_lock (&self->lock);
  if (self->segment.format == GST_FORMAT_TIME &&
      gst_llavaov_handover_standing (self) == GST_FLOW_OK &&
      self->run.sampling == GST_LLAVAOV_SAMPLING_WINDOW) {
    running = gst_segment_to_running_time (&self->segment, GST_FORMAT_TIME,
        until);
    if (GST_CLOCK_TIME_IS_VALID (running)) {
      gst_llavaov_sampler_advance (&self->sampler, running, &closed);
      gst_llavaov_handover_windows (self, &closed);
      if (gst_llavaov_handover_blocks (self))
        gst_llavaov_handover_wait (self);
    }
  }
  until = gst_llavaov_textflow_limit (self, until);
  g_mutex_unlock (&self->lock);
  gst_llavaov_textflow_advance (self, until);
  return gst_pad_push_event (self->srcpad, event);
}

static void
finish_stream (GstLlavaovElement * self)
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

static gboolean
sink_eos (GstLlavaovElement * self, GstEvent * event)
{
  g_mutex_lock (&self->lock);
  if (gst_llavaov_handover_standing (self) == GST_FLOW_OK) {
    finish_stream (self);
    self->eos = TRUE;
    gst_llavaov_handover_wait (self);
  }
  g_mutex_unlock (&self->lock);

  gst_llavaov_textflow_eos (self, gst_event_get_seqnum (event));
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
sink_flush_start (GstLlavaovElement * self, GstEvent * event)
{
  GstLlavaovTextPad *text = gst_llavaov_textflow_pad (self);
  LlavaovTicket *ticket;
  gboolean result;

  g_mutex_lock (&self->lock);
  self->flushing = TRUE;
  ticket = gst_llavaov_handover_discard (self);
  g_mutex_unlock (&self->lock);
  if (ticket) {
    llavaov_ticket_cancel (ticket);
    llavaov_ticket_unref (ticket);
  }
  if (text) {
    gst_llavaov_text_pad_flush_start (text, gst_event_ref (event));
    gst_object_unref (text);
  }
  result = gst_pad_push_event (self->srcpad, event);
  return result;
}

static gboolean
sink_flush_stop (GstLlavaovElement * self, GstEvent * event)
{
  GstLlavaovTextPad *text = gst_llavaov_textflow_pad (self);

  g_mutex_lock (&self->lock);
  gst_llavaov_stream_reset (self);
  self->flushing = FALSE;
  g_mutex_unlock (&self->lock);
  if (text) {
    gst_llavaov_text_pad_flush_stop (text, gst_event_ref (event));
    gst_object_unref (text);
  }
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
sink_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);

  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      g_mutex_lock (&self->lock);
      gst_llavaov_stream_reset (self);
      g_mutex_unlock (&self->lock);
      return gst_pad_push_event (self->srcpad, event);
    case GST_EVENT_CAPS:
      return sink_caps (self, event);
    case GST_EVENT_SEGMENT:
      return sink_segment (self, event);
    case GST_EVENT_GAP:
      return sink_gap (self, event);
    case GST_EVENT_EOS:
      return sink_eos (self, event);
    case GST_EVENT_FLUSH_START:
      return sink_flush_start (self, event);
    case GST_EVENT_FLUSH_STOP:
      return sink_flush_stop (self, event);
    default:
      /* Never the default handler: it would send video events down the text pad as well. */
      return gst_pad_push_event (self->srcpad, event);
  }
}

/* Formats the engine reads come first, as a list in order of preference; others only when nothing else is offered. */
static GstCaps *
sink_query_caps (GstLlavaovElement * self, GstCaps * filter)
{
  GstCaps *core = gst_caps_from_string (GST_VIDEO_CAPS_MAKE
      (GST_LLAVAOV_RAW_FORMATS));
  GstCaps *all = gst_pad_get_pad_template_caps (self->sinkpad);
  GstCaps *peer = gst_pad_peer_query_caps (self->srcpad, NULL);
  GstCaps *preferred =
      gst_caps_intersect_full (core, peer, GST_CAPS_INTERSECT_FIRST);
  GstCaps *rest = gst_caps_intersect_full (all, peer, GST_CAPS_INTERSECT_FIRST);
  GstCaps *result;

  gst_caps_unref (core);
  gst_caps_unref (all);
  gst_caps_unref (peer);
  if (filter == NULL)
    return gst_caps_merge (preferred, rest);
  result = gst_caps_intersect_full (preferred, filter,
      GST_CAPS_INTERSECT_FIRST);
  if (gst_caps_is_empty (result)) {
    gst_caps_unref (result);
    result = gst_caps_intersect_full (filter, rest, GST_CAPS_INTERSECT_FIRST);
  }
  gst_caps_unref (preferred);
  gst_caps_unref (rest);
  return result;
}

static gboolean
sink_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  GstCaps *caps, *all;
  gboolean accepted;

  switch (GST_QUERY_TYPE (query)) {
    case GST_QUERY_CAPS:
      gst_query_parse_caps (query, &caps);
      caps = sink_query_caps (self, caps);
      gst_query_set_caps_result (query, caps);
      gst_caps_unref (caps);
      return TRUE;
    case GST_QUERY_ACCEPT_CAPS:
      gst_query_parse_accept_caps (query, &caps);
      all = gst_pad_get_pad_template_caps (pad);
      accepted = gst_caps_is_subset (caps, all) &&
          gst_pad_peer_query_accept_caps (self->srcpad, caps);
      gst_caps_unref (all);
      gst_query_set_accept_caps_result (query, accepted);
      return TRUE;
    default:
      /* ALLOCATION and the rest go through to the video's consumer. */
      return gst_pad_query_default (pad, parent, query);
  }
}

gboolean
gst_llavaov_stream_src_event (GstPad * pad, GstObject * parent,
    GstEvent * event)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  gboolean again;

  if (pad != self->srcpad && GST_EVENT_TYPE (event) != GST_EVENT_SEEK) {
    /* What the text's consumer says about its lateness or its caps is not about the video. */
    gst_event_unref (event);
    return TRUE;
  }

  if (GST_EVENT_TYPE (event) == GST_EVENT_LATENCY) {
    g_mutex_lock (&self->lock);
    self->live_known = FALSE;
    g_mutex_unlock (&self->lock);
  }
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEEK) {
    /* Both source pads bring the same seek. */
    g_mutex_lock (&self->lock);
    again = self->seek_seqnum == gst_event_get_seqnum (event);
    self->seek_seqnum = gst_event_get_seqnum (event);
    g_mutex_unlock (&self->lock);
    if (again) {
      gst_event_unref (event);
      return TRUE;
    }
  }
  return gst_pad_push_event (self->sinkpad, event);
}

/* Video goes to the video pad alone; without this the defaults would lead into the text pad too. */
static GstIterator *
video_links (GstPad * pad, GstObject * parent)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  GstPad *other = pad == self->sinkpad ? self->srcpad : self->sinkpad;
  GValue value = G_VALUE_INIT;
  GstIterator *iterator;

  g_value_init (&value, GST_TYPE_PAD);
  g_value_set_object (&value, other);
  iterator = gst_iterator_new_single (GST_TYPE_PAD, &value);
  g_value_unset (&value);
  return iterator;
}

void
gst_llavaov_stream_setup (GstLlavaovElement * self)
{
  gst_pad_set_chain_function (self->sinkpad, sink_chain);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  gst_pad_set_query_function (self->sinkpad, sink_query);
  gst_pad_set_iterate_internal_links_function (self->sinkpad, video_links);
  GST_PAD_SET_PROXY_ALLOCATION (self->sinkpad);
  gst_pad_set_event_function (self->srcpad, gst_llavaov_stream_src_event);
  gst_pad_set_iterate_internal_links_function (self->srcpad, video_links);
  GST_PAD_SET_PROXY_CAPS (self->srcpad);

  gst_llavaov_sampler_init (&self->sampler);
  self->sampler.settings = &self->run;
  self->sampler.chosen = sample_chosen;
  self->sampler.data = self;
  gst_llavaov_clip_init (&self->clip);
}
