/* SPDX-License-Identifier: Apache-2.0
 * Foreign JSON in the one spelling that documents have here. Thread-safe. */
#ifndef LV_RESPELL_H
#define LV_RESPELL_H

#include "schema/program.h"

/* The document of `text`, whatever its white space and escapes, as `program` spells
 * it: a new text (lv_free). Errors: REMOTE, where it is no JSON or not what the schema describes, in its order;
 * MEMORY. */
LlavaovStatus lv_json_respell(
    const LvProgram *program, const char *text, size_t bytes, char **document, LlavaovError *error);

#endif
