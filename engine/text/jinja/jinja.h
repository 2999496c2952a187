/* SPDX-License-Identifier: Apache-2.0
 * Chat templates: the part of Jinja that checkpoints' templates use, with the meaning that it has
 * in transformers' environment (jinja2's immutable sandbox with trim_blocks, lstrip_blocks, loop
 * controls, `generation` blocks, `tojson`, `raise_exception` and `strftime_now`).
 *
 * A template is untrusted: its time, memory and depth are bounded (base/limits.h). Forbidden and
 * unsupported constructs are errors that name file, line and construct: LLAVAOV_ERROR_UNSUPPORTED
 * where jinja2 would have succeeded.
 *
 * A compiled template is immutable: any number of threads may render it at the same time. */
#ifndef LV_JINJA_H
#define LV_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "llavaov.h"

typedef struct LvJinjaTemplate LvJinjaTemplate;

/* Bytes of rendered text from one source: the template or the user. */
typedef struct LvJinjaSpan {
    size_t start, bytes;
    bool user;
} LvJinjaSpan;

/* UTF-8 and, over all of it without gaps, spans of at least one byte that begin and end at whole
 * characters and alternate between template and user. */
typedef struct LvJinjaText {
    char *text; /* NUL-terminated after `bytes`; a template may print U+0000 before that */
    size_t bytes;
    LvJinjaSpan *spans;
    size_t n_spans;
} LvJinjaText;

typedef struct LvJinjaOptions {
    /* Names of the variables whose whole content is the user's: whatever a template makes of it
     * stays marked. NULL-terminated; NULL = "messages", "tools", "documents". */
    const char *const *user_variables;
    /* In those, the value of a member "role" or "type" is the template's where it equals one of
     * these, because templates build special tokens of it ('<|' + message.role + '|>').
     * NULL-terminated; NULL = the names that chat formats know ("system", "user", "image", ...). */
    const char *const *plain_names;
    /* The time for strftime_now(); NULL = the system's local time. */
    const struct tm *now;
    /* Bounds; 0 = those of base/limits.h, which larger values are cut to. */
    uint64_t max_steps;
    size_t max_bytes;
} LvJinjaOptions;

/* Parses source, UTF-8 of at most LV_MAX_TEMPLATE_SOURCE. `file` is its name in errors. *out (NULL
 * on failure) is the caller's: lv_jinja_free. */
LlavaovStatus lv_jinja_compile(
    const char *source, size_t bytes, const char *file, LvJinjaTemplate **out, LlavaovError *error);
void lv_jinja_free(LvJinjaTemplate *jinja);

/* Renders with the members of `variables`, an object, as top-level names; JSON's null is None.
 * options may be NULL. *out is empty on failure, else the caller's: lv_jinja_text_free.
 * raise_exception() is LLAVAOV_ERROR_ARGUMENT with its text in the message. */
LlavaovStatus lv_jinja_render(const LvJinjaTemplate *jinja, const json_t *variables,
    const LvJinjaOptions *options, LvJinjaText *out, LlavaovError *error);
void lv_jinja_text_free(LvJinjaText *text);

#endif
