/* SPDX-License-Identifier: Apache-2.0
 *
 * The latest answer that came with a frame, and how long it counts. A streaming thread's alone.
 */
#ifndef GST_LLAVAOV_OVERLAY_ANSWER_H
#define GST_LLAVAOV_OVERLAY_ANSWER_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct
{
  GstStructure *latest;         /* or NULL */
  GstClockTime since;           /* running time of the first frame that carried it */
} GstLlavaovOverlayAnswer;

/* Takes what the buffer carries. now: its running time. TRUE: it is another answer than the latest so far. */
gboolean gst_llavaov_overlay_answer_take (GstLlavaovOverlayAnswer * answer,
    GstBuffer * buffer, GstClockTime now);
/* Whether there is one that is no older than hold_time (ns; 0: by the length of its window). */
gboolean gst_llavaov_overlay_answer_counts (const GstLlavaovOverlayAnswer *
    answer, GstClockTime now, guint64 hold_time);
void gst_llavaov_overlay_answer_forget (GstLlavaovOverlayAnswer * answer);

G_END_DECLS

#endif
