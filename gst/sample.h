/* SPDX-License-Identifier: Apache-2.0
 *
 * One frame of the stream on its way into windows: a reference to its buffer until the engine has taken it, the engine's
 * frame afterwards. Reference counted; the counts are atomic, the members are guarded by the lock of the windows.
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
  const gchar *decoded;         /* the word of it that the answer has, or NULL; static */
  gboolean chosen;              /* a sampling point has taken it */
  gboolean failed;              /* the engine refused it; error says why */
  LlavaovError error;
} GstLlavaovSample;

typedef void (*GstLlavaovSampleFunc) (gpointer data,
    GstLlavaovSample * sample, LlavaovLayout layout);

/* Takes a reference to the buffer. */
GstLlavaovSample *gst_llavaov_sample_new (GstBuffer * buffer,
    const GstVideoInfo * info, GstClockTime running, GstClockTime duration);
/* The same picture, to be given to the engine once more; NULL once it has been. */
GstLlavaovSample *gst_llavaov_sample_copy (const GstLlavaovSample * sample);
GstLlavaovSample *gst_llavaov_sample_ref (GstLlavaovSample * sample);
void gst_llavaov_sample_unref (GstLlavaovSample * sample);

G_END_DECLS

#endif
