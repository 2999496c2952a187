/* SPDX-License-Identifier: Apache-2.0
 *
 * The sampling points of one window, and the frames they take. Point k of N lies at
 *     start + (k + 1/2) * length / N
 * and takes the frame of the window nearest to it, the earlier of two that are equally near. A frame may be taken by several
 * points.
 *
 * Not thread-safe: the lock of the windows is held around every call. Times are running times in nanoseconds.
 */
#ifndef GST_LLAVAOV_POINTS_H
#define GST_LLAVAOV_POINTS_H

#include "window.h"

G_BEGIN_DECLS

/* Called whenever a point takes a sample. */
typedef void (*GstLlavaovPointFunc) (gpointer data, GstLlavaovSample * sample);

/* Decides those points of the window that a frame decides, which are taken by it or by `last`, the frame before it (or
 * NULL). With `trust` it is believed to last as long as its duration says, so that it also takes points ahead of it. `chosen`
 * may be NULL. */
void gst_llavaov_points_offer (GstLlavaovWindow * window,
    GstLlavaovSample * last, GstLlavaovSample * sample, gboolean trust,
    GstLlavaovPointFunc chosen, gpointer data);
/* The points left, but only those before `end` (NONE: all), take `last`; the first point always does. */
void gst_llavaov_points_fill (GstLlavaovWindow * window,
    GstLlavaovSample * last, GstClockTime end, GstLlavaovPointFunc chosen,
    gpointer data);
/* Whether all points have taken a frame. */
gboolean gst_llavaov_points_are_decided (const GstLlavaovWindow * window);

G_END_DECLS

#endif
