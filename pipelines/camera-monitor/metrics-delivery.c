/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics-delivery.h"

#include "metrics-text.h"
#include "spool.h"

typedef struct SinkCounts {
    gchar *labels;
    SinkStats stats;
} SinkCounts;

struct MetricsDelivery {
    GMutex lock;
    gboolean has_spool;
    SpoolStats spool;
    GArray *sinks; /* of SinkCounts */
};

static void clear_counts(gpointer data)
{
    g_free(((SinkCounts *)data)->labels);
}

MetricsDelivery *metrics_delivery_new(void)
{
    MetricsDelivery *delivered = g_new0(MetricsDelivery, 1);

    g_mutex_init(&delivered->lock);
    delivered->sinks = g_array_new(FALSE, FALSE, sizeof(SinkCounts));
    g_array_set_clear_func(delivered->sinks, clear_counts);
    return delivered;
}

void metrics_delivery_take(MetricsDelivery *delivered, const Delivery *delivery)
{
    const GPtrArray *sinks = delivery_sinks(delivery);
    Spool *spool = delivery_spool(delivery);

    g_mutex_lock(&delivered->lock);
    delivered->has_spool = spool != NULL;
    if (spool)
        delivered->spool = spool_stats(spool);
    g_array_set_size(delivered->sinks, 0);
    for (guint i = 0; i < sinks->len; i++) {
        SinkCounts counts = {metrics_text_labels("sink", sink_name(sinks->pdata[i]), NULL),
            sink_stats(sinks->pdata[i])};

        g_array_append_val(delivered->sinks, counts);
    }
    g_mutex_unlock(&delivered->lock);
}

static void write_spool(const SpoolStats *spool, GString *out)
{
    const struct {
        const gchar *name, *type, *help;
        guint64 value;
    } families[] = {
        {"llavaov_spool_bytes", "gauge", "The spool on disk.", spool->bytes},
        {"llavaov_spool_records", "gauge", "Records that wait to be delivered.", spool->waiting},
        {"llavaov_spool_failing", "gauge", "1 while the disk refuses.", spool->failing},
        {"llavaov_spool_damaged_total", "counter", "Lines on disk that were no records any more.",
            spool->counts.damaged},
    };

    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        metrics_text_family(out, families[i].name, families[i].type, families[i].help);
        metrics_text_count(out, families[i].name, NULL, families[i].value);
    }
    metrics_text_family(out, "llavaov_spool_dropped_total", "counter",
        "Records that were dropped undelivered, for want of room or for their age.");
    metrics_text_count(
        out, "llavaov_spool_dropped_total", "kind=\"answer\"", spool->counts.dropped_answers);
    metrics_text_count(
        out, "llavaov_spool_dropped_total", "kind=\"alert\"", spool->counts.dropped_alerts);
}

void metrics_delivery_write(gpointer data, GString *out)
{
    MetricsDelivery *delivered = data;

#define SINKS(name, type, help, member)                                                            \
    do {                                                                                           \
        metrics_text_family(out, name, type, help);                                                \
        for (guint i = 0; i < delivered->sinks->len; i++) {                                        \
            const SinkCounts *sink = &g_array_index(delivered->sinks, SinkCounts, i);              \
                                                                                                   \
            metrics_text_count(out, name, sink->labels, sink->stats.member);                       \
        }                                                                                          \
    } while (0)
    g_mutex_lock(&delivered->lock);
    if (delivered->has_spool)
        write_spool(&delivered->spool, out);
    if (delivered->sinks->len) {
        SINKS("llavaov_sink_connected", "gauge", "1 while the sink is reached.", connected);
        SINKS("llavaov_publish_sent_total", "counter", "Records that were delivered.", sent);
        SINKS("llavaov_publish_failed_total", "counter", "Tries to deliver that failed.", failures);
        SINKS("llavaov_publish_refused_total", "counter", "Records that the sink will never take.",
            refused);
        SINKS("llavaov_publish_lost_total", "counter",
            "Records that were dropped before the sink came to them.", lost);
    }
    g_mutex_unlock(&delivered->lock);
#undef SINKS
}

void metrics_delivery_free(MetricsDelivery *delivered)
{
    g_array_unref(delivered->sinks);
    g_mutex_clear(&delivered->lock);
    g_free(delivered);
}
