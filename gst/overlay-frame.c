/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay-frame.h"

GST_DEBUG_CATEGORY_EXTERN (gst_llavaov_overlay_debug);
#define GST_CAT_DEFAULT gst_llavaov_overlay_debug

GstBuffer *
gst_llavaov_overlay_attach (GstVideoOverlayComposition * drawn,
    GstBuffer * buffer)
{
  GstVideoOverlayCompositionMeta *meta;
  GstVideoOverlayComposition *all;

  buffer = gst_buffer_make_writable (buffer);
  meta = gst_buffer_get_video_overlay_composition_meta (buffer);
  if (meta == NULL) {
    gst_buffer_add_video_overlay_composition_meta (buffer, drawn);
    return buffer;
  }
  /* Sinks draw the first one only. */
  all = gst_video_overlay_composition_copy (meta->overlay);
  gst_video_overlay_composition_add_rectangle (all,
      gst_video_overlay_composition_get_rectangle (drawn, 0));
  gst_buffer_remove_video_overlay_composition_meta (buffer, meta);
  gst_buffer_add_video_overlay_composition_meta (buffer, all);
  gst_video_overlay_composition_unref (all);
  return buffer;
}

GstVideoOverlayComposition *
gst_llavaov_overlay_recolour (GstVideoOverlayComposition * drawn,
    const GstVideoInfo * info)
{
  GstVideoOverlayRectangle *rectangle;
  GstVideoOverlayComposition *recoloured;
  gint x, y;
  guint width, height;

  if (drawn == NULL || !GST_VIDEO_INFO_IS_YUV (info))
    return drawn;
  rectangle = gst_video_overlay_composition_get_rectangle (drawn, 0);
  gst_video_overlay_rectangle_get_render_rectangle (rectangle, &x, &y, &width,
      &height);
  rectangle = gst_video_overlay_rectangle_new_raw
      (gst_video_overlay_rectangle_get_pixels_unscaled_ayuv (rectangle,
          GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA), x, y, width,
      height, GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
  recoloured = gst_video_overlay_composition_new (rectangle);
  gst_video_overlay_rectangle_unref (rectangle);
  gst_video_overlay_composition_unref (drawn);
  return recoloured;
}

GstBuffer *
gst_llavaov_overlay_blend (GstVideoOverlayComposition * drawn,
    const GstVideoInfo * info, GstBuffer * buffer)
{
  GstVideoFrame frame;

  buffer = gst_buffer_make_writable (buffer);
  if (!gst_video_frame_map (&frame, info, buffer, GST_MAP_READWRITE)) {
    /* Not ours to judge. */
    GST_WARNING ("cannot map %" GST_PTR_FORMAT, buffer);
    return buffer;
  }
  if (!gst_video_overlay_composition_blend (drawn, &frame))
    GST_WARNING ("cannot blend into %" GST_PTR_FORMAT, buffer);
  gst_video_frame_unmap (&frame);
  return buffer;
}
