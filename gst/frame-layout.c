/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-layout.h"

/* Beyond what any format's sizes and 32 bits can describe. */
#define MAX_EDGE 65535

void
gst_llavaov_frame_error (LlavaovError * error, const gchar * format, ...)
{
  va_list args;

  if (error == NULL)
    return;
  error->status = LLAVAOV_ERROR_FORMAT;
  error->about = LLAVAOV_ABOUT_PICTURE;
  g_strlcpy (error->subject, "frame", sizeof (error->subject));
  va_start (args, format);
  g_vsnprintf (error->message, sizeof (error->message), format, args);
  va_end (args);
}

/* gst_buffer_add_video_meta() has one map function for all, which reads the buffer's memories where the meta says. */
static gpointer
find_default_map (gpointer unused)
{
  GstBuffer *buffer = gst_buffer_new ();
  gpointer map = gst_buffer_add_video_meta (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_FORMAT_GRAY8, 1, 1)->map;

  gst_buffer_unref (buffer);
  return map;
}

static gboolean
maps_itself (const GstVideoMeta * meta)
{
  static GOnce once = G_ONCE_INIT;

  return (gpointer) meta->map != g_once (&once, find_default_map, NULL);
}

/* The part of a frame of this size that is shown, in whole pixels of every plane and, of two fields, of both. */
static gboolean
find_crop (GstVideoRectangle * crop, const GstVideoInfo * info,
    GstBuffer * buffer, guint width, guint height, gboolean fields)
{
  GstVideoCropMeta *meta = gst_buffer_get_video_crop_meta (buffer);
  guint y, h;

  crop->x = crop->y = 0;
  crop->w = GST_VIDEO_INFO_WIDTH (info);
  crop->h = GST_VIDEO_INFO_FIELD_HEIGHT (info);
  if (meta == NULL)
    return TRUE;
  /* Its rows are those of the whole frame. */
  y = fields ? meta->y / 2 : meta->y;
  h = fields ? meta->height / 2 + meta->height % 2 : meta->height;
  if (meta->width == 0 || h == 0 || meta->x > width || y > height ||
      meta->width > width - meta->x || h > height - y)
    return FALSE;
  crop->x = meta->x & ~1;
  crop->y = GST_VIDEO_INFO_IS_INTERLACED (info) && !fields ? y & ~3 : y & ~1;
  crop->w = meta->width;
  crop->h = h;
  return TRUE;
}

/* The size that buffers of these caps must have is one thing, unpadded rows are another: say which. */
static void
too_small (const GstLlavaovFrameLayout * layout, gsize found, gboolean meta,
    LlavaovError * error)
{
  const GstVideoInfo *info = &layout->info;
  guint i, n = GST_VIDEO_INFO_N_PLANES (info);
  gsize wanted = 0, packed = 0;
  GString *strides = g_string_new (NULL), *rows = g_string_new (NULL);

  for (i = 0; i < n; i++) {
    const GstLlavaovPlane *plane = &layout->plane[i];

    wanted = MAX (wanted, plane->end);
    packed += plane->row_bytes * plane->rows;
    if (plane->block)
      continue;
    g_string_append_printf (strides, i ? ", %d" : "%d", plane->stride);
    g_string_append_printf (rows, i ? ", %" G_GSIZE_FORMAT : "%" G_GSIZE_FORMAT,
        plane->row_bytes);
  }
  gst_llavaov_frame_error (error, "a buffer has %" G_GSIZE_FORMAT " bytes, and "
      "%s of %dx%d needs %" G_GSIZE_FORMAT "%s%s%s%s%s%s", found,
      GST_VIDEO_INFO_NAME (info), GST_VIDEO_INFO_WIDTH (info),
      GST_VIDEO_INFO_HEIGHT (info), wanted,
      strides->len ? ", with rows every " : "", strides->str,
      strides->len ? " bytes" : "",
      found == packed && !meta ? "; these rows seem to have no padding: pad "
      "them, or attach a GstVideoMeta with the strides " : "",
      found == packed && !meta ? rows->str : "",
      meta ? ", as its GstVideoMeta says" : "");
  g_string_free (strides, TRUE);
  g_string_free (rows, TRUE);
}

/* A meta may say any number; gst_video_format_to_string() of newer versions takes its own alone. */
static const gchar *
format_name (GstVideoFormat format)
{
  GEnumClass *formats = g_type_class_ref (GST_TYPE_VIDEO_FORMAT);
  gboolean known = format != GST_VIDEO_FORMAT_UNKNOWN &&
      g_enum_get_value (formats, format) != NULL;

  g_type_class_unref (formats);
  return known ? gst_video_format_to_string (format) : "an unknown format";
}

