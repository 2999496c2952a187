/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema that answers must fit: read from where the settings say, compiled once for as long as it stays the same.
 *
 * Not thread-safe: the worker's alone.
 */
#ifndef GST_LLAVAOV_JSON_SCHEMA_H
#define GST_LLAVAOV_JSON_SCHEMA_H

#include "settings.h"

G_BEGIN_DECLS

/* Zero: none. */
typedef struct
{
  gchar *text;
  LlavaovJsonSchema *schema;    /* of `text` */
} GstLlavaovJsonSchema;

/* Replaces settings->json_schema with the content of json-schema-file, if that is set, and checks it. FALSE: error is
 * filled. */
gboolean gst_llavaov_json_schema_read (GstLlavaovSettings * settings,
    LlavaovError * error);

/* The compiled `text`, or NULL where that is NULL; json keeps it. */
LlavaovStatus gst_llavaov_json_schema_use (GstLlavaovJsonSchema * json,
    const gchar * text, LlavaovJsonSchema ** schema, LlavaovError * error);

/* The field "json-values": of each value that an enum or a boolean lists a structure. */
GstStructure *gst_llavaov_json_values_to_structure (const LlavaovAnswer *
    answer);

/* Whether the settings' schema can be compiled. FALSE: error is filled. */
gboolean gst_llavaov_json_schema_check (const GstLlavaovSettings * settings,
    LlavaovError * error);

void gst_llavaov_json_schema_clear (GstLlavaovJsonSchema * json);

G_END_DECLS

#endif
