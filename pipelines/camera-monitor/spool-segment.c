/* SPDX-License-Identifier: Apache-2.0 */
#include "spool-segment.h"
#include "spool-line.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* No segment of ours comes near it; a file that does is not read. */
#define MOST_BYTES (64 << 20)

static void set_error(GError **error, const gchar *path)
{
    int code = errno;

    g_set_error(
        error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: %s", path, g_strerror(code));
}

static SpoolSegment *segment_new(const gchar *path, int flags, GError **error)
{
    int fd = g_open(path, flags | O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    SpoolSegment *segment;

    if (fd < 0) {
        set_error(error, path);
        return NULL;
    }
    segment = g_new0(SpoolSegment, 1);
    segment->path = g_strdup(path);
    segment->fd = fd;
    segment->entries = g_array_new(FALSE, FALSE, sizeof(SpoolEntry));
    return segment;
}

SpoolSegment *spool_segment_create(const gchar *path, GError **error)
{
    return segment_new(path, O_CREAT | O_EXCL, error);
}

/* Returns where the last good line ends. */
static gsize scan(SpoolSegment *segment, const gchar *text, gsize length, guint64 above)
{
    gsize good = 0;
    SpoolLine line;

    for (gsize start = 0; start < length;) {
        const gchar *newline = memchr(text + start, '\n', length - start);
        gsize end = newline ? (gsize)(newline - text) : length;

        if (newline && spool_line_read(text + start, end - start, &line) && line.n > above) {
            SpoolEntry entry = {line.n, (guint32)start, (guint32)(end - start)};

            g_array_append_val(segment->entries, entry);
            segment->time = line.time;
            above = line.n;
            good = end + 1;
        } else {
            segment->damaged++;
        }
        start = end + 1;
    }
    return good;
}

SpoolSegment *spool_segment_open(const gchar *path, guint64 above, GError **error)
{
    SpoolSegment *segment = segment_new(path, 0, error);
    GMappedFile *file;
    struct stat status;

    if (!segment)
        return NULL;
    if (fstat(segment->fd, &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size > MOST_BYTES) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: not a file of the spool", path);
        spool_segment_free(segment, FALSE);
        return NULL;
    }
    file = g_mapped_file_new_from_fd(segment->fd, FALSE, error);
    if (!file) {
        spool_segment_free(segment, FALSE);
        return NULL;
    }
    segment->bytes =
        scan(segment, g_mapped_file_get_contents(file), g_mapped_file_get_length(file), above);
    g_mapped_file_unref(file);
    if (segment->bytes < (guint64)status.st_size &&
        ftruncate(segment->fd, (off_t)segment->bytes) != 0)
        segment->bytes = (guint64)status.st_size;
    return segment;
}

gboolean spool_segment_append(
    SpoolSegment *segment, guint64 n, guint64 time, const gchar *text, gsize length, GError **error)
{
    GString *line = spool_line_write(n, time, text, length);
    SpoolEntry entry = {n, (guint32)segment->bytes, (guint32)(line->len - 1)};
    gsize written = 0;

    while (written < line->len) {
        gssize got = write(segment->fd, line->str + written, line->len - written);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            set_error(error, segment->path);
            /* Half a line would damage the one behind it; where it cannot be taken away it is closed. */
            if (written > 0 && ftruncate(segment->fd, (off_t)segment->bytes) != 0)
                segment->bytes += written;
            g_string_free(line, TRUE);
            return FALSE;
        }
        written += (gsize)got;
    }
    segment->bytes += line->len;
    segment->time = time;
    segment->unsynced = TRUE;
    g_array_append_val(segment->entries, entry);
    g_string_free(line, TRUE);
    return TRUE;
}

guint spool_segment_after(const SpoolSegment *segment, guint64 n)
{
    guint low = 0, high = segment->entries->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(segment->entries, SpoolEntry, middle).n > n)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

guint64 spool_segment_last(const SpoolSegment *segment)
{
    return segment->entries->len
               ? g_array_index(segment->entries, SpoolEntry, segment->entries->len - 1).n
               : 0;
}

gchar *spool_segment_read(const SpoolSegment *segment, guint index, gsize *length)
{
    const SpoolEntry *entry = &g_array_index(segment->entries, SpoolEntry, index);
    gchar *text = g_malloc((gsize)entry->length + 1);
    SpoolLine line;

    if (pread(segment->fd, text, entry->length, entry->offset) != (gssize)entry->length ||
        !spool_line_read(text, entry->length, &line) || line.n != entry->n) {
        g_free(text);
        return NULL;
    }
    *length = line.length;
    memmove(text, line.text, line.length);
    text[line.length] = '\0';
    return text;
}

void spool_segment_free(SpoolSegment *segment, gboolean remove)
{
    if (remove)
        g_unlink(segment->path);
    close(segment->fd);
    g_array_unref(segment->entries);
    g_free(segment->path);
    g_free(segment);
}
