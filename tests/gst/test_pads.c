/* SPDX-License-Identifier: Apache-2.0
 *
 * Caps queries, links and requests of pads, at any time. */
#include "pipeline.h"

/* ---- caps ---- */

static gboolean
takes (GstPad * pad, const gchar * text)
{
  GstCaps *caps = gst_caps_from_string (text);
  GstCaps *all = gst_pad_query_caps (pad, NULL);
  GstCaps *some = gst_pad_query_caps (pad, caps);
  gboolean accepts = gst_pad_query_accept_caps (pad, caps);

  fail_unless_equals_int (accepts, gst_caps_can_intersect (all, caps));
  fail_unless_equals_int (accepts, !gst_caps_is_empty (some));
  gst_caps_unref (some);
  gst_caps_unref (all);
  gst_caps_unref (caps);
  return accepts;
}

#define RAW_CAPS(format) "video/x-raw, format=" format \
    ", width=64, height=48, framerate=10/1"

GST_START_TEST (test_caps_before_anything_is_linked)
{
  GstElement *pipeline = gst_parse_launch ("llavaov device=fake: name=l", NULL);
  GstElement *element, *filter, *sink;
  GstPad *in, *out;
  guint i;

  element = GST_IS_PIPELINE (pipeline) ?
      gst_bin_get_by_name (GST_BIN (pipeline), "l") : gst_object_ref (pipeline);
  in = gst_element_get_static_pad (element, "sink");
  out = gst_element_get_static_pad (element, "src");
  for (i = 0; i < 2; i++) {
    fail_unless (takes (in, RAW_CAPS ("I420")));
    fail_unless (takes (in, RAW_CAPS ("RGB")));
    fail_unless (takes (in, "image/jpeg, width=64, height=48"));
    fail_unless (takes (in, "video/x-h264, stream-format=avc"));
    fail_unless (!takes (in, "audio/x-raw"));
    fail_unless (takes (out, RAW_CAPS ("I420")));
    fail_unless (!takes (out, "image/jpeg"));
    /* again as it is after a run, in NULL */
    gst_element_set_state (element, GST_STATE_READY);
    gst_element_set_state (element, GST_STATE_NULL);
  }
  gst_object_unref (out);
  gst_object_unref (in);
  gst_object_unref (element);
  gst_object_unref (pipeline);

  /* What follows limits raw video only. */
  pipeline = gst_pipeline_new (NULL);
  element = gst_element_factory_make ("llavaov", NULL);
  filter = gst_element_factory_make ("capsfilter", NULL);
  sink = gst_element_factory_make ("fakesink", NULL);
  gst_util_set_object_arg (G_OBJECT (filter), "caps",
      "video/x-raw, format=RGB");
  gst_bin_add_many (GST_BIN (pipeline), element, filter, sink, NULL);
  fail_unless (gst_element_link_many (element, filter, sink, NULL));
  in = gst_element_get_static_pad (element, "sink");
  fail_unless (takes (in, RAW_CAPS ("RGB")));
  fail_unless (!takes (in, RAW_CAPS ("I420")));
  fail_unless (takes (in, "image/jpeg, width=64, height=48"));
  gst_object_unref (in);
  gst_object_unref (pipeline);
}

GST_END_TEST;

