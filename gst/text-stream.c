/* SPDX-License-Identifier: Apache-2.0 */
#include "text-stream.h"

#include "topology.h"

/* auto: a consumer that reads text and video side by side would wait for a window's text at its start and never let the rest of
 * the window pass; for it answers are stamped when they arrive, as in live streams. */
gboolean
gst_llavaov_text_stream_by_window (GstLlavaovElement * self)
{
  if (self->run.text_timing == GST_LLAVAOV_TEXT_AUTO)
    return !gst_llavaov_input_live (&self->input, NULL) &&
        !gst_llavaov_output_text_meets (&self->output);
  return self->run.text_timing == GST_LLAVAOV_TEXT_WINDOW;
}

GstLlavaovTextPad *
gst_llavaov_text_stream_pad (GstLlavaovElement * self)
{
  GstLlavaovTextPad *text;

  GST_OBJECT_LOCK (self);
  text = self->text ? gst_object_ref (self->text) : NULL;
  GST_OBJECT_UNLOCK (self);
  return text;
}

static void
find_text_consumers (GstLlavaovElement * self, GstLlavaovTextPad * text)
{
  gst_llavaov_output_set_text_meets (&self->output,
      gst_llavaov_pads_meet (self->srcpad, GST_PAD (text)));
}

/* A pad that was requested in the middle of a stream has missed its beginning. */
static void
catch_up (GstLlavaovElement * self, GstLlavaovTextPad * text)
{
  GstEvent *start, *segment;

  if (gst_llavaov_text_pad_has_segment (text))
    return;
  start = gst_pad_get_sticky_event (self->sinkpad, GST_EVENT_STREAM_START, 0);
  segment = gst_pad_get_sticky_event (self->sinkpad, GST_EVENT_SEGMENT, 0);
  find_text_consumers (self, text);
  if (segment)
    gst_llavaov_text_pad_begin (text, start, segment);
  gst_clear_event (&start);
  gst_clear_event (&segment);
}

GstClockTime
gst_llavaov_text_stream_timestamp (GstLlavaovElement * self,
    GstClockTime running)
{
  guint64 timestamp;

  if (!GST_CLOCK_TIME_IS_VALID (running) ||
      self->input.segment.format != GST_FORMAT_TIME)
    return running;
  /* The last frame may go on behind the segment's end; nothing is before 0, where reverse ends. */
  if (gst_segment_position_from_running_time_full (&self->input.segment,
          GST_FORMAT_TIME, running, &timestamp) == 1)
    return timestamp;
  return self->input.segment.rate < 0 ? 0 : GST_CLOCK_TIME_NONE;
}

GstClockTime
gst_llavaov_text_stream_limit (GstLlavaovElement * self, GstClockTime running)
{
  GstClockTime limit = running;

  if (!gst_llavaov_text_stream_by_window (self))
    return gst_llavaov_text_stream_timestamp (self, limit);
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    return GST_CLOCK_TIME_NONE;
  limit = MIN (limit, gst_llavaov_windows_earliest (&self->windows));
  return gst_llavaov_text_stream_timestamp (self, limit);
}

/* Where and how long an answer stands in the text stream; NONE for where the stream has got to. */
static void
time_of_cue (GstLlavaovElement * self,
    const GstLlavaovWindow * window, GstClockTime * timestamp,
    GstClockTime * duration)
{
  GstSegment segment;
  gdouble rate;
  gboolean eos;

  gst_llavaov_input_get_segment (&self->input, &segment, &eos);
  rate = ABS (segment.rate);
  *timestamp = GST_CLOCK_TIME_NONE;
  *duration = window->interval;
  /* The video has ended; the text should not outlast it by a window. */
  if (eos && window->length)
    *duration = MIN (window->interval, window->length);
  if (gst_llavaov_text_stream_by_window (self)) {
    /* A still picture lasts no time, what is said about it does. */
    *duration = window->length ? window->length : window->full_length;
    *timestamp = segment.format == GST_FORMAT_TIME ?
        gst_segment_position_from_running_time (&segment,
        GST_FORMAT_TIME, window->start) : window->start;
  }
  if (rate != 1)
    *duration *= rate;
  if (segment.rate < 0 && GST_CLOCK_TIME_IS_VALID (*timestamp))
    *timestamp -= MIN (*timestamp, *duration);
}

void
gst_llavaov_text_stream_answer (GstLlavaovElement * self,
    const GstLlavaovWindow * window, const GstStructure * answer,
    GPtrArray * alerts)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);
  GstClockTime timestamp, duration;

  if (text == NULL)
    return;
  catch_up (self, text);
  if (window->ask_id)
    timestamp = GST_CLOCK_TIME_NONE, duration = 0;
  else
    time_of_cue (self, window, &timestamp, &duration);
  gst_llavaov_text_pad_answer (text, answer, alerts, timestamp, duration);
  gst_object_unref (text);
}

void
gst_llavaov_text_stream_start (GstLlavaovElement * self)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);
  GstEvent *start;

  if (text == NULL)
    return;
  start = gst_pad_get_sticky_event (self->sinkpad, GST_EVENT_STREAM_START, 0);
  gst_llavaov_text_pad_start (text, start);
  gst_clear_event (&start);
  gst_object_unref (text);
}

void
gst_llavaov_text_stream_segment (GstLlavaovElement * self, GstEvent * segment)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);
  GstEvent *start;

  if (text == NULL)
    return;
  start = gst_pad_get_sticky_event (self->sinkpad, GST_EVENT_STREAM_START, 0);
  find_text_consumers (self, text);
  gst_llavaov_text_pad_begin (text, start, segment);
  gst_clear_event (&start);
  gst_object_unref (text);
}

void
gst_llavaov_text_stream_advance (GstLlavaovElement * self, GstClockTime until)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);

  if (text == NULL)
    return;
  catch_up (self, text);
  gst_llavaov_text_pad_gap (text, until);
  gst_object_unref (text);
}

void
gst_llavaov_text_stream_video_ended (GstLlavaovElement * self)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);

  if (text == NULL)
    return;
  gst_llavaov_text_pad_video_ended (text);
  gst_object_unref (text);
}

void
gst_llavaov_text_stream_event (GstLlavaovElement * self, GstEvent * event)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);

  if (text == NULL) {
    gst_event_unref (event);
    return;
  }
  catch_up (self, text);
  gst_llavaov_text_pad_event (text, event);
  gst_object_unref (text);
}
