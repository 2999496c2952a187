/* SPDX-License-Identifier: Apache-2.0 */
#include "convert.h"

gboolean
gst_llavaov_convert (const GstVideoFrame * picture, GstVideoFrame * rgb)
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
