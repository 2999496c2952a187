/* SPDX-License-Identifier: Apache-2.0 */
#include "bin-decoder.h"

#include "jpeg.h"

#define GST_CAT_DEFAULT gst_llavaov_debug

void
gst_llavaov_bin_attach_nothing (GstLlavaov * self)
{
  GstPad *inner = gst_element_get_static_pad (self->inner, "sink");

  if (!gst_pad_is_linked (inner))
    gst_pad_link_full (self->nothing, inner, GST_PAD_LINK_CHECK_NOTHING);
  gst_object_unref (inner);
}

void
gst_llavaov_bin_detach_nothing (GstLlavaov * self)
{
  GstPad *inner = gst_pad_get_peer (self->nothing);

  if (inner)
    gst_pad_unlink (self->nothing, inner);
  gst_clear_object (&inner);
}

void
gst_llavaov_bin_set_target (GstLlavaov * self, GstElement * element)
{
  GstPad *pad = NULL;

  if (element)
    pad = gst_element_get_static_pad (element, "sink");
  if (element == self->inner)
    gst_llavaov_bin_detach_nothing (self);
  gst_ghost_pad_set_target (GST_GHOST_PAD (self->sinkpad), pad);
  gst_clear_object (&pad);
}

gboolean
gst_llavaov_bin_is_chosen (GstLlavaov * self)
{
  gboolean chosen;

  g_mutex_lock (&self->lock);
  chosen = self->chosen;
  g_mutex_unlock (&self->lock);
  return chosen;
}

gboolean
gst_llavaov_bin_begin_choice (GstLlavaov * self)
{
  gboolean begun;

  g_mutex_lock (&self->lock);
  begun = !self->chosen;
  self->chosen = TRUE;
  g_mutex_unlock (&self->lock);
  return begun;
}

GstElement *
gst_llavaov_bin_decoder_without_video (GstLlavaov * self)
{
  GstElement *decoder = NULL;

  g_mutex_lock (&self->lock);
  if (self->decoder && !self->linked_video)
    decoder = gst_object_ref (self->decoder);
  g_mutex_unlock (&self->lock);
  return decoder;
}

GstElement *
gst_llavaov_bin_converter (GstLlavaov * self)
{
  GstElement *converter;

  g_mutex_lock (&self->lock);
  converter = self->converter ? gst_object_ref (self->converter) : NULL;
  g_mutex_unlock (&self->lock);
  return converter;
}

static void
post_no_video (GstLlavaov * self, GstElement * decoder)
{
  GError *error;

  gst_llavaov_decoder_errors_add_unlinked (&self->decoder_errors, decoder);
  error = gst_llavaov_decoder_errors_no_video (&self->decoder_errors, NULL);
  gst_element_post_message (GST_ELEMENT (self),
      gst_message_new_error (GST_OBJECT (self), error, NULL));
  g_error_free (error);
}

/* Takes audio, say, and drops it: decodebin stalls on a pad that nobody reads. */
static void
swallow (GstLlavaov * self, GstPad * pad)
{
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstPad *target;

  if (sink == NULL)
    return;
  g_object_set (sink, "sync", FALSE, "async", FALSE, NULL);
  /* To an application it is no sink: EOS, position and seeks of the pipeline are those of the video. */
  GST_OBJECT_FLAG_UNSET (sink, GST_ELEMENT_FLAG_SINK);
  gst_bin_add (GST_BIN (self), sink);
  g_mutex_lock (&self->lock);
  self->swallowed = g_list_prepend (self->swallowed, sink);
  g_mutex_unlock (&self->lock);
  gst_element_sync_state_with_parent (sink);
  target = gst_element_get_static_pad (sink, "sink");
  gst_pad_link (pad, target);
  gst_object_unref (target);
}

static void
decoder_pad_added (GstElement * decoder, GstPad * pad, gpointer data)
{
  GstLlavaov *self = data;
  GstCaps *caps = gst_pad_get_current_caps (pad);
  gboolean video = FALSE;

  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  if (gst_caps_get_size (caps))
    video = gst_structure_has_name (gst_caps_get_structure (caps, 0),
        "video/x-raw");
  if (!video)
    gst_llavaov_decoder_errors_add_stream (&self->decoder_errors, caps);
  gst_caps_unref (caps);

  if (video) {
    GstElement *converter = gst_llavaov_bin_converter (self);
    GstPad *target = gst_element_get_static_pad (converter ? converter :
        self->inner, "sink");

    video = !gst_pad_is_linked (target) &&
        gst_pad_link (pad, target) == GST_PAD_LINK_OK;
    gst_object_unref (target);
    gst_clear_object (&converter);
    if (video) {
      g_mutex_lock (&self->lock);
      self->linked_video = TRUE;
      g_mutex_unlock (&self->lock);
      gst_llavaov_keyframe_filters_video (&self->keyframe_filters);
      return;
    }
  }
  swallow (self, pad);
}

