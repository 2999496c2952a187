/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the picture lies that caps and metas say a buffer has, and whether the buffer is large enough for it. Caps, metas
 * and sizes come from anywhere: nothing in them is believed that the others contradict. Pure, maps nothing; on any thread.
 */
#ifndef GST_LLAVAOV_FRAME_LAYOUT_H
#define GST_LLAVAOV_FRAME_LAYOUT_H

#include "frame-planes.h"
#include "llavaov.h"

G_BEGIN_DECLS

typedef struct
{
  /* Format, size and colours of what is read, and GStreamer's own layout of such a picture. A single field (interlace-mode
   * alternate) is a progressive picture of half the height. */
  GstVideoInfo info;
  GstLlavaovPlane plane[GST_VIDEO_MAX_PLANES];
  GstVideoRectangle crop;       /* the part of it that is shown */
  GstVideoMeta *meta;           /* NULL, or one whose own map function says where planes lie: those here are not filled */
} GstLlavaovFrameLayout;

/* info: of the caps. FALSE: the buffer does not hold what they say; error tells what was found and what is wanted. */
gboolean gst_llavaov_frame_layout (GstLlavaovFrameLayout * layout,
    const GstVideoInfo * info, GstBuffer * buffer, LlavaovError * error);

/* Fills error: status FORMAT, subject "frame". */
void gst_llavaov_frame_error (LlavaovError * error, const gchar * format, ...)
    G_GNUC_PRINTF (2, 3);

G_END_DECLS

#endif
