/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at frames for motion: on one thread for all elements of the process, with less priority than streaming threads, or,
 * where the stream blocks and would wait for that, at once.
 */
#ifndef GST_LLAVAOV_MOTION_CHECK_H
#define GST_LLAVAOV_MOTION_CHECK_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* What a check of the frame at `time` has seen. With the lock of the windows. */
typedef void (*GstLlavaovMotionFunc) (GstLlavaovElement * self,
    const LlavaovMotionSeen * seen, GstClockTime time);

/* The next frame, which may be looked at; `function` follows, unless a flush or another stream comes first. Where the stream
 * blocks that has been before it returns. With the lock of the windows, which may be released meanwhile, on the streaming
 * thread. */
GstFlowReturn gst_llavaov_motion_check (GstLlavaovElement * self,
    GstBuffer * buffer, const GstLlavaovSample * sample,
    GstLlavaovMotionFunc function);

G_END_DECLS

#endif
