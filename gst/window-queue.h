/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the streaming threads and the worker: samples on their way to the engine, closed windows on their way into
 * `waiting` (to be asked about) or `outbox` (to be told about), and who waits for whom.
 *
 * The element's lock is held around every call, with the one exception named below.
 */
#ifndef GST_LLAVAOV_WINDOW_QUEUE_H
#define GST_LLAVAOV_WINDOW_QUEUE_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Whether the stream waits until a window is answered, so that none is dropped. */
gboolean gst_llavaov_window_queue_blocks (GstLlavaovElement * self);

/* What the user has changed takes effect with the next window: call this before windows open, and before a clip ends. */
void gst_llavaov_window_queue_refresh_settings (GstLlavaovElement * self);

/* OK while the stream may go on; FLUSHING on the way out, ERROR once one has been posted. */
GstFlowReturn gst_llavaov_window_queue_flow (GstLlavaovElement * self);

/* What the streaming thread returns for a buffer after an ERROR: waits until a moment after that. Returns the standing. */
GstFlowReturn gst_llavaov_window_queue_delay_error (GstLlavaovElement * self);

/* Until the worker has told about every window handed over, or a callback in it does not return; lets go of the lock
 * meanwhile. Returns the standing. */
GstFlowReturn gst_llavaov_window_queue_wait (GstLlavaovElement * self);

/* The same where the stream blocks; FLUSHING too when a flush has come and gone meanwhile. Elsewhere OK, or the standing. */
GstFlowReturn gst_llavaov_window_queue_wait_if_blocking (GstLlavaovElement * self);

/* Called in the worker's own thread, from a callback of the application: nobody waits for what it is reporting, so that what
 * the application does can stop the streaming threads. Elsewhere nothing. Without the lock. */
void gst_llavaov_window_queue_release_waiters (GstLlavaovElement * self);

/* Gives a sample to the engine, if that is there and the layout is decided. Never blocks. */
void gst_llavaov_window_queue_push_sample (GstLlavaovElement * self,
    GstLlavaovSample * sample);

/* Gives all samples that were chosen before the engine was there, or the layout decided. */
void gst_llavaov_window_queue_push_held_samples (GstLlavaovElement * self);

/* Decides the layout of this stream, unless it is. */
void gst_llavaov_window_queue_set_layout (GstLlavaovElement * self,
    LlavaovLayout layout);

/* The same, for a stream that is no single picture. */
void gst_llavaov_window_queue_set_layout_of_many (GstLlavaovElement * self);

/* Hands closed windows to the worker: takes all of `closed`. Without blocking, older windows beyond max-pending are
 * dropped. */
void gst_llavaov_window_queue_add (GstLlavaovElement * self, GQueue * closed);

/* Forgets all windows and answers under way. The ticket (or NULL) is to be cancelled and unreferenced by the caller once
 * it has let go of the lock. */
LlavaovTicket *gst_llavaov_window_queue_flush (GstLlavaovElement * self);

G_END_DECLS

#endif
