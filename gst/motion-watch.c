/* SPDX-License-Identifier: Apache-2.0 */
#include "motion-watch.h"

/* Four checks a second. */
#define PERIOD (250 * GST_MSECOND)

void
gst_llavaov_motion_watch_clear (GstLlavaovMotionWatch * watch)
{
  g_clear_pointer (&watch->detector, llavaov_motion_free);
  g_clear_pointer (&watch->mask, g_free);
}

void
gst_llavaov_motion_watch_reset (GstLlavaovMotionWatch * watch)
{
  watch->anew = TRUE;
  watch->next = 0;
  watch->level = 0;
}

void
gst_llavaov_motion_watch_start (GstLlavaovMotionWatch * watch)
{
  gst_llavaov_motion_watch_reset (watch);
  watch->n_checks = watch->n_scene_changes = 0;
}

gboolean
gst_llavaov_motion_watch_begin (GstLlavaovMotionWatch * watch,
    const GstLlavaovSettings * settings, GstClockTime running,
    gboolean * reset, gchar ** mask)
{
  const gchar *wanted = settings->motion_mask ? settings->motion_mask : "";

  if (watch->busy || running < watch->next)
    return FALSE;
  if (watch->detector == NULL)
    watch->detector = llavaov_motion_new ();
  if (watch->detector == NULL)
    return FALSE;
  watch->busy = TRUE;
  watch->next += PERIOD;
  if (watch->next <= running)
    watch->next = running + PERIOD;
  *reset = watch->anew;
  watch->anew = FALSE;
  *mask = NULL;
  if (g_strcmp0 (watch->mask ? watch->mask : "", wanted) != 0) {
    g_free (watch->mask);
    watch->mask = g_strdup (wanted);
    *mask = g_strdup (wanted);
  }
  return TRUE;
}

void
gst_llavaov_motion_watch_end (GstLlavaovMotionWatch * watch,
    const LlavaovMotionSeen * seen)
{
  watch->busy = FALSE;
  if (seen == NULL)
    return;
  watch->n_checks++;
  watch->n_scene_changes += seen->scene_change;
  watch->level = seen->level;
}

void
gst_llavaov_motion_watch_add_stats (const GstLlavaovMotionWatch * watch,
    GstStructure * stats)
{
  gst_structure_set (stats,
      "motion-checks", G_TYPE_UINT64, watch->n_checks,
      "scene-changes", G_TYPE_UINT64, watch->n_scene_changes,
      "motion-level", G_TYPE_DOUBLE, watch->level, NULL);
}
