/* SPDX-License-Identifier: Apache-2.0
 * The page: what is served of it, and what is done for those who use it.
 *
 *   /                       one HTML file (page.html)
 *   /events                 page-state.h, as it changes
 *   /picture?camera=NAME    the latest picture; &after=N: if it is another one than N
 *   /api/...                page-command.h
 */
#ifndef PAGE_H
#define PAGE_H

#include "http.h"
#include "monitor.h"
#include "page-state.h"
#include "pictures.h"

typedef struct Page Page;

/* On the thread of the default main context, which does what is asked for; the monitor must outlive it. */
Page *page_new(Monitor *monitor);
PageState *page_state(Page *page);
Pictures *page_pictures(Page *page);
/* Who is to be woken when there is news. Before the first camera. */
void page_set_server(Page *page, HttpServer *server);
/* FALSE: the page has nothing there. On the server's thread. */
gboolean page_serve(Page *page, HttpRequest *request);
/* After its server. */
void page_free(Page *page);

#endif
