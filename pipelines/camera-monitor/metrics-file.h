/* SPDX-License-Identifier: Apache-2.0
 * Metrics in a file, for node_exporter's textfile collector: written whole and renamed, every few seconds, and
 * taken away at the end, since what is in it would not be true any more.
 */
#ifndef METRICS_FILE_H
#define METRICS_FILE_H

#include "metrics.h"

typedef struct MetricsFile MetricsFile;

/* On the thread of the default main context. That it cannot be written is said on standard error, once until it can. */
MetricsFile *metrics_file_new(const gchar *path, Metrics *metrics);
void metrics_file_free(MetricsFile *file);

#endif