/* FALSE: the meta is about another picture than the caps. */
static gboolean
check_meta (const GstVideoMeta * meta, const GstVideoInfo * info,
    LlavaovError * error)
{
  if (meta->format == GST_VIDEO_INFO_FORMAT (info) &&
      meta->n_planes == GST_VIDEO_INFO_N_PLANES (info) &&
      meta->width >= (guint) GST_VIDEO_INFO_WIDTH (info) &&
      meta->height >= (guint) GST_VIDEO_INFO_FIELD_HEIGHT (info))
    return TRUE;
  gst_llavaov_frame_error (error,
      "a buffer's GstVideoMeta says %s of %ux%u in %u "
      "planes, the caps %s of %dx%d in %u", format_name (meta->format),
      meta->width, meta->height, meta->n_planes, GST_VIDEO_INFO_NAME (info),
      GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_FIELD_HEIGHT (info),
      GST_VIDEO_INFO_N_PLANES (info));
  return FALSE;
}

/* What is read: all columns and rows up to the end of what is shown. */
static gboolean
describe (GstVideoInfo * read, const GstVideoInfo * info, guint width,
    guint height, gboolean field)
{
  if (!gst_video_info_set_interlaced_format (read,
          GST_VIDEO_INFO_FORMAT (info), field ?
          GST_VIDEO_INTERLACE_MODE_PROGRESSIVE :
          GST_VIDEO_INFO_INTERLACE_MODE (info), width, height))
    return FALSE;
  read->flags = info->flags;
  read->colorimetry = info->colorimetry;
  read->chroma_site = info->chroma_site;
  read->fps_n = info->fps_n;
  read->fps_d = info->fps_d;
  GST_VIDEO_INFO_FIELD_ORDER (read) = GST_VIDEO_INFO_FIELD_ORDER (info);
  return TRUE;
}

gboolean
gst_llavaov_frame_layout (GstLlavaovFrameLayout * layout,
    const GstVideoInfo * info, GstBuffer * buffer, LlavaovError * error)
{
  GstVideoMeta *meta = gst_buffer_get_video_meta (buffer);
  gboolean field = GST_VIDEO_INFO_INTERLACE_MODE (info) ==
      GST_VIDEO_INTERLACE_MODE_ALTERNATE;
  guint width = GST_VIDEO_INFO_WIDTH (info), i;
  guint height = GST_VIDEO_INFO_FIELD_HEIGHT (info);
  gsize bytes = gst_buffer_get_size (buffer);
  gboolean fits = TRUE;
  guint right;

  if (GST_VIDEO_INFO_N_PLANES (info) == 0 ||
      GST_VIDEO_INFO_N_PLANES (info) > GST_VIDEO_MAX_PLANES ||
      GST_VIDEO_INFO_WIDTH (info) <= 0 || GST_VIDEO_INFO_HEIGHT (info) <= 0 ||
      width > MAX_EDGE || height > MAX_EDGE) {
    gst_llavaov_frame_error (error,
        "%s of %dx%d is no picture that can be read",
        GST_VIDEO_INFO_NAME (info), GST_VIDEO_INFO_WIDTH (info),
        GST_VIDEO_INFO_HEIGHT (info));
    return FALSE;
  }
  if (meta) {
    if (!check_meta (meta, info, error))
      return FALSE;
    width = MIN (meta->width, MAX_EDGE);
    /* Of fields, some write the height of both and some that of one. */
    height = MIN (field && meta->height == (guint) GST_VIDEO_INFO_HEIGHT (info)
        ? height : meta->height, MAX_EDGE);
  }
  if (!find_crop (&layout->crop, info, buffer, width, height, field)) {
    GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);

    gst_llavaov_frame_error (error,
        "a buffer's GstVideoCropMeta shows %ux%u at " "(%u, %u), outside %ux%u",
        crop->width, crop->height, crop->x, crop->y, width, height);
    return FALSE;
  }
  /* Formats of groups of pixels need whole ones. */
  right = layout->crop.x + layout->crop.w;
  if (right < (guint) GST_VIDEO_INFO_WIDTH (info) || layout->crop.x)
    right = MIN (GST_ROUND_UP_8 (right), width);
  if (!describe (&layout->info, info, right,
          layout->crop.y + layout->crop.h, field)) {
    gst_llavaov_frame_error (error, "%s of %ux%u has no size",
        GST_VIDEO_INFO_NAME (info), width, height);
    return FALSE;
  }

  layout->meta = meta && maps_itself (meta) ? meta : NULL;
  if (layout->meta)
    return TRUE;
  for (i = 0; i < GST_VIDEO_INFO_N_PLANES (info); i++) {
    GstLlavaovPlane *plane = &layout->plane[i];

    plane->offset = meta ? meta->offset[i] :
        GST_VIDEO_INFO_PLANE_OFFSET (info, i);
    plane->stride = meta ? meta->stride[i] :
        GST_VIDEO_INFO_PLANE_STRIDE (info, i);
    if (!gst_llavaov_plane_measure (&layout->info, i, plane)) {
      gst_llavaov_frame_error (error, "in a buffer plane %u of %u rows of %"
          G_GSIZE_FORMAT " bytes has the stride %d and begins at byte %"
          G_GSIZE_FORMAT, i, plane->rows, plane->row_bytes, plane->stride,
          plane->offset);
      return FALSE;
    }
    fits &= plane->end <= bytes;
    if (meta == NULL)
      gst_llavaov_plane_take_last_row (&layout->info, i, plane, bytes);
  }
  if (!fits)
    too_small (layout, bytes, meta != NULL, error);
  return fits;
}
