/* SPDX-License-Identifier: Apache-2.0
 * The text format that Prometheus scrapes (version 0.0.4).
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include "histogram.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The lines before a family's samples. type: counter, gauge or histogram. */
void metrics_text_family(GString *out, const gchar *name, const gchar *type, const gchar *help);
/* Labels, as the samples below take them: NAME, VALUE, NAME, VALUE, ..., NULL. Values may be any text. */
gchar *metrics_text_labels(const gchar *name, ...) G_GNUC_NULL_TERMINATED;
/* A sample; labels may be NULL. */
void metrics_text_count(GString *out, const gchar *name, const gchar *labels, guint64 count);
void metrics_text_number(GString *out, const gchar *name, const gchar *labels, gdouble value);
void metrics_text_histogram(
    GString *out, const gchar *name, const gchar *labels, const Histogram *histogram);

#endif
