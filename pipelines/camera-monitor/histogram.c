/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#define FIRST_TOKEN(B)                                                                             \
    B(0.001)                                                                                       \
    B(0.005)                                                                                       \
    B(0.01)                                                                                        \
    B(0.02) B(0.04) B(0.06) B(0.08) B(0.1) B(0.25) B(0.5) B(0.75) B(1.0) B(2.5) B(5.0) B(7.5)      \
        B(10.0) B(20.0) B(40.0) B(80.0) B(160.0) B(640.0) B(2560.0)
#define LATENCY(B)                                                                                 \
    B(0.3)                                                                                         \
    B(0.5)                                                                                         \
    B(0.8)                                                                                         \
    B(1.0) B(1.5) B(2.0) B(2.5) B(5.0) B(10.0) B(15.0) B(20.0) B(30.0) B(40.0) B(50.0) B(60.0)     \
        B(120.0) B(240.0) B(480.0) B(960.0) B(1920.0) B(7680.0)
#define BETWEEN_TOKENS(B)                                                                          \
    B(0.01)                                                                                        \
    B(0.025)                                                                                       \
    B(0.05)                                                                                        \
    B(0.075) B(0.1) B(0.15) B(0.2) B(0.3) B(0.4) B(0.5) B(0.75) B(1.0) B(2.5) B(5.0) B(7.5)        \
        B(10.0) B(20.0) B(40.0) B(80.0)

#define NUMBER(bound) bound,
#define TEXT(bound) #bound,
#define DEFINE(name, LIST)                                                                         \
    static const gdouble name##_bounds[] = {LIST(NUMBER)};                                         \
    static const gchar *const name##_labels[] = {LIST(TEXT)};                                      \
    G_STATIC_ASSERT(G_N_ELEMENTS(name##_bounds) < HISTOGRAM_MOST);                                 \
    const HistogramBuckets name = {G_N_ELEMENTS(name##_bounds), name##_bounds, name##_labels};

DEFINE(histogram_first_token, FIRST_TOKEN)
DEFINE(histogram_latency, LATENCY)
DEFINE(histogram_between_tokens, BETWEEN_TOKENS)

void histogram_observe(Histogram *histogram, gdouble seconds)
{
    guint i = 0;

    while (i < histogram->buckets->n && seconds > histogram->buckets->bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->count++;
    histogram->sum += seconds;
}
