/* SPDX-License-Identifier: Apache-2.0
 *
 * The streaming side: the functions of the sink pad and of the video pad, on the threads that push into them. Each takes
 * the lock for what frames.c, window-queue.c and text-stream.c decide, and pushes downstream without it.
 */
#ifndef GST_LLAVAOV_STREAM_H
#define GST_LLAVAOV_STREAM_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Sets the functions of both pads, once. */
void gst_llavaov_stream_setup (GstLlavaovElement * self);

G_END_DECLS

#endif
