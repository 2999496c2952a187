/* SPDX-License-Identifier: Apache-2.0
 *
 * How an item of the text stream goes out: answers as text or as JSON, whichever the consumer takes. On the task of the pad.
 */
#ifndef GST_LLAVAOV_TEXT_PUSH_H
#define GST_LLAVAOV_TEXT_PUSH_H

#include "text-queue.h"

G_BEGIN_DECLS

/* Takes the item's event. */
GstFlowReturn gst_llavaov_text_push (GstPad * pad, GstLlavaovTextItem * item);

G_END_DECLS

#endif
