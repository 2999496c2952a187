/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"

#include "ask.h"
#include "backpressure.h"
#include "clock.h"
#include "drain.h"
#include "frame-check.h"
#include "frames.h"
#include "liveness.h"
#include "text-stream.h"
#include "topology.h"
#include "trigger.h"
#include "upstream.h"
#include "window-queue.h"

static GstLlavaovMetaMode
meta_mode (GstLlavaovElement * self)
{
  GstLlavaovMetaMode mode;

  GST_OBJECT_LOCK (self);
  mode = self->settings.meta_mode;
  GST_OBJECT_UNLOCK (self);
  return mode;
}

/* Finds which way up frames are, when that may have changed. Walks upstream, whose pads hold the events that came here. */
static void
find_orientation (GstLlavaovElement * self)
{
  LlavaovOrientation orientation;

  if (self->format.orientation_known)
    return;
  orientation = gst_llavaov_orientation_get (&self->format.tags);
  if (orientation != LLAVAOV_ORIENTATION_UPRIGHT &&
      gst_llavaov_turned_upstream (self->sinkpad, orientation))
    orientation = LLAVAOV_ORIENTATION_UPRIGHT;
  gst_llavaov_format_set_orientation (&self->format, orientation);
}

static GstFlowReturn
sink_chain (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  GstClockTime now, until;
  GstFlowReturn flow;

  gst_llavaov_liveness_update (self);
  find_orientation (self);
  if (!GST_BUFFER_PTS_IS_VALID (buffer) && !GST_BUFFER_DTS_IS_VALID (buffer))
    gst_llavaov_liveness_untimed (self);
  gst_llavaov_frame_check (self, buffer);
  now = gst_llavaov_clock_now (self);

  g_mutex_lock (&self->windows.lock);
  flow = gst_llavaov_windows_flow (&self->windows);
  if (flow == GST_FLOW_OK && !self->format.have_info)
    flow = GST_FLOW_NOT_NEGOTIATED;
  if (flow == GST_FLOW_OK)
    flow = gst_llavaov_frames_take (self, buffer, now);
  if (flow == GST_FLOW_ERROR)
    flow = gst_llavaov_backpressure_delay_error (self);
  if (flow != GST_FLOW_OK) {
    g_mutex_unlock (&self->windows.lock);
    gst_buffer_unref (buffer);
    return flow;
  }
  /* Past the frame's start even when its duration is unknown. */
  until = self->input.have_time ? gst_llavaov_text_stream_limit (self,
      MAX (self->input.last_end, self->input.last_running + GST_MSECOND)) :
      GST_CLOCK_TIME_NONE;
  g_mutex_unlock (&self->windows.lock);

  buffer = gst_llavaov_output_attach (&self->output, meta_mode (self), buffer);
  gst_llavaov_text_stream_advance (self, until);
  flow = gst_pad_push (self->srcpad, buffer);
  /* The source's own ERROR, which follows, does not say where. */
  if (flow == GST_FLOW_NOT_LINKED &&
      gst_llavaov_input_set_unlinked (&self->input))
    GST_ELEMENT_WARNING (self, CORE, PAD, ("The video goes nowhere: what "
            "follows is not linked. If only the answers are wanted, link the "
            "src pad to fakesink."), (NULL));
  return flow;
}

static gboolean
sink_caps (GstLlavaovElement * self, GstEvent * event)
{
  GstVideoInfo info;
  GstCaps *caps;
  gboolean ok;

  gst_event_parse_caps (event, &caps);
  ok = gst_video_info_from_caps (&info, caps);
  gst_llavaov_format_set_info (&self->format, ok ? &info : NULL);
  if (!ok) {
    GST_ELEMENT_ERROR (self, STREAM, FORMAT,
        ("Raw video of an unknown kind."), ("%" GST_PTR_FORMAT, caps));
    gst_event_unref (event);
    return FALSE;
  }
  gst_llavaov_text_stream_start (self);
  return gst_pad_push_event (self->srcpad, event);
}

/* Another stream, or the same events again after the pad was linked again. */
static void
sink_stream_start (GstLlavaovElement * self, GstEvent * event)
{
  GstClockTime now = gst_llavaov_clock_now (self);

  gst_llavaov_format_tag_event (&self->format, event);
  if (!gst_llavaov_input_is_new_stream (&self->input,
          gst_event_get_seqnum (event)))
    return;
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_frames_stream (self, now);
  gst_llavaov_backpressure_wait_if_blocking (self);
  g_mutex_unlock (&self->windows.lock);
}

