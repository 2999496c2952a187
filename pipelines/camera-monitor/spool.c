/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"
#include "spool-cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CLOCK_STEP (5 * G_USEC_PER_SEC)

struct SpoolReader {
    Spool *spool;
    gchar *name;
    gboolean alerts_only;
    void (*wake)(gpointer data);
    gpointer data;
    SpoolCursor cursor;
    guint64 handed, lost;
    gboolean closed; /* its sink is gone for now; what it has not delivered stays */
};

struct Spool {
    GMutex lock;
    GCond stopping;
    gboolean stop;
    GThread *ticker; /* NULL: the caller ticks */
    SpoolStore store;
    SpoolSettings settings;
    GPtrArray *readers;
    int lock_file;
    /* A record's time is this clock's, which never steps: the wall clock at the start, and how long ago that was. */
    gint64 wall_start, steady_start, offset;
    guint64 clock_steps;
};

static guint64 now(Spool *spool)
{
    return (guint64)(spool->wall_start + spool->settings.steady() - spool->steady_start);
}

static void update_done(Spool *spool)
{
    guint64 done[2] = {G_MAXUINT64, G_MAXUINT64};

    for (guint i = 0; i < spool->readers->len; i++) {
        const SpoolReader *reader = spool->readers->pdata[i];

        for (guint kind = reader->alerts_only ? RECORD_ALERT : RECORD_ANSWER; kind < 2; kind++)
            done[kind] = MIN(done[kind], reader->cursor.n);
    }
    memcpy(spool->store.done, done, sizeof done);
}

static void watch_clock(Spool *spool)
{
    gint64 offset = spool->settings.wall() - (gint64)now(spool), step = offset - spool->offset;

    if (ABS(step) <= CLOCK_STEP)
        return;
    g_printerr("camera-monitor: the clock has stepped by %+.1f s\n", (double)step / G_USEC_PER_SEC);
    spool->offset = offset;
    spool->clock_steps++;
}

void spool_tick(Spool *spool)
{
    GArray *unsynced;
    guint64 age = spool->settings.seconds * G_USEC_PER_SEC, time;

    g_mutex_lock(&spool->lock);
    watch_clock(spool);
    spool_store_flush(&spool->store);
    time = now(spool);
    spool_store_trim(&spool->store, time > age ? time - age : 0);
    unsynced = spool_store_unsynced(&spool->store);
    g_mutex_unlock(&spool->lock);
    for (guint i = 0; i < unsynced->len; i++) {
        fdatasync(g_array_index(unsynced, int, i));
        close(g_array_index(unsynced, int, i));
    }
    g_array_unref(unsynced);
}

static gpointer tick_on(gpointer data)
{
    Spool *spool = data;

    g_mutex_lock(&spool->lock);
    while (!spool->stop) {
        g_cond_wait_until(&spool->stopping, &spool->lock, g_get_monotonic_time() + G_USEC_PER_SEC);
        g_mutex_unlock(&spool->lock);
        spool_tick(spool);
        g_mutex_lock(&spool->lock);
    }
    g_mutex_unlock(&spool->lock);
    return NULL;
}

