/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends windows before their time: at a new stream or segment, a hole, a jump back, the end. What they have seen until then is
 * closed as shorter windows and queued; docs/windows.md has the table.
 *
 * On the streaming thread, with the lock of the windows held around every call. Nothing here waits; where the stream blocks,
 * the caller does.
 */
#ifndef GST_LLAVAOV_DRAIN_H
#define GST_LLAVAOV_DRAIN_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Ends the open windows; the next frame begins new ones. reason is a static word for the messages about those of a live stream
 * that held no frame. now: running time by the clock, or NONE. A clip goes on. */
void gst_llavaov_drain_windows (GstLlavaovElement * self, const gchar * reason,
    GstClockTime now);

/* The same at an end of the stream: a clip ends too, and a single frame was a still picture. */
void gst_llavaov_drain_stream (GstLlavaovElement * self,
    const gchar * reason, GstClockTime now);

/* A frame of this duration has come, `step` of running time after the one before; NONE: it lies outside the segment. Whatever
 * timestamps and the interval say, video with frames does not go on for more than max (60 s, window + interval) without an
 * answer or a message: open windows end then, or an empty one is reported. */
void gst_llavaov_drain_watch_progress (GstLlavaovElement * self, GstClockTime step,
    GstClockTime duration);

G_END_DECLS

#endif
