/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <gst/video/video.h>

static GstPadQueryFunction harness_query;

/* GstHarness answers latency queries as a live source; a file is not live. */
static gboolean
file_query (GstPad * pad, GstObject * parent, GstQuery * query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_LATENCY) {
    gst_query_set_latency (query, FALSE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
  }
  return harness_query (pad, parent, query);
}

Rig *
rig_new_null (const gchar * properties, gboolean live)
{
  Rig *rig = g_new0 (Rig, 1);
  gchar *line = g_strconcat ("llavaovelement ", properties, NULL);

  rig->live = live;
  rig->element = gst_parse_launch_full (line, NULL, 0, NULL);
  fail_unless (rig->element != NULL, "%s", line);
  g_free (line);
  gst_object_ref_sink (rig->element);
  rig->bus = gst_bus_new ();
  gst_element_set_bus (rig->element, rig->bus);
  return rig;
}

void
rig_set_file (Rig * rig)
{
  harness_query = GST_PAD_QUERYFUNC (rig->h->srcpad);
  gst_pad_set_query_function (rig->h->srcpad, file_query);
}

void
rig_prepare (Rig * rig)
{
  rig->h = gst_harness_new_with_element (rig->element, "sink", "src");
  if (!rig->live)
    rig_set_file (rig);
}

void
rig_play (Rig * rig)
{
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, "
      "width=16, height=16, framerate=10/1");
}

void
rig_start (Rig * rig)
{
  rig_prepare (rig);
  rig_play (rig);
}

Rig *
rig_new (const gchar * properties, gboolean live)
{
  Rig *rig = rig_new_null (properties, live);

  rig_start (rig);
  return rig;
}

void
rig_free (Rig * rig)
{
  if (rig->h)
    gst_harness_teardown (rig->h);
  gst_element_set_state (rig->element, GST_STATE_NULL);
  gst_element_set_bus (rig->element, NULL);
  gst_object_unref (rig->element);
  gst_object_unref (rig->bus);
  g_free (rig);
}

GstBuffer *
rig_buffer (guint8 value, GstClockTime pts, GstClockTime duration)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, 16 * 16, NULL);

  gst_buffer_memset (buffer, 0, value, 16 * 16);
  GST_BUFFER_PTS (buffer) = pts;
  GST_BUFFER_DURATION (buffer) = duration;
  return buffer;
}

GstFlowReturn
rig_push (Rig * rig, guint8 value, GstClockTime pts, GstClockTime duration)
{
  return gst_harness_push (rig->h, rig_buffer (value, pts, duration));
}

void
rig_push_many (Rig * rig, guint8 value, guint n, GstClockTime start,
    GstClockTime step)
{
  guint i;

  for (i = 0; i < n; i++)
    fail_unless_equals_int (rig_push (rig, value + i, start + i * step, step),
        GST_FLOW_OK);
}

void
rig_push_window (Rig * rig, guint i)
{
  rig_push_many (rig, 0, 10, i * GST_SECOND, 100 * MS);
}

GstMessage *
rig_wait (Rig * rig, GstMessageType type, const gchar * name, guint ms)
{
  gint64 until = g_get_monotonic_time () + ms * G_TIME_SPAN_MILLISECOND;

  for (;;) {
    gint64 left = until - g_get_monotonic_time ();
    GstMessage *message = gst_bus_timed_pop_filtered (rig->bus,
        MAX (left, 0) * GST_USECOND, type);

    if (message == NULL)
      return NULL;
    if (name == NULL || gst_message_has_name (message, name))
      return message;
    gst_message_unref (message);
  }
}

GstMessage *
rig_wait_answer (Rig * rig)
{
  GstMessage *message =
      rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 5000);

  fail_unless (message != NULL);
  return message;
}

gchar *
rig_answer (Rig * rig)
{
  GstMessage *message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer",
      10000);
  gchar *text;

  if (message == NULL)
    return g_strdup ("");
  text = g_strdup (gst_structure_get_string (gst_message_get_structure
          (message), "text"));
  gst_message_unref (message);
  return text;
}

void
rig_expect (Rig * rig, const gchar * text)
{
  gchar *answer = rig_answer (rig);

  fail_unless_equals_string (answer, text);
  g_free (answer);
}

void
rig_no_answer (Rig * rig, guint ms)
{
  GstMessage *message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer",
      ms);

  fail_unless (message == NULL);
}

guint64
rig_stat (Rig * rig, const gchar * field)
{
  GstStructure *stats;
  guint64 value = G_MAXUINT64;

  g_object_get (rig->element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, field, &value), "%s", field);
  gst_structure_free (stats);
  return value;
}

guint
count_entries (const gchar * directory)
{
  GDir *dir = g_dir_open (directory, 0, NULL);
  guint n = 0;

  while (dir && g_dir_read_name (dir))
    n++;
  if (dir)
    g_dir_close (dir);
  return n;
}
