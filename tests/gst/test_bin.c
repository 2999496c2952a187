/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaov in whole pipelines, over the fake engine: what goes in, one engine for all, errors. */
#include "pipeline.h"

GST_START_TEST (test_raw)
{
  Run run;

  run_line (&run, RAW ASK "! fakesink");
  expect_answers (&run, 3);
  expect_answer (&run, 0, "q|235 235");
  expect_answer (&run, 2, "q|235 235");
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_other_formats_stay_as_they_are)
{
  static const gchar *formats[] = { "Y444", "YUY2", "ARGB64",
    "P010_10LE", "xRGB", "NV21", "RGB16"
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (formats); i++) {
    run_line (&run, "videotestsrc pattern=white num-buffers=11 ! "
        "video/x-raw, format=%s, width=63, height=47, framerate=10/1 ! " ASK
        "! video/x-raw, format=%s ! fakesink", formats[i], formats[i]);
    expect_answers (&run, 2);
    /* White in RGB, within the conversion's rounding. */
    fail_unless (g_str_has_prefix (g_ptr_array_index (run.answers, 0), "q|25"),
        "%s", formats[i]);
    run_clear (&run);
  }
}

GST_END_TEST;

GST_START_TEST (test_files)
{
  static const gchar *files[][2] = {
    {"a.mp4", "x264enc ! video/x-h264, profile=high ! h264parse ! mp4mux"},
    {"a.mkv", "x264enc ! h264parse ! matroskamux"},
    {"a.webm", "vp8enc deadline=1 ! webmmux"},
    {"a.avi", "jpegenc ! avimux"},
    {"a.ts", "x264enc ! h264parse ! mpegtsmux"},
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    make_file (files[i][0], files[i][1]);
    run_line (&run, "filesrc location=%s/%s ! " ASK "! fakesink", folder,
        files[i][0]);
    expect_answers (&run, 3);
    run_clear (&run);
    run_line (&run, "uridecodebin uri=file://%s/%s ! " ASK "! fakesink",
        folder, files[i][0]);
    expect_answers (&run, 3);
    run_clear (&run);
  }
}

GST_END_TEST;

GST_START_TEST (test_still_pictures)
{
  static const gchar *files[][2] = { {"a.jpg", "jpegenc snapshot=true"},
  {"a.png", "videoconvert ! pngenc snapshot=true"}
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (files); i++) {
    make_file (files[i][0], files[i][1]);
    run_line (&run, "filesrc location=%s/%s ! " ASK "! fakesink", folder,
        files[i][0]);
    expect_answers (&run, 1);
    run_clear (&run);
  }
}

GST_END_TEST;

GST_START_TEST (test_audio_beside_the_video)
{
  Run run;

  run_line (&run, RAW "x264enc ! h264parse ! mp4mux name=m ! filesink "
      "location=%s/av.mp4 audiotestsrc num-buffers=130 ! avenc_aac ! m.",
      folder);
  fail_unless (run.error == NULL);
  run_clear (&run);
  run_line (&run, "filesrc location=%s/av.mp4 ! " ASK "! fakesink", folder);
  expect_answers (&run, 3);
  run_clear (&run);

  run_line (&run, "audiotestsrc num-buffers=50 ! wavenc ! filesink "
      "location=%s/a.wav", folder);
  run_clear (&run);
  run_line (&run, "filesrc location=%s/a.wav ! " ASK "! fakesink", folder);
  fail_unless (run.error != NULL);
  run_clear (&run);
}

GST_END_TEST;

static gint64
position_of (GstElement * element)
{
  gint64 position = -1;

  fail_unless (gst_element_query_position (element, GST_FORMAT_TIME,
          &position));
  return position;
}

