/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the text of llavaov goes in whole pipelines: files, muxers, overlays. */
#define _GNU_SOURCE             /* memmem */
#include "pipeline.h"

GST_START_TEST (test_webvtt)
{
  Run run;
  gchar *text;

  make_file ("c.mp4", "x264enc bframes=0 ! h264parse ! mp4mux");
  run_line (&run, "filesrc location=%s/c.mp4 ! " ASK "name=l ! fakesink "
      "l.text ! webvttenc ! filesink location=%s/c.vtt", folder, folder);
  expect_answers (&run, 3);
  run_clear (&run);
  text = read_text ("c.vtt", NULL);
  fail_unless (g_str_has_prefix (text, "WEBVTT"));
  fail_unless (strstr (text, "00:00:00.000 --> 00:00:01.000\nq|"), "%s", text);
  fail_unless (strstr (text, "00:00:01.000 --> 00:00:02.000\nq|"), "%s", text);
  fail_unless (strstr (text, "00:00:02.000 --> 00:00:03.000\nq|"), "%s", text);
  g_free (text);
}

GST_END_TEST;

GST_START_TEST (test_json_lines)
{
  Run run;
  gchar *text, **lines;

  run_line (&run, RAW ASK "name=l ! fakesink "
      "l.text ! application/x-json ! filesink location=%s/d.json", folder);
  expect_answers (&run, 3);
  run_clear (&run);
  text = read_text ("d.json", NULL);
  lines = g_strsplit (text, "\n", -1);
  fail_unless_equals_int (g_strv_length (lines), 4);
  fail_unless (g_str_has_prefix (lines[1], "{\"stream\":\"l\",\"seq\":1,"));
  g_strfreev (lines);
  g_free (text);
}

GST_END_TEST;

#define LIVE "videotestsrc is-live=true num-buffers=50 ! " \
    "video/x-raw, width=64, height=48, framerate=25/1 ! " \
    "llavaov device=fake: prompt=q frames=2 window=500000000 name=l ! "

GST_START_TEST (test_subtitles_in_matroska)
{
  Run run;
  gchar *text;
  gsize size = 0;

  run_line (&run, LIVE "x264enc tune=zerolatency ! matroskamux name=m ! "
      "filesink location=%s/out.mkv  l.text ! m.", folder);
  fail_unless (run.error == NULL && run.eos);
  fail_unless (run.answers->len >= 1);
  text = read_text ("out.mkv", &size);
  fail_unless (memmem (text, size, "S_TEXT/UTF8", 11) != NULL);
  fail_unless (memmem (text, size, "V_MPEG4/ISO/AVC", 15) != NULL);
  fail_unless (memmem (text, size, g_ptr_array_index (run.answers, 0),
          strlen (g_ptr_array_index (run.answers, 0))) != NULL);
  g_free (text);
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_textoverlay)
{
  Run run;

  run_line (&run, LIVE "textoverlay name=o ! fakesink sync=true "
      "l.text ! o.text_sink");
  fail_unless (run.error == NULL && run.eos);
  fail_unless (run.answers->len >= 1);
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_file_text_meets_video)
{
  Run run;
  gchar *text;
  gsize size = 0;

  /* A muxer reads both side by side and would wait for ever for a text that starts with its window. */
  run_line (&run, RAW ASK "name=l ! x264enc tune=zerolatency ! "
      "matroskamux name=m ! filesink location=%s/f.mkv  l.text ! m.", folder);
  expect_answers (&run, 3);
  run_clear (&run);
  text = read_text ("f.mkv", &size);
  fail_unless (memmem (text, size, "q|235 235", 9) != NULL);
  g_free (text);
  run_line (&run, RAW ASK "name=l ! videoconvert ! textoverlay name=o ! "
      "fakesink  l.text ! o.text_sink");
  expect_answers (&run, 3);
  run_clear (&run);
  /* With a queue on the video branch that holds a window, the window's times can be kept. */
  run_line (&run, RAW ASK "name=l ! queue max-size-time=0 max-size-bytes=0 "
      "max-size-buffers=0 ! videoconvert ! textoverlay name=o ! fakesink  "
      "l.text ! o.text_sink");
  expect_answers (&run, 3);
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_two_sinks_without_queues)
{
  Run run;

  run_line (&run, LIVE "fakesink sync=true l.text ! fakesink sync=true");
  fail_unless (run.error == NULL && run.eos);
  fail_unless (run.answers->len >= 1);
  run_clear (&run);
  run_line (&run, RAW ASK "name=l ! fakesink sync=true "
      "l.text ! fakesink sync=true");
  expect_answers (&run, 3);
  run_clear (&run);
}

GST_END_TEST;

/* A flush starts the pad's task again; once each start leaked a reference of the pad. */
GST_START_TEST (test_flushes_leave_no_pad)
{
  GstElement *pipeline = gst_parse_launch (RAW ASK "name=l ! fakesink "
      "l.text ! fakesink", NULL);
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  GstElement *inner = gst_bin_get_by_name (GST_BIN (element), "element");
  GstPad *pad = gst_element_get_static_pad (inner, "text");
  guint i;

  g_object_add_weak_pointer (G_OBJECT (pad), (gpointer *) & pad);
  gst_object_unref (pad);
  gst_object_unref (inner);
  gst_object_unref (element);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
  for (i = 0; i < 3; i++) {
    fail_unless (gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
            GST_SEEK_FLAG_FLUSH, i * GST_SECOND));
    gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  for (i = 0; i < 200 && pad; i++)
    g_usleep (10000);           /* the task's thread ends soon */
  fail_unless (pad == NULL);
}

GST_END_TEST;

static Suite *
text_suite (void)
{
  Suite *s = suite_create ("text");
  TCase *tc = tcase_create ("text");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_test (tc, test_webvtt);
  tcase_add_test (tc, test_json_lines);
  tcase_add_test (tc, test_subtitles_in_matroska);
  tcase_add_test (tc, test_textoverlay);
  tcase_add_test (tc, test_file_text_meets_video);
  tcase_add_test (tc, test_two_sinks_without_queues);
  tcase_add_test (tc, test_flushes_leave_no_pad);
  return s;
}

GST_CHECK_MAIN (text);
