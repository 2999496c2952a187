/* SPDX-License-Identifier: Apache-2.0
 *
 * The timer of live windows: what the pipeline's clock has been asked for, or until when the worker waits by itself, and
 * whether that is to be set anew. clock.c talks to the clock.
 *
 * The lock rule: the members are read and written by the functions of timer.c alone, with the lock of the windows held around
 * every call: whoever changes the timer wakes the worker.
 */
#ifndef GST_LLAVAOV_TIMER_H
#define GST_LLAVAOV_TIMER_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* All zero: not set. */
typedef struct
{
  GstClockID id;                /* what the clock waits for, or NULL; owned */
  gint64 until;                 /* monotonic time at which the worker's own wait ends, or 0 */
  gboolean playing;             /* PLAYING: there is a clock, and it runs */
  gboolean fired;               /* a window is over, and the worker has not closed it yet */
  gboolean stale;               /* to be set anew */
} GstLlavaovTimer;

/* Into PLAYING or out of it; the timer is to be set anew. */
void gst_llavaov_timer_set_playing (GstLlavaovTimer * timer, gboolean playing);
gboolean gst_llavaov_timer_is_playing (const GstLlavaovTimer * timer);

/* Something that the deadline depends on has changed. */
void gst_llavaov_timer_invalidate (GstLlavaovTimer * timer);
gboolean gst_llavaov_timer_is_stale (const GstLlavaovTimer * timer);

/* Forgets what was set. The ID (or NULL) is to be unscheduled and unreferenced by the caller without the lock. */
GstClockID gst_llavaov_timer_clear (GstLlavaovTimer * timer);
/* After clear. Takes a reference. */
void gst_llavaov_timer_set (GstLlavaovTimer * timer, GstClockID id);

/* After clear: for the worker's own wait. */
void gst_llavaov_timer_set_until (GstLlavaovTimer * timer, gint64 until);

/* Waits on `cond`, no longer than the worker's own wait lasts; then the timer has fired. Nor longer than until `sooner`
 * (monotonic microseconds; 0: as long as that). */
void gst_llavaov_timer_wait (GstLlavaovTimer * timer, gint64 sooner,
    GCond * cond, GMutex * lock);
/* The clock has come to `id`. FALSE: the timer has been set anew since. */
gboolean gst_llavaov_timer_fire (GstLlavaovTimer * timer, GstClockID id);
/* Whether it has fired since the last call. */
gboolean gst_llavaov_timer_take_fired (GstLlavaovTimer * timer);

G_END_DECLS

#endif
