/* SPDX-License-Identifier: Apache-2.0
 * Between the cameras and the sinks: records wait in it until each sink has delivered them. On disk they outlive the
 * program. Order is kept; what a sink was handed and has not acknowledged comes again after a rewind or a restart.
 * Thread-safe, but for spool_free().
 */
#ifndef SPOOL_H
#define SPOOL_H

#include "spool-store.h"

typedef struct Spool Spool;
typedef struct SpoolReader SpoolReader;

typedef struct SpoolSettings {
    const gchar *folder; /* made where it is not there; NULL: 1,000 records in memory */
    guint64 bytes, seconds;
    /* µs; tests have their own. NULL: g_get_real_time() and g_get_monotonic_time(). */
    gint64 (*wall)(void), (*steady)(void);
} SpoolSettings;

typedef struct SpoolStats {
    SpoolCounts counts;
    guint64 bytes, waiting; /* on disk; undelivered records, in memory too */
    gboolean failing;       /* the disk refuses */
    guint64 clock_steps;    /* of the wall clock, by more than 5 s */
} SpoolStats;

/* NULL: the folder cannot be made, or another program has it. */
Spool *spool_new(const SpoolSettings *settings, GError **error);
void spool_put(Spool *spool, const Record *record);
SpoolStats spool_stats(Spool *spool);
/* What happens every second: onto the disk what memory has, fdatasync(), age, the clock. A thread of the spool calls it; tests
 * with clocks of their own do. */
void spool_tick(Spool *spool);
/* Ends with every reader closed. */
void spool_free(Spool *spool);

/* For the sink of this name, from where it had got to. wake: there is something new, on any thread, briefly; may be NULL. */
SpoolReader *spool_reader_new(Spool *spool, const gchar *name, gboolean alerts_only,
    void (*wake)(gpointer data), gpointer data);
/* The record behind the one handed out last; its text is the caller's. FALSE: there is none. */
gboolean spool_reader_next(SpoolReader *reader, SpoolItem *item);
/* The next one will be the first that is not acknowledged. */
void spool_reader_rewind(SpoolReader *reader);
/* This record and all before it are done. */
void spool_reader_done(SpoolReader *reader, guint64 n);
/* How many numbers it never saw: dropped or damaged before it came to them. Of alerts alone always 0. */
guint64 spool_reader_lost(SpoolReader *reader);
/* No more is handed out, until a reader of the same name is made; what it has not delivered stays. */
void spool_reader_close(SpoolReader *reader);
/* Its sink is not wanted any more: nothing is kept for it. */
void spool_reader_forget(SpoolReader *reader);

#endif
