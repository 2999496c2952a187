/* SPDX-License-Identifier: Apache-2.0 */
#include "interlacing.h"

LlavaovScan
gst_llavaov_interlacing_scan (const GstVideoInfo * info, GstBuffer * buffer,
    GstVideoFrameFlags flags)
{
  gboolean alternate = GST_VIDEO_INFO_INTERLACE_MODE (info) ==
      GST_VIDEO_INTERLACE_MODE_ALTERNATE;
  gboolean top = (flags & GST_VIDEO_FRAME_FLAG_TFF) != 0;

  if (alternate) {
    GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);

    top = GST_BUFFER_FLAG_IS_SET (buffer, GST_VIDEO_BUFFER_FLAG_TFF) ||
        (meta && (meta->flags & GST_VIDEO_FRAME_FLAG_TFF));
  } else if (!(flags & GST_VIDEO_FRAME_FLAG_INTERLACED)) {
    return LLAVAOV_SCAN_PROGRESSIVE;
  }
  if (alternate || (flags & GST_VIDEO_FRAME_FLAG_ONEFIELD))
    return top ? LLAVAOV_SCAN_TOP_FIELD : LLAVAOV_SCAN_BOTTOM_FIELD;
  return top ? LLAVAOV_SCAN_TOP_FIRST : LLAVAOV_SCAN_BOTTOM_FIRST;
}

gboolean
gst_llavaov_interlacing_is_field (LlavaovScan scan)
{
  return scan == LLAVAOV_SCAN_TOP_FIELD || scan == LLAVAOV_SCAN_BOTTOM_FIELD;
}

void
gst_llavaov_interlacing_first_field (GstVideoInfo * info, GstBuffer * buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoInfo alternate = *info;

  if (GST_VIDEO_INFO_INTERLACE_MODE (info) != GST_VIDEO_INTERLACE_MODE_FIELDS)
    return;
  GST_VIDEO_INFO_INTERLACE_MODE (&alternate) =
      GST_VIDEO_INTERLACE_MODE_ALTERNATE;
  if (meta && meta->height < (guint) GST_VIDEO_INFO_HEIGHT (info) &&
      meta->height >= (guint) GST_VIDEO_INFO_FIELD_HEIGHT (&alternate))
    *info = alternate;
}
