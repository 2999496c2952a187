/* SPDX-License-Identifier: Apache-2.0
 * Server-sent events for one who looks: all of page-state.h first, then what is new.
 */
#ifndef PAGE_EVENTS_H
#define PAGE_EVENTS_H

#include "page-state.h"

typedef struct PageEvents PageEvents;

/* The state must outlive it. */
gpointer page_events_new(PageState *state);
/* HttpPull of http.h; where nothing is new for a while, a comment, by which connections that are gone are noticed. */
gsize page_events_pull(gpointer events, gchar *buffer, gsize size);
void page_events_free(gpointer events);

#endif
