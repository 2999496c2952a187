/* SPDX-License-Identifier: Apache-2.0
 *
 * A sample's picture as the engine takes it: mapped and released on an engine thread.
 */
#ifndef GST_LLAVAOV_FRAME_SOURCE_H
#define GST_LLAVAOV_FRAME_SOURCE_H

#include "sample.h"

G_BEGIN_DECLS

/* Fills source and moves the buffer out of the sample into it. The caller maps, unmaps and releases. backlog as below. */
void gst_llavaov_frame_source_init (LlavaovFrameSource * source,
    GstLlavaovSample * sample, gint * backlog);

/* Pushes the picture to the engine, once; later calls do nothing. Never blocks and never touches the pixels. backlog (an
 * atomic count in a g_atomic_rc_box, or NULL) counts the pictures that the engine still holds. */
void gst_llavaov_frame_source_push (GstLlavaovSample * sample,
    LlavaovSession * session, LlavaovLayout layout, LlavaovEncode encode,
    gdouble reuse_below, gint * backlog);

G_END_DECLS

#endif
