/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the video that comes in stands: its stream, its segment, whether it is live, how late and how far it has come.
 *
 * The lock rule: all members are written by the functions of input.c alone, with the lock. The thread that holds the sink
 * pad's stream lock is the only one that writes, except where a function says otherwise, so it reads without the lock; every
 * other thread calls a function marked "any thread". The lock is a leaf: nothing else is called or locked with it held.
 */
#ifndef GST_LLAVAOV_INPUT_H
#define GST_LLAVAOV_INPUT_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* The event in front of the first frame of which another word than before is true; its field `decoded`: "all" or "keyframes". The
 * bin's decoder sends it, and it ends in the element. */
#define GST_LLAVAOV_DECODED_EVENT_NAME "llavaov/decoded"

typedef struct _GstLlavaovInput
{
  GMutex lock;

  guint32 stream_seqnum, seek_seqnum;
  GstSegment segment;
  gboolean live, live_known;
  gboolean by_arrival;          /* frames without timestamps from a network: live, whatever upstream says */
  guint n_untimed;              /* frames of a file with neither timestamp nor rate */
  GstClockTime upstream_latency;
  GstClockTime lag, lag_before, lag_since;      /* how late frames come: the maximum of this period and of the last */

  gboolean have_time;           /* the next frame continues the last one */
  GstClockTime last_running, last_end;
  guint n_late;                 /* frames out of order since the last in order */
  guint64 n_frames;             /* since the stream began */
  gboolean eos;
  gboolean warned_unlinked;     /* since the start */
  const gchar *decoded;         /* which pictures are decoded: "all", "keyframes", or NULL where nobody chose */
} GstLlavaovInput;

void gst_llavaov_input_init (GstLlavaovInput * input);
void gst_llavaov_input_clear (GstLlavaovInput * input);
/* Nothing has come yet. While the pads are inactive. */
void gst_llavaov_input_start (GstLlavaovInput * input);
/* No stream has begun. */
void gst_llavaov_input_reset (GstLlavaovInput * input);
/* Another stream begins. TRUE: the one before was live, and this one is taken to be until its segment says more. */
gboolean gst_llavaov_input_next_stream (GstLlavaovInput * input);

/* FALSE: the STREAM_START of this seqnum has been seen; it comes again when the pad is linked again. */
gboolean gst_llavaov_input_is_new_stream (GstLlavaovInput * input,
    guint32 seqnum);
/* FALSE: the seek of this seqnum has been seen, from the other source pad. Any thread. */
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
/* Upstream is to be asked again. Any thread. */
void gst_llavaov_input_forget_live (GstLlavaovInput * input);
/* Whether frames are timed by their arrival. */
void gst_llavaov_input_set_by_arrival (GstLlavaovInput * input,
    gboolean by_arrival);
/* Counts a frame with neither timestamp nor frame rate. Returns how many there are; 0: the stream is live. */
guint gst_llavaov_input_count_untimed (GstLlavaovInput * input);

/* A frame of this running time has come at `now`, the clock's running time. Its lag counts for this period and the next. */
void gst_llavaov_input_update_lag (GstLlavaovInput * input, GstClockTime now,
    GstClockTime running, GstClockTime period);
/* How much later than their running time frames come, in ns. Any thread. */
GstClockTime gst_llavaov_input_lateness (GstLlavaovInput * input);

/* A frame in order, from `running` to `end`. */
void gst_llavaov_input_set_time (GstLlavaovInput * input,
    GstClockTime running, GstClockTime end);
/* FALSE: the next frame does not continue the last one. */
void gst_llavaov_input_set_have_time (GstLlavaovInput * input,
    gboolean have_time);
void gst_llavaov_input_count_late (GstLlavaovInput * input);
/* Returns how many frames the stream has had. */
guint64 gst_llavaov_input_count_frame (GstLlavaovInput * input);
void gst_llavaov_input_set_eos (GstLlavaovInput * input);
/* A frame was refused since what follows is not linked. TRUE: the first since the start. */
gboolean gst_llavaov_input_set_unlinked (GstLlavaovInput * input);
void gst_llavaov_input_set_decoded (GstLlavaovInput * input,
    const gchar * word);

G_END_DECLS

#endif
