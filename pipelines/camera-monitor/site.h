/* SPDX-License-Identifier: Apache-2.0
 * What others see of the program: metrics, over HTTP and in a file, and the page.
 */
#ifndef SITE_H
#define SITE_H

#include "delivery.h"

typedef struct Site Site;

/* As the configuration wants it; observes the flow, which must not outlive it. Before the first camera starts. delivery: NULL, or what is delivered, until site_free(). NULL: it
 * cannot be served, and has been said on standard error. On the thread of the default main context. */
Site *site_new(const Config *config, Monitor *monitor, const Delivery *delivery, RecordFlow *flow);
/* After monitor_stop(). */
void site_free(Site *site);

#endif
