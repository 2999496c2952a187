/* SPDX-License-Identifier: Apache-2.0
 * The spool when its files, its disk and the clock fail. Disks that are full: RLIMIT_FSIZE, which write() meets in the same place.
 */
#include "spool.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND ((gint64)G_USEC_PER_SEC)

static gint64 wall_time, steady_time;

static gint64 wall(void)
{
    return wall_time;
}

static gint64 steady(void)
{
    return steady_time;
}

static void pass(gint64 seconds)
{
    wall_time += seconds * SECOND;
    steady_time += seconds * SECOND;
}

static Spool *open_spool(const gchar *folder, guint64 bytes)
{
    GError *error = NULL;
    Spool *spool = spool_new(&(SpoolSettings){folder, bytes, 3600, wall, steady}, &error);

    assert_null(error);
    assert_non_null(spool);
    return spool;
}

static void put(Spool *spool, guint n, gboolean alert)
{
    gchar *line = g_strdup_printf(alert ? "{\"stream\":\"s\",\"seq\":%u,\"state\":\"raised\"}"
                                        : "{\"stream\":\"s\",\"seq\":%u,\"text\":\"t\"}",
        n);
    Record *record = record_new(line, strlen(line));

    spool_put(spool, record);
    record_unref(record);
    g_free(line);
}

/* The seq of the next record, or -1. */
static gint next(SpoolReader *reader)
{
    SpoolItem item;
    Record *record;
    gint seq;

    if (!spool_reader_next(reader, &item))
        return -1;
    record = record_read(item.text, item.length);
    assert_non_null(record);
    seq = (gint)json_integer_value(json_object_get(record->json, "seq"));
    record_unref(record);
    g_free(item.text);
    return seq;
}

static guint64 next_number(SpoolReader *reader)
{
    SpoolItem item;

    assert_true(spool_reader_next(reader, &item));
    g_free(item.text);
    return item.n;
}

static void close_spool(Spool *spool, SpoolReader *reader)
{
    spool_reader_close(reader);
    spool_free(spool);
}

static void expect(SpoolReader *reader, gint from, gint to)
{
    for (gint n = from; n <= to; n++)
        assert_int_equal(next(reader), n);
    assert_int_equal(next(reader), -1);
}

static gchar *fresh_folder(void)
{
    wall_time = 1764558000 * SECOND;
    steady_time = 5 * SECOND;
    return g_dir_make_tmp("spool-XXXXXX", NULL);
}

static void remove_folder(gchar *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const gchar *name;

    while ((name = g_dir_read_name(dir)) != NULL) {
        gchar *path = g_build_filename(folder, name, NULL);

        g_unlink(path);
        g_free(path);
    }
    g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
}

/* The first file of that kind. */
static gchar *file_of(const gchar *folder, const gchar *prefix)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const gchar *name;
    gchar *path = NULL;

    while (!path && (name = g_dir_read_name(dir)) != NULL)
        if (g_str_has_prefix(name, prefix))
            path = g_build_filename(folder, name, NULL);
    g_dir_close(dir);
    assert_non_null(path);
    return path;
}

static void test_restart(void **state)
{
    gchar *folder = fresh_folder();
    Spool *spool = open_spool(folder, 1 << 20);
    SpoolReader *reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);

    for (guint i = 0; i < 10; i++)
        put(spool, i, i % 3 == 0);
    assert_int_equal(next(reader), 0);
    spool_reader_done(reader, next_number(reader)); /* 0 and 1 */
    assert_int_equal(next(reader), 2);
    spool_reader_rewind(reader);
    expect(reader, 2, 9);
    close_spool(spool, reader);

    spool = open_spool(folder, 1 << 20);
    reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    put(spool, 10, FALSE);
    expect(reader, 2, 10);
    spool_reader_done(reader, 11);
    assert_int_equal(spool_stats(spool).waiting, 0);
    close_spool(spool, reader);
    remove_folder(folder);
}

