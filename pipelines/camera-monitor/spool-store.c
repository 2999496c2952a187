/* SPDX-License-Identifier: Apache-2.0 */
#include "spool-store.h"

#include <fcntl.h>
#include <string.h>

#define MOST_IN_MEMORY 1000
#define MOST_MEMORY (16 << 20)
#define MOST_SEGMENT (1 << 20)
#define LEAST_SEGMENT 4096

static const gchar *const prefixes[] = {"answers-", "alerts-"};

static void item_free(SpoolItem *item)
{
    g_free(item->text);
    g_free(item);
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(gchar *const *)a, *(gchar *const *)b);
}

static void open_segment(SpoolStore *store, RecordKind kind, const gchar *name)
{
    GPtrArray *list = store->segments[kind];
    gchar *path = g_build_filename(store->folder, name, NULL);
    guint64 above = list->len ? spool_segment_last(list->pdata[list->len - 1]) : 0;
    GError *error = NULL;
    SpoolSegment *segment = spool_segment_open(path, above, &error);

    g_free(path);
    if (!segment) {
        g_printerr("camera-monitor: spool: %s\n", error->message);
        g_error_free(error);
        return;
    }
    if (segment->damaged)
        g_printerr("camera-monitor: spool: %s: %" G_GUINT64_FORMAT
                   " lines are damaged, and left out\n",
            segment->path, segment->damaged);
    store->counts.damaged += segment->damaged;
    store->last = MAX(store->last, spool_segment_last(segment));
    if (segment->entries->len == 0) {
        spool_segment_free(segment, TRUE);
        return;
    }
    store->newest = MAX(store->newest, segment->time);
    store->bytes += segment->bytes;
    g_ptr_array_add(list, segment);
}

void spool_store_open(SpoolStore *store, const gchar *folder, guint64 most_bytes)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = folder ? g_dir_open(folder, 0, NULL) : NULL;
    const gchar *name;

    *store = (SpoolStore){.folder = g_strdup(folder), .most_bytes = most_bytes};
    store->segment_bytes = CLAMP(most_bytes / 16, LEAST_SEGMENT, MOST_SEGMENT);
    g_queue_init(&store->memory);
    for (guint kind = 0; kind < 2; kind++)
        store->segments[kind] = g_ptr_array_new();
    while (dir && (name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++)
        for (guint kind = 0; kind < 2; kind++)
            if (g_str_has_prefix(names->pdata[i], prefixes[kind]) &&
                g_str_has_suffix(names->pdata[i], ".jsonl"))
                open_segment(store, (RecordKind)kind, names->pdata[i]);
    if (dir)
        g_dir_close(dir);
    g_ptr_array_unref(names);
}

static void count_dropped(SpoolStore *store, RecordKind kind, guint64 number)
{
    *(kind == RECORD_ALERT ? &store->counts.dropped_alerts : &store->counts.dropped_answers) +=
        number;
}

static void drop_segment(SpoolStore *store, RecordKind kind, guint index)
{
    SpoolSegment *segment = g_ptr_array_remove_index(store->segments[kind], index);

    count_dropped(
        store, kind, segment->entries->len - spool_segment_after(segment, store->done[kind]));
    store->bytes -= segment->bytes;
    spool_segment_free(segment, TRUE);
}

/* FALSE: there are older alerts only, and this is an answer. */
static gboolean make_room(SpoolStore *store, RecordKind kind, gsize length)
{
    while (store->bytes + length > store->most_bytes) {
        if (store->segments[RECORD_ANSWER]->len)
            drop_segment(store, RECORD_ANSWER, 0);
        else if (kind == RECORD_ALERT && store->segments[RECORD_ALERT]->len)
            drop_segment(store, RECORD_ALERT, 0);
        else
            return FALSE;
    }
    return TRUE;
}

/* NULL: the disk refuses. */
static SpoolSegment *segment_for(SpoolStore *store, RecordKind kind, guint64 n, GError **error)
{
    GPtrArray *list = store->segments[kind];
    SpoolSegment *segment = list->len ? list->pdata[list->len - 1] : NULL;
    gchar *name, *path;

    if (segment && segment->bytes < store->segment_bytes)
        return segment;
    name = g_strdup_printf("%s%020" G_GUINT64_FORMAT ".jsonl", prefixes[kind], n);
    path = g_build_filename(store->folder, name, NULL);
    segment = spool_segment_create(path, error);
    if (segment)
        g_ptr_array_add(list, segment);
    g_free(path);
    g_free(name);
    return segment;
}

