/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovelement in a harness: the video path, live streams, failures, queries. */
#include "support.h"

#include <gst/video/video.h>

GST_START_TEST (test_video_goes_through_untouched)
{
  Rig *rig = rig_new ("device=fake:", FALSE);
  GstBuffer *in = rig_buffer (7, 0, 100 * MS), *out;

  gst_buffer_ref (in);
  fail_unless_equals_int (gst_harness_push (rig->h, in), GST_FLOW_OK);
  out = gst_harness_pull (rig->h);
  fail_unless (out == in);
  gst_buffer_unref (out);
  gst_buffer_unref (in);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_live_newest_drops_whole_windows)
{
  Rig *rig = rig_new ("device=fake:answer-ms=2000 prompt=q frames=2 "
      "window=100000000", TRUE);
  GstMessage *message;
  gint64 begin;
  guint64 processed, dropped;
  GstFormat format;
  guint i;

  message = rig_wait (rig, GST_MESSAGE_PROGRESS, NULL, 5000);
  while (!gst_structure_has_field_typed (gst_message_get_structure (message),
          "percent-done", G_TYPE_UINT))
    gst_message_unref (message);
  gst_message_unref (message);
  g_usleep (100000);
  begin = g_get_monotonic_time ();
  for (i = 0; i < 50; i++) {
    fail_unless_equals_int (rig_push (rig, i, i * 10 * MS, 10 * MS),
        GST_FLOW_OK);
    g_usleep (2000);
  }
  /* Five windows closed during the first answer: the streaming thread was not held up. */
  fail_unless (g_get_monotonic_time () - begin < 1800000);
  message = rig_wait (rig, GST_MESSAGE_QOS, NULL, 5000);
  fail_unless (message != NULL);
  gst_message_parse_qos_stats (message, &format, &processed, &dropped);
  fail_unless_equals_int (format, GST_FORMAT_DEFAULT);
  fail_unless (dropped >= 1);
  gst_message_unref (message);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  fail_unless_equals_uint64 (rig_stat (rig, "windows"), 5);
  fail_unless_equals_uint64 (rig_stat (rig, "answers"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "dropped-windows"), 3);
  rig_expect (rig, "q|2 7");
  rig_expect (rig, "q|42 47");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_live_block_answers_every_window)
{
  Rig *rig = rig_new ("device=fake:answer-ms=50 prompt=q frames=1 "
      "window=100000000 overload=block", TRUE);

  rig_push_many (rig, 0, 51, 0, 10 * MS);
  fail_unless_equals_uint64 (rig_stat (rig, "answers"), 5);
  fail_unless_equals_uint64 (rig_stat (rig, "dropped-windows"), 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_live_without_frames)
{
  Rig *rig = rig_new_null ("device=fake: prompt=q frames=2 window=1000000000",
      TRUE);
  GstMessage *message;
  guint64 value;

  rig->h = gst_harness_new_with_element (rig->element, "sink", "src");
  gst_harness_use_testclock (rig->h);
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, "
      "width=16, height=16, framerate=10/1");
  fail_unless (gst_harness_wait_for_clock_id_waits (rig->h, 1, 10));
  fail_unless (gst_harness_crank_single_clock_wait (rig->h));
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-no-frames", 5000);
  fail_unless (message != NULL);
  gst_structure_get_uint64 (gst_message_get_structure (message), "duration",
      &value);
  fail_unless_equals_uint64 (value, GST_SECOND);
  gst_message_unref (message);

  /* A window with a frame closes on the clock when the camera falls silent. */
  fail_unless (gst_harness_wait_for_clock_id_waits (rig->h, 1, 10));
  rig_push (rig, 40, 1500 * MS, 40 * MS);
  fail_unless (gst_harness_crank_single_clock_wait (rig->h));
  fail_unless (gst_harness_crank_single_clock_wait (rig->h));
  rig_expect (rig, "q|40 40");
  rig_free (rig);
}

GST_END_TEST;

static gboolean
qos_arrives (const gchar * properties, gboolean live)
{
  Rig *rig = rig_new (properties, live);
  gboolean found = FALSE;
  GstEvent *event;

  rig_push (rig, 1, 0, 100 * MS);
  gst_harness_push_upstream_event (rig->h, gst_event_new_qos
      (GST_QOS_TYPE_UNDERFLOW, 2.0, 300 * MS, 0));
  while ((event = gst_harness_try_pull_upstream_event (rig->h))) {
    found |= GST_EVENT_TYPE (event) == GST_EVENT_QOS;
    gst_event_unref (event);
  }
  rig_free (rig);
  return found;
}

