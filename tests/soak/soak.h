/* SPDX-License-Identifier: Apache-2.0
 * What the long runs share: pipelines from text, waiting on a bus, and reading this process's own
 * figures.
 */
#ifndef SOAK_H
#define SOAK_H

#include <gst/gst.h>

/* A pipeline from gst-launch text; ends the program with status 2 and a message when the text is
 * wrong. */
GstElement *soak_launch(const gchar *text);
/* To the state, with the asynchronous part; ends the program with the bus's error when it fails. */
void soak_set_state(GstElement *pipeline, GstState state, GstClockTime limit);
/* To NULL, and away. Returns the seconds that the state change took. */
gdouble soak_stop(GstElement *pipeline);
/* Handles messages for so many seconds; FALSE at EOS before. An error ends the program. QOS
 * messages of elements of the plugin are counted in *dropped, llavaov-answer messages in *answers
 * (both may be NULL). */
gboolean soak_watch(GstElement *pipeline, gdouble seconds, guint *answers, guint *dropped);

gdouble soak_now(void); /* seconds, monotonic */
/* KiB: a line of /proc/self/smaps_rollup ("Pss", "Rss", "Private_Dirty"). */
gint64 soak_memory(const gchar *field);
guint soak_descriptors(void);
guint soak_threads(void);
/* A number of the element's `stats`; 0 when there is none of this name yet. */
guint64 soak_stat(GstElement *element, const gchar *name);

/* Sorts the values. share of 1, e.g. 0.999; the nearest rank. */
gdouble soak_percentile(GArray *doubles, gdouble share);
/* Prints "PASS ..." or "FAIL ..." and returns pass. */
gboolean soak_verdict(gboolean pass, const gchar *format, ...) G_GNUC_PRINTF(2, 3);
/* Sets name=value pairs on an element; ends the program when one is wrong. */
void soak_apply(GstElement *element, gchar **properties);

#endif
