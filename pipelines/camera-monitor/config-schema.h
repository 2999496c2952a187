/* SPDX-License-Identifier: Apache-2.0
 * A JSON document against a JSON Schema, as far as camera-monitor.schema.json needs: type, enum, const, properties, required,
 * additionalProperties, items, minItems, maxItems, minimum, maximum, minLength, maxLength, pattern, anyOf and $ref into
 * #/$defs. Other keywords are ignored, as title and description are; "x-says" is the sentence for a pattern or anyOf that does not fit.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <glib.h>
#include <jansson.h>

/* pointer: where in the document; reason: a part of a sentence. */
typedef void (*ConfigSchemaWrong)(gpointer data, const gchar *pointer, const gchar *reason);

/* Calls wrong for all that is wrong. TRUE: nothing is. */
gboolean config_schema_check(
    const json_t *schema, const json_t *document, ConfigSchemaWrong wrong, gpointer data);

#endif