static void
decoder_no_more_pads (GstElement * decoder, gpointer data)
{
  GstLlavaov *self = data;
  GstElement *without = gst_llavaov_bin_decoder_without_video (self);

  if (without)
    post_no_video (self, decoder);
  gst_clear_object (&without);
}

static void
decoder_unknown_type (GstElement * decoder, GstPad * pad, GstCaps * caps,
    gpointer data)
{
  GstLlavaov *self = data;

  gst_llavaov_decoder_errors_add_undecodable (&self->decoder_errors, caps);
}

/* Streams that are thrown away need not be decoded. */
static gboolean
decoder_autoplug_continue (GstElement * decoder, GstPad * pad, GstCaps * caps,
    gpointer data)
{
  const gchar *name;

  if (caps == NULL || gst_caps_is_any (caps) || gst_caps_is_empty (caps))
    return TRUE;
  name = gst_structure_get_name (gst_caps_get_structure (caps, 0));
  return !(g_str_has_prefix (name, "audio/") || g_str_has_prefix (name,
          "text/") || g_str_has_prefix (name, "subpicture/"));
}

void
gst_llavaov_bin_remove_decoder (GstLlavaov * self)
{
  GList *swallowed, *walk;
  GstElement *decoder, *converter;

  g_mutex_lock (&self->lock);
  decoder = g_steal_pointer (&self->decoder);
  converter = g_steal_pointer (&self->converter);
  swallowed = g_steal_pointer (&self->swallowed);
  self->chosen = self->linked_video = FALSE;
  g_mutex_unlock (&self->lock);

  gst_llavaov_decoder_errors_clear (&self->decoder_errors);
  gst_llavaov_bin_set_target (self, NULL);
  if (decoder) {
    gst_element_set_locked_state (decoder, TRUE);
    gst_element_set_state (decoder, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self), decoder);
  }
  if (converter) {
    gst_element_set_locked_state (converter, TRUE);
    gst_element_set_state (converter, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self), converter);
  }
  for (walk = swallowed; walk; walk = walk->next) {
    gst_element_set_locked_state (walk->data, TRUE);
    gst_element_set_state (walk->data, GST_STATE_NULL);
    gst_bin_remove (GST_BIN (self), walk->data);
  }
  g_list_free (swallowed);
  gst_llavaov_bin_attach_nothing (self);
}

/* decodebin does not ask what follows, which may not take what was decoded (a window on an X server takes RGB only). Where it
 * does, videoconvert passes the frames on untouched. */
static void
use_converter (GstLlavaov * self)
{
  GstElement *converter = gst_element_factory_make ("videoconvert", NULL);

  if (converter == NULL)
    return;
  gst_bin_add (GST_BIN (self), converter);
  g_mutex_lock (&self->lock);
  self->converter = converter;
  g_mutex_unlock (&self->lock);
  gst_element_link_pads (converter, "src", self->inner, "sink");
  gst_element_sync_state_with_parent (converter);
}

void
gst_llavaov_bin_use_decoder (GstLlavaov * self)
{
  GstElement *decoder = gst_element_factory_make ("decodebin", NULL);

  if (decoder == NULL) {
    GST_ELEMENT_ERROR (self, CORE, MISSING_PLUGIN,
        ("The element decodebin is missing."), (NULL));
    return;
  }
  g_signal_connect (decoder, "pad-added", G_CALLBACK (decoder_pad_added), self);
  g_signal_connect (decoder, "no-more-pads",
      G_CALLBACK (decoder_no_more_pads), self);
  g_signal_connect (decoder, "autoplug-continue",
      G_CALLBACK (decoder_autoplug_continue), self);
  g_signal_connect (decoder, "autoplug-sort",
      G_CALLBACK (gst_llavaov_jpeg_sort), NULL);
  g_signal_connect (decoder, "unknown-type",
      G_CALLBACK (decoder_unknown_type), self);
  gst_llavaov_decoder_plugging_watch (&self->decoder_plugging, decoder);
  gst_llavaov_bin_detach_nothing (self);
  use_converter (self);
  gst_bin_add (GST_BIN (self), decoder);
  g_mutex_lock (&self->lock);
  self->decoder = decoder;
  g_mutex_unlock (&self->lock);
  gst_llavaov_bin_set_target (self, decoder);
  gst_element_sync_state_with_parent (decoder);
}
