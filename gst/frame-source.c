/* SPDX-License-Identifier: Apache-2.0 */
#include "frame-source.h"

#include "convert.h"
#include "cuda-memory.h"
#include "frame-map.h"
#include "interlacing.h"

/* What the engine holds of a frame until it has been prepared. */
typedef struct
{
  GstBuffer *buffer;
  GstVideoInfo info;
  LlavaovOrientation orientation;
  GstLlavaovFrameMap mapped;
  GstVideoFrame converted;      /* in RGB, where the engine cannot read the picture itself; else its buffer is NULL */
  gint *backlog;
} Picture;

static gboolean
core_format (GstVideoFormat format, LlavaovPixelFormat * pixel)
{
  switch (format) {
    case GST_VIDEO_FORMAT_I420:
      *pixel = LLAVAOV_PIXEL_I420;
      return TRUE;
    case GST_VIDEO_FORMAT_NV12:
      *pixel = LLAVAOV_PIXEL_NV12;
      return TRUE;
    case GST_VIDEO_FORMAT_RGB:
      *pixel = LLAVAOV_PIXEL_RGB;
      return TRUE;
    case GST_VIDEO_FORMAT_BGR:
      *pixel = LLAVAOV_PIXEL_BGR;
      return TRUE;
    case GST_VIDEO_FORMAT_RGBA:
      *pixel = LLAVAOV_PIXEL_RGBA;
      return TRUE;
    case GST_VIDEO_FORMAT_BGRA:
      *pixel = LLAVAOV_PIXEL_BGRA;
      return TRUE;
    case GST_VIDEO_FORMAT_RGBx:
      *pixel = LLAVAOV_PIXEL_RGBX;
      return TRUE;
    case GST_VIDEO_FORMAT_BGRx:
      *pixel = LLAVAOV_PIXEL_BGRX;
      return TRUE;
    default:
      return FALSE;
  }
}

/* FALSE: colours that the engine does not know. Caps without colorimetry have GStreamer's default by picture size in the
 * info already. */
static gboolean
set_colorimetry (LlavaovImage * image, const GstVideoInfo * info)
{
  if (GST_VIDEO_INFO_IS_RGB (info))
    return TRUE;
  image->range =
      info->colorimetry.range == GST_VIDEO_COLOR_RANGE_16_235 ?
      LLAVAOV_RANGE_LIMITED : LLAVAOV_RANGE_FULL;
  image->matrix =
      info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT709 ?
      LLAVAOV_MATRIX_BT709 : LLAVAOV_MATRIX_BT601;
  return info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT601 ||
      info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT709 ||
      info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_UNKNOWN;
}

static void
set_error (LlavaovError * error, LlavaovStatus status, const gchar * format,
    const gchar * text)
{
  if (error == NULL)
    return;
  error->status = status;
  error->about = LLAVAOV_ABOUT_PICTURE;
  g_strlcpy (error->subject, "frame", sizeof (error->subject));
  g_snprintf (error->message, sizeof (error->message), format, text);
}

/* The engine does not take negative strides. */
static gboolean
goes_up (const GstVideoFrame * frame)
{
  guint i;

  for (i = 0; i < GST_VIDEO_FRAME_N_PLANES (frame); i++)
    if (GST_VIDEO_FRAME_PLANE_STRIDE (frame, i) < 0)
      return TRUE;
  return FALSE;
}

/* The part of a frame, in a format of the engine, that lies in the rectangle. */
static void
set_image (LlavaovImage * image, const GstVideoFrame * frame,
    const GstVideoRectangle * part)
{
  const GstVideoFormatInfo *format = frame->info.finfo;
  guint i;

  image->width = part->w;
  image->height = part->h;
  for (i = 0; i < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (format); i++) {
    guint plane = GST_VIDEO_FORMAT_INFO_PLANE (format, i);
    gint stride = GST_VIDEO_FRAME_PLANE_STRIDE (frame, plane);

    image->stride[plane] = stride;
    image->plane[plane] = (guint8 *) GST_VIDEO_FRAME_PLANE_DATA (frame, plane)
        + (gint64) (part->y >> GST_VIDEO_FORMAT_INFO_H_SUB (format, i)) * stride
        + (part->x >> GST_VIDEO_FORMAT_INFO_W_SUB (format, i)) *
        GST_VIDEO_FORMAT_INFO_PSTRIDE (format, i);
  }
}

/* A field among the rows of both, in a format of one plane. */
static void
take_field (LlavaovImage * image)
{
  if (image->height == 1) {
    image->scan = LLAVAOV_SCAN_PROGRESSIVE;
    return;
  }
  if (image->scan == LLAVAOV_SCAN_BOTTOM_FIELD)
    image->plane[0] += image->stride[0];
  image->stride[0] *= 2;
}

/* Whether the engine can read the picture as it is mapped; else it needs RGB. */
static gboolean
readable (const Picture * picture, LlavaovImage * image, gboolean alternate)
{
  const GstVideoFrame *frame = &picture->mapped.frame;

  return core_format (GST_VIDEO_FRAME_FORMAT (frame), &image->format) &&
      set_colorimetry (image, &frame->info) &&
      (alternate || !gst_llavaov_interlacing_is_field (image->scan));
}

