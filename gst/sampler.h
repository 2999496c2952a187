/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens windows, picks their frames and closes them.
 *
 * A window covers [start, start + length) of running time. Its sampling point k of N lies at
 *     start + (k + 1/2) * length / N
 * and takes the frame of the window nearest to it, the earlier one of two that are equally near; a frame may be taken by
 * several points and by several overlapping windows. Windows begin one interval after another, the first at the first
 * frame. Points that still lie ahead when a window closes take its last frame; a window cut short by the end of the
 * stream keeps the points that lie before that end, at least one.
 *
 * Not thread-safe: the lock of the windows is held around every call. Times are running times in nanoseconds.
 */
#ifndef GST_LLAVAOV_SAMPLER_H
#define GST_LLAVAOV_SAMPLER_H

#include "window.h"

G_BEGIN_DECLS

/* Windows that may be open at the same time: bounds what a tiny interval can cost. */
#define GST_LLAVAOV_MAX_OPEN_WINDOWS 64

typedef struct _GstLlavaovSampler
{
  const GstLlavaovSettings *settings;   /* the element's own; copied when a window opens */
  gboolean live;                /* windows without frames are reported */
  gboolean early;               /* a window goes out as soon as all its points are decided */
  GstSegment segment;
  gint64 utc_offset;            /* ns since 1970 at running time 0; G_MININT64 = take the time of day */

  /* Called when a window of a live stream opens, the next of which will begin at `next`: whether it will be answered in
   * time. May be NULL: all are. */
  gboolean (*reserve) (gpointer data, GstLlavaovWindow * window,
      GstClockTime next);
  /* Called whenever a point takes a sample, before the window holding it closes. */
  void (*chosen) (gpointer data, GstLlavaovSample * sample);
  gpointer data;

  /* private */
  GQueue open;                  /* of GstLlavaovWindow, by start */
  GstLlavaovSample *last;       /* the frame before the next */
  gboolean started, seen_frame;
  GstClockTime next_start;
} GstLlavaovSampler;

void gst_llavaov_sampler_init (GstLlavaovSampler * sampler);
/* Forgets every open window and frame: the next frame starts a new grid. */
void gst_llavaov_sampler_reset (GstLlavaovSampler * sampler);

/* Live streams: windows begin at this time even when no frame comes. */
void gst_llavaov_sampler_start (GstLlavaovSampler * sampler, GstClockTime now);

/* Time has come to `now`: windows whose end has passed go to the tail of `closed`. Windows of a live stream that held
 * no frame come in state EMPTY, many of them as one; those of a file are dropped silently. */
void gst_llavaov_sampler_advance (GstLlavaovSampler * sampler,
    GstClockTime now, GQueue * closed);

/* The next frame, after gst_llavaov_sampler_advance() to its time. With `early`, a window whose points are all decided
 * goes to `closed` at once. Frames must not go back in time. */
void gst_llavaov_sampler_frame (GstLlavaovSampler * sampler,
    GstLlavaovSample * sample, GQueue * closed);

/* The stream has ended at `end`, or what follows has nothing to do with it. Windows that held a frame close, cut short
 * there; those of a live stream that held none for a second come in state EMPTY, cut short at `now` (NONE: not at all). */
void gst_llavaov_sampler_finish (GstLlavaovSampler * sampler, GstClockTime end,
    GstClockTime now, const gchar * reason, GQueue * closed);

/* Calls `function` for every sample of the open windows. */
void gst_llavaov_sampler_foreach_sample (GstLlavaovSampler * sampler,
    GstLlavaovSampleFunc function, gpointer data, LlavaovLayout layout);

/* Whether a window is open that holds a frame. */
gboolean gst_llavaov_sampler_has_frames (GstLlavaovSampler * sampler);

/* When a live window closes next by the clock alone; GST_CLOCK_TIME_NONE before the first. */
GstClockTime gst_llavaov_sampler_deadline (GstLlavaovSampler * sampler);

/* The start of the earliest window that is or will be open; NONE before the first. */
GstClockTime gst_llavaov_sampler_earliest (GstLlavaovSampler * sampler);

G_END_DECLS

#endif
