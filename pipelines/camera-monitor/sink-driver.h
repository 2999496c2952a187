/* SPDX-License-Identifier: Apache-2.0
 * A way to deliver records, as a sink's thread drives it. All functions run on that thread.
 */
#ifndef SINK_DRIVER_H
#define SINK_DRIVER_H

#include "config.h"
#include "spool.h"

typedef struct Sink Sink;
typedef struct MqttBoard MqttBoard;

typedef enum SinkResult {
    SINK_OK,
    SINK_RETRY, /* later, from the first record that is not done */
    SINK_FATAL, /* the credentials are wrong, or the settings */
} SinkResult;

typedef struct SinkDriver {
    guint most_in_flight;
    /* Reaches for nobody yet. board: of MQTT's topics that are not records; NULL where there are none. */
    gpointer (*create)(const ConfigSink *settings, Sink *sink, MqttBoard *board, GError **error);
    SinkResult (*connect)(gpointer self, GError **error);
    /* Hands a record over; sink_done() says that it has been delivered, now or later. */
    SinkResult (*send)(gpointer self, const SpoolItem *item, GError **error);
    /* Serves the connection until something comes on it, wake_fd can be read or the time is over. */
    SinkResult (*serve)(gpointer self, int wake_fd, gint milliseconds, GError **error);
    void (*disconnect)(gpointer self);
    void (*destroy)(gpointer self);
} SinkDriver;

/* For drivers: this record is delivered, or, with a reason, will never be. */
void sink_done(Sink *sink, guint64 n, const gchar *refused);
/* The thread is to end now: what takes long is broken off. */
gboolean sink_must_end(const Sink *sink);
/* The next try comes this much later at least. */
void sink_wait_at_least(Sink *sink, guint seconds);

G_GNUC_PRINTF(3, 4)
SinkResult sink_error(GError **error, SinkResult result, const gchar *format, ...);

extern const SinkDriver sink_file, sink_mqtt, sink_http, sink_kafka;

#endif
