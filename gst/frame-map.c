/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-map.h"

/* What the converter of GStreamer 1.22 was seen to read behind a picture is 41 bytes (NV12_10BE_8L128). */
#define ROOM 4096

/* Where the bytes [begin, end) of a plane are, through the map function of a meta. What that says about its memory is
 * checked; one that says nothing is believed. */
static gboolean
map_meta (GstLlavaovFrameMap * map, const GstLlavaovFrameLayout * layout,
    guint index, GstLlavaovPlane * plane, LlavaovError * error)
{
  GstMapInfo *info = &map->part[map->n_parts].map;
  gpointer data = NULL;
  gint64 before, behind;

  memset (info, 0, sizeof (*info));
  if (!gst_video_meta_map (layout->meta, index, info, &data, &plane->stride,
          GST_MAP_READ)) {
    gst_llavaov_frame_error (error, "the memory of a buffer cannot be mapped");
    return FALSE;
  }
  map->part[map->n_parts++].meta = layout->meta;
  /* Far enough from 0 for rows that go upwards. */
  plane->offset = G_MAXINT64 / 4;
  if (!gst_llavaov_plane_measure (&layout->info, index, plane)
      || data == NULL) {
    gst_llavaov_frame_error (error, "plane %u of %u rows of %"
        G_GSIZE_FORMAT " bytes is mapped with the stride %d", index,
        plane->rows, plane->row_bytes, plane->stride);
    return FALSE;
  }
  map->frame.data[index] = data;
  if (info->data == NULL)
    return TRUE;
  before = (gint64) ((guintptr) data - (guintptr) info->data);
  behind = (gint64) info->size - before;
  if (before < (gint64) (plane->offset - plane->begin) ||
      behind < (gint64) (plane->end - plane->offset)) {
    gst_llavaov_frame_error (error, "plane %u is mapped with %"
        G_GSIZE_FORMAT " bytes, and %u rows of %" G_GSIZE_FORMAT " bytes every "
        "%d do not fit from byte %" G_GINT64_FORMAT " on", index, info->size,
        plane->rows, plane->row_bytes, plane->stride, before);
    return FALSE;
  }
  return TRUE;
}

/* The same in the buffer's own memories: one, or several as one. */
static gboolean
map_memory (GstLlavaovFrameMap * map, guint index,
    const GstLlavaovPlane * plane, GstMapFlags flags, LlavaovError * error)
{
  GstMapInfo *info = &map->part[map->n_parts].map;
  gsize bytes = plane->end - plane->begin, skip;
  guint first, n;

  if (!gst_buffer_find_memory (map->buffer, plane->begin, bytes, &first, &n,
          &skip) ||
      !gst_buffer_map_range (map->buffer, first, n, info, flags)) {
    gst_llavaov_frame_error (error, "the memory of a buffer cannot be mapped");
    return FALSE;
  }
  map->part[map->n_parts++].meta = NULL;
  /* What is mapped is what counts, not what the memory said before. */
  if (info->size < skip || info->size - skip < bytes) {
    gst_llavaov_frame_error (error,
        "the memory of a buffer is mapped with %" G_GSIZE_FORMAT
        " bytes, and plane %u ends at byte %" G_GSIZE_FORMAT, info->size, index,
        skip + bytes);
    return FALSE;
  }
  map->frame.data[index] = info->data + skip + (plane->offset - plane->begin);
  return TRUE;
}

static void
unmap_parts (GstLlavaovFrameMap * map)
{
  guint i;

  for (i = 0; i < map->n_parts; i++) {
    if (map->part[i].meta)
      gst_video_meta_unmap (map->part[i].meta, i, &map->part[i].map);
    else
      gst_buffer_unmap (map->buffer, &map->part[i].map);
  }
  map->n_parts = 0;
}

/* Rows that are not there are those of the same field above. */
static void
copy_rows (const GstVideoFrame * frame, guint index,
    const GstLlavaovPlane * plane, guint8 * to, gint stride, guint rows)
{
  const guint8 *from = frame->data[index];
  guint step = GST_VIDEO_INFO_IS_INTERLACED (&frame->info) ? 2 : 1, y;

  for (y = 0; y < plane->rows; y++)
    memcpy (to + (gsize) y * stride, from + (gint64) y * plane->stride,
        plane->row_bytes);
  for (; y < rows; y++)
    memcpy (to + (gsize) y * stride, to + (gsize) (y < step ? 0 : y - step) *
        stride, plane->row_bytes);
}

