/* SPDX-License-Identifier: Apache-2.0
 *
 * When the stream waits: for the answers to its windows where overload=block, and at its end.
 *
 * The lock of the windows is held around every call, with the one exception named below; waiting releases it.
 */
#ifndef GST_LLAVAOV_BACKPRESSURE_H
#define GST_LLAVAOV_BACKPRESSURE_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Whether the stream waits until a window is answered, so that none is dropped. */
gboolean gst_llavaov_backpressure_blocks (GstLlavaovElement * self);

/* Waits until the worker has reported every window and every question of the application so far, or a callback in it does not return. Returns
 * gst_llavaov_windows_flow(). */
GstFlowReturn gst_llavaov_backpressure_wait (GstLlavaovElement * self);

/* The same where the stream blocks; FLUSHING too when a flush has come and gone meanwhile. Elsewhere OK, or
 * gst_llavaov_windows_flow(). */
GstFlowReturn gst_llavaov_backpressure_wait_if_blocking (GstLlavaovElement *
    self);

/* What the streaming thread returns for a buffer after an ERROR: waits until a moment after that. Returns
 * gst_llavaov_windows_flow(). */
GstFlowReturn gst_llavaov_backpressure_delay_error (GstLlavaovElement * self);

/* Called in the worker's own thread, from a callback of the application: nobody waits any longer for the window that it
 * reports, so that the application can stop the streaming threads. Elsewhere nothing. Without the lock. */
void gst_llavaov_backpressure_release_waiters (GstLlavaovElement * self);

G_END_DECLS

#endif
