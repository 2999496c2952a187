/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker: one thread an element that follows the load, asks the engine one window at a time, tells about answers and
 * closes live windows on the clock.
 */
#ifndef GST_LLAVAOV_WORKER_H
#define GST_LLAVAOV_WORKER_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* FALSE: an ERROR has been posted. */
gboolean gst_llavaov_worker_start (GstLlavaovElement * self);
/* Wakes everybody who waits; then the pads may be deactivated. */
void gst_llavaov_worker_interrupt (GstLlavaovElement * self);
/* Joins the thread and gives the engine back; after an interrupt. */
void gst_llavaov_worker_stop (GstLlavaovElement * self);

G_END_DECLS

#endif
