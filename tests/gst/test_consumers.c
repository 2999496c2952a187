/* SPDX-License-Identifier: Apache-2.0
 *
 * Text beside video: everything that takes text, in every way of playing. docs/text.md says what does not work, and why. */
#include "pipeline.h"

typedef enum
{ FORWARD, REVERSE, FLUSH, SEGMENT, DOUBLE, HALF, LIVE, PAUSE, N_WAYS } Way;

/* Muxers do not seek. */
#define FILES (1 << FORWARD | 1 << LIVE | 1 << PAUSE)
#define ALL ((1 << N_WAYS) - 1)

static const struct
{
  const gchar *name, *rest;     /* FOLDER and SYNC are replaced */
  guint ways;
} consumers[] = {
  {"textoverlay", "videoconvert ! textoverlay name=o ! fakesink SYNC "
        "l.text ! o.text_sink", ALL},
  {"subtitleoverlay", "videoconvert ! subtitleoverlay name=o ! fakesink SYNC "
        "l.text ! o.subtitle_sink", ALL},
  {"textrender", "fakesink SYNC  l.text ! textrender ! fakesink SYNC", ALL},
  {"two sinks", "fakesink SYNC  l.text ! fakesink SYNC", ALL},
  {"appsink", "fakesink  l.text ! appsink wait-on-eos=false SYNC", ALL},
  {"tcpserversink", "fakesink  l.text ! application/x-json ! "
        "tcpserversink port=0", ALL & ~(1 << LIVE)},
  {"webvttenc", "fakesink  l.text ! webvttenc ! filesink location=FOLDER/o",
      ALL & ~(1 << LIVE)},
  {"srtenc", "fakesink  l.text ! srtenc ! filesink location=FOLDER/o",
      ALL & ~(1 << LIVE)},
  {"matroskamux", "x264enc tune=zerolatency ! matroskamux name=m ! "
        "filesink location=FOLDER/o  l.text ! m.", FILES},
  {"matroskamux of VP8", "vp8enc deadline=1 ! matroskamux name=m ! "
        "filesink location=FOLDER/o  l.text ! m.", FILES},
  {"mp4mux", "queue ! x264enc tune=zerolatency ! h264parse ! queue ! "
        "mp4mux name=m ! filesink location=FOLDER/o  "
        "l.text ! queue ! m.subtitle_0", FILES},
  {"oggmux", "theoraenc ! oggmux name=m ! filesink location=FOLDER/o  "
        "l.text ! kateenc category=SUB ! m.", FILES},
};

static void
wait_for (GstElement * pipeline, GstMessageType type, const gchar * what)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
      type | GST_MESSAGE_ERROR);

  fail_unless (message != NULL, "%s hangs", what);
  fail_unless (GST_MESSAGE_TYPE (message) == type, "%s fails", what);
  gst_message_unref (message);
  gst_object_unref (bus);
}

static void
seek (GstElement * pipeline, Way way, const gchar * what)
{
  static const gdouble rates[N_WAYS] = { 1, -1, 1, 1, 2, 0.5, 1, 1 };
  GstSeekFlags flags = GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE;

  if (way == SEGMENT)
    flags |= GST_SEEK_FLAG_SEGMENT;
  fail_unless (gst_element_seek (pipeline, rates[way], GST_FORMAT_TIME, flags,
          GST_SEEK_TYPE_SET, way == FLUSH ? 700 * GST_MSECOND : 0,
          GST_SEEK_TYPE_SET, 2300 * GST_MSECOND), "%s", what);
}

static void
play (GstElement * pipeline, Way way, const gchar * what)
{
  if (way == FORWARD || way == LIVE) {
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
  } else if (way == PAUSE) {
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    /* A state change between the sinks' preroll and the pipeline's next step leaves any pipeline in PAUSED. */
    fail_unless (gst_element_get_state (pipeline, NULL, NULL,
            20 * GST_SECOND) == GST_STATE_CHANGE_SUCCESS, "%s: no playing",
        what);
    g_usleep (30000);
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
    g_usleep (30000);
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
  } else {
    gst_element_set_state (pipeline, GST_STATE_PAUSED);
    fail_unless (gst_element_get_state (pipeline, NULL, NULL,
            20 * GST_SECOND) == GST_STATE_CHANGE_SUCCESS, "%s: no preroll",
        what);
    seek (pipeline, way, what);
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
  }
  if (way == SEGMENT) {
    wait_for (pipeline, GST_MESSAGE_SEGMENT_DONE, what);
    fail_unless (gst_element_seek (pipeline, 1, GST_FORMAT_TIME,
            GST_SEEK_FLAG_NONE, GST_SEEK_TYPE_SET, 0, GST_SEEK_TYPE_SET,
            GST_SECOND));
  }
  wait_for (pipeline, GST_MESSAGE_EOS, what);
}

