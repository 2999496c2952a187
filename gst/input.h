/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of the video that comes in: its format, its segment, whether it is live, and how far it has come.
 *
 * The lock rule: all members are written by the functions of input.c alone, with the lock. The thread that holds the sink
 * pad's stream lock is the only one that writes, except where a function says otherwise, so it reads without the lock; every
 * other thread calls a function marked "any thread". The lock is a leaf: nothing else is called or locked with it held.
 */
#ifndef GST_LLAVAOV_INPUT_H
#define GST_LLAVAOV_INPUT_H

#include <gst/gst.h>
#include <gst/video/video.h>

#include "llavaov.h"
#include "orientation.h"

G_BEGIN_DECLS

typedef struct _GstLlavaovInput
{
  GMutex lock;

  GstVideoInfo info;
  gboolean have_info;
  GstLlavaovOrientation tags;   /* the orientation as tags give it */
  LlavaovOrientation orientation;       /* of the frames that come, once it is known */
  gboolean orientation_known;
  gboolean unreadable;          /* the buffer at hand does not hold what the caps say */
  gboolean warned_unreadable;   /* of these caps */

  guint32 stream_seqnum, seek_seqnum;
  GstSegment segment;
  gboolean live, live_known;
  gboolean by_arrival;          /* live by its source alone: frames without timestamps from a network */
  guint n_untimed;              /* frames of a file with neither timestamp nor rate */
  GstClockTime upstream_latency;
  GstClockTime lag, lag_before, lag_since;      /* how late frames come: the maximum of this period and of the last */

  gboolean have_time;           /* the next frame goes on from the last one */
  GstClockTime last_running, last_end;
  guint n_late;                 /* frames out of order since the last in order */
  guint64 n_frames;             /* since the stream began */
  gboolean eos;
} GstLlavaovInput;

void gst_llavaov_input_init (GstLlavaovInput * input);
void gst_llavaov_input_clear (GstLlavaovInput * input);
/* Nothing has come yet. While the pads are inactive. */
void gst_llavaov_input_start (GstLlavaovInput * input);
/* No stream has begun; caps and tags stay. */
void gst_llavaov_input_reset (GstLlavaovInput * input);
/* Another stream begins. TRUE: the one before was live, and this one is taken to be until its segment says more. */
gboolean gst_llavaov_input_next_stream (GstLlavaovInput * input);

/* Caps; NULL: they cannot be read. */
void gst_llavaov_input_set_info (GstLlavaovInput * input,
    const GstVideoInfo * info);
/* The size of frames as they are shown. FALSE: no caps yet. Any thread. */
gboolean gst_llavaov_input_size (GstLlavaovInput * input, guint * width,
    guint * height);
/* A STREAM_START or TAG event. */
void gst_llavaov_input_tag_event (GstLlavaovInput * input, GstEvent * event);
void gst_llavaov_input_set_orientation (GstLlavaovInput * input,
    LlavaovOrientation orientation);
/* Whether the buffer at hand can be read. TRUE: it is the first of these caps that cannot. */
gboolean gst_llavaov_input_set_unreadable (GstLlavaovInput * input,
    gboolean unreadable);

/* FALSE: the stream-start of this number has come already, as it does after the pad was linked again. */
gboolean gst_llavaov_input_is_new_stream (GstLlavaovInput * input,
    guint32 seqnum);
/* FALSE: the seek of this number has come already, from the other source pad. Any thread. */
gboolean gst_llavaov_input_is_new_seek (GstLlavaovInput * input,
    guint32 seqnum);

void gst_llavaov_input_set_segment (GstLlavaovInput * input,
    const GstSegment * segment);
/* Any thread. */
void gst_llavaov_input_get_segment (GstLlavaovInput * input,
    GstSegment * segment, gboolean * eos);

/* Whether the stream is live; known may be NULL. Any thread. */
gboolean gst_llavaov_input_live (GstLlavaovInput * input, gboolean * known);
/* Upstream's answer to a latency query. Returns whether the stream counts as live. */
gboolean gst_llavaov_input_set_live (GstLlavaovInput * input, gboolean live,
    GstClockTime latency);
/* It is to be asked for again. Any thread. */
void gst_llavaov_input_forget_live (GstLlavaovInput * input);
/* Frames count as of their arrival, or not. */
void gst_llavaov_input_set_by_arrival (GstLlavaovInput * input,
    gboolean by_arrival);
/* Counts a frame with neither timestamp nor rate; returns how many there are, 0 in a live stream or with a frame rate. */
guint gst_llavaov_input_count_untimed (GstLlavaovInput * input);

/* A frame of this running time has come at `now`. Its lag counts for a period, and for the next. */
void gst_llavaov_input_update_lag (GstLlavaovInput * input, GstClockTime now,
    GstClockTime running, GstClockTime period);
/* How much later than their running time frames come. Any thread. */
GstClockTime gst_llavaov_input_lateness (GstLlavaovInput * input);

/* A frame in order, from `running` to `end`. */
void gst_llavaov_input_set_time (GstLlavaovInput * input,
    GstClockTime running, GstClockTime end);
/* FALSE: the next frame does not go on from the last one. */
void gst_llavaov_input_set_have_time (GstLlavaovInput * input,
    gboolean have_time);
void gst_llavaov_input_count_late (GstLlavaovInput * input);
/* Returns how many frames the stream has had. */
guint64 gst_llavaov_input_count_frame (GstLlavaovInput * input);
void gst_llavaov_input_set_eos (GstLlavaovInput * input);

G_END_DECLS

#endif
