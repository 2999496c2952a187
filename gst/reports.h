/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports what became of a window: an answer by message, notification, text buffer and meta; a dropped window by QOS; an empty
 * one by llavaov-no-frames; a failed one by WARNING.
 */
#ifndef GST_LLAVAOV_REPORTS_H
#define GST_LLAVAOV_REPORTS_H

#include "gstllavaovelement.h"

G_BEGIN_DECLS

/* On the worker's thread, without the lock. The window stays the caller's. */
void gst_llavaov_report (GstLlavaovElement * self, GstLlavaovWindow * window);
/* The message that a question, which an event brought, is not asked; reason is a static word. Any thread, without the lock. */
void gst_llavaov_report_not_asked (GstLlavaovElement * self,
    const GstStructure * fields, const gchar * reason);
/* The message about an alert that a flush has ended, if there is one. Likewise. */
void gst_llavaov_report_owed_alert (GstLlavaovElement * self);

/* The part of an answer that is due, if it still is. Likewise. */
void gst_llavaov_report_partial (GstLlavaovElement * self);

G_END_DECLS

#endif