static gboolean lock_folder(Spool *spool, GError **error)
{
    const gchar *folder = spool->settings.folder;
    gchar *path;
    int code;

    if (!folder)
        return TRUE;
    if (g_mkdir_with_parents(folder, 0700) != 0) {
        code = errno;
        g_set_error(
            error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", folder, g_strerror(code));
        return FALSE;
    }
    path = g_build_filename(folder, "lock", NULL);
    spool->lock_file = g_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    code = errno;
    if (spool->lock_file < 0)
        g_set_error(
            error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", path, g_strerror(code));
    else if (flock(spool->lock_file, LOCK_EX | LOCK_NB) != 0)
        g_set_error(
            error, G_FILE_ERROR, G_FILE_ERROR_AGAIN, "%s: another program uses this spool", folder);
    g_free(path);
    return !error || !*error;
}

Spool *spool_new(const SpoolSettings *settings, GError **error)
{
    Spool *spool = g_new0(Spool, 1);
    gboolean own_clocks = settings->wall != NULL;
    GError *wrong = NULL;

    spool->settings = *settings;
    spool->lock_file = -1;
    if (!own_clocks) {
        spool->settings.wall = g_get_real_time;
        spool->settings.steady = g_get_monotonic_time;
    }
    if (!lock_folder(spool, &wrong)) {
        g_propagate_error(error, wrong);
        if (spool->lock_file >= 0)
            close(spool->lock_file);
        g_free(spool);
        return NULL;
    }
    g_mutex_init(&spool->lock);
    g_cond_init(&spool->stopping);
    spool->readers = g_ptr_array_new();
    spool_store_open(&spool->store, settings->folder, settings->bytes);
    spool->wall_start = spool->settings.wall();
    spool->steady_start = spool->settings.steady();
    if (spool->store.newest > (guint64)spool->wall_start + CLOCK_STEP) {
        g_printerr("camera-monitor: spool: the clock is %.1f s behind the newest record: it has "
                   "stepped back\n",
            (double)(spool->store.newest - (guint64)spool->wall_start) / G_USEC_PER_SEC);
        spool->clock_steps++;
    }
    spool->settings.folder = spool->store.folder;
    if (!own_clocks)
        spool->ticker = g_thread_new("spool", tick_on, spool);
    return spool;
}

void spool_put(Spool *spool, const Record *record)
{
    g_mutex_lock(&spool->lock);
    if (spool->readers->len) {
        spool_store_put(&spool->store, record->kind, now(spool), record->line, record->length);
        for (guint i = 0; i < spool->readers->len; i++) {
            SpoolReader *reader = spool->readers->pdata[i];

            if (reader->wake && !reader->closed &&
                (record->kind == RECORD_ALERT || !reader->alerts_only))
                reader->wake(reader->data);
        }
    }
    g_mutex_unlock(&spool->lock);
}

SpoolStats spool_stats(Spool *spool)
{
    SpoolStats stats;

    g_mutex_lock(&spool->lock);
    stats = (SpoolStats){spool->store.counts, spool->store.bytes,
        spool_store_waiting(&spool->store), spool->store.failing, spool->clock_steps};
    g_mutex_unlock(&spool->lock);
    return stats;
}

static void reader_destroy(SpoolReader *reader)
{
    spool_cursor_close(&reader->cursor);
    g_free(reader->name);
    g_free(reader);
}

void spool_free(Spool *spool)
{
    g_mutex_lock(&spool->lock);
    spool->stop = TRUE;
    g_cond_signal(&spool->stopping);
    g_mutex_unlock(&spool->lock);
    if (spool->ticker)
        g_thread_join(spool->ticker);
    spool_tick(spool);
    spool_store_close(&spool->store);
    if (spool->lock_file >= 0)
        close(spool->lock_file);
    for (guint i = 0; i < spool->readers->len; i++)
        reader_destroy(spool->readers->pdata[i]);
    g_ptr_array_unref(spool->readers);
    g_mutex_clear(&spool->lock);
    g_cond_clear(&spool->stopping);
    g_free(spool);
}

/* A file's name of a sink's: its letters, and a checksum of all of it. */
static gchar *cursor_path(const gchar *folder, const gchar *name)
{
    gchar *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1),
          *letters = g_strndup(name, 40), *file, *path;

    g_strcanon(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", '-');
    file = g_strdup_printf("cursor-%s-%.16s", letters, sum);
    path = g_build_filename(folder, file, NULL);
    g_free(file);
    g_free(letters);
    g_free(sum);
    return path;
}

static void open_cursor(Spool *spool, SpoolReader *reader)
{
    gchar *path = spool->settings.folder ? cursor_path(spool->settings.folder, reader->name) : NULL;
    GError *error = NULL;

    reader->cursor = (SpoolCursor){.fd = -1, .fresh = TRUE};
    if (path && !spool_cursor_open(&reader->cursor, path, &error)) {
        g_printerr("camera-monitor: spool: %s\n", error->message);
        g_error_free(error);
    }
    if (reader->cursor.damaged)
        g_printerr(
            "camera-monitor: spool: %s is damaged: all that is kept is delivered again\n", path);
    if (reader->cursor.fresh || reader->cursor.damaged)
        spool_cursor_move(&reader->cursor, spool_store_first(&spool->store) - 1);
    /* Where the files of records are gone their numbers are not used again. */
    spool->store.last = MAX(spool->store.last, reader->cursor.n);
    g_free(path);
}

static SpoolReader *reader_of(Spool *spool, const gchar *name)
{
    SpoolReader *reader;

    for (guint i = 0; i < spool->readers->len; i++) {
        reader = spool->readers->pdata[i];
        if (reader->closed && strcmp(reader->name, name) == 0)
            return reader;
    }
    reader = g_new0(SpoolReader, 1);
    reader->spool = spool;
    reader->name = g_strdup(name);
    open_cursor(spool, reader);
    g_ptr_array_add(spool->readers, reader);
    return reader;
}

SpoolReader *spool_reader_new(Spool *spool, const gchar *name, gboolean alerts_only,
    void (*wake)(gpointer data), gpointer data)
{
    SpoolReader *reader;

    g_mutex_lock(&spool->lock);
    reader = reader_of(spool, name);
    reader->closed = FALSE;
    reader->alerts_only = alerts_only;
    reader->wake = wake;
    reader->data = data;
    reader->handed = reader->cursor.n;
    update_done(spool);
    g_mutex_unlock(&spool->lock);
    return reader;
}

gboolean spool_reader_next(SpoolReader *reader, SpoolItem *item)
{
    gboolean found;

    g_mutex_lock(&reader->spool->lock);
    found = spool_store_next(&reader->spool->store, reader->handed, reader->alerts_only, item);
    if (found) {
        if (!reader->alerts_only && item->n > reader->cursor.n)
            reader->lost += item->n - reader->handed - 1;
        reader->handed = item->n;
    }
    g_mutex_unlock(&reader->spool->lock);
    return found;
}

void spool_reader_rewind(SpoolReader *reader)
{
    g_mutex_lock(&reader->spool->lock);
    reader->handed = reader->cursor.n;
    g_mutex_unlock(&reader->spool->lock);
}

void spool_reader_done(SpoolReader *reader, guint64 n)
{
    g_mutex_lock(&reader->spool->lock);
    if (n > reader->cursor.n) {
        spool_cursor_move(&reader->cursor, n);
        update_done(reader->spool);
    }
    g_mutex_unlock(&reader->spool->lock);
}

guint64 spool_reader_lost(SpoolReader *reader)
{
    guint64 lost;

    g_mutex_lock(&reader->spool->lock);
    lost = reader->lost;
    g_mutex_unlock(&reader->spool->lock);
    return lost;
}

void spool_reader_close(SpoolReader *reader)
{
    g_mutex_lock(&reader->spool->lock);
    reader->closed = TRUE;
    g_mutex_unlock(&reader->spool->lock);
}

void spool_reader_forget(SpoolReader *reader)
{
    Spool *spool = reader->spool;
    gchar *path;

    g_mutex_lock(&spool->lock);
    path = spool->settings.folder ? cursor_path(spool->settings.folder, reader->name) : NULL;
    if (path)
        g_unlink(path);
    g_ptr_array_remove(spool->readers, reader);
    update_done(spool);
    g_mutex_unlock(&spool->lock);
    reader_destroy(reader);
    g_free(path);
}
