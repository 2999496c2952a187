/* SPDX-License-Identifier: Apache-2.0
 * What is served over HTTP, and where; not there in builds without libmicrohttpd.
 */
#ifndef SITE_HTTP_H
#define SITE_HTTP_H

#include "config.h"
#include "metrics.h"
#include "page.h"

typedef struct SiteHttp SiteHttp;

/* page NULL: there is none. NULL: it cannot be served, and has been said on standard error. */
SiteHttp *site_http_new(const Config *config, Metrics *metrics, Page *page);
void site_http_free(SiteHttp *http);

#endif
