/* SPDX-License-Identifier: Apache-2.0 */
#include "input-caps.h"

/* That of all video in RFC 3551, and of the payload formats for video since. */
#define RTP_VIDEO_CLOCK_RATE 90000
#define MAX_NAME 40

static gboolean
lacks (GstStructure * structure, const gchar * name, const gchar * field)
{
  return gst_structure_has_name (structure, name) &&
      !gst_structure_has_field (structure, field);
}

GstCaps *
gst_llavaov_input_caps_complete (GstCaps * caps)
{
  GstStructure *structure;
  GstCaps *complete;

  if (!gst_caps_is_fixed (caps))
    return NULL;
  complete = gst_caps_copy (caps);
  structure = gst_caps_get_structure (complete, 0);
  if (lacks (structure, "video/mpegts", "systemstream"))
    gst_structure_set (structure, "systemstream", G_TYPE_BOOLEAN, TRUE, NULL);
  if (lacks (structure, "application/x-rtp", "media"))
    gst_structure_set (structure, "media", G_TYPE_STRING, "video", NULL);
  if (lacks (structure, "application/x-rtp", "clock-rate"))
    gst_structure_set (structure, "clock-rate", G_TYPE_INT,
        RTP_VIDEO_CLOCK_RATE, NULL);
  if (gst_caps_is_equal (caps, complete))
    gst_clear_caps (&complete);
  return complete;
}

/* What RTP carries, or NULL. A name of any length may come from a camera. */
static const gchar *
rtp_encoding (const GstStructure * structure)
{
  const gchar *encoding = gst_structure_get_string (structure,
      "encoding-name");

  return encoding && strlen (encoding) <= MAX_NAME ? encoding : NULL;
}

GstLlavaovInputKind
gst_llavaov_input_caps_kind (const GstCaps * caps)
{
  const GstStructure *structure;
  const gchar *name, *media;

  if (caps == NULL || gst_caps_get_size (caps) == 0)
    return GST_LLAVAOV_INPUT_NOTHING;
  structure = gst_caps_get_structure (caps, 0);
  name = gst_structure_get_name (structure);
  if (gst_structure_has_name (structure, "application/x-rtp")) {
    media = gst_structure_get_string (structure, "media");
    if (rtp_encoding (structure) == NULL)
      return GST_LLAVAOV_INPUT_UNLABELLED_RTP;
    return media && strcmp (media, "video") ? GST_LLAVAOV_INPUT_OTHER :
        GST_LLAVAOV_INPUT_VIDEO;
  }
  return g_str_has_prefix (name, "video/") || g_str_has_prefix (name, "image/")
      ? GST_LLAVAOV_INPUT_VIDEO : GST_LLAVAOV_INPUT_OTHER;
}

gchar *
gst_llavaov_input_caps_name (const GstCaps * caps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  const gchar *encoding;

  if (!gst_structure_has_name (structure, "application/x-rtp"))
    return g_strdup (gst_structure_get_name (structure));
  encoding = rtp_encoding (structure);
  return encoding ? g_strdup_printf ("RTP of %s", encoding) :
      g_strdup ("RTP whose caps do not say what it carries");
}
