/* SPDX-License-Identifier: Apache-2.0
 * What the spool and the sinks have done, for metrics: a picture of it that is taken every second on the thread of the default main
 * context, which alone may ask the delivery, and written on any thread.
 */
#ifndef METRICS_DELIVERY_H
#define METRICS_DELIVERY_H

#include "delivery.h"

typedef struct MetricsDelivery MetricsDelivery;

MetricsDelivery *metrics_delivery_new(void);
void metrics_delivery_take(MetricsDelivery *delivered, const Delivery *delivery);
/* MetricsSource of metrics.h. */
void metrics_delivery_write(gpointer delivered, GString *out);
void metrics_delivery_free(MetricsDelivery *delivered);

#endif
