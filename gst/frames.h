/* SPDX-License-Identifier: Apache-2.0
 *
 * From the stream to windows: what a frame, a gap, a segment and the end mean for the window or clip that is open. Time
 * is running time; sampler.c and clip.c say which frames answer for which stretch of it.
 *
 * On the streaming thread, with the lock of the windows held around every call. Nothing here looks at a pixel.
 */
#ifndef GST_LLAVAOV_FRAMES_H
#define GST_LLAVAOV_FRAMES_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Once, when the element is made. */
void gst_llavaov_frames_setup (GstLlavaovElement * self);

/* No stream has begun. */
void gst_llavaov_frames_reset (GstLlavaovElement * self);

/* `now` below is the clock's running time, or NONE. */

/* Another stream begins: the windows and the clip of the one before end. */
void gst_llavaov_frames_stream (GstLlavaovElement * self, GstClockTime now);

/* The segment of the frames that follow; one with other times than before ends the windows. */
void gst_llavaov_frames_segment (GstLlavaovElement * self,
    const GstSegment * segment, GstClockTime now);

/* The next frame. Takes a reference when a window may want it. Where the stream blocks it waits, without the lock, until
 * the windows that end here are answered. */
GstFlowReturn gst_llavaov_frames_take (GstLlavaovElement * self,
    GstBuffer * buffer, GstClockTime now);

/* No frame comes for `duration` from `timestamp` on. May wait, as above. Returns the running time at its end, or NONE. */
GstClockTime gst_llavaov_frames_gap (GstLlavaovElement * self,
    GstClockTime timestamp, GstClockTime duration);

G_END_DECLS

#endif
