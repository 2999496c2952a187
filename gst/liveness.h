/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the stream is live. On the streaming thread, without any lock: queries walk upstream.
 */
#ifndef GST_LLAVAOV_LIVENESS_H
#define GST_LLAVAOV_LIVENESS_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Asks upstream, unless the answer is known. */
void gst_llavaov_liveness_update (GstLlavaovElement * self);

/* In front of a frame without a timestamp. From a network, without a frame rate, the stream counts as live from here on
 * and such frames as of their arrival; else the frame rate says how long each lasts, or a guess that is warned about. */
void gst_llavaov_liveness_untimed (GstLlavaovElement * self);

G_END_DECLS

#endif
