/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder-plugging.h"

void
gst_llavaov_decoder_plugging_init (GstLlavaovDecoderPlugging * plugging)
{
  g_mutex_init (&plugging->lock);
  g_cond_init (&plugging->plugged);
  plugging->thread = NULL;
}

void
gst_llavaov_decoder_plugging_free (GstLlavaovDecoderPlugging * plugging)
{
  g_cond_clear (&plugging->plugged);
  g_mutex_clear (&plugging->lock);
}

static void
set_thread (GstLlavaovDecoderPlugging * plugging, GThread * thread)
{
  g_mutex_lock (&plugging->lock);
  plugging->thread = thread;
  g_cond_broadcast (&plugging->plugged);
  g_mutex_unlock (&plugging->lock);
}

static void
plugging_begins (GstElement * typefind, guint probability, GstCaps * caps,
    gpointer data)
{
  set_thread (data, g_thread_self ());
}

static void
plugging_ends (GstElement * typefind, guint probability, GstCaps * caps,
    gpointer data)
{
  set_thread (data, NULL);
}

void
gst_llavaov_decoder_plugging_watch (GstLlavaovDecoderPlugging * plugging,
    GstElement * decoder)
{
  GstElement *typefind = gst_bin_get_by_name (GST_BIN (decoder), "typefind");

  set_thread (plugging, NULL);
  if (typefind == NULL)
    return;
  /* decodebin plugs in its own handler, which it connects when it starts: between these two. */
  g_signal_connect (typefind, "have-type", G_CALLBACK (plugging_begins),
      plugging);
  g_signal_connect_after (typefind, "have-type", G_CALLBACK (plugging_ends),
      plugging);
  gst_object_unref (typefind);
}

void
gst_llavaov_decoder_plugging_wait (GstLlavaovDecoderPlugging * plugging)
{
  gint64 until = g_get_monotonic_time () + G_TIME_SPAN_SECOND;

  g_mutex_lock (&plugging->lock);
  while (plugging->thread && plugging->thread != g_thread_self () &&
      g_cond_wait_until (&plugging->plugged, &plugging->lock, until));
  g_mutex_unlock (&plugging->lock);
}
