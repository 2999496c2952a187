/* SPDX-License-Identifier: Apache-2.0
 *
 * When a frame is shown and for how long, in running time. On the streaming thread, and without side effects.
 */
#ifndef GST_LLAVAOV_FRAME_TIME_H
#define GST_LLAVAOV_FRAME_TIME_H

#include <gst/video/video.h>

#include "input.h"

G_BEGIN_DECLS

/* A frame's running time: from its timestamp, if that makes sense, else from the clock (live), else one frame after the last.
 * NONE when it lies outside the segment. info: of the caps. now: running time by the clock, or NONE. */
GstClockTime gst_llavaov_frame_time (const GstLlavaovInput * input,
    const GstVideoInfo * info, GstBuffer * buffer, GstClockTime now);

/* How long it lasts; NONE when neither buffer nor caps say so. */
GstClockTime gst_llavaov_frame_duration (const GstLlavaovInput * input,
    const GstVideoInfo * info, GstBuffer * buffer);

/* The running time at the end of a gap; NONE when that lies outside the segment or makes no sense. duration may be NONE. */
GstClockTime gst_llavaov_gap_end (const GstLlavaovInput * input,
    GstClockTime timestamp, GstClockTime duration);

/* Whether both give any timestamp the same running time and the same stream time, so that what follows continues what came
 * before. */
gboolean gst_llavaov_segments_have_same_times (const GstSegment * a,
    const GstSegment * b);

G_END_DECLS

#endif
