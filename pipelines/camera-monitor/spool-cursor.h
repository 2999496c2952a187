/* SPDX-License-Identifier: Apache-2.0
 * How far a sink has got, in a file of two places that are written by turns: whichever is whole and further counts.
 */
#ifndef SPOOL_CURSOR_H
#define SPOOL_CURSOR_H

#include <glib.h>

typedef struct SpoolCursor {
    int fd;
    guint64 n; /* every record up to it is done */
    guint slot;
    gboolean fresh, damaged; /* there was no file; there was one without a whole place */
} SpoolCursor;

gboolean spool_cursor_open(SpoolCursor *cursor, const gchar *path, GError **error);
gboolean spool_cursor_move(SpoolCursor *cursor, guint64 n);
void spool_cursor_close(SpoolCursor *cursor);
/* The number in the text of one place; FALSE: it is damaged. */
gboolean spool_cursor_parse(const gchar *text, gsize length, guint64 *n);

#endif
