/* SPDX-License-Identifier: Apache-2.0
 *
 * EXIF says which way up a JPEG picture is shown. jpegparse makes a tag of it, but decodebin of GStreamer 1.22 leaves jpegparse
 * out.
 */
#ifndef GST_LLAVAOV_JPEG_H
#define GST_LLAVAOV_JPEG_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Handler of decodebin's signal autoplug-sort: puts jpegparse first where what is decoded is JPEG itself and nothing live.
 * NULL: leave the factories as they are. */
GValueArray *gst_llavaov_jpeg_sort (GstElement * decoder, GstPad * pad,
    GstCaps * caps, GValueArray * factories, gpointer unused);

G_END_DECLS

#endif
