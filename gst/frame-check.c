/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-check.h"

#include "frame-layout.h"

/* What to do about memory that is somewhere else, or an empty string. Free it. */
static gchar *
memory_hint (GstCaps * caps)
{
  GstCapsFeatures *features = caps ? gst_caps_get_features (caps, 0) : NULL;
  gchar *name, *hint;

  if (features == NULL || gst_caps_features_is_any (features) ||
      !gst_caps_features_get_nth (features, 0) ||
      !g_str_has_prefix (gst_caps_features_get_nth (features, 0), "memory:") ||
      gst_caps_features_contains (features,
          GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY))
    return g_strdup ("");
  name = gst_caps_features_to_string (features);
  hint = g_strdup_printf (" Their memory is %s: put what downloads or converts "
      "it in front, and the caps video/x-raw.", name);
  g_free (name);
  return hint;
}

static void
tell (GstLlavaovElement * self, const LlavaovError * error)
{
  GstCaps *caps = gst_pad_get_current_caps (self->sinkpad);
  gchar *hint = memory_hint (caps);

  GST_ELEMENT_WARNING (self, STREAM, FORMAT,
      ("Frames of this video are not sampled: %s.%s", error->message, hint),
      ("%" GST_PTR_FORMAT "; the video itself goes through; the field "
          "frames-unreadable of the property stats counts them", caps));
  g_free (hint);
  gst_clear_caps (&caps);
}

void
gst_llavaov_frame_check (GstLlavaovElement * self, GstBuffer * buffer)
{
  GstLlavaovFrameLayout layout;
  LlavaovError error = { 0, };
  gboolean first;

  if (!self->format.have_info)
    return;
  if (gst_llavaov_frame_layout (&layout, &self->format.info, buffer, &error)) {
    gst_llavaov_format_set_unreadable (&self->format, FALSE);
    return;
  }
  gst_llavaov_output_count (&self->output, GST_LLAVAOV_COUNT_FRAMES_UNREADABLE);
  first = gst_llavaov_format_set_unreadable (&self->format, TRUE);
  GST_DEBUG_OBJECT (self, "not sampled: %s", error.message);
  if (first)
    tell (self, &error);
}
