/* SPDX-License-Identifier: Apache-2.0 */
#include "json-schema.h"

#include "errors.h"

/* One more than a schema may have, so that it is the compiler that says so. */
#define MAX_BYTES (64 * 1024 + 1)

gboolean
gst_llavaov_json_schema_read (GstLlavaovSettings * settings,
    LlavaovError * error)
{
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
  return gst_llavaov_json_schema_check (settings, error);
}

gboolean
gst_llavaov_json_schema_check (const GstLlavaovSettings * settings,
    LlavaovError * error)
{
  LlavaovJsonSchema *schema = NULL;

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

static void
take_numbers (GstStructure * structure, const gchar * field,
    const double *numbers, gsize n)
{
  GValue array = G_VALUE_INIT, value = G_VALUE_INIT;
  gsize i;

  g_value_init (&array, GST_TYPE_ARRAY);
  g_value_init (&value, G_TYPE_DOUBLE);
  for (i = 0; i < n; i++) {
    g_value_set_double (&value, numbers[i]);
    gst_value_array_append_value (&array, &value);
  }
  gst_structure_take_value (structure, field, &array);
}

static GstStructure *
value_to_structure (const LlavaovJsonValue * listed)
{
  GstStructure *structure = gst_structure_new ("json-value",
      "path", G_TYPE_STRING, listed->path,
      "value", G_TYPE_STRING, listed->values[listed->written],
      "confidence", G_TYPE_DOUBLE, listed->confidence,
      "label-mass", G_TYPE_DOUBLE, listed->label_mass, NULL);
  GValue array = G_VALUE_INIT, value = G_VALUE_INIT;
  gsize i;

  g_value_init (&array, GST_TYPE_ARRAY);
  g_value_init (&value, G_TYPE_STRING);
  for (i = 0; i < listed->n; i++) {
    g_value_set_string (&value, listed->values[i]);
    gst_value_array_append_value (&array, &value);
  }
  g_value_unset (&value);
  gst_structure_take_value (structure, "values", &array);
  take_numbers (structure, "probabilities", listed->probabilities, listed->n);
  take_numbers (structure, "logprobs", listed->logprobs, listed->n);
  return structure;
}

GstStructure *
gst_llavaov_json_values_to_structure (const LlavaovAnswer * answer)
{
  GstStructure *structure = gst_structure_new_empty ("json-values");
  GValue array = G_VALUE_INIT;
  gsize i;

  g_value_init (&array, GST_TYPE_ARRAY);
  for (i = 0; i < answer->n_json_values; i++) {
    GValue value = G_VALUE_INIT;

    g_value_init (&value, GST_TYPE_STRUCTURE);
    g_value_take_boxed (&value, value_to_structure (answer->json_values[i]));
    gst_value_array_append_and_take_value (&array, &value);
  }
  gst_structure_take_value (structure, "json-values", &array);
  return structure;
}

void
gst_llavaov_json_schema_clear (GstLlavaovJsonSchema * json)
{
  llavaov_json_schema_unref (json->schema);
  g_free (json->text);
  json->schema = NULL;
  json->text = NULL;
}
