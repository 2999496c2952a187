/* SPDX-License-Identifier: Apache-2.0
 *
 * A harness around llavaovelement over the fake engine (tests/fake): GRAY8 frames of 16x16 pixels whose bytes are all the same
 * value, so that an answer's text says which frames were sampled. */
#ifndef TESTS_GST_SUPPORT_H
#define TESTS_GST_SUPPORT_H

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>

#define MS GST_MSECOND

typedef struct
{
  GstHarness *h;
  GstElement *element;
  GstBus *bus;
  gboolean live;
  GQueue messages;              /* element messages that were popped on the way */
} Rig;

/* properties as in a launch line, e.g. "window=1000000000 frames=4 device=fake:answer-ms=50". A file unless live. */
Rig *rig_new (const gchar * properties, gboolean live);
/* The same, still in NULL and without caps. */
Rig *rig_new_null (const gchar * properties, gboolean live);
/* rig_start in two steps: between them the harness can be given a test clock. */
void rig_prepare (Rig * rig);
/* For a harness of the test's own: what comes is a file. */
void rig_set_file (Rig * rig);
void rig_play (Rig * rig);
void rig_start (Rig * rig);
void rig_free (Rig * rig);

GstBuffer *rig_buffer (guint8 value, GstClockTime pts, GstClockTime duration);
GstFlowReturn rig_push (Rig * rig, guint8 value, GstClockTime pts,
    GstClockTime duration);
/* n frames of `value`, value + 1, ... from `start`, `step` apart. */
void rig_push_many (Rig * rig, guint8 value, guint n, GstClockTime start,
    GstClockTime step);
/* Ten frames of window number `i`, where windows take a second each. */
void rig_push_window (Rig * rig, guint i);

/* The next message of this type and, for element messages, this name; others are thrown away. NULL after `ms`. */
GstMessage *rig_wait (Rig * rig, GstMessageType type, const gchar * name,
    guint ms);
/* The next answer's message, which must come within 5 s. */
GstMessage *rig_wait_answer (Rig * rig);
/* The text of the next answer, "" when none comes within 10 s. */
gchar *rig_answer (Rig * rig);
/* The next answer has this text. */
void rig_expect (Rig * rig, const gchar * text);
/* No answer comes within ms. */
void rig_no_answer (Rig * rig, guint ms);

guint64 rig_stat (Rig * rig, const gchar * field);

/* Threads and descriptors of this process. */
guint count_entries (const gchar * directory);

#endif
