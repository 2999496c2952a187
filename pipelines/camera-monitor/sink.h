/* SPDX-License-Identifier: Apache-2.0
 * Delivers what the spool has to one place, on a thread of its own, at least once and in order: reaches for it again for
 * ever, after pauses that double from 1 to 60 seconds, each made shorter by chance.
 */
#ifndef SINK_H
#define SINK_H

#include "sink-driver.h"

typedef struct SinkStats {
    guint64 sent, refused,
        failures; /* records delivered; records that it will never take; tries that failed */
    guint64 lost; /* records that were dropped before it came to them */
    gboolean connected;
} SinkStats;

typedef struct SinkEvents {
    void (*on_fatal)(gpointer data,
        const gchar *text); /* on the sink's thread: wrong credentials; it has given up */
    gpointer data;
} SinkEvents;

/* NULL: nothing, or what this program cannot do with the URL because it was built without a library. */
const gchar *sink_missing(const gchar *url);
/* Starts. NULL: the settings are wrong. */
Sink *sink_new(const ConfigSink *settings, Spool *spool, MqttBoard *board, const SinkEvents *events,
    GError **error);
const gchar *sink_name(const Sink *sink);
SinkStats sink_stats(Sink *sink);
/* Something other than a record is to be sent. Any thread. */
void sink_wake(Sink *sink);
/* Delivers on until this time (g_get_monotonic_time()) at most, then ends. Returns at once. */
void sink_stop(Sink *sink, gint64 until);
/* Waits for the end, until the time above and half a second. FALSE: it hangs in a library; nothing of it or the spool may be freed. */
gboolean sink_join(Sink *sink);
/* forget: nothing is kept for it in the spool. */
void sink_free(Sink *sink, gboolean forget);

#endif
