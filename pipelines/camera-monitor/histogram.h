/* SPDX-License-Identifier: Apache-2.0
 * Counts of seconds by buckets, whose bounds are those of vLLM, so that its boards and ours read the same.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <glib.h>

#define HISTOGRAM_MOST 24

typedef struct HistogramBuckets {
    guint n;
    const gdouble *bounds;      /* upper, rising */
    const gchar *const *labels; /* the same as text */
} HistogramBuckets;

typedef struct Histogram {
    const HistogramBuckets *buckets;
    guint64 counts[HISTOGRAM_MOST]; /* of each bucket alone; the last: above all bounds */
    guint64 count;
    gdouble sum;
} Histogram;

extern const HistogramBuckets histogram_first_token, histogram_latency, histogram_between_tokens;

void histogram_observe(Histogram *histogram, gdouble seconds);

#endif
