/* SPDX-License-Identifier: Apache-2.0
 *
 * One window becomes one request to the engine, and its answer comes back, on an engine thread, into the outbox.
 */
#ifndef GST_LLAVAOV_REQUESTS_H
#define GST_LLAVAOV_REQUESTS_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Takes the window. With the lock held, on the worker's thread; lets go of the lock meanwhile. Afterwards the window is in
 * `asked` with its ticket, or in the outbox, FAILED, or freed if the stream was flushed. */
void gst_llavaov_request_send (GstLlavaovElement * self, GstLlavaovWindow * window);

G_END_DECLS

#endif
