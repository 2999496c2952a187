/* SPDX-License-Identifier: Apache-2.0
 *
 * The times of windows: the wall clock of live streams, and streams without timestamps. */
#include "pipeline.h"

typedef struct
{
  guint64 running, utc, frame[2];
} Answer;

/* The next answers of a pipeline that runs; warnings are counted. */
static void
listen (GstElement * pipeline, Answer * found, guint n, guint * n_warnings)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  const GstStructure *structure;
  GstMessage *message;
  const GValue *times;
  guint i = 0, k;

  while (i < n) {
    message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
        GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
    fail_unless (message && GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR);
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING && n_warnings)
      (*n_warnings)++;
    if (gst_message_has_name (message, "llavaov-answer")) {
      structure = gst_message_get_structure (message);
      gst_structure_get_uint64 (structure, "running-time", &found[i].running);
      gst_structure_get_uint64 (structure, "utc-start", &found[i].utc);
      times = gst_structure_get_value (structure, "frame-times");
      for (k = 0; k < 2; k++)
        found[i].frame[k] = g_value_get_uint64 (gst_value_array_get_value
            (times, k));
      i++;
    }
    gst_message_unref (message);
  }
  gst_object_unref (bus);
}

/* Of an encoded live stream frames pass before PLAYING, when there is no base time. */
static const gchar *chains[] = {
  "", "jpegenc !", "videoconvert ! pngenc !", "x264enc tune=zerolatency !",
  "vp8enc deadline=1 !", "jpegenc ! rtpjpegpay !",
  "x264enc tune=zerolatency ! rtph264pay !",
  "x264enc tune=zerolatency ! mpegtsmux !",
};

GST_START_TEST (test_utc_start)
{
  gchar *line = g_strdup_printf ("videotestsrc is-live=true ! video/x-raw, "
      "format=I420, width=64, height=48, framerate=25/1 ! %s llavaov "
      "device=fake: window=200000000 frames=2 ! fakesink", chains[__i__]);
  GstElement *pipeline = gst_parse_launch (line, NULL);
  guint64 before = g_get_real_time () * 1000, after;
  Answer answers[3];
  guint i;

  fail_unless (pipeline != NULL, "%s", line);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  listen (pipeline, answers, 3, NULL);
  after = g_get_real_time () * 1000;
  for (i = 0; i < 3; i++)
    fail_unless (answers[i].utc + GST_SECOND > before
        && answers[i].utc < after, "%s: answer %u", line, i);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_free (line);
}

GST_END_TEST;

static GstPadProbeReturn
without_time (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstBuffer *buffer = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER
      (info));

  GST_BUFFER_PTS (buffer) = GST_BUFFER_DTS (buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION (buffer) = GST_CLOCK_TIME_NONE;
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  g_usleep (GPOINTER_TO_UINT (data));
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
as_network (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY (info);

  if (GST_QUERY_TYPE (query) != GST_QUERY_SCHEDULING)
    return GST_PAD_PROBE_OK;
  gst_query_set_scheduling (query, GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED, 1,
      -1, 0);
  gst_query_add_scheduling_mode (query, GST_PAD_MODE_PUSH);
  return GST_PAD_PROBE_HANDLED;
}

static guint
untimed (gboolean network, const gchar * rate, guint us, Answer * answers)
{
  gchar *line = g_strdup_printf ("videotestsrc name=s ! video/x-raw, "
      "format=I420, width=64, height=48, framerate=25/1 ! jpegenc name=e ! "
      "capssetter join=true caps=\"image/jpeg, framerate=(fraction)%s\" ! "
      "llavaov device=fake: window=500000000 frames=2 ! fakesink sync=false",
      rate);
  GstElement *pipeline = gst_parse_launch (line, NULL), *element;
  guint n_warnings = 0;
  GstPad *pad;

  fail_unless (pipeline != NULL, "%s", line);
  element = gst_bin_get_by_name (GST_BIN (pipeline), "e");
  pad = gst_element_get_static_pad (element, "src");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, without_time,
      GUINT_TO_POINTER (us), NULL);
  gst_object_unref (pad);
  gst_object_unref (element);
  if (network) {
    element = gst_bin_get_by_name (GST_BIN (pipeline), "s");
    pad = gst_element_get_static_pad (element, "src");
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_QUERY_BOTH |
        GST_PAD_PROBE_TYPE_PUSH, as_network, NULL, NULL);
    gst_object_unref (pad);
    gst_object_unref (element);
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  listen (pipeline, answers, 2, &n_warnings);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_free (line);
  return n_warnings;
}

GST_START_TEST (test_streams_without_time)
{
  Answer answers[2];
  guint64 before = g_get_real_time () * 1000;

  /* A file with a rate: it counts. */
  fail_unless_equals_int (untimed (FALSE, "10/1", 0, answers), 0);
  fail_unless_equals_uint64 (answers[1].frame[0], 600 * GST_MSECOND);
  fail_unless_equals_uint64 (answers[1].frame[1], 900 * GST_MSECOND);
  /* Without one it is a guess, and a warning. */
  fail_unless_equals_int (untimed (FALSE, "0/1", 0, answers), 1);
  fail_unless_equals_uint64 (answers[1].frame[0], 640 * GST_MSECOND);
  /* From a network, frames are timed by their arrival: 5 a window here, not 12. */
  fail_unless_equals_int (untimed (TRUE, "0/1", 100000, answers), 1);
  fail_unless (answers[1].frame[1] - answers[1].frame[0] >= 80 * GST_MSECOND);
  fail_unless (answers[1].utc > before);
}

GST_END_TEST;

static Suite *
time_suite (void)
{
  Suite *s = suite_create ("time");
  TCase *tc = tcase_create ("time");

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_utc_start, 0, G_N_ELEMENTS (chains));
  tcase_add_test (tc, test_streams_without_time);
  return s;
}

GST_CHECK_MAIN (time);
