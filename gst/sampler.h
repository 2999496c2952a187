/* SPDX-License-Identifier: Apache-2.0
 *
 * The grid of windows: opens them, offers them frames and closes them.
 *
 * A window covers [start, start + length) of running time; points.h says which of its frames it takes. Windows begin one
 * interval after another, the first at the first frame, and may overlap. Points that still lie ahead when a window closes
 * take its last frame. A window cut short by the end of the stream keeps the points before that end, at least one.
 *
 * While nothing asks for windows one after another (property trigger without periodic, or enabled off) those of the grid are
 * idle: they tell whether frames come. Windows that something triggers are opened beside them.
 *
 * Not thread-safe: the lock of the windows is held around every call, and the members are read and written by sampler.c
 * alone. Times are running times in nanoseconds.
 */
#ifndef GST_LLAVAOV_SAMPLER_H
#define GST_LLAVAOV_SAMPLER_H

#include "points.h"

G_BEGIN_DECLS

/* Windows that may be open at the same time: bounds what a tiny interval can cost. */
#define GST_LLAVAOV_MAX_OPEN_WINDOWS 64

/* Called when a window of a live stream opens at `now`, the next of which begins at `next`. FALSE: it will not be answered in time, so
 * it takes no frames. */
typedef gboolean (*GstLlavaovReserveFunc) (gpointer data,
    GstLlavaovWindow * window, GstClockTime now, GstClockTime next);

typedef struct _GstLlavaovSampler
{
  /* private */
  const GstLlavaovSettings *settings;
  GstLlavaovReserveFunc reserve;
  GstLlavaovPointFunc chosen;
  gpointer data;

  gboolean live, early;
  GstSegment segment;
  gint64 utc_offset;

  guint64 n_idle;               /* windows that held frames, and were idle, since that was last read */
  GQueue open;                  /* of GstLlavaovWindow, by start */
  GstLlavaovSample *last;       /* the frame before the next */
  gboolean started, seen_frame;
  GstClockTime next_start;
} GstLlavaovSampler;

void gst_llavaov_sampler_init (GstLlavaovSampler * sampler);
/* Once. settings: read when a window opens, and must outlive the sampler. reserve (NULL: every window is answered) and
 * chosen (or NULL) are called with `data`. */
void gst_llavaov_sampler_setup (GstLlavaovSampler * sampler,
    const GstLlavaovSettings * settings, GstLlavaovReserveFunc reserve,
    GstLlavaovPointFunc chosen, gpointer data);
/* live: windows without frames are reported. early: a window closes as soon as all its points are decided. */
void gst_llavaov_sampler_set_live (GstLlavaovSampler * sampler,
    gboolean live, gboolean early);
/* Of the frames that follow. */
void gst_llavaov_sampler_set_segment (GstLlavaovSampler * sampler,
    const GstSegment * segment);
/* Wall clock at running time 0, ns since 1970; G_MININT64: not known, and windows take the time of day. */
void gst_llavaov_sampler_set_utc_offset (GstLlavaovSampler * sampler,
    gint64 offset);
gint64 gst_llavaov_sampler_utc_offset (const GstLlavaovSampler * sampler);
/* Forgets every open window and frame: the next frame starts a new grid. */
void gst_llavaov_sampler_reset (GstLlavaovSampler * sampler);

/* Of a live stream: windows begin at this time even when no frame comes. */
void gst_llavaov_sampler_start (GstLlavaovSampler * sampler, GstClockTime now);

/* It is `now`: windows whose end has passed go to the tail of `closed`. Those of a live stream that held no frame are in state
 * EMPTY there, many of them as one; those of a file are dropped silently. */
void gst_llavaov_sampler_advance (GstLlavaovSampler * sampler,
    GstClockTime now, GQueue * closed);

/* The next frame, after gst_llavaov_sampler_advance() to its time. With `early`, a window whose points are all decided
 * goes to `closed` at once. Frames must not go back in time. */
void gst_llavaov_sampler_frame (GstLlavaovSampler * sampler,
    GstLlavaovSample * sample, GQueue * closed);

/* Whether windows are asked for one after another. */
gboolean gst_llavaov_sampler_is_asked (const GstLlavaovSettings * settings);
/* Something asks at `now` for a window that begins at `start`, not after it. Frames of it so far: those of `kept` (of
 * GstLlavaovSample, in order), and the last one. Takes `triggered`. The window is the sampler's. */
GstLlavaovWindow *gst_llavaov_sampler_open (GstLlavaovSampler * sampler,
    GstClockTime start, GstClockTime now, GstStructure * triggered,
    const GQueue * kept);
/* Windows that are open have seen motion of this level. */
void gst_llavaov_sampler_tell_motion (GstLlavaovSampler * sampler,
    gdouble level);
/* Running time of the last frame; NONE: there is none. */
GstClockTime gst_llavaov_sampler_position (const GstLlavaovSampler * sampler);
/* How many idle windows have held frames since the last call. */
guint64 gst_llavaov_sampler_take_idle (GstLlavaovSampler * sampler);

/* The stream has ended at `end`, or what follows does not continue it. Windows that held a frame close, cut short there; those
 * of a live stream that held none for a second close in state EMPTY, cut short at `now` (NONE: they are dropped). reason is a
 * static word that says why. */
void gst_llavaov_sampler_finish (GstLlavaovSampler * sampler, GstClockTime end,
    GstClockTime now, const gchar * reason, GQueue * closed);

/* Calls `function` for every sample of the open windows. */
void gst_llavaov_sampler_foreach_sample (GstLlavaovSampler * sampler,
    GstLlavaovSampleFunc function, gpointer data, LlavaovLayout layout);

/* Whether a window is open that holds a frame. */
gboolean gst_llavaov_sampler_has_frames (GstLlavaovSampler * sampler);

/* Gives a question the frames that the oldest open window has taken so far, and the latest frame. Between windows it is that
 * frame alone. FALSE: there has been none since the stream began. */
gboolean gst_llavaov_sampler_now (GstLlavaovSampler * sampler,
    GstLlavaovWindow * question);

/* When a live window closes next by the clock alone; GST_CLOCK_TIME_NONE before the first. */
GstClockTime gst_llavaov_sampler_deadline (GstLlavaovSampler * sampler);

/* The start of the earliest window that is or will be open; NONE before the first. */
GstClockTime gst_llavaov_sampler_earliest (GstLlavaovSampler * sampler);

G_END_DECLS

#endif
