/* SPDX-License-Identifier: Apache-2.0
 *
 * The action signal `ask` and the event llavaov/ask: a question of the application between the windows. Any thread, in any state
 * and from any callback, without any lock; never blocks.
 */
#ifndef GST_LLAVAOV_ASK_H
#define GST_LLAVAOV_ASK_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_ASK_EVENT "llavaov/ask"

/* fields: ask-fields.h; NULL: none. Returns the id that the answer carries, or, where there is none, that of the message
 * llavaov-no-answer. 0: it is not asked. Where the fields are wrong a WARNING has been posted. */
guint64 gst_llavaov_ask (GstLlavaovElement * self, const GstStructure * fields);

/* Installs the signal on a class; `handler` has the signature of gst_llavaov_ask(). */
void gst_llavaov_ask_install (GType type, GCallback handler);

/* Asks what the event says, if it is one to ask; then a question that is not asked brings the message llavaov-no-answer with the id 0.
 * TRUE: it was, and has been taken. */
gboolean gst_llavaov_ask_event (GstLlavaovElement * self, GstEvent * event);

G_END_DECLS

#endif
