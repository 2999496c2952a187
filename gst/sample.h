/* SPDX-License-Identifier: Apache-2.0
 *
 * One frame of the stream on its way into windows: a reference to its buffer until the engine has taken it, the engine's
 * frame afterwards. Reference counted; the counts are atomic, the members belong to the element's lock.
 */
#ifndef GST_LLAVAOV_SAMPLE_H
#define GST_LLAVAOV_SAMPLE_H

#include <gst/gst.h>
#include <gst/video/video.h>

#include "llavaov.h"

G_BEGIN_DECLS

typedef struct _GstLlavaovSample
{
  gatomicrefcount refs;
  GstClockTime running;         /* running time */
  GstClockTime duration;        /* GST_CLOCK_TIME_NONE when unknown */
  gint64 arrival;               /* monotonic time, microseconds */
  GstVideoInfo info;
  LlavaovOrientation orientation;
  GstBuffer *buffer;            /* until it is given to the engine */
  LlavaovFrame *frame;          /* afterwards */
  gboolean chosen;              /* a sampling point has taken it */
  gboolean failed;              /* the engine refused it; error says why */
  LlavaovError error;
} GstLlavaovSample;

typedef void (*GstLlavaovSampleFunc) (gpointer data,
    GstLlavaovSample * sample, LlavaovLayout layout);

/* Takes a reference to the buffer. */
GstLlavaovSample *gst_llavaov_sample_new (GstBuffer * buffer,
    const GstVideoInfo * info, GstClockTime running, GstClockTime duration);
GstLlavaovSample *gst_llavaov_sample_ref (GstLlavaovSample * sample);
void gst_llavaov_sample_unref (GstLlavaovSample * sample);

/* What the engine gets of a picture: moves the buffer out of the sample. The caller maps, unmaps and releases. backlog as
 * below. */
void gst_llavaov_sample_source (GstLlavaovSample * sample, gint * backlog,
    LlavaovFrameSource * source);

/* Hands the picture to the engine, once; later calls do nothing. Never blocks and never touches the pixels: they are
 * mapped on an engine thread. backlog (an atomic count in a g_atomic_rc_box, or NULL) counts the pictures that the engine
 * still holds on to. */
void gst_llavaov_sample_push (GstLlavaovSample * sample,
    LlavaovSession * session, LlavaovLayout layout, LlavaovEncode encode,
    gint * backlog);

G_END_DECLS

#endif
