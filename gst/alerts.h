/* SPDX-License-Identifier: Apache-2.0
 *
 * The alerts of an element, one for each of its questions: from the answers with choices to the messages llavaov-alert (docs/alerts.md).
 *
 * The lock rule: the members are read and written by the functions of alerts.c alone, each of which takes the lock. Any
 * thread. The lock is a leaf: nothing else is locked and nothing posted with it held.
 */
#ifndef GST_LLAVAOV_ALERTS_H
#define GST_LLAVAOV_ALERTS_H

#include "alert-state.h"
#include "questions.h"
#include "window.h"

G_BEGIN_DECLS

#define GST_LLAVAOV_ALERT_NAME "llavaov-alert"

/* That of one question. */
typedef struct
{
  GstLlavaovAlertMachine machine;
  guint stream;                 /* as in the windows: the one that the state is about */
  /* what the alert is about; labels 0: nothing */
  gchar *question, *prompt, *choices;
  guint64 labels;

  /* of the window that counted last */
  guint64 seq;
  gdouble confidence;
  guint64 end;
  /* of the alert, since it is on */
  gchar *label;
  gint64 utc_since;
} GstLlavaovAlert;

typedef struct _GstLlavaovAlerts
{
  GMutex lock;
  guint flushes;                /* as in the windows: answers from before a flush count for nothing */
  gchar *name;                  /* of the stream */
  GstLlavaovAlert each[GST_LLAVAOV_MAX_QUESTIONS];
  GQueue owed;                  /* of GstStructure: messages that a flush has made, still to be posted */
  guint64 n_raised, n_cleared, n_suppressed;
  gchar *last;                  /* the latest message in words */
} GstLlavaovAlerts;

void gst_llavaov_alerts_init (GstLlavaovAlerts * alerts);
void gst_llavaov_alerts_clear (GstLlavaovAlerts * alerts);
/* From READY to PAUSED: all is forgotten. */
void gst_llavaov_alerts_start (GstLlavaovAlerts * alerts);
/* flushes: how many there have been. */
void gst_llavaov_alerts_flush (GstLlavaovAlerts * alerts, guint flushes);

/* The answer of a window, to which the fields of its alert are added. Returns the messages that it brings, of GstStructure, or NULL
 * where there are none. */
GPtrArray *gst_llavaov_alerts_take (GstLlavaovAlerts * alerts,
    const GstLlavaovWindow * window, const gchar * name,
    GstStructure * answer);
/* Whether a flush has left messages, and the first of them. */
gboolean gst_llavaov_alerts_owe (GstLlavaovAlerts * alerts);
GstStructure *gst_llavaov_alerts_take_owed (GstLlavaovAlerts * alerts);

/* Keeps a message in words. */
void gst_llavaov_alerts_set_last (GstLlavaovAlerts * alerts,
    const GstStructure * message);
/* Free it. */
gchar *gst_llavaov_alerts_last (GstLlavaovAlerts * alerts);
/* Adds the fields of the property stats. */
void gst_llavaov_alerts_add_stats (GstLlavaovAlerts * alerts,
    GstStructure * stats);

G_END_DECLS

#endif
