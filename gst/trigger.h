/* SPDX-License-Identifier: Apache-2.0
 *
 * From what triggers to windows: on the streaming thread, at every frame. triggers.c decides, sampler.c opens.
 */
#ifndef GST_LLAVAOV_TRIGGER_H
#define GST_LLAVAOV_TRIGGER_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_TRIGGER_EVENT_NAME "llavaov/trigger"

/* Where the stream blocks and frames are to be kept, until there is somebody to prepare them. With the lock of the windows,
 * which is released meanwhile. */
GstFlowReturn gst_llavaov_trigger_wait (GstLlavaovElement * self);
/* The frame that the sampler has just taken. Where the stream blocks it may wait, as above, until that has been looked at. */
GstFlowReturn gst_llavaov_trigger_frame (GstLlavaovElement * self,
    GstBuffer * buffer, GstLlavaovSample * sample);
/* A sampling point has taken this frame. Likewise. */
void gst_llavaov_trigger_chosen (GstLlavaovElement * self,
    GstLlavaovSample * sample);

/* Whether this is the event llavaov/trigger, which then counts with the next frame. Any thread, without the lock. */
gboolean gst_llavaov_trigger_event (GstLlavaovElement * self, GstEvent * event);

G_END_DECLS

#endif
