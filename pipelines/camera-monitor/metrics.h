/* SPDX-License-Identifier: Apache-2.0
 * What is counted: per stream from answers, alerts and the element's `stats`, and over all streams under
 * the names that vLLM has. All functions from any thread.
 *
 * Labels are names of the configuration (streams, questions, choices) and words of the element; never the text of a
 * prompt or an answer.
 */
#ifndef METRICS_H
#define METRICS_H

#include <gst/gst.h>
#include <jansson.h>

typedef struct Metrics Metrics;

typedef struct MetricsStream {
    gboolean up, enabled;
    guint64 reconnects;
    const gchar *const *questions; /* n names; NULL of a camera with one prompt */
    guint n_questions;
} MetricsStream;

/* Writes families of its own behind those that there are (metrics-text.h); must be quick. */
typedef void (*MetricsSource)(gpointer data, GString *out);

/* vllm: with vLLM's names, too. */
Metrics *metrics_new(gboolean vllm);
/* Before the first text; the source must outlive it. */
void metrics_add_source(Metrics *metrics, MetricsSource source, gpointer data);
/* A new stream, or news of one. */
void metrics_set_stream(Metrics *metrics, const gchar *stream, const MetricsStream *what);
void metrics_remove_stream(Metrics *metrics, const gchar *stream);
/* An answer or an alert (docs/elements.md#answers). What is of no known stream is not counted. */
void metrics_take_record(Metrics *metrics, const gchar *stream, const json_t *record);
/* The element's `stats` as they are now. */
void metrics_take_stats(Metrics *metrics, const gchar *stream, const GstStructure *stats);
/* The stream has a new element, whose `stats` begin at 0 and whose alerts are clear. */
void metrics_begin_stats(Metrics *metrics, const gchar *stream);
/* A window was dropped, for one of the element's reasons. */
void metrics_take_drop(Metrics *metrics, const gchar *stream, const gchar *reason);
/* All of it in the text format, to be freed by g_free(). */
gchar *metrics_text(Metrics *metrics, gsize *length);
void metrics_free(Metrics *metrics);

#endif
