/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows the load of the model: posts PROGRESS, opens a session when it is there, and checks that the question fits its
 * context. On the worker's thread; without the lock, where nothing else is said.
 */
#ifndef GST_LLAVAOV_LOADING_H
#define GST_LLAVAOV_LOADING_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Nothing has been said about the load yet. */
#define GST_LLAVAOV_LOADING_UNTOLD G_MAXUINT

/* Checks how far the load is, posts PROGRESS and, once it is through, opens the session or posts the ERROR.
 * last_percent is kept for the next call, GST_LLAVAOV_LOADING_UNTOLD before the first. */
void gst_llavaov_loading_poll (GstLlavaovElement * self,
    guint * last_percent);
/* The worker ends: a load that has been reported and is not complete counts as cancelled. */
void gst_llavaov_loading_end (GstLlavaovElement * self, guint last_percent);

/* TRUE when the whole question, with all its frames, can be checked now and has not been. With the lock held. */
gboolean gst_llavaov_loading_can_check_frames (GstLlavaovElement * self);
/* Checks it: an ERROR when it does not fit. */
void gst_llavaov_loading_check_frames (GstLlavaovElement * self);

/* Posts one WARNING in a run that says which of the checkpoint's generation settings have no effect here, if they are asked
 * for. */
void gst_llavaov_loading_warn_generation (GstLlavaovElement * self,
    const LlavaovGeneration * asked);

G_END_DECLS

#endif