GST_START_TEST (test_lateness_of_our_own_stays_here)
{
  fail_if (qos_arrives ("device=fake:", FALSE));
  fail_if (qos_arrives ("device=fake: overload=block", TRUE));
  fail_unless (qos_arrives ("device=fake:", TRUE));
  fail_unless (qos_arrives ("device=fake: overload=newest", FALSE));
}

GST_END_TEST;

GST_START_TEST (test_failed_window_is_a_warning)
{
  Rig *rig = rig_new ("device=fake:ask-error=numeric;every=2 prompt=q "
      "frames=1 window=1000000000", FALSE);
  GstMessage *message;

  rig_push_many (rig, 0, 31, 0, 100 * MS);
  rig_expect (rig, "q|5");
  rig_expect (rig, "q|25");
  fail_unless_equals_uint64 (rig_stat (rig, "failed-windows"), 1);
  rig_push_many (rig, 31, 10, 3100 * MS, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 1000);
  fail_unless (message != NULL);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

/* The number of the engine that answered. */
static guint
ready_engine (Rig * rig)
{
  GstProgressType type = GST_PROGRESS_TYPE_START;
  GstMessage *message;
  gchar *text = NULL;
  guint number;

  while (type != GST_PROGRESS_TYPE_COMPLETE) {
    g_free (text);
    message = rig_wait (rig, GST_MESSAGE_PROGRESS, NULL, 5000);
    fail_unless (message != NULL);
    gst_message_parse_progress (message, &type, NULL, &text);
    gst_message_unref (message);
  }
  number = atoi (strstr (text, "(engine ") + strlen ("(engine "));
  g_free (text);
  return number;
}

GST_START_TEST (test_a_slow_device_says_why_once)
{
  Rig *rig = rig_new ("device=fake:slow=why prompt=p frames=1 "
      "window=1000000000", FALSE);
  GstMessage *message;
  GstStructure *stats;
  guint answers = 0, told = 0;

  rig_push_many (rig, 1, 31, 0, 100 * MS);
  while (answers < 3) {
    message = gst_bus_timed_pop (rig->bus, 5 * GST_SECOND);
    fail_unless (message != NULL);
    answers += gst_message_has_name (message, "llavaov-answer");
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_INFO) {
      GError *error = NULL;

      gst_message_parse_info (message, &error, NULL);
      told += strstr (error->message, "slower than it could be: why") != NULL;
      g_error_free (error);
    }
    gst_message_unref (message);
  }
  fail_unless_equals_int (told, 1);
  g_object_get (rig->element, "stats", &stats, NULL);
  fail_unless_equals_string (gst_structure_get_string (stats, "notice"), "why");
  gst_structure_free (stats);
  rig_free (rig);
}

GST_END_TEST;

/* A device that fails now and then costs windows; one that fails three in a row is lost, and an ERROR says so once. The next
 * user does not get the same engine. */
