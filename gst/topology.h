/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies around the element: where its two source pads lead, and where the video is from. A muxer or an overlay that
 * takes both streams reads them side by side: it holds the video of a window back until the text of that time is there,
 * which needs the whole window first. Thread-safe.
 */
#ifndef GST_LLAVAOV_TOPOLOGY_H
#define GST_LLAVAOV_TOPOLOGY_H

#include <gst/gst.h>

#include "llavaov.h"

G_BEGIN_DECLS

/* TRUE when some element downstream takes both, and no queue of unlimited length on the video's way could hold a
 * window. */
gboolean gst_llavaov_pads_meet (GstPad * video, GstPad * text);

/* Whether what comes into a sink pad is from a source that says it is limited by a network's bandwidth. Asks the source
 * itself: decoders do not pass the question on. */
gboolean gst_llavaov_comes_over_network (GstPad * sink);

/* Whether an element upstream turns the video already (videoflip and its like) but lets the tag pass that says it needs to
 * be turned like this. */
gboolean gst_llavaov_turned_upstream (GstPad * sink,
    LlavaovOrientation orientation);

G_END_DECLS

#endif
