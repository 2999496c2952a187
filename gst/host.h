/* SPDX-License-Identifier: Apache-2.0
 *
 * What the element does in the name of its host: the bin `llavaov` around it, if there is one, else the element itself. Any
 * thread, without any lock.
 */
#ifndef GST_LLAVAOV_HOST_H
#define GST_LLAVAOV_HOST_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* The bin sets itself; NULL: there is none any more. Takes no reference. */
void gst_llavaov_host_set (GstLlavaovElement * self, GstElement * host);

/* Notifies of a property of the host. */
void gst_llavaov_host_notify (GstLlavaovElement * self,
    const gchar * property);

/* The name of this stream in answers: stream-name, else the host's name. Free it. */
gchar *gst_llavaov_host_stream_name (GstLlavaovElement * self);

/* Posts an ERROR and ends the stream: everybody who waits in backpressure.c returns. On the worker's thread. */
void gst_llavaov_host_fail (GstLlavaovElement * self,
    const LlavaovError * error);

G_END_DECLS

#endif