/* Sound that is thrown away runs ahead of the video, and a pipeline's position is the furthest of its sinks. */
GST_START_TEST (test_position_is_of_the_video)
{
  static const gchar *muxers[] = { "mp4mux", "matroskamux", "mpegtsmux",
    "flvmux"
  };
  GstElement *pipeline, *sink, *bin;
  GstMessage *message;
  gchar *path = g_strconcat (folder, "/av", NULL);
  gint64 before, position, after;
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (muxers); i++) {
    run_line (&run, RAW "x264enc ! video/x-h264, profile=high ! h264parse ! "
        "%s name=m ! filesink location=%s audiotestsrc num-buffers=130 ! "
        "avenc_aac ! m.", muxers[i], path);
    expect_answers (&run, 0);
    run_clear (&run);

    pipeline = gst_parse_launch ("filesrc name=f ! llavaov name=l "
        "device=fake: prompt=q frames=2 window=500000000 ! "
        "fakesink name=s sync=true", NULL);
    sink = gst_bin_get_by_name (GST_BIN (pipeline), "f");
    g_object_set (sink, "location", path, NULL);
    gst_object_unref (sink);
    sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
    bin = gst_bin_get_by_name (GST_BIN (pipeline), "l");
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    message = gst_bus_timed_pop_filtered (GST_ELEMENT_BUS (pipeline),
        30 * GST_SECOND, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_ELEMENT);
    gst_message_unref (message);
    g_usleep (200000);          /* the sound has ended */
    before = position_of (sink);
    position = position_of (pipeline);
    after = position_of (sink);
    fail_unless (before <= position && position <= after,
        "%s: %" GST_TIME_FORMAT, muxers[i], GST_TIME_ARGS (position));
    fail_if (GST_OBJECT_FLAG_IS_SET (bin, GST_ELEMENT_FLAG_SINK));
    message = gst_bus_timed_pop_filtered (GST_ELEMENT_BUS (pipeline),
        30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_EOS);
    gst_message_unref (message);
    gst_element_set_state (pipeline, GST_STATE_NULL);
    gst_object_unref (bin);
    gst_object_unref (sink);
    gst_object_unref (pipeline);
  }
  g_free (path);
}

GST_END_TEST;

GST_START_TEST (test_not_a_video)
{
  gchar *path = g_build_filename (folder, "a.txt", NULL);
  Run run;

  fail_unless (g_file_set_contents (path, "not a video\n", -1, NULL));
  run_line (&run, "filesrc location=%s ! " ASK "! fakesink", path);
  fail_unless (run.error != NULL);
  run_clear (&run);
  g_free (path);
}

GST_END_TEST;

GST_START_TEST (test_encoded_and_mixed_upstream)
{
  Run run;

  run_line (&run, RAW "jpegenc ! " ASK "! fakesink");
  expect_answers (&run, 3);
  run_clear (&run);
  run_line (&run, RAW "x264enc ! " ASK "! fakesink");
  expect_answers (&run, 3);
  run_clear (&run);
  /* raw or bayer: only the CAPS event says which */
  run_line (&run, "videotestsrc num-buffers=30 ! " ASK "! fakesink");
  fail_unless (run.error == NULL && run.eos);
  fail_unless (run.answers->len >= 1);
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_again_and_again)
{
  GstElement *pipeline;
  gchar *line;
  guint i;
  Run run;

  make_file ("b.mkv", "x264enc ! h264parse ! matroskamux");
  line = g_strdup_printf ("filesrc location=%s/b.mkv ! " ASK "! fakesink",
      folder);
  pipeline = gst_parse_launch (line, NULL);
  for (i = 0; i < 4; i++) {
    run_pipeline (pipeline, &run);
    expect_answers (&run, 3);
    run_clear (&run);
  }
  gst_object_unref (pipeline);
  g_free (line);
}

GST_END_TEST;

GST_START_TEST (test_seek)
{
  GstElement *pipeline;
  GstBus *bus;
  GstMessage *message;
  gchar *line;
  guint64 begin = G_MAXUINT64;
  guint answers = 0;

  make_file ("s.mkv", "x264enc bframes=0 key-int-max=5 ! h264parse ! "
      "matroskamux");
  line = g_strdup_printf ("filesrc location=%s/s.mkv ! " ASK "name=l ! "
      "fakesink  l.text ! fakesink", folder);
  pipeline = gst_parse_launch (line, NULL);
  bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  fail_unless_equals_int (gst_element_get_state (pipeline, NULL, NULL,
          20 * GST_SECOND), GST_STATE_CHANGE_SUCCESS);
  fail_unless (gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE, GST_SECOND));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (;;) {
    message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
    fail_unless (message != NULL);
    fail_unless (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR);
    if (gst_message_has_name (message, "llavaov-answer")) {
      if (begin == G_MAXUINT64)
        gst_structure_get_uint64 (gst_message_get_structure (message),
            "stream-time", &begin);
      answers++;
    }
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
      break;
    gst_message_unref (message);
  }
  gst_message_unref (message);
  fail_unless_equals_uint64 (begin, GST_SECOND);
  fail_unless_equals_int (answers, 2);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  g_free (line);
}

