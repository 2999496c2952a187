/* SPDX-License-Identifier: Apache-2.0
 *
 * The ends of windows that are not their clock's: a new stream or segment, a hole, a jump back, the end. What was seen
 * until then is closed as a window of its own, which is shorter, and handed over; docs/windows.md has the table.
 *
 * On the streaming thread, with the lock of the windows held around every call. Nothing here waits; where the stream blocks, the caller
 * does.
 */
#ifndef GST_LLAVAOV_DRAIN_H
#define GST_LLAVAOV_DRAIN_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* The windows that are open end here, and the next frame begins new ones. reason is a word for the messages about those of
 * a live stream that held no frame. now: running time by the clock, or NONE. A clip goes on. */
void gst_llavaov_drain_windows (GstLlavaovElement * self, const gchar * reason,
    GstClockTime now);

/* The same at an end of the stream: a clip is over, too, and a single frame was a still picture. */
void gst_llavaov_drain_stream (GstLlavaovElement * self,
    const gchar * reason, GstClockTime now);

/* A frame has come that goes on for `step` of running time; NONE: it lies outside the segment. Video with frames must not
 * pass in silence, whatever its timestamps and the interval say: after max (60 s, window + interval) of it what is open
 * ends, or is told to be empty. */
void gst_llavaov_drain_watch_progress (GstLlavaovElement * self, GstClockTime step,
    GstClockTime duration);

G_END_DECLS

#endif