static gboolean write_item(SpoolStore *store, const SpoolItem *item)
{
    GError *error = NULL;
    SpoolSegment *segment;
    guint64 before;

    if (!make_room(store, item->kind, item->length + 128)) {
        count_dropped(store, item->kind, 1);
        return TRUE;
    }
    segment = segment_for(store, item->kind, item->n, &error);
    before = segment ? segment->bytes : 0;
    if (segment &&
        spool_segment_append(segment, item->n, item->time, item->text, item->length, &error)) {
        if (store->failing)
            g_printerr("camera-monitor: spool: the disk takes records again\n");
        store->failing = FALSE;
        store->bytes += segment->bytes - before;
        return TRUE;
    }
    if (segment)
        store->bytes += segment->bytes - before;
    if (!store->failing) {
        g_printerr("camera-monitor: spool: %s; what comes is kept in memory, up to %d records\n",
            error->message, MOST_IN_MEMORY);
        store->counts.disk_failures++;
    }
    store->failing = TRUE;
    g_error_free(error);
    return FALSE;
}

void spool_store_flush(SpoolStore *store)
{
    SpoolItem *item;

    while (store->folder && (item = g_queue_peek_head(&store->memory)) != NULL &&
           write_item(store, item)) {
        g_queue_pop_head(&store->memory);
        store->memory_bytes -= item->length;
        item_free(item);
    }
}

static void drop_memory(SpoolStore *store, GList *link)
{
    SpoolItem *item = link->data;

    if (item->n > store->done[item->kind])
        count_dropped(store, item->kind, 1);
    store->memory_bytes -= item->length;
    item_free(item);
    g_queue_delete_link(&store->memory, link);
}

/* The oldest answer, or where there is none the oldest alert. */
static GList *least_needed(SpoolStore *store)
{
    for (GList *link = store->memory.head; link; link = link->next)
        if (((SpoolItem *)link->data)->kind == RECORD_ANSWER)
            return link;
    return store->memory.head;
}

void spool_store_put(
    SpoolStore *store, RecordKind kind, guint64 time, const gchar *text, gsize length)
{
    SpoolItem item = {++store->last, MAX(time, store->newest), kind, (gchar *)text, length};

    store->counts.records++;
    store->newest = item.time;
    if (length > store->most_bytes / 4) {
        g_printerr("camera-monitor: spool: a record of %" G_GSIZE_FORMAT
                   " bytes is too large for it\n",
            length);
        count_dropped(store, kind, 1);
        return;
    }
    if (store->folder && !store->memory.length && !store->failing && write_item(store, &item))
        return;
    item.text = g_strndup(text, length);
    g_queue_push_tail(&store->memory, g_memdup2(&item, sizeof item));
    store->memory_bytes += length;
    while (store->memory.length > MOST_IN_MEMORY || store->memory_bytes > MOST_MEMORY)
        drop_memory(store, least_needed(store));
}

/* The segment with the first record of this kind behind n, and that's index in it. */
static SpoolSegment *find(SpoolStore *store, RecordKind kind, guint64 n, guint *index)
{
    for (guint i = 0; i < store->segments[kind]->len; i++) {
        SpoolSegment *segment = store->segments[kind]->pdata[i];

        if (spool_segment_last(segment) > n) {
            *index = spool_segment_after(segment, n);
            return segment;
        }
    }
    return NULL;
}

