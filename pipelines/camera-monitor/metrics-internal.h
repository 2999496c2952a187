/* SPDX-License-Identifier: Apache-2.0
 * What metrics.c counts and metrics-write.c writes. The lock is held around everything.
 */
#ifndef METRICS_INTERNAL_H
#define METRICS_INTERNAL_H

#include "metrics.h"
#include "metrics-text.h"

/* Of an engine's answers: per stream, or of all. */
typedef enum MetricsTime {
    METRICS_FIRST_TOKEN,
    METRICS_ANSWER,
    METRICS_ENCODE,
    METRICS_PREFILL,
    METRICS_DECODE,
    METRICS_N_STREAM_TIMES,
    METRICS_REQUEST = METRICS_N_STREAM_TIMES, /* from the question to the answer */
    METRICS_QUEUE,
    METRICS_INFERENCE,
    METRICS_BETWEEN_TOKENS,
    METRICS_N_TIMES,
} MetricsTime;

/* The element's words; the last of each list stands for all others. */
extern const gchar *const metrics_finish_reasons[], *const metrics_drop_reasons[];
#define METRICS_N_FINISHES 4
#define METRICS_N_DROPS 6

/* Counts that the element's `stats` have. */
typedef struct MetricsStat {
    const gchar *field, *name, *help;
} MetricsStat;

extern const MetricsStat metrics_stats[];
#define METRICS_N_STATS 8

typedef struct MetricsChoice {
    gchar *labels;
    gdouble probability;
} MetricsChoice;

typedef struct MetricsQuestion {
    gchar *name;   /* NULL: of a camera with one prompt */
    gchar *labels; /* of stream and question */
    gboolean has_alert, alert;
    guint64 raised, cleared;
    GArray *choices; /* of MetricsChoice, as of the latest answer; NULL: it has none */
    gdouble label_mass;
} MetricsQuestion;

typedef struct MetricsCounts {
    guint64 answers[METRICS_N_FINISHES], prompt_tokens, new_tokens;
} MetricsCounts;

typedef struct MetricsOfStream {
    gchar *name, *labels;
    gboolean up, enabled;
    guint64 reconnects;
    guint requests_running, requests_waiting;
    guint64 stats[METRICS_N_STATS]; /* since the program began ... */
    guint64 seen[METRICS_N_STATS];  /* ... and as this element said last */
    guint64 drops[METRICS_N_DROPS];
    MetricsCounts counts;
    Histogram times[METRICS_N_STREAM_TIMES];
    gint64 answered_at; /* µs since 1970; 0: never */
    GPtrArray *questions;
} MetricsOfStream;

struct Metrics {
    GMutex lock;
    gboolean vllm;
    GPtrArray *streams; /* of MetricsOfStream, in the order of their coming */
    GHashTable *by_name;
    GArray *sources;
    gchar *model; /* of the latest answer; NULL: none yet */
    MetricsCounts counts;
    Histogram times[METRICS_N_TIMES];
    gsize last_length; /* of the latest text: the next is about as long */
};

/* With the lock. */
void metrics_write(const Metrics *metrics, GString *out);
void metrics_write_vllm(const Metrics *metrics, GString *out);
void metrics_write_process(GString *out);

#endif
