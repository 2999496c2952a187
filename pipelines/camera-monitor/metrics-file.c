/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics-file.h"

#include <glib/gstdio.h>

#define EVERY 5

struct MetricsFile {
    gchar *path;
    Metrics *metrics;
    guint timer;
    gboolean told;
};

static gboolean write_file(gpointer data)
{
    MetricsFile *file = data;
    GError *error = NULL;
    gsize length;
    gchar *text = metrics_text(file->metrics, &length);

    if (g_file_set_contents_full(
            file->path, text, (gssize)length, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error)) {
        file->told = FALSE;
    } else {
        if (!file->told)
            g_printerr("camera-monitor: metrics: %s\n", error->message);
        file->told = TRUE;
        g_error_free(error);
    }
    g_free(text);
    return G_SOURCE_CONTINUE;
}

MetricsFile *metrics_file_new(const gchar *path, Metrics *metrics)
{
    MetricsFile *file = g_new0(MetricsFile, 1);

    file->path = g_strdup(path);
    file->metrics = metrics;
    file->timer = g_timeout_add_seconds(EVERY, write_file, file);
    write_file(file);
    return file;
}

void metrics_file_free(MetricsFile *file)
{
    g_source_remove(file->timer);
    g_unlink(file->path);
    g_free(file->path);
    g_free(file);
}
