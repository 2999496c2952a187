/* SPDX-License-Identifier: Apache-2.0
 *
 * sampling=clip: one answer at the end of the stream, over frames spread evenly from the first to the last one:
 *     index k = floor (k * (T - 1) / (N - 1)),  T frames in the stream, N asked for
 * (numpy.linspace (0, T - 1, N, dtype = int), as the reference samples a video). The stream's length is not known before
 * its end, so frames are kept as they come; beyond GST_LLAVAOV_CLIP_KEPT every other one is let go and only every second,
 * fourth, ... frame is kept from then on, and an index takes the nearest kept frame, the earlier of two.
 *
 * Not thread-safe: the lock of the windows is held around every call.
 */
#ifndef GST_LLAVAOV_CLIP_H
#define GST_LLAVAOV_CLIP_H

#include "window.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_CLIP_KEPT 1024

typedef struct _GstLlavaovClip
{
  /* private */
  GPtrArray *kept;              /* of GstLlavaovSample; number i is frame i * stride */
  guint64 stride;
  guint64 total;                /* frames so far */
  GstClockTime start, end;
  gint64 utc_start;
  GstSegment segment;           /* of the first frame */
} GstLlavaovClip;

void gst_llavaov_clip_init (GstLlavaovClip * clip);
void gst_llavaov_clip_clear (GstLlavaovClip * clip);
void gst_llavaov_clip_reset (GstLlavaovClip * clip);

/* Counts a frame that lasts until `end`; TRUE when it was kept (and referenced). utc_offset as in the sampler. */
gboolean gst_llavaov_clip_frame (GstLlavaovClip * clip,
    GstLlavaovSample * sample, GstClockTime end, const GstSegment * segment,
    gint64 utc_offset);
guint gst_llavaov_clip_n_kept (const GstLlavaovClip * clip);
/* Calls `function` for every frame that is kept. */
void gst_llavaov_clip_foreach_sample (GstLlavaovClip * clip,
    GstLlavaovSampleFunc function, gpointer data, LlavaovLayout layout);

/* A closed window over the whole stream, with n_frames samples in time order; the clip is empty afterwards. NULL: there was
 * no frame. */
GstLlavaovWindow *gst_llavaov_clip_finish (GstLlavaovClip * clip,
    const GstLlavaovSettings * settings, guint n_frames);

/* Gives a question n_frames samples of the clip so far. FALSE: there are none. */
gboolean gst_llavaov_clip_now (GstLlavaovClip * clip,
    GstLlavaovWindow * question, guint n_frames);

/* Frame k of n over total frames. */
guint64 gst_llavaov_clip_index (guint64 total, guint n, guint k);

G_END_DECLS

#endif
