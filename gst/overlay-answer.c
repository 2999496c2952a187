/* SPDX-License-Identifier: Apache-2.0 */
#include "overlay-answer.h"

#define META_NAME "GstLlavaovMeta"
/* With hold-time 0: so many windows, and at least so long. */
#define HOLD_WINDOWS 3
#define MIN_HOLD (10 * GST_SECOND)

/* The last of the buffer's answers, or NULL. */
static const GstStructure *
find (GstBuffer * buffer)
{
  const GstStructure *found = NULL;
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta (buffer, &state)))
    if (gst_meta_info_is_custom (meta->info) &&
        gst_custom_meta_has_name ((GstCustomMeta *) meta, META_NAME))
      found = gst_custom_meta_get_structure ((GstCustomMeta *) meta);
  return found;
}

gboolean
gst_llavaov_overlay_answer_take (GstLlavaovOverlayAnswer * answer,
    GstBuffer * buffer, GstClockTime now)
{
  const GstStructure *found = find (buffer);

  /* With meta-mode=sticky every buffer has it. */
  if (found == NULL || (answer->latest &&
          gst_structure_is_equal (found, answer->latest)))
    return FALSE;
  gst_clear_structure (&answer->latest);
  answer->latest = gst_structure_copy (found);
  answer->since = now;
  return TRUE;
}

gboolean
gst_llavaov_overlay_answer_counts (const GstLlavaovOverlayAnswer * answer,
    GstClockTime now, guint64 hold_time)
{
  guint64 window = 0;

  if (answer->latest == NULL)
    return FALSE;
  if (hold_time == 0) {
    gst_structure_get_uint64 (answer->latest, "duration", &window);
    hold_time = window < G_MAXUINT64 / HOLD_WINDOWS ?
        MAX (window * HOLD_WINDOWS, MIN_HOLD) : G_MAXUINT64;
  }
  return !GST_CLOCK_TIME_IS_VALID (now) ||
      !GST_CLOCK_TIME_IS_VALID (answer->since) || now <= answer->since ||
      now - answer->since <= hold_time;
}

void
gst_llavaov_overlay_answer_forget (GstLlavaovOverlayAnswer * answer)
{
  gst_clear_structure (&answer->latest);
}
