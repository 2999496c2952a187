/* SPDX-License-Identifier: Apache-2.0
 * A file of the spool: lines (spool-line.h) in the order of their numbers, appended to until it is large enough.
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include <glib.h>

typedef struct SpoolEntry {
    guint64 n;
    guint32 offset, length; /* of the line, without its newline */
} SpoolEntry;

typedef struct SpoolSegment {
    gchar *path;
    int fd;
    GArray *entries; /* of SpoolEntry, whose n grow */
    guint64 bytes;
    guint64 time;    /* of the last */
    guint64 damaged; /* lines left out when it was opened */
    gboolean unsynced;
} SpoolSegment;

/* A new file. Errors have errno's code in the domain G_FILE_ERROR. */
SpoolSegment *spool_segment_create(const gchar *path, GError **error);
/* One that is there: what is damaged is left out, and cut off where it is the end. Its numbers are above `above`. */
SpoolSegment *spool_segment_open(const gchar *path, guint64 above, GError **error);
/* FALSE: nothing was appended. */
gboolean spool_segment_append(SpoolSegment *segment, guint64 n, guint64 time, const gchar *text,
    gsize length, GError **error);
/* The index of the first whose number is above n; the number of entries where there is none. */
guint spool_segment_after(const SpoolSegment *segment, guint64 n);
guint64 spool_segment_last(const SpoolSegment *segment);
/* The record of an entry, or NULL: it has been damaged since. */
gchar *spool_segment_read(const SpoolSegment *segment, guint index, gsize *length);
/* Closes it, and where it is of no use any more removes the file. */
void spool_segment_free(SpoolSegment *segment, gboolean remove);

#endif
