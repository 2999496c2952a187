/* SPDX-License-Identifier: Apache-2.0
 *
 * A file gives the same answers about the same frames in every run, whatever takes the video. Answers take longer than
 * their windows' video, so that a sink that keeps time is late: that must not make the decoder skip frames.
 * LLAVAOV_RUNS=5 is the long form: all files, so many runs. */
#include "pipeline.h"

typedef struct
{
  const gchar *name, *chain;
} File;

static const File files[] = {
  {"a.mkv", "jpegenc ! matroskamux"},
  {"b.mp4", "x264enc bframes=2 key-int-max=10 ! h264parse ! mp4mux"},
  {"c.webm", "vp8enc deadline=1 ! webmmux"},
  {"d.avi", "jpegenc ! avimux"},
  {"e.ts", "x264enc tune=zerolatency key-int-max=10 ! h264parse ! mpegtsmux"},
  {"f.ogg", "theoraenc ! oggmux"},
};

static const gchar *patterns[] =
    { "ball", "smpte", "snow", "pinwheel", "zone-plate" };

static const gchar *sinks[] = {
  "fakesink", "fakesink sync=true qos=true", "fakevideosink",
  "filesink location=/dev/null",
  "appsink drop=true max-buffers=1 wait-on-eos=false sync=true",
};

/* The fields that must not differ, of all answers in order. */
static gchar *
answers (const gchar * line)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  GString *all = g_string_new (NULL);
  GstMessage *message;
  GstStructure *answer;
  GstBus *bus;
  gboolean end = FALSE;
  gchar *text;

  fail_unless (pipeline != NULL, "%s", line);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!end) {
    message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
    fail_unless (message && GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR,
        "%s", line);
    end = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
    if (gst_message_has_name (message, "llavaov-answer")) {
      answer = gst_structure_copy (gst_message_get_structure (message));
      gst_structure_remove_fields (answer, "utc-start", "time-to-first-token",
          "answer-latency", "encode-time", "prefill-time", "decode-time", NULL);
      text = gst_structure_to_string (answer);
      g_string_append_printf (all, "%s\n", text);
      g_free (text);
      gst_structure_free (answer);
    }
    gst_message_unref (message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  return g_string_free (all, FALSE);
}

static void
compare (const gchar * name, guint runs)
{
  gchar *first = NULL;
  guint run, sink;

  for (run = 0; run < runs; run++)
    for (sink = 0; sink < G_N_ELEMENTS (sinks); sink++) {
      gchar *line = g_strdup_printf ("filesrc location=%s/%s ! llavaov "
          "device=fake:answer-ms=60 name=l prompt=q frames=5 window=200000000 ! "
          "%s", folder, name, sinks[sink]);
      gchar *found = answers (line);

      fail_unless (strstr (found, "llavaov-answer"), "%s", line);
      if (first == NULL)
        first = g_strdup (found);
      fail_unless (!strcmp (first, found), "%s differs from run 1:\n%s\n%s",
          line, first, found);
      g_free (found);
      g_free (line);
    }
  g_free (first);
}

GST_START_TEST (test_every_sink)
{
  const gchar *number = g_getenv ("LLAVAOV_RUNS");
  guint runs = number ? atoi (number) : 1, i;

  for (i = 0; i < G_N_ELEMENTS (patterns); i++) {
    Run run;

    run_line (&run, "videotestsrc num-buffers=40 pattern=%s ! video/x-raw, "
        "format=I420, width=160, height=120, framerate=50/1 ! %s ! "
        "filesink location=%s/%s", patterns[i], files[__i__].chain, folder,
        files[__i__].name);
    fail_unless (run.eos && !run.error, "%s", files[__i__].chain);
    run_clear (&run);
    compare (files[__i__].name, runs);
    if (number == NULL)
      break;
  }
}

GST_END_TEST;

static Suite *
determinism_suite (void)
{
  Suite *s = suite_create ("determinism");
  TCase *tc = tcase_create ("determinism");
  gboolean all = g_getenv ("LLAVAOV_RUNS") != NULL;

  suite_add_tcase (s, tc);
  if (all)
    tcase_set_timeout (tc, 3600);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_loop_test (tc, test_every_sink, 0, all ? G_N_ELEMENTS (files) : 2);
  return s;
}

GST_CHECK_MAIN (determinism);
