/* SPDX-License-Identifier: Apache-2.0
 * The records that wait: on disk in segments, answers and alerts apart, so that the former can go first; in memory where there
 * is no folder, and while the disk takes nothing. Not thread-safe.
 */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include "record.h"
#include "spool-segment.h"

typedef struct SpoolCounts {
    guint64 records;         /* that came */
    guint64 dropped_answers; /* undelivered, to make room, or because of their age */
    guint64 dropped_alerts;
    guint64 damaged;       /* lines that were no records any more */
    guint64 disk_failures; /* times at which the disk began to refuse */
} SpoolCounts;

typedef struct SpoolItem {
    guint64 n, time;
    RecordKind kind;
    gchar *text;
    gsize length;
} SpoolItem;

typedef struct SpoolStore {
    gchar *folder;                            /* NULL: in memory alone */
    guint64 most_bytes, segment_bytes, bytes; /* on disk */
    GPtrArray *segments[2];                   /* of SpoolSegment, by RecordKind */
    GQueue memory;                            /* of SpoolItem, all newer than what is on disk */
    gsize memory_bytes;
    guint64 last, newest; /* number of the last record, time of the newest */
    guint64 done[2];      /* by RecordKind: nobody needs those up to it */
    SpoolCounts counts;
    gboolean failing; /* the disk */
} SpoolStore;

/* Reads what is in the folder, which is there. */
void spool_store_open(SpoolStore *store, const gchar *folder, guint64 most_bytes);
/* Takes it in, on disk or in memory. */
void spool_store_put(
    SpoolStore *store, RecordKind kind, guint64 time, const gchar *text, gsize length);
/* What memory has onto the disk, as far as that goes. */
void spool_store_flush(SpoolStore *store);
/* The first record behind n; its text is the caller's. FALSE: there is none. */
gboolean spool_store_next(SpoolStore *store, guint64 n, gboolean alerts_only, SpoolItem *item);
/* Lets go of what is done, and of what is older than `oldest`. */
void spool_store_trim(SpoolStore *store, guint64 oldest);
/* The lowest number that there is; last + 1 where there is none. */
guint64 spool_store_first(const SpoolStore *store);
/* Duplicates of the descriptors of what has been written since the last call; the caller syncs and closes them. */
GArray *spool_store_unsynced(SpoolStore *store);
/* Undelivered records. */
guint64 spool_store_waiting(const SpoolStore *store);
void spool_store_close(SpoolStore *store);

#endif
