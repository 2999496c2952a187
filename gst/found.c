/* SPDX-License-Identifier: Apache-2.0 */
#include "found.h"

/* A file may hold thousands of streams. */
#define LONGEST_LIST 200

#define WANTED "llavaov wants video, raw or encoded, or a picture."

void
gst_llavaov_found_init (GstLlavaovFound * found)
{
  g_mutex_init (&found->lock);
  found->others = g_string_new (NULL);
  found->undecoded = g_string_new (NULL);
}

void
gst_llavaov_found_free (GstLlavaovFound * found)
{
  g_string_free (found->others, TRUE);
  g_string_free (found->undecoded, TRUE);
  g_mutex_clear (&found->lock);
}

void
gst_llavaov_found_clear (GstLlavaovFound * found)
{
  g_mutex_lock (&found->lock);
  g_string_truncate (found->others, 0);
  g_string_truncate (found->undecoded, 0);
  g_mutex_unlock (&found->lock);
}

static const gchar *
name_of (const GstCaps * caps)
{
  if (caps == NULL || gst_caps_get_size (caps) == 0)
    return NULL;
  return gst_structure_get_name (gst_caps_get_structure (caps, 0));
}

static void
add (GstLlavaovFound * found, GString * list, const gchar * name)
{
  if (name == NULL)
    return;
  g_mutex_lock (&found->lock);
  if (list->len < LONGEST_LIST)
    g_string_append_printf (list, "%s%s", list->len ? ", " : "", name);
  g_mutex_unlock (&found->lock);
}

void
gst_llavaov_found_other (GstLlavaovFound * found, const GstCaps * caps)
{
  add (found, found->others, name_of (caps));
}

void
gst_llavaov_found_unknown (GstLlavaovFound * found, const GstCaps * caps)
{
  const gchar *name = name_of (caps);

  if (name && (g_str_has_prefix (name, "video/")
          || g_str_has_prefix (name, "image/")))
    add (found, found->undecoded, name);
  else
    add (found, found->others, name);
}

GError *
gst_llavaov_found_error (GstLlavaovFound * found, const GError * heard)
{
  GError *error;

  g_mutex_lock (&found->lock);
  if (found->undecoded->len)
    error = g_error_new (GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "Nothing that is installed decodes %s. On Debian most decoders are in "
        "gstreamer1.0-libav, gstreamer1.0-plugins-good and "
        "gstreamer1.0-plugins-bad; gst-inspect-1.0 lists what is there.",
        found->undecoded->str);
  else if (found->others->len)
    error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "There is no video in the stream, only %s. " WANTED,
        found->others->str);
  else
    error = g_error_new (GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "There is no video in the stream (%s). " WANTED,
        heard ? heard->message : "it is of no known type");
  g_mutex_unlock (&found->lock);
  return error;
}

GstMessage *
gst_llavaov_found_explain (GstLlavaovFound * found, GstObject * src,
    GstMessage * message)
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
    ours = gst_llavaov_found_error (found, error);
    said = gst_message_new_error (src, ours, debug);
    gst_message_unref (message);
    g_error_free (ours);
  }
  g_error_free (error);
  g_free (debug);
  return said;
}
