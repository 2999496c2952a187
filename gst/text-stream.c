/* SPDX-License-Identifier: Apache-2.0 */
#include "text-stream.h"

#include "topology.h"

/* auto: a consumer that reads text and video side by side would wait for a window's text at its start and so never let
 * the window pass; there the answer is stamped when it is there, as in live streams. */
gboolean
gst_llavaov_text_stream_by_window (GstLlavaovElement * self)
{
  if (self->run.text_timing == GST_LLAVAOV_TEXT_AUTO)
    return !self->live && !self->text_meets;
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
look_where_text_goes (GstLlavaovElement * self, GstLlavaovTextPad * text)
{
  gboolean meets = gst_llavaov_pads_meet (self->srcpad, GST_PAD (text));

  g_mutex_lock (&self->lock);
  self->text_meets = meets;
  g_mutex_unlock (&self->lock);
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
  look_where_text_goes (self, text);
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
      self->segment.format != GST_FORMAT_TIME)
    return running;
  /* The last frame may go on behind the segment's end; nothing is before 0, where reverse ends. */
  if (gst_segment_position_from_running_time_full (&self->segment,
          GST_FORMAT_TIME, running, &timestamp) == 1)
    return timestamp;
  return self->segment.rate < 0 ? 0 : GST_CLOCK_TIME_NONE;
}

GstClockTime
gst_llavaov_text_stream_limit (GstLlavaovElement * self, GstClockTime running)
{
  GstClockTime limit = running;
  GstLlavaovWindow *window;
  GList *walk;

  if (!gst_llavaov_text_stream_by_window (self))
    return gst_llavaov_text_stream_timestamp (self, limit);
  if (self->run.sampling == GST_LLAVAOV_SAMPLING_CLIP)
    return GST_CLOCK_TIME_NONE;
  limit = MIN (limit, gst_llavaov_sampler_earliest (&self->sampler));
  for (walk = self->waiting.head; walk; walk = walk->next) {
    window = walk->data;
    limit = MIN (limit, window->start);
  }
  for (walk = self->outbox.head; walk; walk = walk->next) {
    window = walk->data;
    if (window->state == GST_LLAVAOV_WINDOW_ANSWERED)
      limit = MIN (limit, window->start);
  }
  if (self->asked)
    limit = MIN (limit, self->asked->start);
  if (self->reporting)
    limit = MIN (limit, self->reporting->start);
  return gst_llavaov_text_stream_timestamp (self, limit);
}

/* Where and how long an answer stands in the text stream; NONE for where the stream has got to. With the lock. */
static void
time_of_cue (GstLlavaovElement * self,
    const GstLlavaovWindow * window, GstClockTime * timestamp,
    GstClockTime * duration)
{
  gdouble rate = self->segment.rate < 0 ? -self->segment.rate :
      self->segment.rate;

  *timestamp = GST_CLOCK_TIME_NONE;
  *duration = window->interval;
  /* The video has ended; the text should not outlast it by a window. */
  if (self->eos && window->length)
    *duration = MIN (window->interval, window->length);
  if (gst_llavaov_text_stream_by_window (self)) {
    /* A still picture lasts no time, what is said about it does. */
    *duration = window->length ? window->length : window->full_length;
    *timestamp = self->segment.format == GST_FORMAT_TIME ?
        gst_segment_position_from_running_time (&self->segment,
        GST_FORMAT_TIME, window->start) : window->start;
  }
  if (rate != 1)
    *duration *= rate;
  if (self->segment.rate < 0 && GST_CLOCK_TIME_IS_VALID (*timestamp))
    *timestamp -= MIN (*timestamp, *duration);
}

void
gst_llavaov_text_stream_answer (GstLlavaovElement * self,
    const GstLlavaovWindow * window, const GstStructure * answer)
{
  GstLlavaovTextPad *text = gst_llavaov_text_stream_pad (self);
  GstClockTime timestamp, duration;

  if (text == NULL)
    return;
  catch_up (self, text);
  g_mutex_lock (&self->lock);
  time_of_cue (self, window, &timestamp, &duration);
  g_mutex_unlock (&self->lock);
  gst_llavaov_text_pad_answer (text, answer, timestamp, duration);
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
  look_where_text_goes (self, text);
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
