/* SPDX-License-Identifier: Apache-2.0 */
#include "decoder-errors.h"

#include "input-caps.h"

/* A file may hold thousands of kinds of streams; the error names so many. */
#define MAX_NAMES 8

#define WANTED "llavaov wants video, raw or encoded, or a picture."

/* udpsrc knows nothing of what it receives. */
#define RTP_HINT " RTP needs caps that say what it carries, such as " \
    "caps=\"application/x-rtp, media=video, encoding-name=H264\" of udpsrc."

void
gst_llavaov_decoder_errors_init (GstLlavaovDecoderErrors * errors)
{
  g_mutex_init (&errors->lock);
  errors->others = g_ptr_array_new_with_free_func (g_free);
  errors->undecodable = g_ptr_array_new_with_free_func (g_free);
}

void
gst_llavaov_decoder_errors_free (GstLlavaovDecoderErrors * errors)
{
  g_ptr_array_unref (errors->others);
  g_ptr_array_unref (errors->undecodable);
  g_mutex_clear (&errors->lock);
}

void
gst_llavaov_decoder_errors_clear (GstLlavaovDecoderErrors * errors)
{
  g_mutex_lock (&errors->lock);
  g_ptr_array_set_size (errors->others, 0);
  g_ptr_array_set_size (errors->undecodable, 0);
  errors->unlabelled_rtp = errors->pushed = FALSE;
  g_mutex_unlock (&errors->lock);
}

/* Each name is listed once. With the lock. */
static void
add_name (GPtrArray * names, const GstCaps * caps)
{
  gchar *name = gst_llavaov_input_caps_name (caps);

  if (names->len < MAX_NAMES &&
      !g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
    g_ptr_array_add (names, name);
  else
    g_free (name);
}

static void
add (GstLlavaovDecoderErrors * errors, const GstCaps * caps,
    gboolean undecodable)
{
  GstLlavaovInputKind kind = gst_llavaov_input_caps_kind (caps);

  if (kind == GST_LLAVAOV_INPUT_NOTHING)
    return;
  g_mutex_lock (&errors->lock);
  if (undecodable && kind == GST_LLAVAOV_INPUT_VIDEO)
    add_name (errors->undecodable, caps);
  else
    add_name (errors->others, caps);
  errors->unlabelled_rtp |= kind == GST_LLAVAOV_INPUT_UNLABELLED_RTP;
  g_mutex_unlock (&errors->lock);
}

void
gst_llavaov_decoder_errors_add_stream (GstLlavaovDecoderErrors * errors,
    const GstCaps * caps)
{
  add (errors, caps, FALSE);
}

void
gst_llavaov_decoder_errors_add_undecodable (GstLlavaovDecoderErrors * errors,
    const GstCaps * caps)
{
  add (errors, caps, TRUE);
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

/* Free it. */
static gchar *
list_names (const GPtrArray * names)
{
  GString *list = g_string_new (NULL);
  guint i;

  for (i = 0; i < names->len; i++)
    g_string_append_printf (list, "%s%s", i ? ", " : "",
        (const gchar *) g_ptr_array_index (names, i));
  return g_string_free (list, FALSE);
}

GError *
gst_llavaov_decoder_errors_no_video (GstLlavaovDecoderErrors * errors,
    const GError * cause)
{
  GError *error;
  gchar *names;

  g_mutex_lock (&errors->lock);
  names = list_names (errors->undecodable->len ? errors->undecodable :
      errors->others);
  if (errors->undecodable->len)
    error = g_error_new (GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "Nothing that is installed decodes %s. On Debian most decoders are in "
        "gstreamer1.0-libav, gstreamer1.0-plugins-good and "
        "gstreamer1.0-plugins-bad; gst-inspect-1.0 lists what is there.",
        names);
  else if (errors->others->len)
    error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "There is no video in the stream, only %s. " WANTED "%s", names,
        errors->unlabelled_rtp ? RTP_HINT : "");
  else
    error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "There is no video in the stream (%s). " WANTED "%s",
        cause ? cause->message : "it is of no known type",
        errors->pushed ? RTP_HINT : "");
  g_mutex_unlock (&errors->lock);
  g_free (names);
  return error;
}

/* Files are pulled from, unless something like a queue lies between. */
static void
note_mode (GstLlavaovDecoderErrors * errors, GstElement * decoder)
{
  GstPad *sink = gst_element_get_static_pad (decoder, "sink");

  g_mutex_lock (&errors->lock);
  errors->pushed = GST_PAD_MODE (sink) == GST_PAD_MODE_PUSH;
  g_mutex_unlock (&errors->lock);
  gst_object_unref (sink);
}

/* The stream is of a kind that can be decoded, and yet nothing came of it. */
static GError *
no_picture (const GError * cause, const gchar * debug)
{
  const gchar *detail = debug ? strrchr (debug, '\n') : NULL;

  return g_error_new (cause->domain, cause->code,
      "No picture could be read from the stream: is it cut short or damaged? "
      "GStreamer says: %s%s%s%s", cause->message, detail ? " (" : "",
      detail ? detail + 1 : "", detail ? ")" : "");
}

static gboolean
is_about_kind (const GError * error)
{
  return g_error_matches (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN)
      || g_error_matches (error, GST_STREAM_ERROR,
      GST_STREAM_ERROR_TYPE_NOT_FOUND) ||
      g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE) ||
      g_error_matches (error, GST_STREAM_ERROR,
      GST_STREAM_ERROR_CODEC_NOT_FOUND);
}

/* A parser calls what it does not understand the wrong type, but it was chosen because the type is known. */
static gboolean
is_of_known_kind (GstObject * src, const GError * error)
{
  GstElementFactory *factory = GST_IS_ELEMENT (src) ?
      gst_element_get_factory (GST_ELEMENT (src)) : NULL;

  return factory && gst_element_factory_list_is_type (factory,
      GST_ELEMENT_FACTORY_TYPE_PARSER | GST_ELEMENT_FACTORY_TYPE_DEMUXER) &&
      g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE);
}

static gboolean
is_about_content (const GError * error)
{
  return g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED) ||
      g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_DEMUX) ||
      g_error_matches (error, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE);
}

GstMessage *
gst_llavaov_decoder_errors_explain (GstLlavaovDecoderErrors * errors,
    GstElement * decoder, GstObject * src, GstMessage * message)
{
  GError *error, *ours = NULL;
  GstMessage *result = message;
  gchar *debug;

  gst_message_parse_error (message, &error, &debug);
  if (is_about_content (error) || is_of_known_kind (GST_MESSAGE_SRC (message),
          error)) {
    ours = no_picture (error, debug);
  } else if (is_about_kind (error)) {
    /* An error of the decoder itself is about all streams, one of an element in it may be about a single one. */
    if (GST_MESSAGE_SRC (message) == GST_OBJECT (decoder))
      gst_llavaov_decoder_errors_add_unlinked (errors, decoder);
    note_mode (errors, decoder);
    ours = gst_llavaov_decoder_errors_no_video (errors, error);
  }
  if (ours) {
    result = gst_message_new_error (src, ours, debug);
    gst_message_unref (message);
    g_error_free (ours);
  }
  g_error_free (error);
  g_free (debug);
  return result;
}
