/* SPDX-License-Identifier: Apache-2.0
 *
 * GStreamer's own converter (the one inside videoconvert) for the pictures that the engine does not read. Only sampled
 * frames pay for it, and the stream itself stays as it is. Pure; on any thread.
 */
#ifndef GST_LLAVAOV_CONVERT_H
#define GST_LLAVAOV_CONVERT_H

#include <gst/video/video.h>

G_BEGIN_DECLS

/* The same picture in RGB, full range, of the same size and interlaced in the same way, mapped for reading; alpha is left
 * out. Unmap it: the last reference of its buffer is the map's. FALSE: the converter does not know the format. */
gboolean gst_llavaov_convert (const GstVideoFrame * picture,
    GstVideoFrame * rgb);

G_END_DECLS

#endif
