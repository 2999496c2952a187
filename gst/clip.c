/* SPDX-License-Identifier: Apache-2.0 */
#include "clip.h"

void
gst_llavaov_clip_init (GstLlavaovClip * clip)
{
  clip->kept = g_ptr_array_new_with_free_func ((GDestroyNotify)
      gst_llavaov_sample_unref);
  gst_llavaov_clip_reset (clip);
}

void
gst_llavaov_clip_clear (GstLlavaovClip * clip)
{
  g_clear_pointer (&clip->kept, g_ptr_array_unref);
}

void
gst_llavaov_clip_reset (GstLlavaovClip * clip)
{
  g_ptr_array_set_size (clip->kept, 0);
  clip->stride = 1;
  clip->total = 0;
}

static void
halve (GstLlavaovClip * clip)
{
  guint i;

  for (i = 0; i < clip->kept->len; i++)
    if (i % 2)
      gst_llavaov_sample_unref (clip->kept->pdata[i]);
    else
      clip->kept->pdata[i / 2] = clip->kept->pdata[i];
  /* The tail now repeats pointers that have moved or gone: cut it without freeing. */
  for (i = (clip->kept->len + 1) / 2; i < clip->kept->len; i++)
    clip->kept->pdata[i] = NULL;
  clip->kept->len = (clip->kept->len + 1) / 2;
  clip->stride *= 2;
}

gboolean
gst_llavaov_clip_frame (GstLlavaovClip * clip, GstLlavaovSample * sample,
    GstClockTime end, const GstSegment * segment, gint64 utc_offset)
{
  guint64 index = clip->total++;

  if (index == 0) {
    clip->start = sample->running;
    clip->end = 0;
    clip->utc_start = gst_llavaov_window_utc (utc_offset, sample->running);
    clip->segment = *segment;
  }
  clip->end = MAX (clip->end, end);

  if (index % clip->stride)
    return FALSE;
  if (clip->kept->len == GST_LLAVAOV_CLIP_KEPT) {
    halve (clip);
    if (index % clip->stride)
      return FALSE;
  }
  g_ptr_array_add (clip->kept, gst_llavaov_sample_ref (sample));
  return TRUE;
}

guint64
gst_llavaov_clip_index (guint64 total, guint n, guint k)
{
  /* As numpy computes it, in doubles: the step first, the last point exactly. */
  if (n <= 1 || total <= 1)
    return 0;
  if (k == n - 1)
    return total - 1;
  return (guint64) (k * ((gdouble) (total - 1) / (n - 1)));
}

guint
gst_llavaov_clip_n_kept (const GstLlavaovClip * clip)
{
  return clip->kept->len;
}

void
gst_llavaov_clip_foreach_sample (GstLlavaovClip * clip,
    GstLlavaovSampleFunc function, gpointer data, LlavaovLayout layout)
{
  guint i;

  for (i = 0; i < clip->kept->len; i++)
    function (data, g_ptr_array_index (clip->kept, i), layout);
}

gboolean
gst_llavaov_clip_now (GstLlavaovClip * clip, GstLlavaovWindow * window,
    guint n_frames)
{
  guint k;

  if (clip->total == 0)
    return FALSE;
  window->start = clip->start;
  window->length = MAX (clip->end, clip->start) - clip->start;
  window->segment = clip->segment;
  window->utc_start = clip->utc_start;
  window->n_seen = clip->total;
  for (k = 0; k < n_frames && clip->kept->len; k++) {
    guint64 index = gst_llavaov_clip_index (clip->total, n_frames, k);
    guint64 nearest = (index + (clip->stride - 1) / 2) / clip->stride;

    nearest = MIN (nearest, clip->kept->len - 1);
    gst_llavaov_window_take (window, g_ptr_array_index (clip->kept, nearest));
  }
  return TRUE;
}

GstLlavaovWindow *
gst_llavaov_clip_finish (GstLlavaovClip * clip,
    const GstLlavaovSettings * settings, guint n_frames)
{
  GstLlavaovWindow *window = gst_llavaov_window_new (0, 0, settings,
      &clip->segment, n_frames);

  if (!gst_llavaov_clip_now (clip, window, n_frames)) {
    gst_llavaov_window_free (window);
    return NULL;
  }
  window->state = GST_LLAVAOV_WINDOW_WAITING;
  gst_llavaov_clip_reset (clip);
  return window;
}
