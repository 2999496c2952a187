/* SPDX-License-Identifier: Apache-2.0
 * A file that lines are appended to; whoever rotates it may move it away.
 */
#include "sink-driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct FileSink {
    Sink *sink;
    gchar *path;
    int fd;
    GArray *unsynced; /* of guint64: what is written */
} FileSink;

static gpointer create(const ConfigSink *settings, Sink *sink, MqttBoard *board, GError **error)
{
    GUri *uri = g_uri_parse(settings->url, G_URI_FLAGS_PARSE_RELAXED, error);
    FileSink *file;

    if (!uri)
        return NULL;
    file = g_new0(FileSink, 1);
    *file = (FileSink){
        sink, g_strdup(g_uri_get_path(uri)), -1, g_array_new(FALSE, FALSE, sizeof(guint64))};
    g_uri_unref(uri);
    return file;
}

static SinkResult failed(FileSink *file, GError **error)
{
    return sink_error(error, SINK_RETRY, "%s", g_strerror(errno));
}

/* A line that was cut off is not to damage the next one. */
static gboolean end_line(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    gchar last;

    return end <= 0 || pread(fd, &last, 1, end - 1) != 1 || last == '\n' || write(fd, "\n", 1) == 1;
}

static SinkResult file_open(gpointer self, GError **error)
{
    FileSink *file = self;

    file->fd =
        open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (file->fd < 0)
        return failed(file, error);
    return end_line(file->fd) ? SINK_OK : failed(file, error);
}

static SinkResult file_send(gpointer self, const SpoolItem *item, GError **error)
{
    FileSink *file = self;
    off_t before = lseek(file->fd, 0, SEEK_END);
    gchar *line = g_strdup_printf("%s\n", item->text);
    gsize length = strlen(line), written = 0;
    SinkResult result = SINK_OK;

    while (written < length && result == SINK_OK) {
        gssize got = write(file->fd, line + written, length - written);

        if (got > 0)
            written += (gsize)got;
        else if (got == 0 || errno != EINTR)
            result = failed(file, error);
    }
    if (result == SINK_OK)
        g_array_append_val(file->unsynced, item->n);
    else if (written > 0 && before >= 0 && ftruncate(file->fd, before) != 0)
        written = 0; /* the next line begins with a newline then */
    g_free(line);
    return result;
}

static gboolean moved_away(const FileSink *file)
{
    struct stat ours, there;

    return fstat(file->fd, &ours) != 0 || stat(file->path, &there) != 0 ||
           ours.st_ino != there.st_ino || ours.st_dev != there.st_dev;
}

static void file_close(gpointer self)
{
    FileSink *file = self;

    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    g_array_set_size(file->unsynced, 0);
}

static SinkResult file_serve(gpointer self, int wake_fd, gint milliseconds, GError **error)
{
    FileSink *file = self;
    struct pollfd wake = {wake_fd, POLLIN, 0};

    if (file->unsynced->len) {
        if (fdatasync(file->fd) != 0 && errno != EINVAL && errno != EROFS)
            return failed(file, error);
        for (guint i = 0; i < file->unsynced->len; i++)
            sink_done(file->sink, g_array_index(file->unsynced, guint64, i), NULL);
        g_array_set_size(file->unsynced, 0);
        if (moved_away(file)) {
            file_close(file);
            return file_open(file, error);
        }
        return SINK_OK;
    }
    poll(&wake, 1, milliseconds);
    return SINK_OK;
}

static void destroy(gpointer self)
{
    FileSink *file = self;

    file_close(file);
    g_array_unref(file->unsynced);
    g_free(file->path);
    g_free(file);
}

const SinkDriver sink_file = {20, create, file_open, file_send, file_serve, file_close, destroy};
