/* SPDX-License-Identifier: Apache-2.0
 *
 * A drawn answer onto a frame. Each takes the buffer and returns it, or a writable copy. Any thread.
 */
#ifndef GST_LLAVAOV_OVERLAY_FRAME_H
#define GST_LLAVAOV_OVERLAY_FRAME_H

#include <gst/video/video.h>

G_BEGIN_DECLS

/* For whoever is downstream to draw. */
GstBuffer *gst_llavaov_overlay_attach (GstVideoOverlayComposition * drawn,
    GstBuffer * buffer);
/* The same in the colours of the video, so that they are not computed for each frame. Takes the composition, which may be NULL. */
GstVideoOverlayComposition
    * gst_llavaov_overlay_recolour (GstVideoOverlayComposition * drawn,
    const GstVideoInfo * info);
/* Into the picture. A buffer that is no frame of `info` is returned as it is. */
GstBuffer *gst_llavaov_overlay_blend (GstVideoOverlayComposition * drawn,
    const GstVideoInfo * info, GstBuffer * buffer);

G_END_DECLS

#endif