static gboolean
sink_tag (GstLlavaovElement * self, GstEvent * event)
{
  gst_llavaov_format_tag_event (&self->format, event);
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
sink_segment (GstLlavaovElement * self, GstEvent * event)
{
  GstClockTime now = gst_llavaov_clock_now (self);
  GstSegment segment;

  gst_event_copy_segment (event, &segment);
  g_mutex_lock (&self->windows.lock);
  gst_llavaov_frames_segment (self, &segment, now);
  gst_llavaov_backpressure_wait_if_blocking (self);
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_liveness_update (self);

  gst_llavaov_text_stream_segment (self, event);
  return gst_pad_push_event (self->srcpad, event);
}

/* A segment seek has been played to its end: another one may follow, or none. */
static gboolean
sink_segment_done (GstLlavaovElement * self, GstEvent * event)
{
  GstClockTime now = gst_llavaov_clock_now (self);

  g_mutex_lock (&self->windows.lock);
  if (gst_llavaov_windows_flow (&self->windows) == GST_FLOW_OK) {
    gst_llavaov_drain_stream (self, "segment-done", now);
    gst_llavaov_backpressure_wait (self);
  }
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_text_stream_event (self, gst_event_ref (event));
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
sink_gap (GstLlavaovElement * self, GstEvent * event)
{
  GstClockTime timestamp, duration, until;

  gst_event_parse_gap (event, &timestamp, &duration);
  g_mutex_lock (&self->windows.lock);
  until = gst_llavaov_frames_gap (self, timestamp, duration);
  if (GST_CLOCK_TIME_IS_VALID (until))
    until = gst_llavaov_text_stream_limit (self, until);
  g_mutex_unlock (&self->windows.lock);
  gst_llavaov_text_stream_advance (self, until);
  return gst_pad_push_event (self->srcpad, event);
}

static gboolean
sink_eos (GstLlavaovElement * self, GstEvent * event)
{
  GstClockTime now = gst_llavaov_clock_now (self);
  gboolean result, nothing = FALSE;

  g_mutex_lock (&self->windows.lock);
  if (gst_llavaov_windows_flow (&self->windows) == GST_FLOW_OK) {
    nothing = gst_llavaov_output_read (&self->output,
        GST_LLAVAOV_COUNT_FRAMES_SEEN) == 0;
    gst_llavaov_drain_stream (self, "eos", now);
    gst_llavaov_input_set_eos (&self->input);
    gst_llavaov_backpressure_wait (self);
  }
  g_mutex_unlock (&self->windows.lock);
  if (nothing)
    GST_ELEMENT_WARNING (self, STREAM, DECODE, ("The stream ended before a "
            "single picture came, so there is nothing to answer about. Is the "
            "file whole?"), (NULL));

  gst_llavaov_text_stream_event (self, gst_event_ref (event));
  result = gst_pad_push_event (self->srcpad, event);
  gst_llavaov_text_stream_video_ended (self);
  return result;
}

static gboolean
sink_flush_start (GstLlavaovElement * self, GstEvent * event)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);
  LlavaovTicket *ticket;
  gboolean result;

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_windows_set_flushing (&self->windows, TRUE);
  ticket = gst_llavaov_window_queue_flush (self);
  g_mutex_unlock (&self->windows.lock);
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
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);

  g_mutex_lock (&self->windows.lock);
  gst_llavaov_frames_reset (self);
  gst_llavaov_windows_set_flushing (&self->windows, FALSE);
  g_mutex_unlock (&self->windows.lock);
  if (text) {
    gst_llavaov_text_pad_flush_stop (text, gst_event_ref (event));
    gst_object_unref (text);
  }
  return gst_pad_push_event (self->srcpad, event);
}

/* Takes the event of the bin's decoder. */
static gboolean
is_decoded_event (GstLlavaovElement * self, GstEvent * event)
{
  const gchar *word;

  if (!gst_event_has_name (event, GST_LLAVAOV_DECODED_EVENT_NAME))
    return FALSE;
  word = gst_structure_get_string (gst_event_get_structure (event), "decoded");
  if (!g_strcmp0 (word, "all") || !g_strcmp0 (word, "keyframes"))
    gst_llavaov_input_set_decoded (&self->input, word);
  gst_event_unref (event);
  return TRUE;
}

static gboolean
sink_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  GstLlavaovElement *self = GST_LLAVAOV_ELEMENT (parent);
  gboolean taken;

  if (gst_llavaov_ask_event (self, event) || is_decoded_event (self, event))
    return TRUE;
  switch (GST_EVENT_TYPE (event)) {
    case GST_EVENT_STREAM_START:
      sink_stream_start (self, event);
      return gst_pad_push_event (self->srcpad, event);
    case GST_EVENT_CAPS:
      return sink_caps (self, event);
    case GST_EVENT_TAG:
      return sink_tag (self, event);
    case GST_EVENT_SEGMENT:
      return sink_segment (self, event);
    case GST_EVENT_SEGMENT_DONE:
      return sink_segment_done (self, event);
    case GST_EVENT_GAP:
      return sink_gap (self, event);
    case GST_EVENT_EOS:
      return sink_eos (self, event);
    case GST_EVENT_FLUSH_START:
      return sink_flush_start (self, event);
    case GST_EVENT_FLUSH_STOP:
      return sink_flush_stop (self, event);
    case GST_EVENT_CUSTOM_DOWNSTREAM:
    case GST_EVENT_CUSTOM_DOWNSTREAM_OOB:
    case GST_EVENT_CUSTOM_BOTH:
    case GST_EVENT_CUSTOM_BOTH_OOB:
      taken = gst_llavaov_trigger_event (self, event);
      return gst_pad_push_event (self->srcpad, event) || taken;
    default:
      /* Never the default handler: it would send video events down the text pad as well. */
      return gst_pad_push_event (self->srcpad, event);
  }
}

void
gst_llavaov_stream_setup (GstLlavaovElement * self)
{
  gst_pad_set_chain_function (self->sinkpad, sink_chain);
  gst_pad_set_event_function (self->sinkpad, sink_event);
  gst_pad_set_query_function (self->sinkpad, gst_llavaov_upstream_query);
  gst_pad_set_iterate_internal_links_function (self->sinkpad,
      gst_llavaov_upstream_links);
  GST_PAD_SET_PROXY_ALLOCATION (self->sinkpad);
  gst_pad_set_event_function (self->srcpad, gst_llavaov_upstream_event);
  gst_pad_set_iterate_internal_links_function (self->srcpad,
      gst_llavaov_upstream_links);
  GST_PAD_SET_PROXY_CAPS (self->srcpad);

  gst_llavaov_frames_setup (self);
}