GST_START_TEST (test_lost_device_is_an_error)
{
  Rig *rig = rig_new ("device=fake:ask-error=device;every=2 prompt=q "
      "frames=1 window=100000000", FALSE), *next;
  GstFlowReturn flow = GST_FLOW_OK;
  guint i, lost, warnings = 0, errors = 0;
  GstMessage *message;

  rig_push_many (rig, 0, 40, 0, 50 * MS);
  fail_unless (rig_stat (rig, "failed-windows") >= 9);
  fail_if (rig_wait (rig, GST_MESSAGE_ERROR, NULL, 0));
  rig_free (rig);

  rig = rig_new ("device=fake:ask-error=device prompt=q frames=1 "
      "window=100000000", FALSE);
  lost = ready_engine (rig);
  for (i = 0; i < 50 && flow == GST_FLOW_OK; i++)
    flow = rig_push (rig, i, i * 50 * MS, 50 * MS);
  fail_unless_equals_int (flow, GST_FLOW_ERROR);
  while ((message = rig_wait (rig, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR,
              NULL, 200))) {
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
      errors++;
    else
      warnings++;
    gst_message_unref (message);
  }
  fail_unless_equals_int (warnings, 3);
  fail_unless_equals_int (errors, 1);

  next = rig_new ("device=fake:ask-error=device prompt=q frames=1 "
      "window=100000000", FALSE);
  fail_unless (ready_engine (next) > lost);
  rig_free (next);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_prompt_too_long)
{
  Rig *rig = rig_new ("device=fake:context=40 prompt=q frames=4 "
      "window=1000000000", FALSE);
  GstMessage *message;
  GstFlowReturn flow = GST_FLOW_OK;
  guint i;

  /* Set in PLAYING it costs a window. */
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  rig_expect (rig, "q|1 4 6 9");
  g_object_set (rig->element, "prompt",
      "a question much longer than the context of forty", NULL);
  rig_push_many (rig, 11, 25, 1100 * MS, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR, NULL, 5000);
  fail_unless (message != NULL);
  fail_unless_equals_int (GST_MESSAGE_TYPE (message), GST_MESSAGE_WARNING);
  gst_message_unref (message);
  rig_free (rig);

  /* At the start it is an error. */
  rig = rig_new ("device=fake:context=12 prompt=question frames=4 "
      "window=1000000000", FALSE);
  for (i = 0; i < 50 && flow == GST_FLOW_OK; i++)
    flow = rig_push (rig, i, i * 100 * MS, 100 * MS);
  fail_unless_equals_int (flow, GST_FLOW_ERROR);
  message = rig_wait (rig, GST_MESSAGE_ERROR, NULL, 1000);
  fail_unless (message != NULL);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

/* What an upstream that has both is told first. */
static gchar *
first_caps (const gchar * settings, const gchar * consumer)
{
  gchar *line = g_strconcat ("llavaovelement ", settings, NULL);
  GstElement *element = gst_parse_launch (line, NULL);
  GstCaps *takes = gst_caps_from_string (consumer), *caps;
  GstPadTemplate *templ =
      gst_pad_template_new ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, takes);
  GstPad *end = gst_pad_new_from_template (templ, "sink");
  GstPad *src = gst_element_get_static_pad (element, "src");
  GstPad *sink = gst_element_get_static_pad (element, "sink");
  GstCaps *filter = gst_caps_from_string ("video/x-raw, format={NV12, I420}; "
      "video/x-raw(memory:CUDAMemory), format={I420, NV12}");
  gchar *features, *text;

  fail_unless_equals_int (gst_pad_link (src, end), GST_PAD_LINK_OK);
  caps = gst_pad_query_caps (sink, filter);
  features = gst_caps_features_to_string (gst_caps_get_features (caps, 0));
  text = g_strdup_printf ("%s %u", features, gst_caps_get_size (caps));
  gst_pad_unlink (src, end);
  gst_caps_unref (caps);
  gst_caps_unref (filter);
  gst_caps_unref (takes);
  gst_object_unref (templ);
  gst_object_unref (end);
  gst_object_unref (src);
  gst_object_unref (sink);
  gst_object_unref (element);
  g_free (features);
  g_free (line);
  return text;
}

/* On a CUDA device frames are taken where a decoder has them, if what follows takes them as well. */
GST_START_TEST (test_memory)
{
  static const struct
  {
    const gchar *settings, *consumer, *first;
  } cases[] = {
    {"device=cuda", "ANY", "memory:CUDAMemory 2"},
    {"device=\"cuda:1;graphs=off\"", "video/x-raw(ANY)", "memory:CUDAMemory 2"},
    {"device=cuda", "video/x-raw", "memory:SystemMemory 1"},
    {"device=fake:", "ANY", "memory:SystemMemory 1"},
    {"device=auto", "ANY", "memory:SystemMemory 1"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    gchar *caps = first_caps (cases[i].settings, cases[i].consumer);

    fail_unless_equals_string (caps, cases[i].first);
    g_free (caps);
  }
}

GST_END_TEST;

GST_START_TEST (test_queries)
{
  Rig *rig = rig_new ("device=fake:", FALSE);
  GstCaps *caps, *filter;
  GstQuery *query;
  GstPad *pad = gst_element_get_static_pad (rig->element, "sink");
  gboolean live;
  GstClockTime minimum, maximum;
  gchar *formats;

  filter = gst_caps_from_string ("video/x-raw, format={ABGR64_LE, BGRx, I420}");
  caps = gst_pad_query_caps (pad, filter);
  formats = gst_value_serialize (gst_structure_get_value
      (gst_caps_get_structure (caps, 0), "format"));
  fail_unless_equals_string (formats, "{ (string)I420, (string)BGRx }");
  g_free (formats);
  gst_caps_unref (caps);
  gst_caps_unref (filter);
  filter = gst_caps_from_string ("video/x-raw, format=Y444");
  caps = gst_pad_query_caps (pad, filter);
  fail_if (gst_caps_is_empty (caps));
  gst_caps_unref (caps);
  gst_caps_unref (filter);
  gst_object_unref (pad);

  query = gst_query_new_latency ();
  pad = gst_element_get_static_pad (rig->element, "src");
  fail_unless (gst_pad_query (pad, query));
  gst_query_parse_latency (query, &live, &minimum, &maximum);
  fail_unless_equals_uint64 (minimum, 0);
  gst_query_unref (query);
  gst_object_unref (pad);

  /* ALLOCATION is the consumer's business. */
  gst_harness_add_propose_allocation_meta (rig->h,
      GST_VIDEO_META_API_TYPE, NULL);
  caps = gst_caps_from_string ("video/x-raw, format=GRAY8, width=16, "
      "height=16, framerate=10/1");
  query = gst_query_new_allocation (caps, TRUE);
  pad = gst_element_get_static_pad (rig->element, "sink");
  fail_unless (gst_pad_query (pad, query));
  fail_unless (gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE,
          NULL));
  gst_query_unref (query);
  gst_caps_unref (caps);
  gst_object_unref (pad);
  rig_free (rig);
}

