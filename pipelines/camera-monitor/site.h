/* SPDX-License-Identifier: Apache-2.0
 * What others see of the program: metrics, over HTTP and in a file, and the page.
 */
#ifndef SITE_H
#define SITE_H

#include "monitor.h"

typedef struct Site Site;

/* As the configuration wants it; observes the flow, which must not outlive it. Before the first camera starts. NULL: it
 * cannot be served, and has been said on standard error. On the thread of the default main context. */
Site *site_new(const Config *config, Monitor *monitor, RecordFlow *flow);
/* After monitor_stop(). */
void site_free(Site *site);

#endif
