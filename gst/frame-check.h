/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames whose buffers do not hold what their caps say are not sampled; the video itself goes through.
 */
#ifndef GST_LLAVAOV_FRAME_CHECK_H
#define GST_LLAVAOV_FRAME_CHECK_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* Looks at caps, metas and sizes alone. Notes in self->format whether the buffer can be read, and counts it if not; a WARNING
 * reports the first such frame since the caps changed. On the streaming thread, once for every buffer, without any lock. */
void gst_llavaov_frame_check (GstLlavaovElement * self, GstBuffer * buffer);

G_END_DECLS

#endif