/* Where the picture lies on the device; FALSE: it does not, or is none that the engine takes from there. */
static gboolean
map_on_device (Picture * picture, LlavaovImage * image)
{
  GstLlavaovFrameMap *mapped = &picture->mapped;
  const GstVideoInfo *info = &picture->info;
  LlavaovError error;

  if (!gst_llavaov_cuda_memory_holds (picture->buffer) ||
      picture->orientation != LLAVAOV_ORIENTATION_UPRIGHT)
    return FALSE;
  gst_llavaov_cuda_memory_wait (picture->buffer);
  if (!gst_llavaov_frame_map (mapped, info, picture->buffer,
          GST_MAP_READ | GST_LLAVAOV_MAP_CUDA, FALSE, &error))
    return FALSE;
  image->pixel_width = MAX (GST_VIDEO_INFO_PAR_N (info), 0);
  image->pixel_height = MAX (GST_VIDEO_INFO_PAR_D (info), 0);
  image->scan =
      gst_llavaov_interlacing_scan (info, picture->buffer, mapped->frame.flags);
  if (image->scan != LLAVAOV_SCAN_PROGRESSIVE ||
      !readable (picture, image, FALSE) || goes_up (&mapped->frame)) {
    gst_llavaov_frame_unmap (mapped);
    return FALSE;
  }
  image->memory = LLAVAOV_MEMORY_CUDA;
  set_image (image, &mapped->frame, &mapped->crop);
  return TRUE;
}

static LlavaovStatus
picture_map (void *data, LlavaovImage * image, LlavaovError * error)
{
  Picture *picture = data;
  gboolean on_device = image->memory == LLAVAOV_MEMORY_CUDA;
  GstLlavaovFrameMap *mapped = &picture->mapped;
  const GstVideoInfo *info = &picture->info;
  gboolean alternate = GST_VIDEO_INFO_INTERLACE_MODE (info) ==
      GST_VIDEO_INTERLACE_MODE_ALTERNATE;
  GstVideoRectangle part;

  memset (image, 0, sizeof (*image));
  if (on_device && map_on_device (picture, image))
    return LLAVAOV_OK;
  memset (image, 0, sizeof (*image));
  if (!gst_llavaov_frame_map (mapped, info, picture->buffer, GST_MAP_READ,
          FALSE, error))
    return LLAVAOV_ERROR_FORMAT;
  image->orientation = picture->orientation;
  image->pixel_width = MAX (GST_VIDEO_INFO_PAR_N (info), 0);
  image->pixel_height = MAX (GST_VIDEO_INFO_PAR_D (info), 0);
  image->scan =
      gst_llavaov_interlacing_scan (info, picture->buffer, mapped->frame.flags);
  part = mapped->crop;
  if (readable (picture, image, alternate)) {
    if (goes_up (&mapped->frame)) {
      gst_llavaov_frame_unmap (mapped);
      if (!gst_llavaov_frame_map (mapped, info, picture->buffer, GST_MAP_READ,
              TRUE, error))
        return LLAVAOV_ERROR_FORMAT;
    }
    set_image (image, &mapped->frame, &part);
  } else {
    gst_llavaov_frame_unmap (mapped);
    if (!gst_llavaov_frame_map (mapped, info, picture->buffer, GST_MAP_READ,
            TRUE, error))
      return LLAVAOV_ERROR_FORMAT;
    if (!gst_llavaov_convert (&mapped->frame, &picture->converted)) {
      gst_llavaov_frame_unmap (mapped);
      set_error (error, LLAVAOV_ERROR_UNSUPPORTED, "no conversion from %s to "
          "RGB", GST_VIDEO_INFO_NAME (info));
      return LLAVAOV_ERROR_UNSUPPORTED;
    }
    image->format = LLAVAOV_PIXEL_RGB;
    set_image (image, &picture->converted, &part);
    if (!alternate && gst_llavaov_interlacing_is_field (image->scan))
      take_field (image);
  }
  if (alternate)
    image->height = MIN (2 * part.h, GST_VIDEO_INFO_HEIGHT (info));
  return LLAVAOV_OK;
}

static void
picture_unmap (void *data)
{
  Picture *picture = data;

  if (picture->converted.buffer)
    gst_video_frame_unmap (&picture->converted);
  gst_llavaov_frame_unmap (&picture->mapped);
}

static void
picture_release (void *data)
{
  Picture *picture = data;

  gst_buffer_unref (picture->buffer);
  if (picture->backlog) {
    g_atomic_int_add (picture->backlog, -1);
    g_atomic_rc_box_release (picture->backlog);
  }
  g_free (picture);
}

void
gst_llavaov_frame_source_init (LlavaovFrameSource * source,
    GstLlavaovSample * sample, gint * backlog)
{
  Picture *picture = g_new0 (Picture, 1);

  picture->buffer = g_steal_pointer (&sample->buffer);
  picture->info = sample->info;
  gst_llavaov_interlacing_first_field (&picture->info, picture->buffer);
  picture->orientation = sample->orientation;
  if (backlog) {
    g_atomic_int_inc (backlog);
    picture->backlog = g_atomic_rc_box_acquire (backlog);
  }
  memset (source, 0, sizeof (*source));
  source->size = sizeof (*source);
  source->map = picture_map;
  source->unmap = picture_unmap;
  source->release = picture_release;
  source->data = picture;
}

void
gst_llavaov_frame_source_push (GstLlavaovSample * sample,
    LlavaovSession * session, LlavaovLayout layout, LlavaovEncode encode,
    gdouble reuse_below, gint * backlog)
{
  LlavaovFrameSource source;

  if (sample->buffer == NULL)
    return;
  gst_llavaov_frame_source_init (&source, sample, backlog);
  source.layout = layout;
  source.encode = encode;
  source.reuse_below = reuse_below;
  if (llavaov_session_push_frame (session, &source, &sample->frame,
          &sample->error) != LLAVAOV_OK) {
    sample->failed = TRUE;
    sample->frame = NULL;
  }
}