/* Answers about 500 ms of running time each. */
static const guint n_answers[N_WAYS] = { 6, 5, 4, 5 + 2, 3, 10, 2, 6 };

static gchar *
put_in (gchar * text, const gchar * word, const gchar * what)
{
  gchar **parts = g_strsplit (text, word, -1);
  gchar *result = g_strjoinv (what, parts);

  g_strfreev (parts);
  g_free (text);
  return result;
}

static void
run_way (guint consumer, Way way)
{
  gchar *rest = put_in (put_in (g_strdup (consumers[consumer].rest), "FOLDER",
          folder), "SYNC", way == LIVE ? "sync=true" : "sync=false");
  gchar *line = g_strdup_printf ("videotestsrc %s ! video/x-raw, format=I420, "
      "width=64, height=48, framerate=25/1 ! llavaov device=fake:answer-ms=2 "
      "frames=2 window=500000000 name=l ! %s", way == LIVE ?
      "is-live=true num-buffers=30" : way == FORWARD || way == PAUSE ?
      "num-buffers=75" : "", rest);
  gchar *what = g_strdup_printf ("%s, way %d", consumers[consumer].name, way);
  GstElement *pipeline = gst_parse_launch (line, NULL), *llavaov;
  GstStructure *stats;
  guint64 answers;

  fail_unless (pipeline != NULL, "%s", line);
  llavaov = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  play (pipeline, way, what);
  g_object_get (llavaov, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "answers", &answers);
  /* Before a seek there are frames for preroll, and live streams have the times that they have. */
  fail_unless (answers >= n_answers[way] - (way == LIVE), "%s: %u answers",
      what, (guint) answers);
  gst_structure_free (stats);
  gst_object_unref (llavaov);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  g_free (what);
  g_free (line);
  g_free (rest);
}

GST_START_TEST (test_consumer)
{
  Way way;

  for (way = FORWARD; way < N_WAYS; way++)
    if (consumers[__i__].ways & 1 << way)
      run_way (__i__, way);
}

GST_END_TEST;

/* A muxer must know of the text when it writes its header. */
static gint n_caps, text_caps, video_caps;

static GstPadProbeReturn
count_caps (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_CAPS)
    g_atomic_int_set ((gint *) data, g_atomic_int_add (&n_caps, 1) + 1);
  return GST_PAD_PROBE_OK;
}

GST_START_TEST (test_text_caps_come_first)
{
  GstElement *pipeline = gst_parse_launch ("videotestsrc num-buffers=9 ! "
      "llavaov device=fake: name=l ! fakesink  l.text ! fakesink", NULL);
  GstElement *llavaov = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  GstPad *video = gst_element_get_static_pad (llavaov, "src");
  GstPad *text = gst_element_get_static_pad (llavaov, "text");

  gst_pad_add_probe (video, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, count_caps,
      &video_caps, NULL);
  gst_pad_add_probe (text, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, count_caps,
      &text_caps, NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for (pipeline, GST_MESSAGE_EOS, "two sinks");
  fail_unless_equals_int (text_caps, 1);
  fail_unless_equals_int (video_caps, 2);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (video);
  gst_object_unref (text);
  gst_object_unref (llavaov);
  gst_object_unref (pipeline);
}

GST_END_TEST;

GST_START_TEST (test_cue_of_a_still_picture)
{
  Run run;
  gchar *text;

  run_line (&run, "videotestsrc num-buffers=1 ! video/x-raw, width=64, "
      "height=48, framerate=0/1 ! videoconvert ! pngenc ! "
      "filesink location=%s/a.png", folder);
  run_clear (&run);
  run_line (&run, "filesrc location=%s/a.png ! llavaov device=fake: prompt=q "
      "name=l ! fakesink  l.text ! webvttenc ! filesink location=%s/a.vtt",
      folder, folder);
  expect_answers (&run, 1);
  run_clear (&run);
  text = read_text ("a.vtt", NULL);
  fail_unless (strstr (text, "00:00:00.000 --> 00:00:08.000\nq|"), "%s", text);
  g_free (text);
}

GST_END_TEST;

static Suite *
consumers_suite (void)
{
  Suite *s = suite_create ("consumers");
  TCase *tc = tcase_create ("consumers");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_loop_test (tc, test_consumer, 0, G_N_ELEMENTS (consumers));
  tcase_add_test (tc, test_text_caps_come_first);
  tcase_add_test (tc, test_cue_of_a_still_picture);
  return s;
}

GST_CHECK_MAIN (consumers);
