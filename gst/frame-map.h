/* SPDX-License-Identifier: Apache-2.0
 *
 * A buffer's picture, mapped. Every row of every plane lies in mapped memory, whatever caps, metas and sizes say, or there
 * is no picture. On any thread.
 */
#ifndef GST_LLAVAOV_FRAME_MAP_H
#define GST_LLAVAOV_FRAME_MAP_H

#include "frame-layout.h"

G_BEGIN_DECLS

typedef struct
{
  GstVideoFrame frame;          /* without buffer and maps: not for gst_video_frame_unmap() */
  GstVideoRectangle crop;       /* the part of it that is shown */

  /* private */
  GstBuffer *buffer;
  struct
  {
    GstVideoMeta *meta;         /* with a map function of its own, or NULL */
    GstMapInfo map;
  } part[GST_VIDEO_MAX_PLANES];
  guint n_parts;
  guint8 *copy;
} GstLlavaovFrameMap;

/* info: of the caps; flags: GST_MAP_READ, with GST_LLAVAOV_MAP_CUDA beside it for the device's addresses. With `copy` the rows are copied to memory that goes on behind the last of them, in GStreamer's own
 * layout: its converter reads groups of pixels and whole tiles. FALSE: error says why. Takes no reference of the buffer. */
gboolean gst_llavaov_frame_map (GstLlavaovFrameMap * map,
    const GstVideoInfo * info, GstBuffer * buffer, GstMapFlags flags,
    gboolean copy, LlavaovError * error);
void gst_llavaov_frame_unmap (GstLlavaovFrameMap * map);

G_END_DECLS

#endif