/* Whatever byte of the file of answers is changed or missing, all records but those that it belongs to are there, in order. */
static void test_damage(void **state)
{
    gchar *folder = fresh_folder(), *path, *text;
    Spool *spool = open_spool(folder, 1 << 20);
    SpoolReader *reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    gsize length;

    for (guint i = 0; i < 6; i++)
        put(spool, i, FALSE);
    close_spool(spool, reader);
    path = file_of(folder, "answers-");
    assert_true(g_file_get_contents(path, &text, &length, NULL));
    for (gsize at = 0; at < 2 * length; at += 5) { /* each open writes to the disk */
        gchar *cursor = file_of(folder, "cursor-"), *copy = g_memdup2(text, length);
        gint last = -1, seq, found = 0;
        SpoolStats stats;

        if (at < length)
            copy[at] ^= (gchar)(1 << at % 8);
        assert_true(
            g_file_set_contents(path, copy, (gssize)(at < length ? length : at - length), NULL));
        g_unlink(cursor);
        spool = open_spool(folder, 1 << 20);
        reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
        put(spool, 99, FALSE);
        while ((seq = next(reader)) >= 0) {
            assert_true(seq > last);
            last = seq;
            found++;
        }
        stats = spool_stats(spool);
        assert_int_equal(last, 99);
        if (at < length) {
            assert_in_range(found, 5, 6); /* a newline that is none any more takes two with it */
            assert_true(stats.counts.damaged >= 1);
        }
        close_spool(spool, reader);
        g_free(cursor);
        g_free(copy);
        path = (g_free(path), file_of(folder, "answers-"));
    }
    g_free(text);
    g_free(path);
    remove_folder(folder);
}

/* A cursor that is damaged, one place or both: nothing is skipped. */
static void test_cursor(void **state)
{
    for (guint round = 0; round < 2; round++) {
        gchar *folder = fresh_folder(), *path, *text;
        Spool *spool = open_spool(folder, 1 << 20);
        SpoolReader *reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
        gsize length;

        for (guint i = 0; i < 4; i++)
            put(spool, i, FALSE);
        spool_reader_done(reader, 1);
        spool_reader_done(reader, 2);
        close_spool(spool, reader);
        path = file_of(folder, "cursor-");
        assert_true(g_file_get_contents(path, &text, &length, NULL));
        text[3] ^= 4;
        if (round)
            text[length - 3] ^= 4;
        assert_true(g_file_set_contents(path, text, (gssize)length, NULL));
        spool = open_spool(folder, 1 << 20);
        reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
        assert_in_range(next(reader), 0, 2);
        close_spool(spool, reader);
        g_free(text);
        g_free(path);
        remove_folder(folder);
    }
}

static void test_full(void **state)
{
    gchar *folder = fresh_folder();
    Spool *spool = open_spool(folder, 65536);
    SpoolReader *reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    guint alerts = 0, last = 0;
    SpoolStats stats;
    gint seq;

    for (guint i = 0; i < 3000; i++)
        put(spool, i, i % 10 == 0);
    stats = spool_stats(spool);
    assert_true(stats.bytes <= 65536);
    assert_true(stats.counts.dropped_answers > 1000);
    assert_int_equal(stats.counts.dropped_alerts, 0);
    while ((seq = next(reader)) >= 0) {
        alerts += seq % 10 == 0;
        assert_true((guint)seq >= last);
        last = (guint)seq;
    }
    assert_int_equal(alerts, 300);
    assert_int_equal(last, 2999);
    assert_int_equal(spool_reader_lost(reader), stats.counts.dropped_answers);
    /* Alerts alone: the oldest go, and no answer takes their place. */
    for (guint i = 0; i < 3000; i++)
        put(spool, i, TRUE);
    assert_true(spool_stats(spool).counts.dropped_alerts > 1000);
    assert_true(spool_stats(spool).bytes <= 65536);
    close_spool(spool, reader);
    remove_folder(folder);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void test_disk(void **state)
{
    gchar *folder = fresh_folder();
    Spool *spool = open_spool(folder, 1 << 20);
    SpoolReader *reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);

    signal(SIGXFSZ, SIG_IGN);
    for (guint i = 0; i < 5; i++)
        put(spool, i, FALSE);
    limit_files(700); /* in the middle of a line */
    for (guint i = 5; i < 50; i++)
        put(spool, i, FALSE);
    assert_true(spool_stats(spool).failing);
    assert_int_equal(spool_stats(spool).counts.disk_failures, 1);
    expect(reader, 0, 49);
    limit_files(RLIM_INFINITY);
    spool_tick(spool);
    assert_false(spool_stats(spool).failing);
    put(spool, 50, FALSE);
    close_spool(spool, reader);
    spool = open_spool(folder, 1 << 20);
    reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    expect(reader, 0, 50);
    assert_int_equal(spool_stats(spool).counts.damaged, 0);
    close_spool(spool, reader);
    remove_folder(folder);
}

