/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows: which frames of a stream answer for which stretch of it.
 *
 * A window covers [start, start + length) of running time. Its sampling point k of N lies at
 *     start + (k + 1/2) * length / N
 * and takes the frame of the window nearest to it, the earlier one of two that are equally near; a frame may be taken by
 * several points and by several overlapping windows. Windows begin one interval after another, the first at the first
 * frame. Points that still lie ahead when a window closes take its last frame; a window cut short by the end of the
 * stream keeps the points that lie before that end, at least one.
 *
 * Nothing here is thread-safe: the element's lock is held around every call. Times are running times in nanoseconds.
 */
#ifndef GST_LLAVAOV_WINDOW_H
#define GST_LLAVAOV_WINDOW_H

#include "sample.h"
#include "settings.h"

G_BEGIN_DECLS

/* Windows that may be open at the same time: bounds what a tiny interval can cost. */
#define GST_LLAVAOV_MAX_OPEN_WINDOWS 64

typedef enum
{
  GST_LLAVAOV_WINDOW_OPEN,
  GST_LLAVAOV_WINDOW_WAITING,   /* closed, to be answered */
  GST_LLAVAOV_WINDOW_ANSWERED,
  GST_LLAVAOV_WINDOW_FAILED,
  GST_LLAVAOV_WINDOW_DROPPED,
  GST_LLAVAOV_WINDOW_EMPTY
} GstLlavaovWindowState;

typedef struct _GstLlavaovWindow
{
  GstLlavaovWindowState state;
  guint64 seq;
  guint flushes;                /* how many flushes of the stream came before it */
  gboolean early;               /* handed over before its end, all its points being decided */

  GstClockTime start, length;
  GstSegment segment;
  gint64 utc_start;             /* ns since 1970 */
  /* of the settings, as they were when it opened */
  gchar *prompt, *system_prompt;
  LlavaovGeneration generation;
  GstClockTime full_length;     /* before it was cut short */
  GstClockTime interval;        /* to the start of the next */

  guint n_points;
  guint next_point;             /* the first point without a sample */
  GPtrArray *samples;           /* of GstLlavaovSample, a reference for every point */
  guint64 n_seen;               /* frames inside it */
  gboolean refused;             /* the engine will not come to it: it takes no samples */
  LlavaovReservation *reservation;      /* until it is asked about; or NULL */
  gint64 last_arrival;          /* of the last frame sampled, monotonic microseconds */
  const gchar *reason;          /* why there is no answer: a word, static; EMPTY and DROPPED */

  /* the question to the engine, and its answer */
  LlavaovLayout layout;
  gpointer owner;               /* the element while a request is under way */
  LlavaovStatus status;
  LlavaovError error;
  LlavaovFinishReason finish_reason;
  gchar *text;
  guint prompt_tokens, new_tokens;
  guint64 first_token_ns, encode_ns, prefill_ns, decode_ns;
  gint64 answered_at;           /* monotonic microseconds */
} GstLlavaovWindow;

/* Copies the segment, and what is needed of the settings. */
GstLlavaovWindow *gst_llavaov_window_new (GstClockTime start,
    GstClockTime length, const GstLlavaovSettings * settings,
    const GstSegment * segment, guint n_points);
/* A stretch of a stream in which no window held a frame, to be told about. utc_offset as in the sampler. */
GstLlavaovWindow *gst_llavaov_window_new_empty (GstClockTime start,
    GstClockTime length, const GstLlavaovSettings * settings,
    const GstSegment * segment, gint64 utc_offset, const gchar * reason);
void gst_llavaov_window_free (GstLlavaovWindow * window);
/* Takes a new reference of the sample. */
void gst_llavaov_window_take (GstLlavaovWindow * window,
    GstLlavaovSample * sample);

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

/* Whether a window is open that holds a frame. */
gboolean gst_llavaov_sampler_has_frames (GstLlavaovSampler * sampler);

/* When a live window closes next by the clock alone; GST_CLOCK_TIME_NONE before the first. */
GstClockTime gst_llavaov_sampler_deadline (GstLlavaovSampler * sampler);

/* The start of the earliest window that is or will be open; NONE before the first. */
GstClockTime gst_llavaov_sampler_earliest (GstLlavaovSampler * sampler);

G_END_DECLS

#endif
