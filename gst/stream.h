/* SPDX-License-Identifier: Apache-2.0
 *
 * The streaming side: what happens on the threads of the pads.
 */
#ifndef GST_LLAVAOV_STREAM_H
#define GST_LLAVAOV_STREAM_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

void gst_llavaov_stream_setup (GstLlavaovElement * self);
/* Upstream events of both source pads. */
gboolean gst_llavaov_stream_src_event (GstPad * pad, GstObject * parent,
    GstEvent * event);
/* Back to where no stream has begun. With the lock held. */
void gst_llavaov_stream_reset (GstLlavaovElement * self);

G_END_DECLS

#endif
