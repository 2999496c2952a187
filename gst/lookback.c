/* SPDX-License-Identifier: Apache-2.0 */
#include "lookback.h"

void
gst_llavaov_lookback_clear (GstLlavaovLookback * lookback)
{
  GstLlavaovSample *sample;

  while ((sample = g_queue_pop_head (&lookback->samples)))
    gst_llavaov_sample_unref (sample);
  lookback->next = 0;
}

gboolean
gst_llavaov_lookback_wants (const GstLlavaovLookback * lookback,
    GstClockTime running)
{
  return running >= lookback->next;
}

void
gst_llavaov_lookback_take (GstLlavaovLookback * lookback,
    GstLlavaovSample * sample, GstClockTime pitch)
{
  GstLlavaovSample *newest = g_queue_peek_tail (&lookback->samples);

  if (newest && newest->running >= sample->running)
    return;
  g_queue_push_tail (&lookback->samples, gst_llavaov_sample_ref (sample));
  /* They stay on their grid, unless frames are further apart. */
  lookback->next += pitch;
  if (newest == NULL || lookback->next <= sample->running)
    lookback->next = sample->running + pitch;
}

void
gst_llavaov_lookback_trim (GstLlavaovLookback * lookback, GstClockTime before)
{
  GstLlavaovSample *sample;

  while ((sample = g_queue_peek_head (&lookback->samples)) &&
      sample->running < before)
    gst_llavaov_sample_unref (g_queue_pop_head (&lookback->samples));
}

GstLlavaovSample *
gst_llavaov_lookback_find (GstLlavaovLookback * lookback, GstClockTime running)
{
  GList *walk;

  for (walk = lookback->samples.head; walk; walk = walk->next)
    if (((GstLlavaovSample *) walk->data)->running >= running)
      return walk->data;
  return NULL;
}
