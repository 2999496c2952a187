/* SPDX-License-Identifier: Apache-2.0
 * An answer as the page has it: short, as JSON.
 */
#ifndef PAGE_ANSWER_H
#define PAGE_ANSWER_H

#include <glib.h>
#include <jansson.h>

/* Of a record; at: ms since 1970. To be freed by g_free(). */
gchar *page_answer_json(const json_t *record, guint64 number, gint64 at);
/* A text as JSON has it, in quotes: valid UTF-8, of at most so many characters. NULL is null. To be freed by g_free(). */
gchar *page_quote(const gchar *text, glong most);

#endif
