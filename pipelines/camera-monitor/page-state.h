/* SPDX-License-Identifier: Apache-2.0
 * What the page shows: the cameras as they are, and the last answers of each. Those who look are told what is newer than what
 * they have, so that one who is slow misses nothing but what was replaced. All functions from any thread.
 */
#ifndef PAGE_STATE_H
#define PAGE_STATE_H

#include <glib.h>
#include <jansson.h>

/* Answers kept of a camera. */
#define PAGE_ANSWERS 60

typedef struct PageState PageState;

typedef struct PageCamera {
    const gchar *state; /* a word for the page: starting, up, reconnecting, ended */
    const gchar *reason;
    gint64 since; /* µs since 1970 */
    gboolean enabled;
    guint64 reconnects;
    guint n_questions;
    const gchar *const *questions, *const *prompts; /* names (NULL: of the only one), prompts */
} PageCamera;

/* changed: there is news; called without a lock, from any thread. */
PageState *page_state_new(void (*changed)(gpointer data), gpointer data);
void page_state_set_camera(PageState *state, const gchar *name, const PageCamera *camera);
/* Its alerts begin anew. */
void page_state_begin_alerts(PageState *state, const gchar *name);
void page_state_set_counts(PageState *state, const gchar *name, guint64 dropped, guint64 failed);
void page_state_remove_camera(PageState *state, const gchar *name);
/* An answer or an alert. What is of no known camera is not kept. */
void page_state_take_record(PageState *state, const gchar *name, const json_t *record);
/* What is newer than *version (0: all) as server-sent events, or at least the oldest part of it, and *version then; NULL: nothing. */
GString *page_state_news(PageState *state, guint64 *version);
void page_state_free(PageState *state);

#endif