static void test_memory(void **state)
{
    Spool *spool;
    SpoolReader *reader;
    guint alerts = 0;
    gint seq;

    wall_time = steady_time = G_USEC_PER_SEC;
    spool = open_spool(NULL, 1 << 20);
    reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    for (guint i = 0; i < 3000; i++)
        put(spool, i, i % 10 == 0);
    assert_int_equal(spool_stats(spool).waiting, 1000);
    while ((seq = next(reader)) >= 0)
        alerts += seq % 10 == 0;
    assert_int_equal(alerts, 300);
    close_spool(spool, reader);
}

/* Steps of the wall clock neither age records nor change their order; an age does. */
static void test_clock(void **state)
{
    gchar *folder = fresh_folder();
    Spool *spool = open_spool(folder, 1 << 20);
    SpoolReader *reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);

    put(spool, 0, FALSE);
    wall_time -= 86400 * SECOND;
    spool_tick(spool);
    put(spool, 1, FALSE);
    wall_time += 30 * 86400 * SECOND;
    spool_tick(spool);
    put(spool, 2, FALSE);
    assert_int_equal(spool_stats(spool).clock_steps, 2);
    expect(reader, 0, 2);
    close_spool(spool, reader);
    /* Back over a restart. */
    wall_time -= 365 * 86400 * SECOND;
    spool = open_spool(folder, 1 << 20);
    assert_int_equal(spool_stats(spool).clock_steps, 1);
    reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    put(spool, 3, FALSE);
    expect(reader, 0, 3);
    close_spool(spool, reader);
    /* Older than an hour. */
    wall_time += 365 * 86400 * SECOND;
    spool = open_spool(folder, 1 << 20);
    reader = spool_reader_new(spool, "a", FALSE, NULL, NULL);
    pass(2 * 3600 + 30 * 86400);
    spool_tick(spool);
    put(spool, 4, FALSE);
    expect(reader, 4, 4);
    assert_int_equal(spool_stats(spool).counts.dropped_answers, 4);
    close_spool(spool, reader);
    remove_folder(folder);
}

/* A sink that is left out for a while, or for ever; a second program. */
static void test_readers(void **state)
{
    gchar *folder = fresh_folder();
    Spool *spool = open_spool(folder, 1 << 20);
    SpoolReader *fast = spool_reader_new(spool, "fast", FALSE, NULL, NULL),
                *slow = spool_reader_new(spool, "slow", TRUE, NULL, NULL);
    GError *error = NULL;

    assert_null(spool_new(&(SpoolSettings){folder, 65536, 1, wall, steady}, &error));
    assert_non_null(error);
    g_error_free(error);
    for (guint i = 0; i < 4; i++)
        put(spool, i, i % 2 == 1);
    assert_int_equal(next(slow), 1);
    spool_reader_close(slow);
    spool_reader_done(fast, 4);
    spool_tick(spool);
    slow = spool_reader_new(spool, "slow", TRUE, NULL, NULL);
    assert_int_equal(next(slow), 1);
    assert_int_equal(next(slow), 3);
    assert_int_equal(spool_stats(spool).waiting, 2);
    spool_reader_close(slow);
    spool_reader_forget(slow);
    assert_int_equal(spool_stats(spool).waiting, 0);
    close_spool(spool, fast);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
