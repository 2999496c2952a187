/* SPDX-License-Identifier: Apache-2.0 */
#include "orientation.h"

/* "flip" swaps left and right, then comes the rotation, clockwise. */
static const gchar *const names[] = {
  [LLAVAOV_ORIENTATION_UPRIGHT] = "rotate-0",
  [LLAVAOV_ORIENTATION_MIRROR] = "flip-rotate-0",
  [LLAVAOV_ORIENTATION_ROTATE_180] = "rotate-180",
  [LLAVAOV_ORIENTATION_FLIP] = "flip-rotate-180",
  [LLAVAOV_ORIENTATION_TRANSPOSE] = "flip-rotate-270",
  [LLAVAOV_ORIENTATION_ROTATE_90] = "rotate-90",
  [LLAVAOV_ORIENTATION_TRANSVERSE] = "flip-rotate-90",
  [LLAVAOV_ORIENTATION_ROTATE_270] = "rotate-270",
};

void
gst_llavaov_orientation_clear (GstLlavaovOrientation * orientation)
{
  g_free (orientation->stream_id);
  memset (orientation, 0, sizeof (*orientation));
}

static gboolean
find_tag (GstTagList * tags, LlavaovOrientation * found)
{
  const gchar *name;
  guint i;

  if (!gst_tag_list_peek_string_index (tags, GST_TAG_IMAGE_ORIENTATION, 0,
          &name))
    return FALSE;
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    if (!strcmp (name, names[i])) {
      *found = i;
      return TRUE;
    }
  }
  return FALSE;
}

void
gst_llavaov_orientation_event (GstLlavaovOrientation * orientation,
    GstEvent * event)
{
  LlavaovOrientation found = LLAVAOV_ORIENTATION_UPRIGHT;
  const gchar *stream_id;
  GstTagList *tags;
  gboolean known;

  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START) {
    gst_event_parse_stream_start (event, &stream_id);
    if (g_strcmp0 (stream_id, orientation->stream_id)) {
      gst_llavaov_orientation_clear (orientation);
      orientation->stream_id = g_strdup (stream_id);
    }
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_TAG) {
    gst_event_parse_tag (event, &tags);
    known = find_tag (tags, &found);
    if (gst_tag_list_get_scope (tags) == GST_TAG_SCOPE_GLOBAL) {
      orientation->global = found;
    } else {
      orientation->of_stream = found;
      orientation->of_stream_known = known;
    }
  }
}

LlavaovOrientation
gst_llavaov_orientation_get (const GstLlavaovOrientation * orientation)
{
  return orientation->of_stream_known ? orientation->of_stream :
      orientation->global;
}

gboolean
gst_llavaov_orientation_swaps (LlavaovOrientation orientation)
{
  return orientation >= LLAVAOV_ORIENTATION_TRANSPOSE;
}