static gboolean next_on_disk(SpoolStore *store, guint64 n, gboolean alerts_only, SpoolItem *item)
{
    SpoolSegment *segments[2];
    guint indices[2], kind;
    guint64 numbers[2];

    for (;;) {
        for (kind = alerts_only ? RECORD_ALERT : RECORD_ANSWER; kind < 2; kind++) {
            segments[kind] = find(store, (RecordKind)kind, n, &indices[kind]);
            numbers[kind] =
                segments[kind] ? g_array_index(segments[kind]->entries, SpoolEntry, indices[kind]).n
                               : G_MAXUINT64;
        }
        kind = alerts_only || numbers[RECORD_ALERT] < numbers[RECORD_ANSWER] ? RECORD_ALERT
                                                                             : RECORD_ANSWER;
        if (!segments[kind])
            return FALSE;
        n = numbers[kind];
        *item = (SpoolItem){.n = n, .kind = (RecordKind)kind};
        item->text = spool_segment_read(segments[kind], indices[kind], &item->length);
        if (item->text)
            return TRUE;
        store->counts.damaged++;
        g_printerr("camera-monitor: spool: %s: record %" G_GUINT64_FORMAT
                   " is damaged, and left out\n",
            segments[kind]->path, n);
    }
}

gboolean spool_store_next(SpoolStore *store, guint64 n, gboolean alerts_only, SpoolItem *item)
{
    if (next_on_disk(store, n, alerts_only, item))
        return TRUE;
    for (GList *link = store->memory.head; link; link = link->next) {
        SpoolItem *found = link->data;

        if (found->n > n && (!alerts_only || found->kind == RECORD_ALERT)) {
            *item = *found;
            item->text = g_strndup(found->text, found->length);
            return TRUE;
        }
    }
    return FALSE;
}

void spool_store_trim(SpoolStore *store, guint64 oldest)
{
    for (guint kind = 0; kind < 2; kind++) {
        GPtrArray *list = store->segments[kind];

        while (list->len) {
            SpoolSegment *segment = list->pdata[0];
            gboolean done = spool_segment_last(segment) <= store->done[kind];

            /* The last file is kept until it is full, or it would be made anew for every record. */
            if (!(done && (list->len > 1 || segment->bytes >= store->segment_bytes)) &&
                segment->time >= oldest)
                break;
            drop_segment(store, (RecordKind)kind, 0);
        }
    }
    for (GList *link = store->memory.head, *next; link; link = next) {
        SpoolItem *item = link->data;

        next = link->next;
        if (item->n <= store->done[item->kind] || item->time < oldest)
            drop_memory(store, link);
    }
}

guint64 spool_store_first(const SpoolStore *store)
{
    guint64 first = store->last + 1;

    for (guint kind = 0; kind < 2; kind++)
        if (store->segments[kind]->len &&
            ((SpoolSegment *)store->segments[kind]->pdata[0])->entries->len)
            first =
                MIN(first, g_array_index(((SpoolSegment *)store->segments[kind]->pdata[0])->entries,
                               SpoolEntry, 0)
                               .n);
    return first;
}

GArray *spool_store_unsynced(SpoolStore *store)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint kind = 0; kind < 2; kind++)
        for (guint i = 0; i < store->segments[kind]->len; i++) {
            SpoolSegment *segment = store->segments[kind]->pdata[i];
            int fd = segment->unsynced ? fcntl(segment->fd, F_DUPFD_CLOEXEC, 0) : -1;

            if (fd < 0)
                continue;
            segment->unsynced = FALSE;
            g_array_append_val(list, fd);
        }
    return list;
}

guint64 spool_store_waiting(const SpoolStore *store)
{
    guint64 waiting = 0;

    for (guint kind = 0; kind < 2; kind++)
        for (guint i = 0; i < store->segments[kind]->len; i++) {
            const SpoolSegment *segment = store->segments[kind]->pdata[i];

            waiting += segment->entries->len - spool_segment_after(segment, store->done[kind]);
        }
    for (const GList *link = store->memory.head; link; link = link->next)
        waiting +=
            ((const SpoolItem *)link->data)->n > store->done[((const SpoolItem *)link->data)->kind];
    return waiting;
}

void spool_store_close(SpoolStore *store)
{
    SpoolItem *item;

    spool_store_flush(store);
    while ((item = g_queue_pop_head(&store->memory)) != NULL)
        item_free(item);
    for (guint kind = 0; kind < 2; kind++) {
        for (guint i = 0; i < store->segments[kind]->len; i++)
            spool_segment_free(store->segments[kind]->pdata[i], FALSE);
        g_ptr_array_unref(store->segments[kind]);
    }
    g_free(store->folder);
}
