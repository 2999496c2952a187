/* SPDX-License-Identifier: Apache-2.0
 *
 * One window becomes one request to the engine, and its answers come back, on an engine thread, into the outbox.
 */
#ifndef GST_LLAVAOV_REQUESTS_H
#define GST_LLAVAOV_REQUESTS_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Sends those that are `asked`. On the worker's thread, with the lock of the windows, which is released meanwhile. Afterwards each
 * is still `asked`, and they have their ticket, or it is in the outbox, or freed after a flush. */
void gst_llavaov_request_send (GstLlavaovElement * self);

G_END_DECLS

#endif