GST_END_TEST;

GST_START_TEST (test_tee)
{
  Run run;

  run_line (&run, RAW "tee name=t  t. ! queue ! " ASK "! fakesink "
      "t. ! queue ! " ASK "meta-mode=sticky ! fakesink  t. ! queue ! fakesink");
  fail_unless (run.error == NULL && run.eos);
  fail_unless_equals_int (run.answers->len, 6);
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_one_engine_for_all)
{
  Run run;
  guint i, ready = 0;

  run_line (&run, RAW "tee name=t "
      "t. ! queue ! llavaov device=fake:load-ms=100 ! fakesink "
      "t. ! queue ! llavaov device=fake:load-ms=100 ! fakesink "
      "t. ! queue ! llavaov device=fake:load-ms=100 ! fakesink "
      "t. ! queue ! llavaovelement device=fake:load-ms=100 ! fakesink");
  fail_unless (run.error == NULL && run.eos);
  for (i = 0; i < run.progress->len; i++) {
    const gchar *text = g_ptr_array_index (run.progress, i);

    if (strstr (text, "is ready")) {
      ready++;
      fail_unless (strstr (text, "(engine 1)"), "%s", text);
    }
  }
  fail_unless_equals_int (ready, 4);
  run_clear (&run);

  /* An engine-id of its own makes an engine of its own, */
  run_line (&run, RAW "tee name=t "
      "t. ! queue ! llavaov device=fake: engine-id=a ! fakesink "
      "t. ! queue ! llavaov device=fake: engine-id=b ! fakesink");
  fail_unless (run.error == NULL && run.eos);
  fail_unless (strstr (g_ptr_array_index (run.progress,
              run.progress->len - 1), "(engine "));
  run_clear (&run);

  /* and cannot name two. */
  run_line (&run, RAW "tee name=t "
      "t. ! queue ! llavaov device=fake: engine-id=a ! fakesink "
      "t. ! queue ! llavaov device=fake:load-ms=1 engine-id=a ! fakesink");
  fail_unless (g_error_matches (run.error, GST_RESOURCE_ERROR,
          GST_RESOURCE_ERROR_SETTINGS));
  fail_unless (strstr (run.error->message, "engine-id=\"a\""));
  run_clear (&run);
}

GST_END_TEST;

