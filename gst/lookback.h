/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames from before a trigger: one every sampling pitch, so that a window that begins in the past finds its points' frames. They
 * are prepared pictures, encoded when they are asked about; no buffer is kept but that of a frame whose layout is not known yet.
 *
 * Not thread-safe: the lock of the windows is held around every call. Times are running times in nanoseconds.
 */
#ifndef GST_LLAVAOV_LOOKBACK_H
#define GST_LLAVAOV_LOOKBACK_H

#include "sample.h"

G_BEGIN_DECLS

typedef struct
{
  GQueue samples;               /* of GstLlavaovSample, in order */
  GstClockTime next;            /* when the next one is wanted */
} GstLlavaovLookback;

void gst_llavaov_lookback_clear (GstLlavaovLookback * lookback);
/* Whether a frame of this time is wanted, where they are `pitch` apart. */
gboolean gst_llavaov_lookback_wants (const GstLlavaovLookback * lookback,
    GstClockTime running);
/* Takes a reference of a frame behind all others. */
void gst_llavaov_lookback_take (GstLlavaovLookback * lookback,
    GstLlavaovSample * sample, GstClockTime pitch);
/* Lets go of those before a time. */
void gst_llavaov_lookback_trim (GstLlavaovLookback * lookback,
    GstClockTime before);
/* The first frame at or behind a time, or NULL. */
GstLlavaovSample *gst_llavaov_lookback_find (GstLlavaovLookback * lookback,
    GstClockTime running);

G_END_DECLS

#endif