GST_START_TEST (test_filtered_links)
{
  /* source, caps between it and llavaov, caps behind llavaov */
  static const gchar *links[][3] = {
    {"videotestsrc", RAW_CAPS ("RGB"), NULL},
    {"videotestsrc", RAW_CAPS ("NV12"), RAW_CAPS ("NV12")},
    {"videotestsrc", NULL, RAW_CAPS ("BGRx")},
    {"videotestsrc ! jpegenc", "image/jpeg, framerate=30/1", NULL},
    {"videotestsrc ! x264enc", "video/x-h264, profile=high-4:4:4",
        "video/x-raw, format=Y444"},
    {"videotestsrc ! queue", RAW_CAPS ("I420"), NULL},
  };
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (links); i++) {
    gchar *line = g_strdup_printf ("%s name=last", links[i][0]);
    GstElement *pipeline = gst_pipeline_new (NULL);
    GstElement *source = gst_parse_bin_from_description (line, TRUE, NULL);
    GstElement *element = gst_element_factory_make ("llavaov", NULL);
    GstElement *sink = gst_element_factory_make ("fakesink", NULL);
    GstCaps *in = links[i][1] ? gst_caps_from_string (links[i][1]) : NULL;
    GstCaps *out = links[i][2] ? gst_caps_from_string (links[i][2]) : NULL;
    GstIterator *iterator =
        gst_bin_iterate_all_by_element_factory_name (GST_BIN (source),
        "videotestsrc");
    GValue value = G_VALUE_INIT;

    fail_unless (gst_iterator_next (iterator, &value) == GST_ITERATOR_OK);
    g_object_set (g_value_get_object (&value), "num-buffers", 31, NULL);
    g_value_unset (&value);
    gst_iterator_free (iterator);
    gst_util_set_object_arg (G_OBJECT (element), "device", "fake:");
    gst_bin_add_many (GST_BIN (pipeline), source, element, sink, NULL);
    fail_unless (gst_element_link_pads_filtered (element, "src", sink, "sink",
            out), "%s", links[i][2]);
    fail_unless (gst_element_link_pads_filtered (source, "src", element, "sink",
            in), "%s", links[i][1]);
    run_pipeline (pipeline, &run);
    fail_unless (run.error == NULL, "%s, %s, %s: %s", links[i][0], links[i][1],
        links[i][2], run.error ? run.error->message : "");
    fail_unless (run.eos && run.answers->len == 1);
    run_clear (&run);
    gst_object_unref (pipeline);
    gst_clear_caps (&in);
    gst_clear_caps (&out);
    g_free (line);
  }
}

GST_END_TEST;

/* In NULL another source may take the place of one; what was decoded may come raw. */
GST_START_TEST (test_another_source)
{
  static const gchar *sources[] = {
    RAW "identity", RAW "jpegenc", RAW "queue", RAW "x264enc ! queue", RAW
        "identity",
  };
  GstElement *pipeline = gst_parse_launch (ASK "name=l ! fakesink", NULL);
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  guint i;
  Run run;

  for (i = 0; i < G_N_ELEMENTS (sources); i++) {
    GstElement *source = gst_parse_bin_from_description (sources[i], TRUE,
        NULL);

    gst_bin_add (GST_BIN (pipeline), source);
    fail_unless (gst_element_link (source, element));
    run_pipeline (pipeline, &run);
    expect_answers (&run, 3);
    run_clear (&run);
    gst_element_unlink (source, element);
    gst_bin_remove (GST_BIN (pipeline), source);
  }
  g_free (gst_debug_bin_to_dot_data (GST_BIN (pipeline),
          GST_DEBUG_GRAPH_SHOW_ALL));
  gst_object_unref (element);
  gst_object_unref (pipeline);
}

GST_END_TEST;

/* ---- the text pad ---- */

static void
wait_for_answer (GstElement * pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gboolean answer = FALSE;

  while (!answer) {
    GstMessage *message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
        GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR | GST_MESSAGE_EOS);

    fail_unless (message != NULL
        && GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT);
    answer = gst_message_has_name (message, "llavaov-answer");
    gst_message_unref (message);
  }
  gst_object_unref (bus);
}

static guint64
rendered (GstElement * sink)
{
  GstStructure *stats;
  guint64 n = 0;

  g_object_get (sink, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "rendered", &n);
  gst_structure_free (stats);
  return n;
}

