/* SPDX-License-Identifier: Apache-2.0
 * What somebody at the page wants: of the untrusted JSON of a request.
 *
 *   /api/prompt   {"camera": NAME, "question": NAME or null, "prompt": TEXT}
 *   /api/enabled  {"camera": NAME, "enabled": true or false}
 *   /api/ask      {"camera": NAME, ...}: the fields of docs/asking.md
 */
#ifndef PAGE_COMMAND_H
#define PAGE_COMMAND_H

#include <glib.h>
#include <jansson.h>

#define PAGE_MOST_PROMPT 16384

typedef enum PageCommandKind {
    PAGE_PROMPT,
    PAGE_ENABLED,
    PAGE_ASK,
} PageCommandKind;

/* The texts are of json. */
typedef struct PageCommand {
    PageCommandKind kind;
    const gchar *camera, *question, *prompt;
    gboolean enabled;
    json_t *json;
} PageCommand;

/* FALSE: *wrong says what is wrong, and *status how HTTP says it. */
gboolean page_command_read(PageCommand *command, const gchar *path, const gchar *body, gsize length,
    guint *status, gchar **wrong);
void page_command_clear(PageCommand *command);

#endif
