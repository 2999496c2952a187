/* SPDX-License-Identifier: Apache-2.0
 *
 * The windows of an element, from the open ones to those that are reported:
 *
 *     sampler, clip  --close-->  waiting  -->  asked (by the engine)  -->  outbox  -->  reporting  -->  freed
 *
 * The lock rule: `lock` guards every member and is held around every call, except where a function says otherwise. It is
 * the element's main lock: the worker waits on `cond` with it, so it also guards what wakes the worker
 * (gstllavaovelement.h). The object lock and the locks of the input and of the output may be taken with it held, never the
 * other way round. No message is posted, no pad pushed and no request sent with it held.
 *
 * The members are written by windows.c; sampler, triggers, lookback, motion and clip by their own functions.
 */
#ifndef GST_LLAVAOV_WINDOWS_H
#define GST_LLAVAOV_WINDOWS_H

#include "asks.h"
#include "clip.h"
#include "histories.h"
#include "lookback.h"
#include "motion-watch.h"
#include "sampler.h"
#include "triggers.h"

G_BEGIN_DECLS

typedef struct _GstLlavaovWindows
{
  GMutex lock;
  GCond cond;

  gboolean running;             /* PAUSED or PLAYING, and not on the way out */
  gboolean flushing;
  gboolean failed;              /* an ERROR has been posted: nothing goes on */
  gint64 failed_at;             /* then, monotonic microseconds */
  guint flushes;                /* so far; windows from before a flush are freed, not reported */
  guint streams;                /* likewise */

  GstLlavaovSampler sampler;
  GstLlavaovTriggers triggers;  /* of its windows */
  GstLlavaovLookback lookback;
  GstLlavaovMotionWatch motion;
  GstLlavaovClip clip;
  gint *backlog;                /* clip frames the engine has not resized yet; atomic, g_atomic_rc_box */
  gboolean layout_known;
  LlavaovLayout layout;
  GstClockTime silence;         /* ns of video since a window was last closed */

  GstLlavaovAsks asks;          /* asks.h */
  GstLlavaovHistories histories;        /* histories.h */
  guint64 next_seq;
  GQueue waiting;
  GQueue asked;                 /* of one window, one for each question; those that are answered wait for those before them */
  LlavaovTicket *ticket;        /* of `asked` */
  GQueue outbox;
  GstLlavaovWindow *reporting;
  gint64 reporting_since;       /* monotonic microseconds */
  guint undelivered;            /* windows that were closed and not reported yet; questions of the application do not count */
  gboolean let_pass;            /* nobody waits for `reporting`: its callback needs the streaming threads */
} GstLlavaovWindows;

void gst_llavaov_windows_init (GstLlavaovWindows * windows);
/* Without the lock; nothing is waiting or open any more. */
void gst_llavaov_windows_clear (GstLlavaovWindows * windows);
/* From READY to PAUSED. */
void gst_llavaov_windows_start (GstLlavaovWindows * windows);
void gst_llavaov_windows_stop (GstLlavaovWindows * windows);
/* An ERROR has been posted. Wakes everybody. Without the lock. */
void gst_llavaov_windows_fail (GstLlavaovWindows * windows);
/* Whether that has been called since the start. Without the lock. */
gboolean gst_llavaov_windows_have_failed (GstLlavaovWindows * windows);
void gst_llavaov_windows_set_flushing (GstLlavaovWindows * windows,
    gboolean flushing);
/* OK while the stream may go on; FLUSHING on the way out, ERROR once one has been posted. */
GstFlowReturn gst_llavaov_windows_flow (const GstLlavaovWindows * windows);

/* Drops all windows; questions of the application go to the outbox without an answer. The ticket (or NULL) is to be cancelled and unreferenced by the caller without the lock. */
LlavaovTicket *gst_llavaov_windows_flush (GstLlavaovWindows * windows);

/* No stream has begun. layout: that of the stream, if it is known. */
void gst_llavaov_windows_reset (GstLlavaovWindows * windows,
    LlavaovLayout layout, gboolean layout_known);
void gst_llavaov_windows_set_layout (GstLlavaovWindows * windows,
    LlavaovLayout layout);
/* Adds to the video, in ns, that has passed without a closed window. Returns the total. */
GstClockTime gst_llavaov_windows_add_silence (GstLlavaovWindows * windows,
    GstClockTime duration);
void gst_llavaov_windows_end_silence (GstLlavaovWindows * windows);
/* What follows does not continue what was before: no trigger and no frame of it counts. */
void gst_llavaov_windows_forget_triggers (GstLlavaovWindows * windows);
/* Calls `function` for every sample of the windows that have not been asked about, with the layout it is for. */
void gst_llavaov_windows_foreach_sample (GstLlavaovWindows * windows,
    GstLlavaovSampleFunc function, gpointer data);

/* A closed window, into `waiting`, or into `outbox` when it is EMPTY or DROPPED. */
void gst_llavaov_windows_add (GstLlavaovWindows * windows,
    GstLlavaovWindow * window);
/* Drops the oldest of those that wait, until there are `room`. Returns how many were dropped. */
guint gst_llavaov_windows_drop (GstLlavaovWindows * windows, guint room);

/* Windows, and questions of the application, that have not been asked about yet. */
guint gst_llavaov_windows_n_waiting (const GstLlavaovWindows * windows);

/* The next window to ask about, or the next question of the application, goes to `asked`, one for each of its questions. FALSE:
 * none waits, or one is asked about already. */
gboolean gst_llavaov_windows_ask (GstLlavaovWindows * windows);
/* The request of `asked` is under way. FALSE: not any more, and the ticket is the caller's to cancel. flushes: as of when
 * it was sent. */
gboolean gst_llavaov_windows_set_ticket (GstLlavaovWindows * windows,
    guint flushes, LlavaovTicket * ticket);
/* One of `asked` has come back, into the outbox behind those of the questions before it, or is freed after a flush. Returns the
 * ticket once it was the last, to be unreferenced without the lock. */
LlavaovTicket *gst_llavaov_windows_answered (GstLlavaovWindows * windows,
    GstLlavaovWindow * window);
/* Frees those of `asked`, whose request will not come back; questions of the application go to the outbox. */
void gst_llavaov_windows_abandon (GstLlavaovWindows * windows);

/* The next window to report, which is then `reporting`, or NULL. */
GstLlavaovWindow *gst_llavaov_windows_report (GstLlavaovWindows * windows);
/* Frees it. */
void gst_llavaov_windows_reported (GstLlavaovWindows * windows);
/* Nobody waits for `reporting` any longer, if there is one. */
void gst_llavaov_windows_let_pass (GstLlavaovWindows * windows);

/* Lets a question of the application go on from the answer to another one, which may be still to come, or, where id is 0, from the
 * latest: to a question if there was one, else to a window; without any it begins anew. FALSE: there is no such answer. */
gboolean gst_llavaov_windows_follow (GstLlavaovWindows * windows,
    GstLlavaovWindow * question, guint64 id);
/* Whether a question of the application up to this id is to be reported yet. */
gboolean gst_llavaov_windows_owe_ask (const GstLlavaovWindows * windows,
    guint64 id);

/* The earliest start of a window that will still be answered, or NONE. */
GstClockTime gst_llavaov_windows_earliest (GstLlavaovWindows * windows);

G_END_DECLS

#endif