/* Requested and released in every state, with frames under way; with a sink and without one. */
GST_START_TEST (test_text_comes_and_goes)
{
  static const GstState states[] = { GST_STATE_NULL, GST_STATE_READY,
    GST_STATE_PAUSED, GST_STATE_PLAYING
  };
  static const gchar *lines[] = {
    "videotestsrc is-live=true ! video/x-raw, width=64, height=48, "
        "framerate=50/1 ! llavaov device=fake: frames=1 window=40000000 "
        "name=l ! fakesink sync=false",
    "videotestsrc is-live=true ! video/x-raw, width=64, height=48, "
        "framerate=50/1 ! jpegenc ! llavaov device=fake: frames=1 "
        "window=40000000 name=l ! fakesink sync=false",
    "videotestsrc is-live=true ! video/x-raw, width=64, height=48, "
        "framerate=50/1 ! llavaovelement device=fake: frames=1 "
        "window=40000000 name=l ! fakesink sync=false",
  };
  guint i, k, round;

  for (k = 0; k < G_N_ELEMENTS (lines); k++) {
    GstElement *pipeline = gst_parse_launch (lines[k], NULL);
    GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), "l");

    for (i = 0; i < G_N_ELEMENTS (states); i++) {
      for (round = 0; round < 3; round++) {
        GstElement *sink = NULL;
        GstPad *pad, *target;

        gst_element_set_state (pipeline, states[i]);
        gst_element_get_state (pipeline, NULL, NULL, 20 * GST_SECOND);
        pad = gst_element_request_pad_simple (element, "text");
        fail_unless (pad != NULL);
        fail_unless_equals_string (GST_OBJECT_NAME (pad), "text");
        if (round) {
          sink = gst_element_factory_make ("fakesink", NULL);
          g_object_set (sink, "async", FALSE, "sync", FALSE, NULL);
          gst_bin_add (GST_BIN (pipeline), gst_object_ref (sink));
          target = gst_element_get_static_pad (sink, "sink");
          fail_unless (gst_pad_link (pad, target) == GST_PAD_LINK_OK);
          gst_object_unref (target);
          gst_element_sync_state_with_parent (sink);
        }
        if (round == 2) {       /* text is on its way */
          gst_element_set_state (pipeline, GST_STATE_PLAYING);
          wait_for_answer (pipeline);
          wait_for_answer (pipeline);
          while (rendered (sink) == 0)
            g_usleep (5000);
        }
        gst_element_release_request_pad (element, pad);
        gst_object_unref (pad);
        if (states[i] == GST_STATE_PLAYING)
          wait_for_answer (pipeline);   /* the video goes on */
        if (sink) {
          gst_element_set_state (sink, GST_STATE_NULL);
          gst_bin_remove (GST_BIN (pipeline), sink);
          gst_object_unref (sink);
        }
      }
    }
    gst_element_set_state (pipeline, GST_STATE_NULL);
    gst_object_unref (element);
    gst_object_unref (pipeline);
  }
}

GST_END_TEST;

/* There is one text pad; asked for again, it is refused without harm. */
GST_START_TEST (test_one_text_pad)
{
  static const gchar *names[] = { "llavaov", "llavaovelement" };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    GstElement *element =
        gst_object_ref_sink (gst_element_factory_make (names[i], NULL));
    GstPad *pad = gst_element_request_pad_simple (element, "text");

    fail_unless (pad != NULL);
    fail_unless (gst_element_request_pad (element,
            gst_element_get_pad_template (element, "text"), NULL,
            NULL) == NULL);
    fail_unless (gst_element_get_static_pad (element, "text") == pad);
    gst_object_unref (pad);
    gst_element_release_request_pad (element, pad);
    gst_object_unref (pad);
    pad = gst_element_request_pad_simple (element, "text");
    fail_unless (pad != NULL);
    gst_object_unref (pad);     /* the element's own goes with it */
    gst_object_unref (element);
  }
}

GST_END_TEST;

static Suite *
pads_suite (void)
{
  Suite *s = suite_create ("pads");
  TCase *tc = tcase_create ("pads");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_caps_before_anything_is_linked);
  tcase_add_test (tc, test_filtered_links);
  tcase_add_test (tc, test_another_source);
  tcase_add_test (tc, test_text_comes_and_goes);
  tcase_add_test (tc, test_one_text_pad);
  return s;
}

GST_CHECK_MAIN (pads);
