/* SPDX-License-Identifier: Apache-2.0 */
#include "json-schema.h"

#include "errors.h"

/* One more than a schema may have, so that it is the compiler that says so. */
#define MAX_BYTES (64 * 1024 + 1)

gboolean
gst_llavaov_json_schema_read (GstLlavaovSettings * settings,
    LlavaovError * error)
{
  LlavaovJsonSchema *schema = NULL;
  gchar *text;

  if (settings->json_schema_file) {
    if (settings->json_schema) {
      gst_llavaov_bad_value (error, "json-schema-file",
          settings->json_schema_file, "json-schema is set, too: set one");
      return FALSE;
    }
    text = gst_llavaov_read_file ("json-schema-file",
        settings->json_schema_file, MAX_BYTES, error);
    if (text == NULL)
      return FALSE;
    settings->json_schema = text;
  }
  if (settings->json_schema == NULL)
    return TRUE;
  error->status = llavaov_json_schema_open (settings->json_schema, &schema,
      error);
  llavaov_json_schema_unref (schema);
  return error->status == LLAVAOV_OK;
}

LlavaovStatus
gst_llavaov_json_schema_use (GstLlavaovJsonSchema * json, const gchar * text,
    LlavaovJsonSchema ** schema, LlavaovError * error)
{
  LlavaovStatus status = LLAVAOV_OK;

  if (g_strcmp0 (text, json->text) != 0) {
    gst_llavaov_json_schema_clear (json);
    if (text)
      status = llavaov_json_schema_open (text, &json->schema, error);
    if (status == LLAVAOV_OK)
      json->text = g_strdup (text);
  }
  *schema = json->schema;
  return status;
}

void
gst_llavaov_json_schema_clear (GstLlavaovJsonSchema * json)
{
  llavaov_json_schema_unref (json->schema);
  g_free (json->text);
  json->schema = NULL;
  json->text = NULL;
}
