/* SPDX-License-Identifier: Apache-2.0
 * What a document must be by JSON Schema's own rules, checked on parsed JSON: nothing here is shared
 * with the engine's compiler. */
#ifndef VALIDATE_H
#define VALIDATE_H

#include <jansson.h>
#include <stdbool.h>

/* Whether value is an instance of schema, for the keywords that the engine supports; with all fields
 * of an object, and the engine's defaults of maxLength and maxItems. */
bool validate(const json_t *schema, const json_t *value);

/* Whether the text, which is value parsed, has the one spelling: rewritten from the parsed value with
 * numbers taken as they stand. */
bool spelled_once(const char *text);

#endif
