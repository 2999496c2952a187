/* SPDX-License-Identifier: Apache-2.0 */
#include "page-events.h"

#include <string.h>

#define SILENCE (8 * G_TIME_SPAN_SECOND)

struct PageEvents {
    PageState *state;
    guint64 version;
    GString *pending; /* NULL: all has been taken */
    gsize taken;
    gint64 told; /* when it was told something last */
};

gpointer page_events_new(PageState *state)
{
    PageEvents *events = g_new0(PageEvents, 1);

    events->state = state;
    events->pending = g_string_new("retry: 2000\n\n");
    return events;
}

static void find_news(PageEvents *events)
{
    gint64 now = g_get_monotonic_time();

    events->taken = 0;
    events->pending = page_state_news(events->state, &events->version);
    if (!events->pending && now - events->told >= SILENCE)
        events->pending = g_string_new(":\n\n");
    if (events->pending)
        events->told = now;
}

gsize page_events_pull(gpointer data, gchar *buffer, gsize size)
{
    PageEvents *events = data;
    gsize n;

    if (!events->pending)
        find_news(events);
    if (!events->pending)
        return 0;
    n = MIN(size, events->pending->len - events->taken);
    memcpy(buffer, events->pending->str + events->taken, n);
    events->taken += n;
    if (events->taken == events->pending->len) {
        g_string_free(events->pending, TRUE);
        events->pending = NULL;
    }
    return n;
}

void page_events_free(gpointer data)
{
    PageEvents *events = data;

    if (events->pending)
        g_string_free(events->pending, TRUE);
    g_free(events);
}
