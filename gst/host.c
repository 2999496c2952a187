/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include "errors.h"

void
gst_llavaov_host_set (GstLlavaovElement * self, GstElement * host)
{
  GST_OBJECT_LOCK (self);
  self->host = host;
  GST_OBJECT_UNLOCK (self);
}

void
gst_llavaov_host_notify (GstLlavaovElement * self, const gchar * property)
{
  GstElement *host;

  GST_OBJECT_LOCK (self);
  host = gst_object_ref (self->host ? self->host : GST_ELEMENT (self));
  GST_OBJECT_UNLOCK (self);
  /* Inside a bin only the bin notifies: a deep-notify listener must not see every answer twice. */
  g_object_notify (G_OBJECT (host), property);
  gst_object_unref (host);
}

gchar *
gst_llavaov_host_stream_name (GstLlavaovElement * self)
{
  const gchar *given;
  gchar *name;

  GST_OBJECT_LOCK (self);
  given = self->settings.stream_name;
  if (given == NULL)
    given = GST_OBJECT_NAME (self->host ? self->host : (gpointer) self);
  /* Structures and JSON take UTF-8 only; the name alone must not cost a stream its answers' fields. */
  name = g_utf8_make_valid (given, -1);
  GST_OBJECT_UNLOCK (self);
  return name;
}

void
gst_llavaov_host_fail (GstLlavaovElement * self, const LlavaovError * error)
{
  gst_llavaov_post_error (GST_ELEMENT (self), error, &self->run,
      self->run.model_path);
  gst_llavaov_windows_fail (&self->windows);
}