GST_END_TEST;

/* A property that was set counts, whatever its value; any other is the checkpoint's where that is asked for. */
GST_START_TEST (test_whose_generation_settings)
{
  static const struct
  {
    const gchar *properties, *answer;
    guint warnings;
  } table[] = {
    {"", "64 0 0 1 1 0", 0},
    {"temperature=0.5 top-k=7 max-new-tokens=9 seed=3", "9 0.5 7 1 1 3", 0},
    {"generation=checkpoint", "- - - - - 0 +", 1},
    {"generation=checkpoint temperature=0 top-k=0 max-new-tokens=64 seed=5",
        "64 0 0 - - 5 +", 1},
    {"top-p=1 repetition-penalty=1 generation=checkpoint", "- - - 1 1 0 +", 1},
    {"generation=checkpoint top-p=0.5 generation=greedy", "64 0 0 0.5 1 0", 0},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *line = g_strconcat ("device=fake: prompt=generation frames=1 "
        "window=1000000000 ", table[i].properties, NULL);
    Rig *rig = rig_new (line, FALSE);
    GstMessage *message = rig_wait (rig, GST_MESSAGE_WARNING, NULL,
        table[i].warnings ? 5000 : 20);
    GError *warning = NULL;

    fail_unless ((message != NULL) == (table[i].warnings == 1));
    if (message) {
      gst_message_parse_warning (message, &warning, NULL);
      fail_unless_equals_string (warning->message,
          "generation=checkpoint: nobody, somebody");
      g_error_free (warning);
      gst_message_unref (message);
    }
    rig_push_many (rig, 0, 21, 0, 100 * MS);
    rig_expect (rig, table[i].answer);
    fail_unless (rig_wait (rig, GST_MESSAGE_WARNING, NULL, 50) == NULL);
    rig_free (rig);
    g_free (line);
  }
}

GST_END_TEST;

/* In PLAYING it takes effect with the next window, and the warning comes then. */
GST_START_TEST (test_generation_changes_while_playing)
{
  Rig *rig = rig_new ("device=fake: prompt=generation frames=1 "
      "window=1000000000 top-k=4", FALSE);
  GstMessage *message;

  rig_push_many (rig, 0, 11, 0, 100 * MS);
  rig_expect (rig, "64 0 4 1 1 0");
  gst_util_set_object_arg (G_OBJECT (rig->element), "generation", "checkpoint");
  rig_push_many (rig, 11, 25, 1100 * MS, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 5000);
  fail_unless (message != NULL);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
element_suite (void)
{
  Suite *s = suite_create ("llavaovelement");
  TCase *tc = tcase_create ("llavaovelement");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_video_goes_through_untouched);
  tcase_add_test (tc, test_live_newest_drops_whole_windows);
  tcase_add_test (tc, test_live_block_answers_every_window);
  tcase_add_test (tc, test_live_without_frames);
  tcase_add_test (tc, test_lateness_of_our_own_stays_here);
  tcase_add_test (tc, test_failed_window_is_a_warning);
  tcase_add_test (tc, test_a_slow_device_says_why_once);
  tcase_add_test (tc, test_lost_device_is_an_error);
  tcase_add_test (tc, test_prompt_too_long);
  tcase_add_test (tc, test_memory);
  tcase_add_test (tc, test_queries);
  tcase_add_test (tc, test_whose_generation_settings);
  tcase_add_test (tc, test_generation_changes_while_playing);
  return s;
}

GST_CHECK_MAIN (element);
