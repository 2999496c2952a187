/* SPDX-License-Identifier: Apache-2.0
 *
 * Which bytes of a buffer the planes of a picture take up. Pure; on any thread.
 */
#ifndef GST_LLAVAOV_FRAME_PLANES_H
#define GST_LLAVAOV_FRAME_PLANES_H

#include <gst/video/video.h>

G_BEGIN_DECLS

/* One plane. */
typedef struct
{
  gsize offset;                 /* of its first row, from the buffer's start */
  gint stride;                  /* from one row to the next; negative: upwards in memory. Tiles: how many, as in GstVideoInfo */
  gsize row_bytes;              /* that a row has, without padding */
  guint rows;
  gboolean block;               /* a plane of tiles or a palette, read as it lies: one row of all its bytes */
  gsize begin, end;             /* all that is read lies in these bytes of the buffer */
} GstLlavaovPlane;

/* Everything about a plane of which offset and stride are set. FALSE: rows overlap or lie before the buffer, or tiles are
 * missing. */
gboolean gst_llavaov_plane_measure (const GstVideoInfo * info, guint index,
    GstLlavaovPlane * plane);

/* The rows of a plane that is no block in GStreamer's own layout, which may be more than its picture has. */
guint gst_llavaov_plane_own_rows (const GstVideoInfo * info, guint index);

/* Adds the last row where the buffer has it. Pictures of two fields with halved chroma have a row more than their height needs
 * where that is not a multiple of four, and the converter reads it. Caps promise it, metas do not always have it. */
void gst_llavaov_plane_take_last_row (const GstVideoInfo * info,
    guint index, GstLlavaovPlane * plane, gsize bytes);

G_END_DECLS

#endif
