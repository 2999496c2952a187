/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of the motion in a stream, and which frames are looked at for it. The arithmetic is the library's
 * (llavaov_motion_look); motion-check.c calls it.
 *
 * The lock rule: the lock of the windows is held around every call, and the members are read and written by motion-watch.c
 * alone; but `detector` belongs to the check that is under way.
 */
#ifndef GST_LLAVAOV_MOTION_WATCH_H
#define GST_LLAVAOV_MOTION_WATCH_H

#include "settings.h"

G_BEGIN_DECLS

typedef struct
{
  LlavaovMotion *detector;      /* NULL until the first check */
  gboolean busy;                /* a check is under way */
  gboolean anew;                /* the next one does not continue those before */
  GstClockTime next;            /* when a frame is looked at, in running time */
  gchar *mask;                  /* as it was when a check began last */
  guint64 n_checks, n_scene_changes;
  gdouble level;                /* of the latest check */
} GstLlavaovMotionWatch;

void gst_llavaov_motion_watch_clear (GstLlavaovMotionWatch * watch);
/* Counts begin anew. */
void gst_llavaov_motion_watch_start (GstLlavaovMotionWatch * watch);
/* What follows does not continue what was before. */
void gst_llavaov_motion_watch_reset (GstLlavaovMotionWatch * watch);

/* A check of the frame of this time begins, if one is due and none is under way. reset: the detector is to begin anew; mask:
 * what it is to be told, NULL where that stays. Free it. */
gboolean gst_llavaov_motion_watch_begin (GstLlavaovMotionWatch * watch,
    const GstLlavaovSettings * settings, GstClockTime running,
    gboolean * reset, gchar ** mask);
/* It has ended. seen NULL: without a result. */
void gst_llavaov_motion_watch_end (GstLlavaovMotionWatch * watch,
    const LlavaovMotionSeen * seen);

/* Adds the fields of the property stats. */
void gst_llavaov_motion_watch_add_stats (const GstLlavaovMotionWatch * watch,
    GstStructure * stats);

G_END_DECLS

#endif
