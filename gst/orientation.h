/* SPDX-License-Identifier: Apache-2.0
 *
 * Which way up a stream's frames are shown: the tag image-orientation of containers and EXIF, by the rules of videoflip's
 * method=automatic. A tag list of the stream goes before a global one; the newest list of each kind holds as a whole, so
 * one without the tag takes it back; a stream of another id begins without any. Not thread-safe.
 */
#ifndef GST_LLAVAOV_ORIENTATION_H
#define GST_LLAVAOV_ORIENTATION_H

#include <gst/gst.h>

#include "llavaov.h"

G_BEGIN_DECLS

/* All zero: no stream yet. */
typedef struct
{
  gchar *stream_id;
  gboolean of_stream_known;
  LlavaovOrientation of_stream, global;
} GstLlavaovOrientation;

void gst_llavaov_orientation_clear (GstLlavaovOrientation * orientation);
/* A STREAM_START or TAG event; others do nothing. */
void gst_llavaov_orientation_event (GstLlavaovOrientation * orientation,
    GstEvent * event);
/* Of the frames that follow. */
LlavaovOrientation gst_llavaov_orientation_get (const GstLlavaovOrientation *
    orientation);
/* Whether such frames are shown with width and height swapped. */
gboolean gst_llavaov_orientation_swaps (LlavaovOrientation orientation);

G_END_DECLS

#endif
