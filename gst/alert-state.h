/* SPDX-License-Identifier: Apache-2.0
 *
 * When an alert is raised and cleared: the table in docs/alerts.md, from which its test is made. Of GLib alone, and of no thread,
 * stream or clock: times are what the caller says they are, in nanoseconds, and whoever shares a machine locks it.
 */
#ifndef GST_LLAVAOV_ALERT_STATE_H
#define GST_LLAVAOV_ALERT_STATE_H

#include <glib.h>

G_BEGIN_DECLS

/* The numbers that make the table's conditions; they may change between two windows. */
typedef struct
{
  guint64 labels;               /* bit i: label i of the choices is one of the alert; 0: there is no alert */
  gdouble threshold, clear_threshold;
  guint confirm, clear;         /* windows in a row, from 1 */
  guint64 cooldown;
} GstLlavaovAlertRule;

/* How a window stands to the thresholds. */
typedef enum
{
  GST_LLAVAOV_ALERT_NONE,       /* says nothing: dropped, failed, without a frame, or its answer is not valid */
  GST_LLAVAOV_ALERT_HIGH,       /* threshold and above */
  GST_LLAVAOV_ALERT_BETWEEN,
  GST_LLAVAOV_ALERT_LOW         /* below clear_threshold */
} GstLlavaovAlertLevel;

typedef enum
{
  GST_LLAVAOV_ALERT_CLEAR,
  GST_LLAVAOV_ALERT_RISING,     /* high, not yet for `confirm` windows */
  GST_LLAVAOV_ALERT_RAISED,
  GST_LLAVAOV_ALERT_FALLING,    /* raised, and low, not yet for `clear` windows */
  GST_LLAVAOV_ALERT_MUTED,      /* raised within the cooldown: nobody has been told */
  GST_LLAVAOV_ALERT_FADING      /* muted, and low, not yet for `clear` windows */
} GstLlavaovAlertState;

typedef enum
{
  GST_LLAVAOV_ALERT_SAYS_NOTHING,
  GST_LLAVAOV_ALERT_SAYS_RAISED,
  GST_LLAVAOV_ALERT_SAYS_CLEARED
} GstLlavaovAlertNews;

/* All zero: clear, and nothing has ever been raised. */
typedef struct
{
  GstLlavaovAlertState state;
  guint in_a_row;               /* windows that are high while RISING, low while FALLING or FADING */
  guint64 since;                /* start of the first of those that raised it */
  guint64 until;                /* start of the first low one of those in a row */
  gboolean told;                /* SAYS_RAISED has been returned, ... */
  guint64 told_at;              /* ... last for the window that starts here */
  guint64 suppressed;           /* alerts that came and went MUTED; set to 0 by who has told of it behind SAYS_RAISED */
} GstLlavaovAlertMachine;

GstLlavaovAlertLevel gst_llavaov_alert_level (const GstLlavaovAlertRule * rule,
    gdouble probability);

/* A window that starts at `start`. */
GstLlavaovAlertNews gst_llavaov_alert_take (GstLlavaovAlertMachine * machine,
    const GstLlavaovAlertRule * rule, GstLlavaovAlertLevel level,
    guint64 start);
/* Begins anew. */
GstLlavaovAlertNews gst_llavaov_alert_reset (GstLlavaovAlertMachine * machine);

/* Whether there is an alert, told or not. */
gboolean gst_llavaov_alert_is_on (const GstLlavaovAlertMachine * machine);
/* "clear", ...: the table's words. Never NULL. */
const gchar *gst_llavaov_alert_state_name (GstLlavaovAlertState state);

G_END_DECLS

#endif
