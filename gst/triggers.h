/* SPDX-License-Identifier: Apache-2.0
 *
 * When a trigger opens a window, and where that begins (docs/triggers.md): what is remembered of those before, and what is counted.
 *
 * Not thread-safe: the lock of the windows is held around every call, and the members are read and written by triggers.c
 * alone. Times are running times in nanoseconds.
 */
#ifndef GST_LLAVAOV_TRIGGERS_H
#define GST_LLAVAOV_TRIGGERS_H

#include "settings.h"

G_BEGIN_DECLS

/* Frames are looked back for so much further than `lookback`: it takes so long at most until a change is confirmed. */
#define GST_LLAVAOV_TRIGGER_DELAY GST_SECOND

typedef struct
{
  /* of the stream */
  GstClockTime begun;           /* of its first frame, or the latest window that was opened: max-interval counts from here */
  GstClockTime fired;           /* when the latest window was triggered; NONE: none was */
  GstClockTime end;             /* of the latest window; 0: there was none */
  GstClockTime since[32];       /* by bit of GstLlavaovTrigger: since when what triggers has gone on */
  GstClockTime objects_at;      /* when objects that trigger were seen last; NONE: they were not */
  guint n_events;               /* that wait for a frame */
  GstClockTime event_since;     /* of the earliest of them; NONE: when that frame comes */
  guint32 event_seqnum;         /* of the latest */

  guint64 n_triggered, n_in_window, n_suppressed;
} GstLlavaovTriggers;

/* Counts begin anew. */
void gst_llavaov_triggers_start (GstLlavaovTriggers * triggers);
/* Another stream, or a jump in this one: only the counts stay. */
void gst_llavaov_triggers_reset (GstLlavaovTriggers * triggers);

/* Something has triggered at `now` that has gone on since `since`. TRUE: a window is to be opened. */
gboolean gst_llavaov_triggers_fire (GstLlavaovTriggers * triggers,
    const GstLlavaovSettings * settings, GstLlavaovTrigger kind,
    GstClockTime since, GstClockTime now);
/* It is `now`. TRUE: there has been no window for max-interval, and one is to be opened. */
gboolean gst_llavaov_triggers_overdue (GstLlavaovTriggers * triggers,
    const GstLlavaovSettings * settings, GstClockTime now);
/* Where a window begins that is about something since `since`; before there is a frame for it (docs/triggers.md). */
GstClockTime gst_llavaov_triggers_begin (const GstLlavaovTriggers * triggers,
    const GstLlavaovSettings * settings, GstClockTime since);
/* A window has been opened at `now` that ends at `end`. */
void gst_llavaov_triggers_opened (GstLlavaovTriggers * triggers,
    GstClockTime now, GstClockTime end);

/* Objects that trigger are seen at `now`. Returns since when; detectors may leave out frames, for a second. */
GstClockTime gst_llavaov_triggers_see_objects (GstLlavaovTriggers * triggers,
    GstClockTime now);
/* An event of this seqnum has come, about something since `since` (NONE: the next frame). */
void gst_llavaov_triggers_add_event (GstLlavaovTriggers * triggers,
    guint32 seqnum, GstClockTime since);
/* Takes all that wait. Returns how many they are. */
guint gst_llavaov_triggers_take_events (GstLlavaovTriggers * triggers,
    GstClockTime * since);

/* Adds the fields of the property stats. */
void gst_llavaov_triggers_add_stats (const GstLlavaovTriggers * triggers,
    GstStructure * stats);

/* Whether the settings make sense together. FALSE: error is filled. */
gboolean gst_llavaov_triggers_check (const GstLlavaovSettings * settings,
    LlavaovError * error);
/* How far back frames are kept; shorter than a window. */
GstClockTime gst_llavaov_triggers_lookback (const GstLlavaovSettings *
    settings);
/* From one frame of a window to the next. */
GstClockTime gst_llavaov_triggers_pitch (const GstLlavaovSettings * settings);

G_END_DECLS

#endif
