/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

void
gst_llavaov_format_init (GstLlavaovFormat * format)
{
  g_mutex_init (&format->lock);
}

void
gst_llavaov_format_clear (GstLlavaovFormat * format)
{
  gst_llavaov_orientation_clear (&format->tags);
  g_mutex_clear (&format->lock);
}

void
gst_llavaov_format_start (GstLlavaovFormat * format)
{
  g_mutex_lock (&format->lock);
  format->have_info = FALSE;
  gst_llavaov_orientation_clear (&format->tags);
  format->orientation = LLAVAOV_ORIENTATION_UPRIGHT;
  format->orientation_known = FALSE;
  format->unreadable = FALSE;
  g_mutex_unlock (&format->lock);
}

void
gst_llavaov_format_set_info (GstLlavaovFormat * format,
    const GstVideoInfo * info)
{
  g_mutex_lock (&format->lock);
  if (info == NULL || !format->have_info ||
      !gst_video_info_is_equal (info, &format->info))
    format->warned_unreadable = FALSE;
  format->have_info = info != NULL;
  format->orientation_known = FALSE;
  if (info)
    format->info = *info;
  g_mutex_unlock (&format->lock);
}

gboolean
gst_llavaov_format_size (GstLlavaovFormat * format, guint * width,
    guint * height)
{
  gboolean known;

  g_mutex_lock (&format->lock);
  known = format->have_info;
  if (known && gst_llavaov_orientation_swaps (format->orientation)) {
    *width = GST_VIDEO_INFO_HEIGHT (&format->info);
    *height = GST_VIDEO_INFO_WIDTH (&format->info);
  } else if (known) {
    *width = GST_VIDEO_INFO_WIDTH (&format->info);
    *height = GST_VIDEO_INFO_HEIGHT (&format->info);
  }
  g_mutex_unlock (&format->lock);
  return known;
}

void
gst_llavaov_format_tag_event (GstLlavaovFormat * format, GstEvent * event)
{
  g_mutex_lock (&format->lock);
  gst_llavaov_orientation_event (&format->tags, event);
  format->orientation_known = FALSE;
  g_mutex_unlock (&format->lock);
}

void
gst_llavaov_format_set_orientation (GstLlavaovFormat * format,
    LlavaovOrientation orientation)
{
  g_mutex_lock (&format->lock);
  format->orientation = orientation;
  format->orientation_known = TRUE;
  g_mutex_unlock (&format->lock);
}

gboolean
gst_llavaov_format_set_unreadable (GstLlavaovFormat * format,
    gboolean unreadable)
{
  gboolean first;

  g_mutex_lock (&format->lock);
  format->unreadable = unreadable;
  first = unreadable && !format->warned_unreadable;
  format->warned_unreadable |= unreadable;
  g_mutex_unlock (&format->lock);
  return first;
}
