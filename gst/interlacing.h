/* SPDX-License-Identifier: Apache-2.0
 *
 * How the rows of a buffer were taken, from what caps and flags say. Pure; on any thread.
 */
#ifndef GST_LLAVAOV_INTERLACING_H
#define GST_LLAVAOV_INTERLACING_H

#include <gst/video/video.h>

#include "llavaov.h"

G_BEGIN_DECLS

/* info: of the caps; flags: of the frame, as gst_video_frame_map() makes them. A TOP_FIELD or BOTTOM_FIELD of a frame that
 * is not `alternate` lies among the rows of both fields. */
LlavaovScan gst_llavaov_interlacing_scan (const GstVideoInfo * info, GstBuffer * buffer,
    GstVideoFrameFlags flags);
gboolean gst_llavaov_interlacing_is_field (LlavaovScan scan);

/* A buffer of mode `fields` whose GstVideoMetas describe one field each is taken as `alternate`: its first meta is that of
 * the first field. info: of the caps, changed so. */
void gst_llavaov_interlacing_first_field (GstVideoInfo * info, GstBuffer * buffer);

G_END_DECLS

#endif
