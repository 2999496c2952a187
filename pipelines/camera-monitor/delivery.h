/* SPDX-License-Identifier: Apache-2.0
 * The spool, the sinks, and what MQTT brokers show and order: everything that takes records out of the program.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "monitor.h"
#include "sink.h"

typedef struct Delivery Delivery;

typedef struct DeliveryEvents {
    void (*on_fatal)(gpointer data, const gchar *text); /* wrong credentials; any thread */
    gpointer data;
} DeliveryEvents;

/* Hangs on the flow, which it outlives. NULL: it has been said what is wrong. Without a sink there is nothing to deliver, and no spool. */
Delivery *delivery_new(const Config *config, RecordFlow *flow, const DeliveryEvents *events);
/* Commands go to its cameras. Before the first monitor_apply(). */
void delivery_command(Delivery *delivery, Monitor *monitor);
/* Makes the sinks those of this configuration, without touching those that stay. FALSE: one cannot be made; it has been said. */
gboolean delivery_apply(Delivery *delivery, const Config *config);
/* Of Sink; for metrics. */
const GPtrArray *delivery_sinks(const Delivery *delivery);
/* NULL: there is none. */
Spool *delivery_spool(const Delivery *delivery);
/* Of cameras that are stopped: delivers what is left until a second and a third behind `since` (g_get_monotonic_time()) at most, and
 * ends with the spool on disk. */
void delivery_free(Delivery *delivery, gint64 since);

#endif