GST_START_TEST (test_errors)
{
  static const struct
  {
    const gchar *properties;
    gboolean library;
    gint code;
    const gchar *words;
  } cases[] = {
    {"precision=int7", FALSE, GST_RESOURCE_ERROR_SETTINGS,
        "precision=\"int7\""},
    {"device=fake: chat-template=missing", FALSE, GST_RESOURCE_ERROR_SETTINGS,
        "chat-template=\"missing\": no such file"},
    {"device=tpu", FALSE, GST_RESOURCE_ERROR_SETTINGS, "device=\"tpu\""},
    {"device=cuda:x", FALSE, GST_RESOURCE_ERROR_SETTINGS,
        "device=\"cuda:x\""},
    {"prompt-file=/nonexistent/p", FALSE, GST_RESOURCE_ERROR_NOT_FOUND,
        "prompt-file=\"/nonexistent/p\""},
    {"prompt-file=/dev/zero", FALSE, GST_RESOURCE_ERROR_SETTINGS,
        "prompt-file=\"/dev/zero\""},
    {"device=fake:load-error=not-found model-path=/m", FALSE,
        GST_RESOURCE_ERROR_NOT_FOUND, "model-path=\"/m\""},
    {"device=fake:load-error=format", FALSE, GST_RESOURCE_ERROR_READ,
        "broken.weight"},
    {"device=fake:load-error=io", FALSE, GST_RESOURCE_ERROR_READ,
        "model.safetensors"},
    {"device=fake:load-error=memory", FALSE,
        GST_RESOURCE_ERROR_NO_SPACE_LEFT, "model.safetensors"},
    {"device=fake:load-error=device", FALSE, GST_RESOURCE_ERROR_SETTINGS,
        "device=\"fake:load-error=device\""},
    {"device=fake:load-error=numeric", FALSE, GST_RESOURCE_ERROR_FAILED,
        "model-path="},
    {"device=fake:load-error=internal", TRUE, GST_LIBRARY_ERROR_FAILED, ""},
    {"device=fake:context=10 prompt=\"longer than ten\"", FALSE,
        GST_RESOURCE_ERROR_SETTINGS, "prompt"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    Run run;

    run_line (&run, RAW "llavaov name=cam device=fake: %s ! fakesink",
        cases[i].properties);
    fail_unless (run.error != NULL, "%s", cases[i].properties);
    fail_unless (g_error_matches (run.error, cases[i].library ?
            GST_LIBRARY_ERROR : GST_RESOURCE_ERROR, cases[i].code), "%s: %s",
        cases[i].properties, run.error->message);
    fail_unless (strstr (run.error->message, cases[i].words), "%s: %s",
        cases[i].properties, run.error->message);
    fail_unless_equals_string (run.error_source, "cam");
    run_clear (&run);
  }
}

GST_END_TEST;

GST_START_TEST (test_prompt_file)
{
  gchar *path = g_build_filename (folder, "prompt", NULL);
  Run run;

  fail_unless (g_file_set_contents (path, "two\nlines\n", -1, NULL));
  run_line (&run, RAW ASK "prompt-file=%s ! fakesink", path);
  expect_answers (&run, 3);
  expect_answer (&run, 0, "two\nlines|235 235");
  run_clear (&run);
  g_free (path);
}

GST_END_TEST;

GST_START_TEST (test_same_properties)
{
  GstElement *bin = gst_element_factory_make ("llavaov", NULL);
  GstElement *element = gst_element_factory_make ("llavaovelement", NULL);
  GParamSpec **specs;
  guint i, n;

  fail_unless (bin && element);
  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
  for (i = 0; i < n; i++) {
    GParamSpec *twin = g_object_class_find_property (G_OBJECT_GET_CLASS (bin),
        specs[i]->name);

    fail_unless (twin != NULL, "%s", specs[i]->name);
    fail_unless_equals_int (twin->flags, specs[i]->flags);
    if (specs[i]->owner_type == G_OBJECT_TYPE (element) &&
        !(specs[i]->flags & G_PARAM_WRITABLE))
      fail_unless (specs[i]->flags & G_PARAM_READABLE);
  }
  g_free (specs);

  g_object_set (bin, "prompt", "to the inner one", "window",
      5 * GST_SECOND, NULL);
  {
    GstElement *inner = gst_bin_get_by_name (GST_BIN (bin), "element");
    gchar *prompt;

    g_object_get (inner, "prompt", &prompt, NULL);
    fail_unless_equals_string (prompt, "to the inner one");
    g_free (prompt);
    gst_object_unref (inner);
  }
  gst_object_unref (bin);
  gst_object_unref (element);
}

GST_END_TEST;

static Suite *
bin_suite (void)
{
  Suite *s = suite_create ("llavaov");
  TCase *tc = tcase_create ("llavaov");

  suite_add_tcase (s, tc);
  tcase_add_checked_fixture (tc, make_folder, remove_folder);
  tcase_add_test (tc, test_raw);
  tcase_add_test (tc, test_other_formats_stay_as_they_are);
  tcase_add_test (tc, test_files);
  tcase_add_test (tc, test_still_pictures);
  tcase_add_test (tc, test_position_is_of_the_video);
  tcase_add_test (tc, test_audio_beside_the_video);
  tcase_add_test (tc, test_not_a_video);
  tcase_add_test (tc, test_encoded_and_mixed_upstream);
  tcase_add_test (tc, test_again_and_again);
  tcase_add_test (tc, test_seek);
  tcase_add_test (tc, test_tee);
  tcase_add_test (tc, test_one_engine_for_all);
  tcase_add_test (tc, test_errors);
  tcase_add_test (tc, test_prompt_file);
  tcase_add_test (tc, test_same_properties);
  return s;
}

GST_CHECK_MAIN (bin);
