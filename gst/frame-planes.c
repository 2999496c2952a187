/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-planes.h"

#define PALETTE_BYTES (256 * 4)

static gboolean
is_tiled (const GstVideoInfo * info)
{
  return GST_VIDEO_FORMAT_INFO_IS_TILED (info->finfo);
}

static gboolean
is_palette (const GstVideoInfo * info, guint plane)
{
  return GST_VIDEO_FORMAT_INFO_HAS_PALETTE (info->finfo) && plane == 1;
}

/* The bytes of a plane in GStreamer's own layout. */
static gsize
own_plane_bytes (const GstVideoInfo * info, guint plane)
{
  gsize end = plane + 1 < GST_VIDEO_INFO_N_PLANES (info) ?
      GST_VIDEO_INFO_PLANE_OFFSET (info, plane + 1) : info->size;

  return end - GST_VIDEO_INFO_PLANE_OFFSET (info, plane);
}

/* Tiles are read as they lie: the meta may have more of them than the picture needs. FALSE: it has fewer. */
static gboolean
measure_tiles (const GstVideoInfo * info, guint index, GstLlavaovPlane * plane)
{
  guint own = GST_VIDEO_INFO_PLANE_STRIDE (info, index);
  guint64 across = GST_VIDEO_TILE_X_TILES ((guint) plane->stride);
  guint64 down = GST_VIDEO_TILE_Y_TILES ((guint) plane->stride);
  guint64 own_across = GST_VIDEO_TILE_X_TILES (own);
  guint64 own_down = GST_VIDEO_TILE_Y_TILES (own);

  plane->rows = 1;
  plane->row_bytes = 0;
  if (own_across == 0 || own_down == 0 || across < own_across ||
      down < own_down)
    return FALSE;
  plane->row_bytes = own_plane_bytes (info, index) / (own_across * own_down) *
      across * down;
  return TRUE;
}

/* Formats whose pixels do not lie at multiples of a stride of their own: rows as GStreamer makes them. */
static void
measure_complex (const GstVideoInfo * info, guint index,
    GstLlavaovPlane * plane)
{
  plane->row_bytes = GST_VIDEO_INFO_PLANE_STRIDE (info, index);
  plane->rows = own_plane_bytes (info, index) / plane->row_bytes;
}

static void
measure_simple (const GstVideoInfo * info, guint index, GstLlavaovPlane * plane)
{
  const GstVideoFormatInfo *format = info->finfo;
  guint i;

  for (i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); i++) {
    gsize width = GST_VIDEO_FORMAT_INFO_SCALE_WIDTH (format, i, info->width);
    guint height = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT (format, i, info->height);

    if (GST_VIDEO_FORMAT_INFO_PLANE (format, i) != index)
      continue;
    plane->row_bytes = MAX (plane->row_bytes, width *
        GST_VIDEO_FORMAT_INFO_PSTRIDE (format, i));
    plane->rows = MAX (plane->rows, height);
  }
}

/* FALSE: a plane of nothing, or with too few tiles. */
static gboolean
measure (const GstVideoInfo * info, guint index, GstLlavaovPlane * plane)
{
  plane->row_bytes = 0;
  plane->rows = 0;
  plane->block = is_palette (info, index) || is_tiled (info);
  if (is_palette (info, index)) {
    plane->row_bytes = PALETTE_BYTES;
    plane->rows = 1;
  } else if (is_tiled (info)) {
    return measure_tiles (info, index, plane);
  } else if (GST_VIDEO_FORMAT_INFO_IS_COMPLEX (info->finfo) ||
      GST_VIDEO_FORMAT_INFO_PSTRIDE (info->finfo, 0) == 0) {
    measure_complex (info, index, plane);
  } else {
    measure_simple (info, index, plane);
  }
  return plane->row_bytes > 0 && plane->rows > 0;
}

/* FALSE: rows overlap, or lie before the buffer. */
static gboolean
find_extent (GstLlavaovPlane * plane)
{
  gint64 far = (gint64) (plane->rows - 1) * plane->stride;

  if (plane->rows > 1 &&
      (gsize) ABS ((gint64) plane->stride) < plane->row_bytes)
    return FALSE;
  if (plane->rows == 1)
    far = 0;
  if (plane->offset > G_MAXINT64 / 2 || (gint64) plane->offset + far < 0)
    return FALSE;
  plane->begin = plane->offset + MIN (far, 0);
  plane->end = plane->offset + MAX (far, 0) + plane->row_bytes;
  return TRUE;
}

gboolean
gst_llavaov_plane_measure (const GstVideoInfo * info, guint index,
    GstLlavaovPlane * plane)
{
  return measure (info, index, plane) && find_extent (plane);
}

guint
gst_llavaov_plane_own_rows (const GstVideoInfo * info, guint index)
{
  return own_plane_bytes (info, index) / GST_VIDEO_INFO_PLANE_STRIDE (info,
      index);
}

void
gst_llavaov_plane_take_last_row (const GstVideoInfo * info, guint index,
    GstLlavaovPlane * plane, gsize bytes)
{
  GstLlavaovPlane taller = *plane;

  if (plane->block || !GST_VIDEO_INFO_IS_INTERLACED (info))
    return;
  taller.rows = gst_llavaov_plane_own_rows (info, index);
  if (taller.rows == plane->rows + 1 && find_extent (&taller) &&
      taller.end <= bytes)
    *plane = taller;
}
