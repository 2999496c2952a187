/* SPDX-License-Identifier: Apache-2.0
 *
 * From the streaming thread to the engine and the worker: samples are pushed to the engine as soon as the model is loaded and
 * their layout decided, closed windows are queued for the worker.
 *
 * The lock of the windows is held around every call.
 */
#ifndef GST_LLAVAOV_WINDOW_QUEUE_H
#define GST_LLAVAOV_WINDOW_QUEUE_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* No stream has begun. */
void gst_llavaov_window_queue_reset (GstLlavaovElement * self);

/* What the user has changed takes effect with the next window: call this before windows open, and before a clip ends. */
void gst_llavaov_window_queue_refresh_settings (GstLlavaovElement * self);

/* Pushes a sample to the engine, if the model is loaded and the layout decided. Never blocks. */
void gst_llavaov_window_queue_push_sample (GstLlavaovElement * self,
    GstLlavaovSample * sample);
/* The same for a question of the application, with the layout that it has. */
void gst_llavaov_window_queue_push_for (GstLlavaovElement * self,
    GstLlavaovSample * sample, LlavaovLayout layout);
/* Pushes all samples that were chosen before the model was loaded, or before the layout was decided. */
void gst_llavaov_window_queue_push_held_samples (GstLlavaovElement * self);

/* Decides the layout of this stream, unless it is decided. */
void gst_llavaov_window_queue_set_layout (GstLlavaovElement * self,
    LlavaovLayout layout);
/* The same, for a stream of more than one picture. */
void gst_llavaov_window_queue_set_layout_of_many (GstLlavaovElement * self);

/* Queues closed windows: takes all of `closed`. Unless the stream blocks, the oldest beyond max-pending are dropped. */
void gst_llavaov_window_queue_add (GstLlavaovElement * self, GQueue * closed);

/* Drops all windows, and the answers under way. The ticket (or NULL) is to be cancelled and unreferenced by the caller once
 * it has released the lock. */
LlavaovTicket *gst_llavaov_window_queue_flush (GstLlavaovElement * self);

/* The same, of a frame that may not be asked about: it is prepared, and encoded when it is. */
void gst_llavaov_window_queue_keep_sample (GstLlavaovElement * self,
    GstLlavaovSample * sample);

G_END_DECLS

#endif
