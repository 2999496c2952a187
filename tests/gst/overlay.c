/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay.h"

#define META "GstLlavaovMeta"

void
overlay_load_plugin (void)
{
  GstPlugin *plugin = gst_plugin_load_file (g_getenv ("OVERLAY_PLUGIN"), NULL);

  g_assert (plugin != NULL);
  gst_object_unref (plugin);
}

static void
register_meta (void)
{
  static const gchar *tags[] = { NULL };

  if (gst_meta_get_info (META) == NULL)
    gst_meta_register_custom (META, tags, NULL, NULL, NULL);
}

GstHarness *
overlay_harness_new (const gchar * properties, const gchar * format, gint width,
    gint height, const gchar * more)
{
  gchar *line = g_strdup_printf ("llavaovoverlay %s", properties);
  gchar *caps = g_strdup_printf ("video/x-raw, format=%s, width=%d, "
      "height=%d, framerate=10/1%s", format, width, height, more);
  GstHarness *h = gst_harness_new_parse (line);

  gst_harness_set_src_caps_str (h, caps);
  g_free (line);
  g_free (caps);
  return h;
}

GstBuffer *
overlay_frame_new (const gchar * format, gint width, gint height,
    GstClockTime pts, GstStructure * answer)
{
  GstVideoInfo info;
  GstBuffer *buffer;

  gst_video_info_set_format (&info, gst_video_format_from_string (format),
      width, height);
  buffer = gst_buffer_new_allocate (NULL, info.size, NULL);
  gst_buffer_memset (buffer, 0, GREY, info.size);
  GST_BUFFER_PTS (buffer) = pts;
  if (answer) {
    GstStructure *structure;
    gint i;

    register_meta ();
    structure = gst_custom_meta_get_structure (gst_buffer_add_custom_meta
        (buffer, META));

    for (i = 0; i < gst_structure_n_fields (answer); i++) {
      const gchar *name = gst_structure_nth_field_name (answer, i);

      gst_structure_set_value (structure, name,
          gst_structure_get_value (answer, name));
    }
    gst_structure_free (answer);
  }
  return buffer;
}

GstStructure *
overlay_answer_new (const gchar * text, const gchar * alert)
{
  GstStructure *answer = gst_structure_new ("llavaov-answer", "text",
      G_TYPE_STRING, text, NULL);

  if (alert)
    gst_structure_set (answer, "alert", G_TYPE_STRING, alert, "confidence",
        G_TYPE_DOUBLE, .97, NULL);
  return answer;
}

guint
overlay_count_drawn (GstBuffer * buffer)
{
  GstMapInfo map;
  guint n = 0;
  gsize i;

  g_assert (gst_buffer_map (buffer, &map, GST_MAP_READ));
  for (i = 0; i < map.size; i++)
    n += map.data[i] != GREY;
  gst_buffer_unmap (buffer, &map);
  return n;
}
