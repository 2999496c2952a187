/* SPDX-License-Identifier: Apache-2.0
 * A line of the spool: JSON around a record, with a checksum in front.
 *
 *   {"crc":"1c291ca3","n":42,"time":1764558000000000,"record":{...}}
 *
 * crc: zlib's crc32() of what is between its comma and the newline.
 */
#ifndef SPOOL_LINE_H
#define SPOOL_LINE_H

#include <glib.h>

typedef struct SpoolLine {
    guint64 n;         /* grows by one with each record, from 1 */
    guint64 time;      /* µs since 1970 */
    const gchar *text; /* the record, within the line */
    gsize length;
} SpoolLine;

/* With the newline. */
GString *spool_line_write(guint64 n, guint64 time, const gchar *text, gsize length);
/* Of a line without its newline. FALSE: it is damaged. */
gboolean spool_line_read(const gchar *line, gsize length, SpoolLine *out);

#endif
