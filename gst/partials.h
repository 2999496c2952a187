/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers that are being written: what there is of their text, and when the message llavaov-partial about it is due. At most one
 * an interval, of all questions together; the one that has waited longest is the next.
 *
 * The lock rule: the members are read and written by the functions of partials.c alone, with the lock of the windows held
 * around every call: it is what the worker waits with.
 */
#ifndef GST_LLAVAOV_PARTIALS_H
#define GST_LLAVAOV_PARTIALS_H

#include "questions.h"
#include "window.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_PARTIAL_NAME "llavaov-partial"

/* Of one question. */
typedef struct
{
  const GstLlavaovWindow *window;       /* that is asked about; NULL: none */
  GString *text;
  gboolean is_new;              /* not posted yet */
  gboolean told;                /* some of it has been posted */
  gint64 posted_at;             /* monotonic microseconds */
} GstLlavaovPartial;

typedef struct _GstLlavaovPartials
{
  guint64 interval;             /* ns */
  gint64 posted_at;             /* the latest, of any question */
  guint n_new;
  GstLlavaovPartial each[GST_LLAVAOV_MAX_QUESTIONS + 1];        /* the last: of the application's */
  gchar *last;                  /* text of the latest message, while its answer is being written */
} GstLlavaovPartials;

void gst_llavaov_partials_clear (GstLlavaovPartials * partials);
void gst_llavaov_partials_set_interval (GstLlavaovPartials * partials,
    guint64 interval);

/* More of the answer to this window. TRUE: the worker is to be woken. */
gboolean gst_llavaov_partials_add (GstLlavaovPartials * partials,
    const GstLlavaovWindow * window, const gchar * text, gsize bytes);
/* Nothing more is said of this window: it has its answer, or will not have one. */
void gst_llavaov_partials_end (GstLlavaovPartials * partials,
    const GstLlavaovWindow * window);

/* When one is due, in monotonic microseconds; 0: there is none. */
gint64 gst_llavaov_partials_due (const GstLlavaovPartials * partials);
/* What is due at `now`: the message, of this stream, which counts as posted; else NULL. */
GstStructure *gst_llavaov_partials_take (GstLlavaovPartials * partials,
    gint64 now, const gchar * stream);
/* Free it. NULL: no answer is being written of which a part has been posted. */
gchar *gst_llavaov_partials_last (const GstLlavaovPartials * partials);

G_END_DECLS

#endif
