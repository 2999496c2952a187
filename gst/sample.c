/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

GstLlavaovSample *
gst_llavaov_sample_new (GstBuffer * buffer, const GstVideoInfo * info,
    GstClockTime running, GstClockTime duration)
{
  GstLlavaovSample *sample = g_new0 (GstLlavaovSample, 1);

  g_atomic_ref_count_init (&sample->refs);
  sample->buffer = gst_buffer_ref (buffer);
  sample->info = *info;
  sample->running = running;
  sample->duration = duration;
  sample->arrival = g_get_monotonic_time ();
  return sample;
}

GstLlavaovSample *
gst_llavaov_sample_copy (const GstLlavaovSample * sample)
{
  GstLlavaovSample *copy;

  if (sample->buffer == NULL)
    return NULL;
  copy = gst_llavaov_sample_new (sample->buffer, &sample->info,
      sample->running, sample->duration);
  copy->orientation = sample->orientation;
  copy->arrival = sample->arrival;
  copy->decoded = sample->decoded;
  return copy;
}

GstLlavaovSample *
gst_llavaov_sample_ref (GstLlavaovSample * sample)
{
  g_atomic_ref_count_inc (&sample->refs);
  return sample;
}

void
gst_llavaov_sample_unref (GstLlavaovSample * sample)
{
  if (!g_atomic_ref_count_dec (&sample->refs))
    return;
  gst_clear_buffer (&sample->buffer);
  if (sample->frame)
    llavaov_frame_unref (sample->frame);
  g_free (sample);
}
