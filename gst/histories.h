/* SPDX-License-Identifier: Apache-2.0
 *
 * What questions of the application can go on from: the latest answers to such questions, of which the newest has its keys and
 * values for a while, and the answer to the latest window, which has its frames and words alone.
 *
 * Not thread-safe: the lock of the windows is held around every call.
 */
#ifndef GST_LLAVAOV_HISTORIES_H
#define GST_LLAVAOV_HISTORIES_H

#include "window.h"

G_BEGIN_DECLS

/* Answers to questions of the application that are kept. */
#define GST_LLAVAOV_MAX_HISTORIES 8
/* For so long after its answer the newest has its keys and values; they are let go when the next window is answered. */
#define GST_LLAVAOV_HISTORY_WARM (60 * G_TIME_SPAN_SECOND)
/* The latest window's answer is kept for so long at least, also while the engine does not come to later windows. */
#define GST_LLAVAOV_HISTORY_LEAST (20 * G_TIME_SPAN_SECOND)

typedef struct
{
  guint64 id;                   /* of the question; 0: of a window */
  LlavaovHistory *history;      /* a reference; NULL: there is none */
  GstLlavaovWindow *window;     /* all its frames; or NULL */
} GstLlavaovHistoryEntry;

typedef struct
{
  /* private */
  GQueue asked;                 /* of GstLlavaovHistoryEntry, the oldest first */
  GstLlavaovHistoryEntry window;
  gint64 window_until;          /* monotonic microseconds: kept till then at least */
  gint64 warm_until;            /* monotonic microseconds; 0: none has its keys and values */
} GstLlavaovHistories;

void gst_llavaov_histories_init (GstLlavaovHistories * histories);
void gst_llavaov_histories_clear (GstLlavaovHistories * histories);

/* Takes what the answer to a window, without keys and values, or a question made, at `now`. */
void gst_llavaov_histories_take (GstLlavaovHistories * histories,
    GstLlavaovWindow * window, gint64 now);

/* A window has been dropped at `now`: what one before it made gives way to other streams' windows. */
void gst_llavaov_histories_yield (GstLlavaovHistories * histories, gint64 now);

/* Whether the answer to this question is kept. */
gboolean gst_llavaov_histories_have (const GstLlavaovHistories * histories,
    guint64 id);
/* The newest question whose answer is kept; 0: there is none. */
guint64 gst_llavaov_histories_newest (const GstLlavaovHistories * histories);
/* Lets a question go on from the latest window's answer. FALSE: there is none. */
gboolean gst_llavaov_histories_follow_window (const GstLlavaovHistories *
    histories, GstLlavaovWindow * question);
/* ... from the one that it follows. FALSE: it is not kept. */
gboolean gst_llavaov_histories_follow (const GstLlavaovHistories * histories,
    GstLlavaovWindow * question);

G_END_DECLS

#endif
