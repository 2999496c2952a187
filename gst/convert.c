/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"

/* One of AYUV64. */
#define PIXEL_BYTES 8

/* GStreamer's functions for MediaTek's tiles of 10 bits, of 16x32 (MT2110T, MT2110R; 1.24 and newer), leave out the tile
 * that ends behind the picture, so that its columns are whatever memory held before, and take the rows of chroma of two
 * fields for those of one picture. By name, for headers without them. */
static gboolean
is_misread (const GstVideoInfo * info)
{
  return g_str_has_prefix (GST_VIDEO_INFO_NAME (info), "MT2110");
}

/* The same samples in P010, whole tiles of them; its maps are the only reference of the buffer. */
static gboolean
untile (const GstVideoFrame * tiled, GstVideoFrame * rows)
{
  const GstVideoInfo *from = &tiled->info;
  guint width = GST_ROUND_UP_16 (GST_VIDEO_INFO_WIDTH (from)), y;
  guint height = GST_ROUND_UP_4 (GST_VIDEO_INFO_HEIGHT (from));
  GstVideoInfo whole, to;
  GstBuffer *buffer;
  gpointer line;

  if (!gst_video_info_set_interlaced_format (&whole, GST_VIDEO_FORMAT_P010_10LE,
          GST_VIDEO_INFO_INTERLACE_MODE (from), width, height))
    return FALSE;
  buffer = gst_buffer_new_allocate (NULL, whole.size, NULL);
  line = g_try_malloc_n (width, PIXEL_BYTES);
  if (buffer == NULL || line == NULL ||
      !gst_video_frame_map (rows, &whole, buffer, GST_MAP_READWRITE)) {
    gst_clear_buffer (&buffer);
    g_free (line);
    return FALSE;
  }
  gst_buffer_unref (buffer);
  for (y = 0; y < height; y++) {
    from->finfo->unpack_func (from->finfo, GST_VIDEO_PACK_FLAG_NONE, line,
        (gpointer *) tiled->data, from->stride, 0, y, width);
    whole.finfo->pack_func (whole.finfo, GST_VIDEO_PACK_FLAG_NONE, line, 0,
        rows->data, rows->info.stride, GST_VIDEO_CHROMA_SITE_UNKNOWN, y, width);
  }
  g_free (line);

  to = *from;
  to.finfo = whole.finfo;
  to.size = whole.size;
  memcpy (to.offset, rows->info.offset, sizeof (to.offset));
  memcpy (to.stride, rows->info.stride, sizeof (to.stride));
  rows->info = to;
  rows->flags = tiled->flags;
  return TRUE;
}

static gboolean
convert (const GstVideoFrame * picture, GstVideoFrame * rgb)
{
  const GstVideoInfo *from = &picture->info;
  GstVideoConverter *converter;
  GstVideoInfo to;
  GstBuffer *buffer;
  gboolean mapped;

  if (!gst_video_info_set_interlaced_format (&to, GST_VIDEO_FORMAT_RGB,
          GST_VIDEO_INFO_INTERLACE_MODE (from), GST_VIDEO_INFO_WIDTH (from),
          GST_VIDEO_INFO_HEIGHT (from)))
    return FALSE;
  /* The converter insists on equal rates. */
  GST_VIDEO_INFO_FPS_N (&to) = GST_VIDEO_INFO_FPS_N (from);
  GST_VIDEO_INFO_FPS_D (&to) = GST_VIDEO_INFO_FPS_D (from);
  converter = gst_video_converter_new (from, &to,
      gst_structure_new ("options", GST_VIDEO_CONVERTER_OPT_THREADS,
          G_TYPE_UINT, 1, NULL));
  if (converter == NULL)
    return FALSE;
  buffer = gst_buffer_new_allocate (NULL, to.size, NULL);
  mapped = buffer && gst_video_frame_map (rgb, &to, buffer, GST_MAP_READWRITE);
  gst_clear_buffer (&buffer);
  if (mapped)
    gst_video_converter_frame (converter, picture, rgb);
  gst_video_converter_free (converter);
  return mapped;
}

gboolean
gst_llavaov_convert (const GstVideoFrame * picture, GstVideoFrame * rgb)
{
  GstVideoFrame rows;
  gboolean converted;

  if (!is_misread (&picture->info))
    return convert (picture, rgb);
  if (!untile (picture, &rows))
    return FALSE;
  converted = convert (&rows, rgb);
  gst_video_frame_unmap (&rows);
  return converted;
}
