/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions that the application asks in between: those that wait for their turn, and the frames that the next one may be about.
 *
 * They and windows take turns: a question goes next unless one was asked last and a window waits. So either waits for one of
 * the other kind at most.
 *
 * Not thread-safe: the lock of the windows is held around every call.
 */
#ifndef GST_LLAVAOV_ASKS_H
#define GST_LLAVAOV_ASKS_H

#include "window.h"

G_BEGIN_DECLS

/* Questions that may wait. */
#define GST_LLAVAOV_MAX_ASKS 8

typedef struct
{
  /* private */
  guint64 last_id;              /* given to a question */
  GQueue waiting;               /* of GstLlavaovWindow, by ask_id */
  gboolean window_next;         /* a question was asked last */
  GstLlavaovWindow *last;       /* the frames of the window that was closed last; or NULL */
} GstLlavaovAsks;

void gst_llavaov_asks_init (GstLlavaovAsks * asks);
/* Forgets the last window; nothing waits any more. Ids go on. */
void gst_llavaov_asks_clear (GstLlavaovAsks * asks);

/* A window has been closed: its frames are kept until the next one. */
void gst_llavaov_asks_keep (GstLlavaovAsks * asks,
    const GstLlavaovWindow * window);
/* ... has been dropped: its frames, or those of one before it, are not kept for questions alone. */
void gst_llavaov_asks_drop (GstLlavaovAsks * asks,
    const GstLlavaovWindow * window);
/* NULL: there is none. */
const GstLlavaovWindow *gst_llavaov_asks_last (const GstLlavaovAsks * asks);

/* Queues a question and gives it its id. 0: so many wait already, and it stays the caller's. */
guint64 gst_llavaov_asks_add (GstLlavaovAsks * asks, GstLlavaovWindow * window);
/* The question that is asked next, or NULL. windows_wait: windows do, too. */
GstLlavaovWindow *gst_llavaov_asks_next (GstLlavaovAsks * asks,
    gboolean windows_wait);
/* The newest question that waits; 0: none does. */
guint64 gst_llavaov_asks_newest (const GstLlavaovAsks * asks);
/* The question that has waited longest, or NULL. */
GstLlavaovWindow *gst_llavaov_asks_pop (GstLlavaovAsks * asks);
guint gst_llavaov_asks_n_waiting (const GstLlavaovAsks * asks);
/* Whether this one waits. */
gboolean gst_llavaov_asks_waits (const GstLlavaovAsks * asks, guint64 id);
/* Whether one up to this id does. */
gboolean gst_llavaov_asks_wait_up_to (const GstLlavaovAsks * asks, guint64 id);

G_END_DECLS

#endif
