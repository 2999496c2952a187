/* SPDX-License-Identifier: Apache-2.0
 *
 * What pads are asked for and what goes upstream: queries of the sink pad, events of the source pads, links inside. On any
 * thread, without any lock.
 */
#ifndef GST_LLAVAOV_UPSTREAM_H
#define GST_LLAVAOV_UPSTREAM_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Query function of the sink pad. */
gboolean gst_llavaov_upstream_query (GstPad * pad, GstObject * parent,
    GstQuery * query);
/* Event function of both source pads. */
gboolean gst_llavaov_upstream_event (GstPad * pad, GstObject * parent,
    GstEvent * event);
/* Links inside, of the video's pads. */
GstIterator *gst_llavaov_upstream_links (GstPad * pad, GstObject * parent);

G_END_DECLS

#endif