/* Into memory of its own. */
static gboolean
copy_frame (GstLlavaovFrameMap * map, const GstLlavaovFrameLayout * layout)
{
  const GstVideoInfo *own = &layout->info;
  guint i, n = GST_VIDEO_INFO_N_PLANES (own), rows[GST_VIDEO_MAX_PLANES];
  gsize at[GST_VIDEO_MAX_PLANES], bytes = 0;

  for (i = 0; i < n; i++) {
    const GstLlavaovPlane *plane = &layout->plane[i];

    at[i] = bytes;
    rows[i] = 1;
    if (plane->block) {
      bytes += GST_ROUND_UP_16 (plane->row_bytes);
      continue;
    }
    rows[i] = MAX (plane->rows, gst_llavaov_plane_own_rows (own, i));
    /* The converter reads as many rows of chroma for one field as for the other, also where the format's layout has not
     * room for them (P010). */
    if (GST_VIDEO_INFO_IS_INTERLACED (own))
      rows[i] = GST_ROUND_UP_2 (rows[i]);
    bytes += GST_ROUND_UP_16 ((gsize) rows[i] *
        GST_VIDEO_INFO_PLANE_STRIDE (own, i));
  }
  map->copy = g_try_malloc0 (bytes + ROOM);
  if (map->copy == NULL)
    return FALSE;
  for (i = 0; i < n; i++) {
    const GstLlavaovPlane *plane = &layout->plane[i];
    gint stride = plane->block ? plane->stride :
        GST_VIDEO_INFO_PLANE_STRIDE (own, i);

    copy_rows (&map->frame, i, plane, map->copy + at[i], stride, rows[i]);
    map->frame.data[i] = map->copy + at[i];
    GST_VIDEO_FRAME_PLANE_OFFSET (&map->frame, i) = at[i];
    GST_VIDEO_FRAME_PLANE_STRIDE (&map->frame, i) = stride;
  }
  return TRUE;
}

/* As gst_video_frame_map() has them. */
static GstVideoFrameFlags
frame_flags (const GstVideoInfo * info, GstBuffer * buffer)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  GstVideoFrameFlags flags = meta ? meta->flags : GST_VIDEO_FRAME_FLAG_NONE;
  GstVideoInterlaceMode mode = GST_VIDEO_INFO_INTERLACE_MODE (info);

  if (mode == GST_VIDEO_INTERLACE_MODE_PROGRESSIVE)
    return flags & ~(GST_VIDEO_FRAME_FLAG_INTERLACED |
        GST_VIDEO_FRAME_FLAG_TFF | GST_VIDEO_FRAME_FLAG_ONEFIELD);
  if (mode != GST_VIDEO_INTERLACE_MODE_MIXED ||
      GST_BUFFER_FLAG_IS_SET (buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED))
    flags |= GST_VIDEO_FRAME_FLAG_INTERLACED;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_VIDEO_BUFFER_FLAG_TFF) ||
      (mode == GST_VIDEO_INTERLACE_MODE_INTERLEAVED &&
          GST_VIDEO_INFO_FIELD_ORDER (info) ==
          GST_VIDEO_FIELD_ORDER_TOP_FIELD_FIRST))
    flags |= GST_VIDEO_FRAME_FLAG_TFF;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_VIDEO_BUFFER_FLAG_RFF))
    flags |= GST_VIDEO_FRAME_FLAG_RFF;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_VIDEO_BUFFER_FLAG_ONEFIELD))
    flags |= GST_VIDEO_FRAME_FLAG_ONEFIELD;
  return flags;
}

gboolean
gst_llavaov_frame_map (GstLlavaovFrameMap * map, const GstVideoInfo * info,
    GstBuffer * buffer, GstMapFlags flags, gboolean copy, LlavaovError * error)
{
  GstLlavaovFrameLayout layout;
  gboolean mapped;
  guint i;

  memset (map, 0, sizeof (*map));
  if (!gst_llavaov_frame_layout (&layout, info, buffer, error))
    return FALSE;
  if (layout.meta && flags != GST_MAP_READ) {
    gst_llavaov_frame_error (error,
        "a buffer's GstVideoMeta maps its memory itself");
    return FALSE;
  }
  map->buffer = buffer;
  map->crop = layout.crop;
  map->frame.info = layout.info;
  map->frame.flags = frame_flags (&layout.info, buffer);
  for (i = 0; i < GST_VIDEO_INFO_N_PLANES (info); i++) {
    GstLlavaovPlane *plane = &layout.plane[i];

    mapped = layout.meta ? map_meta (map, &layout, i, plane, error) :
        map_memory (map, i, plane, flags, error);
    if (!mapped) {
      unmap_parts (map);
      return FALSE;
    }
    GST_VIDEO_FRAME_PLANE_OFFSET (&map->frame, i) = plane->offset;
    /* Nobody goes from one row to the next where there is one. */
    if (plane->rows == 1 && !plane->block)
      plane->stride = plane->row_bytes;
    GST_VIDEO_FRAME_PLANE_STRIDE (&map->frame, i) = plane->stride;
  }
  if (!copy)
    return TRUE;
  mapped = copy_frame (map, &layout);
  if (!mapped)
    gst_llavaov_frame_error (error,
        "there is no memory for a copy of a picture");
  unmap_parts (map);
  return mapped;
}

void
gst_llavaov_frame_unmap (GstLlavaovFrameMap * map)
{
  unmap_parts (map);
  g_clear_pointer (&map->copy, g_free);
}
