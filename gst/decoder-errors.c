/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder-errors.h"

#include "input-caps.h"

/* A file may hold thousands of streams. */
#define LONGEST_LIST 200

#define WANTED "llavaov wants video, raw or encoded, or a picture."

/* udpsrc has no caps of its own. */
#define RTP_HINT " RTP needs caps that say what it carries, such as " \
    "caps=\"application/x-rtp, media=video, encoding-name=H264\" of udpsrc."

void
gst_llavaov_decoder_errors_init (GstLlavaovDecoderErrors * errors)
{
  g_mutex_init (&errors->lock);
  errors->others = g_string_new (NULL);
  errors->undecodable = g_string_new (NULL);
}

void
gst_llavaov_decoder_errors_free (GstLlavaovDecoderErrors * errors)
{
  g_string_free (errors->others, TRUE);
  g_string_free (errors->undecodable, TRUE);
  g_mutex_clear (&errors->lock);
}

void
gst_llavaov_decoder_errors_clear (GstLlavaovDecoderErrors * errors)
{
  g_mutex_lock (&errors->lock);
  g_string_truncate (errors->others, 0);
  g_string_truncate (errors->undecodable, 0);
  g_mutex_unlock (&errors->lock);
}

static gboolean
is_listed (const GString * list, const gchar * name)
{
  gchar **names = g_strsplit (list->str, ", ", -1);
  gboolean listed = g_strv_contains ((const gchar * const *) names, name);

  g_strfreev (names);
  return listed;
}

/* Each kind of stream is named once. Takes the name. */
static void
add (GstLlavaovDecoderErrors * errors, GString * list, gchar * name)
{
  if (name == NULL)
    return;
  g_mutex_lock (&errors->lock);
  if (list->len < LONGEST_LIST && !is_listed (list, name))
    g_string_append_printf (list, "%s%s", list->len ? ", " : "", name);
  g_mutex_unlock (&errors->lock);
  g_free (name);
}

void
gst_llavaov_decoder_errors_add_stream (GstLlavaovDecoderErrors * errors,
    const GstCaps * caps)
{
  add (errors, errors->others, gst_llavaov_input_caps_name (caps));
}

void
gst_llavaov_decoder_errors_add_undecodable (GstLlavaovDecoderErrors * errors,
    const GstCaps * caps)
{
  gchar *name = gst_llavaov_input_caps_name (caps);

  if (name && (g_str_has_prefix (name, "video/")
          || g_str_has_prefix (name, "image/")
          || g_str_has_prefix (name, "RTP of")))
    add (errors, errors->undecodable, name);
  else
    add (errors, errors->others, name);
}

static void
look_at_pad (const GValue * value, gpointer data)
{
  GstPad *pad = g_value_get_object (value);
  GstCaps *caps;

  if (gst_pad_is_linked (pad))
    return;
  caps = gst_pad_get_current_caps (pad);
  if (caps == NULL)
    caps = gst_pad_query_caps (pad, NULL);
  gst_llavaov_decoder_errors_add_undecodable (data, caps);
  gst_caps_unref (caps);
}

static void
look_at_element (const GValue * value, gpointer data)
{
  GstIterator *pads = gst_element_iterate_src_pads (g_value_get_object (value));

  while (gst_iterator_foreach (pads, look_at_pad, data) == GST_ITERATOR_RESYNC)
    gst_iterator_resync (pads);
  gst_iterator_free (pads);
}

void
gst_llavaov_decoder_errors_add_unlinked (GstLlavaovDecoderErrors * errors,
    GstElement * decoder)
{
  GstIterator *elements = gst_bin_iterate_elements (GST_BIN (decoder));

  while (gst_iterator_foreach (elements, look_at_element, errors) ==
      GST_ITERATOR_RESYNC)
    gst_iterator_resync (elements);
  gst_iterator_free (elements);
}

GError *
gst_llavaov_decoder_errors_no_video (GstLlavaovDecoderErrors * errors,
    const GError * cause)
{
  GError *error;

  g_mutex_lock (&errors->lock);
  if (errors->undecodable->len)
    error = g_error_new (GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "Nothing that is installed decodes %s. On Debian most decoders are in "
        "gstreamer1.0-libav, gstreamer1.0-plugins-good and "
        "gstreamer1.0-plugins-bad; gst-inspect-1.0 lists what is there.",
        errors->undecodable->str);
  else if (errors->others->len)
    error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "There is no video in the stream, only %s. " WANTED "%s",
        errors->others->str, strstr (errors->others->str, "RTP whose") ?
        RTP_HINT : "");
  else
    error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "There is no video in the stream (%s). " WANTED "%s",
        cause ? cause->message : "it is of no known type",
        errors->pushed ? RTP_HINT : "");
  g_mutex_unlock (&errors->lock);
  return error;
}

/* A file is pulled from, but behind a queue. */
static void
note_way_in (GstLlavaovDecoderErrors * errors, GstElement * decoder)
{
  GstPad *sink = gst_element_get_static_pad (decoder, "sink");

  g_mutex_lock (&errors->lock);
  errors->pushed = GST_PAD_MODE (sink) == GST_PAD_MODE_PUSH;
  g_mutex_unlock (&errors->lock);
  gst_object_unref (sink);
}

GstMessage *
gst_llavaov_decoder_errors_explain (GstLlavaovDecoderErrors * errors,
    GstElement * decoder, GstObject * src, GstMessage * message)
{
  GError *error, *ours;
  GstMessage *said = message;
  gchar *debug;

  gst_message_parse_error (message, &error, &debug);
  if (g_error_matches (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN) ||
      g_error_matches (error, GST_STREAM_ERROR,
          GST_STREAM_ERROR_TYPE_NOT_FOUND) ||
      g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE) ||
      g_error_matches (error, GST_STREAM_ERROR,
          GST_STREAM_ERROR_CODEC_NOT_FOUND)) {
    /* All streams have come to their ends when the decoder itself says so; an element may say it of one. */
    if (GST_MESSAGE_SRC (message) == GST_OBJECT (decoder))
      gst_llavaov_decoder_errors_add_unlinked (errors, decoder);
    note_way_in (errors, decoder);
    ours = gst_llavaov_decoder_errors_no_video (errors, error);
    said = gst_message_new_error (src, ours, debug);
    gst_message_unref (message);
    g_error_free (ours);
  }
  g_error_free (error);
  g_free (debug);
  return said;
}
