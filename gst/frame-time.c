/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-time.h"

/* 146 years, so that sums of times fit 64 bits. Later timestamps are garbage, such as negative ones. */
#define LATEST (G_MAXINT64 / 2)

gboolean
gst_llavaov_segments_have_same_times (const GstSegment * a,
    const GstSegment * b)
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

/* In the segment's timestamps; NONE when neither buffer nor caps say so. */
static GstClockTime
own_duration (const GstVideoInfo * info, GstBuffer * buffer)
{
  if (GST_BUFFER_DURATION_IS_VALID (buffer) && GST_BUFFER_DURATION (buffer) &&
      GST_BUFFER_DURATION (buffer) <= LATEST)
    return GST_BUFFER_DURATION (buffer);
  if (GST_VIDEO_INFO_FPS_N (info) > 0)
    return gst_util_uint64_scale (GST_SECOND, GST_VIDEO_INFO_FPS_D (info),
        GST_VIDEO_INFO_FPS_N (info));
  return GST_CLOCK_TIME_NONE;
}

GstClockTime
gst_llavaov_frame_duration (const GstLlavaovInput * input,
    const GstVideoInfo * info, GstBuffer * buffer)
{
  GstClockTime duration = own_duration (info, buffer);
  gdouble rate = ABS (input->segment.rate);

  if (!GST_CLOCK_TIME_IS_VALID (duration) || rate == 1 || rate == 0)
    return duration;
  return duration / rate;
}

GstClockTime
gst_llavaov_frame_time (const GstLlavaovInput * input,
    const GstVideoInfo * info, GstBuffer * buffer, GstClockTime now)
{
  GstClockTime timestamp = GST_BUFFER_PTS_IS_VALID (buffer) ?
      GST_BUFFER_PTS (buffer) : GST_BUFFER_DTS (buffer);
  GstClockTime running = GST_CLOCK_TIME_NONE;

  if (GST_CLOCK_TIME_IS_VALID (timestamp) &&
      input->segment.format == GST_FORMAT_TIME) {
    GstClockTime duration = own_duration (info, buffer);

    /* Played backwards, a frame begins with its end. */
    if (input->segment.rate < 0 && GST_CLOCK_TIME_IS_VALID (duration)
        && timestamp >= input->segment.start)
      timestamp = MIN (timestamp + duration, input->segment.stop);
    running = gst_segment_to_running_time (&input->segment, GST_FORMAT_TIME,
        timestamp);
    if (!GST_CLOCK_TIME_IS_VALID (running) || running <= LATEST)
      return running;
  }
  if (input->live && GST_CLOCK_TIME_IS_VALID (now))
    return now;
  return input->have_time ? input->last_end : 0;
}

GstClockTime
gst_llavaov_gap_end (const GstLlavaovInput * input, GstClockTime timestamp,
    GstClockTime duration)
{
  GstClockTime running;

  if (timestamp > LATEST)
    return GST_CLOCK_TIME_NONE;
  if (duration <= LATEST && input->segment.rate > 0)
    timestamp += duration;
  running = gst_segment_to_running_time (&input->segment, GST_FORMAT_TIME,
      timestamp);
  return running <= LATEST ? running : GST_CLOCK_TIME_NONE;
}
