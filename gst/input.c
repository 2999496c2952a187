/* SPDX-License-Identifier: Apache-2.0 */
#include "input.h"

void
gst_llavaov_input_init (GstLlavaovInput * input)
{
  g_mutex_init (&input->lock);
  input->stream_seqnum = input->seek_seqnum = GST_SEQNUM_INVALID;
  gst_segment_init (&input->segment, GST_FORMAT_UNDEFINED);
}

void
gst_llavaov_input_clear (GstLlavaovInput * input)
{
  g_mutex_clear (&input->lock);
}

static void
reset (GstLlavaovInput * input)
{
  gst_segment_init (&input->segment, GST_FORMAT_UNDEFINED);
  input->live_known = FALSE;
  input->by_arrival = FALSE;
  input->n_untimed = 0;
  input->have_time = FALSE;
  input->n_late = 0;
  input->n_frames = 0;
  input->eos = FALSE;
}

void
gst_llavaov_input_start (GstLlavaovInput * input)
{
  g_mutex_lock (&input->lock);
  reset (input);
  input->stream_seqnum = GST_SEQNUM_INVALID;
  input->warned_unlinked = FALSE;
  input->decoded = NULL;
  g_mutex_unlock (&input->lock);
}

void
gst_llavaov_input_reset (GstLlavaovInput * input)
{
  g_mutex_lock (&input->lock);
  reset (input);
  g_mutex_unlock (&input->lock);
}

gboolean
gst_llavaov_input_next_stream (GstLlavaovInput * input)
{
  gboolean stays_live;

  g_mutex_lock (&input->lock);
  stays_live = input->live_known && input->live;
  reset (input);
  input->live_known = stays_live;
  g_mutex_unlock (&input->lock);
  return stays_live;
}

gboolean
gst_llavaov_input_is_new_stream (GstLlavaovInput * input, guint32 seqnum)
{
  gboolean is_new;

  g_mutex_lock (&input->lock);
  is_new = input->eos || input->stream_seqnum != seqnum;
  input->stream_seqnum = seqnum;
  g_mutex_unlock (&input->lock);
  return is_new;
}

gboolean
gst_llavaov_input_is_new_seek (GstLlavaovInput * input, guint32 seqnum)
{
  gboolean is_new;

  g_mutex_lock (&input->lock);
  is_new = input->seek_seqnum != seqnum;
  input->seek_seqnum = seqnum;
  g_mutex_unlock (&input->lock);
  return is_new;
}

void
gst_llavaov_input_set_segment (GstLlavaovInput * input,
    const GstSegment * segment)
{
  g_mutex_lock (&input->lock);
  input->segment = *segment;
  g_mutex_unlock (&input->lock);
}

void
gst_llavaov_input_get_segment (GstLlavaovInput * input, GstSegment * segment,
    gboolean * eos)
{
  g_mutex_lock (&input->lock);
  *segment = input->segment;
  *eos = input->eos;
  g_mutex_unlock (&input->lock);
}

gboolean
gst_llavaov_input_live (GstLlavaovInput * input, gboolean * known)
{
  gboolean live;

  g_mutex_lock (&input->lock);
  live = input->live;
  if (known)
    *known = input->live_known;
  g_mutex_unlock (&input->lock);
  return live;
}

gboolean
gst_llavaov_input_set_live (GstLlavaovInput * input, gboolean live,
    GstClockTime latency)
{
  g_mutex_lock (&input->lock);
  live |= input->by_arrival;
  input->live = live;
  input->live_known = TRUE;
  input->upstream_latency = GST_CLOCK_TIME_IS_VALID (latency) ? latency : 0;
  g_mutex_unlock (&input->lock);
  return live;
}

void
gst_llavaov_input_forget_live (GstLlavaovInput * input)
{
  g_mutex_lock (&input->lock);
  input->live_known = FALSE;
  g_mutex_unlock (&input->lock);
}

void
gst_llavaov_input_set_by_arrival (GstLlavaovInput * input, gboolean by_arrival)
{
  g_mutex_lock (&input->lock);
  input->by_arrival = by_arrival;
  input->live_known &= !by_arrival;
  g_mutex_unlock (&input->lock);
}

guint
gst_llavaov_input_count_untimed (GstLlavaovInput * input)
{
  guint n = 0;

  g_mutex_lock (&input->lock);
  if (!input->live)
    n = ++input->n_untimed;
  g_mutex_unlock (&input->lock);
  return n;
}

void
gst_llavaov_input_update_lag (GstLlavaovInput * input, GstClockTime now,
    GstClockTime running, GstClockTime period)
{
  if (!GST_CLOCK_TIME_IS_VALID (now) || !GST_CLOCK_TIME_IS_VALID (running))
    return;
  g_mutex_lock (&input->lock);
  if (!input->have_time) {
    input->lag = input->lag_before = 0;
    input->lag_since = now;
  } else if (now > input->lag_since + period) {
    input->lag_before = input->lag;
    input->lag = 0;
    input->lag_since = now;
  }
  if (now > running)
    input->lag = MAX (input->lag, now - running);
  g_mutex_unlock (&input->lock);
}

GstClockTime
gst_llavaov_input_lateness (GstLlavaovInput * input)
{
  GstClockTime late;

  g_mutex_lock (&input->lock);
  late = input->upstream_latency + MAX (input->lag, input->lag_before);
  g_mutex_unlock (&input->lock);
  return late;
}

void
gst_llavaov_input_set_time (GstLlavaovInput * input, GstClockTime running,
    GstClockTime end)
{
  g_mutex_lock (&input->lock);
  if (!input->have_time || running > input->last_running)
    input->n_late = 0;
  input->last_running = running;
  input->last_end = end;
  g_mutex_unlock (&input->lock);
}

void
gst_llavaov_input_set_have_time (GstLlavaovInput * input, gboolean have_time)
{
  g_mutex_lock (&input->lock);
  input->have_time = have_time;
  g_mutex_unlock (&input->lock);
}

void
gst_llavaov_input_count_late (GstLlavaovInput * input)
{
  g_mutex_lock (&input->lock);
  input->n_late++;
  g_mutex_unlock (&input->lock);
}

guint64
gst_llavaov_input_count_frame (GstLlavaovInput * input)
{
  guint64 n;

  g_mutex_lock (&input->lock);
  n = ++input->n_frames;
  g_mutex_unlock (&input->lock);
  return n;
}

void
gst_llavaov_input_set_eos (GstLlavaovInput * input)
{
  g_mutex_lock (&input->lock);
  input->eos = TRUE;
  g_mutex_unlock (&input->lock);
}

void
gst_llavaov_input_set_decoded (GstLlavaovInput * input, const gchar * word)
{
  g_mutex_lock (&input->lock);
  input->decoded = g_intern_string (word);
  g_mutex_unlock (&input->lock);
}

gboolean
gst_llavaov_input_set_unlinked (GstLlavaovInput * input)
{
  gboolean first;

  g_mutex_lock (&input->lock);
  first = !input->warned_unlinked;
  input->warned_unlinked = TRUE;
  g_mutex_unlock (&input->lock);
  return first;
}
