/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovoverlay: grey frames with an answer on the first, and behind llavaov with the fake engine. OVERLAY_PICTURES=FOLDER keeps what the rows draw, as PPM. */
#include "overlay.h"

#include <gst/check/gstcheck.h>

#include <stdio.h>

static void
keep (const gchar * name, GstBuffer * buffer, gint width, gint height)
{
  const gchar *folder = g_getenv ("OVERLAY_PICTURES");
  gchar *path;
  GstMapInfo map;
  FILE *file;

  if (folder == NULL)
    return;
  path = g_strdup_printf ("%s/%s.ppm", folder, name);
  file = fopen (path, "wb");
  fail_unless (file != NULL && gst_buffer_map (buffer, &map, GST_MAP_READ));
  fprintf (file, "P6 %d %d 255\n", width, height);
  fwrite (map.data, 1, map.size, file);
  fclose (file);
  gst_buffer_unmap (buffer, &map);
  g_free (path);
}

GST_START_TEST (test_untouched_without_an_answer)
{
  GstHarness *h = overlay_harness_new ("", "I420", 64, 48, "");
  GstBuffer *in = overlay_frame_new ("I420", 64, 48, 0, NULL), *out;

  out = gst_harness_push_and_pull (h, gst_buffer_ref (in));
  fail_unless (out == in);
  gst_buffer_unref (out);
  gst_buffer_unref (in);
  gst_harness_teardown (h);
}

GST_END_TEST;

/* Every format of the pad template: drawn, and the answer stays on the frames until it is stale. */
GST_START_TEST (test_formats)
{
  GstElement *element = gst_element_factory_make ("llavaovoverlay", NULL);
  GstPad *pad = gst_element_get_static_pad (element, "sink");
  GstCaps *caps = gst_pad_get_pad_template_caps (pad);
  const GValue *formats = gst_structure_get_value (gst_caps_get_structure (caps,
          0), "format");
  guint i, n = gst_value_list_get_size (formats), undrawn = 0;

  fail_unless (n > 40);
  for (i = 0; i < n; i++) {
    const gchar *format =
        g_value_get_string (gst_value_list_get_value (formats, i));
    GstHarness *h = overlay_harness_new ("", format, 320, 240, "");
    guint j;

    for (j = 0; j < 2; j++) {
      GstBuffer *out =
          gst_harness_push_and_pull (h, overlay_frame_new (format, 320,
              240, j * GST_SECOND, j ? NULL : overlay_answer_new ("yes",
                  "raised")));

      if (out == NULL || overlay_count_drawn (out) < 500) {
        g_printerr ("%s, frame %u: nothing drawn\n", format, j);
        undrawn++;
      }
      gst_clear_buffer (&out);
    }
    gst_harness_teardown (h);
  }
  fail_unless_equals_int (undrawn, 0);
  gst_caps_unref (caps);
  gst_object_unref (pad);
  gst_object_unref (element);
}

GST_END_TEST;

static const struct
{
  const gchar *name;
  gint width, height;
  const gchar *more, *text, *alert;
} rows[] = {
  {"480p", 640, 480, "", "The picture shows a ball.", "raised"},
  {"markup", 640, 480, "", "<b>5 < 6 & \"7\" </i> &amp; %s\n\n\nnext line",
      "raised"},
  {"chinese", 1920, 1080, "", "\xe7\x94\xbb\xe9\x9d\xa2\xe6\xad\xa3\xe5\xb8\xb8"
        "\xef\xbc\x8c\xe6\xb2\xa1\xe6\x9c\x89\xe4\xba\xba\xe3\x80\x82", NULL},
  {"anamorphic", 720, 576, ", pixel-aspect-ratio=64/45", "16:9 in 720x576",
      "clear"},
  {"4k", 3840, 2160, "", "The picture shows a ball.", "clear"},
  {"one-pixel", 1, 1, "", "tiny", NULL},
  {"narrow", 7, 999, "", "a narrow picture", NULL},
  {"small", 64, 48, "", "a small picture with a long answer", NULL},
};

/* Drawn in the lower third alone. */
static void
check_place (GstBuffer * buffer, gint width, gint height)
{
  gsize stride = GST_ROUND_UP_4 (width * 3);
  gsize above = stride * (height - height / 3 - 1);
  GstMapInfo map;
  gsize i, n = 0;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  for (i = 0; i < above; i++)
    n += map.data[i] != GREY;
  fail_unless_equals_uint64 (n, 0);
  gst_buffer_unmap (buffer, &map);
}

GST_START_TEST (test_texts)
{
  GString *longest = g_string_new (NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    GstHarness *h =
        overlay_harness_new ("", "RGB", rows[i].width, rows[i].height,
        rows[i].more);
    GstBuffer *out = gst_harness_push_and_pull (h, overlay_frame_new ("RGB",
            rows[i].width, rows[i].height, 0, overlay_answer_new (rows[i].text,
                rows[i].alert)));

    fail_unless (out != NULL, rows[i].name);
    if (rows[i].height >= 480 && rows[i].width >= 480) {
      fail_unless (overlay_count_drawn (out) > 1000, rows[i].name);
      check_place (out, rows[i].width, rows[i].height);
    }
    keep (rows[i].name, out, rows[i].width, rows[i].height);
    gst_buffer_unref (out);
    gst_harness_teardown (h);
  }
  for (i = 0; i < 20000; i++)
    g_string_append (longest, i % 50 ? "long answer " : "line\n");
  {
    GstHarness *h = overlay_harness_new ("", "RGB", 640, 480, "");
    GstBuffer *out =
        gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 640, 480,
            0, overlay_answer_new (longest->str, "muted")));

    check_place (out, 640, 480);
    keep ("long", out, 640, 480);
    gst_buffer_unref (out);
    gst_harness_teardown (h);
  }
  g_string_free (longest, TRUE);
}

GST_END_TEST;

/* Several questions are several boxes, from the top. */
GST_START_TEST (test_questions)
{
  static const gchar *const states[] = { "clear", "raised", "muted", NULL };
  GstHarness *h =
      overlay_harness_new ("position=top show=question+prompt+alert", "RGB",
      640, 480, "");
  GstStructure *all = gst_structure_new_empty ("llavaov-answer");
  GValue answers = G_VALUE_INIT, value = G_VALUE_INIT;
  guint8 pixel[3], last[3] = { GREY, GREY, GREY };
  guint i, y, boxes = 0;
  GstBuffer *out;

  g_value_init (&answers, GST_TYPE_ARRAY);
  g_value_init (&value, GST_TYPE_STRUCTURE);
  for (i = 0; i < G_N_ELEMENTS (states); i++) {
    GstStructure *one = overlay_answer_new ("yes", states[i]);

    gst_structure_set (one, "question", G_TYPE_STRING, "person", "prompt",
        G_TYPE_STRING, i % 2 ? "Is anybody there?" : NULL, NULL);
    gst_value_set_structure (&value, one);
    gst_value_array_append_value (&answers, &value);
    gst_structure_free (one);
  }
  gst_structure_take_value (all, "answers", &answers);
  out =
      gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 640, 480, 0,
          all));
  for (y = 0; y < 480; y++) {
    gst_buffer_extract (out, y * 640 * 3, pixel, 3);
    boxes += memcmp (pixel, last, 3) != 0;
    memcpy (last, pixel, 3);
  }
  fail_unless_equals_int (boxes, G_N_ELEMENTS (states) + 1);
  keep ("questions", out, 640, 480);
  gst_buffer_unref (out);
  g_value_unset (&value);
  gst_harness_teardown (h);
}

GST_END_TEST;

static gboolean
is_drawn (GstHarness * h, GstClockTime pts, GstStructure * answer)
{
  GstBuffer *out =
      gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 64, 48, pts,
          answer));
  gboolean drawn = overlay_count_drawn (out) > 0;

  gst_buffer_unref (out);
  return drawn;
}

/* An answer goes after hold-time, also where every frame carries it; and with a flush. */
GST_START_TEST (test_hold)
{
  static const gboolean drawn[] = { TRUE, TRUE, TRUE, FALSE, FALSE };
  guint i, sticky;

  for (sticky = 0; sticky < 2; sticky++) {
    GstHarness *h =
        overlay_harness_new ("hold-time=2000000000", "RGB", 64, 48, "");
    GstSegment segment;

    for (i = 0; i < G_N_ELEMENTS (drawn); i++)
      fail_unless_equals_int (is_drawn (h, i * GST_SECOND,
              i == 0
              || sticky ? overlay_answer_new ("yes", NULL) : NULL), drawn[i]);
    fail_unless (is_drawn (h, 5 * GST_SECOND, overlay_answer_new ("no", NULL)));
    fail_unless (gst_harness_push_event (h, gst_event_new_flush_start ()));
    fail_unless (gst_harness_push_event (h, gst_event_new_flush_stop (TRUE)));
    gst_segment_init (&segment, GST_FORMAT_TIME);
    fail_unless (gst_harness_push_event (h, gst_event_new_segment (&segment)));
    fail_if (is_drawn (h, 5 * GST_SECOND, NULL));
    gst_harness_teardown (h);
  }
}

GST_END_TEST;

/* The size changes under an answer, and properties do. */
GST_START_TEST (test_changes)
{
  GstHarness *h = overlay_harness_new ("", "RGB", 640, 480, "");
  GstElement *overlay = gst_harness_find_element (h, "llavaovoverlay");
  GstBuffer *out =
      gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 640, 480, 0,
          overlay_answer_new ("The picture shows a ball.", NULL)));
  guint before = overlay_count_drawn (out);

  gst_buffer_unref (out);
  gst_harness_set_src_caps_str (h, "video/x-raw, format=RGB, width=1280, "
      "height=960, framerate=10/1");
  out =
      gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 1280, 960, 1,
          NULL));
  check_place (out, 1280, 960);
  fail_unless (overlay_count_drawn (out) > 3 * before);
  gst_buffer_unref (out);
  g_object_set (overlay, "max-height", .9, "font-desc", "Serif Bold 160", NULL);
  out =
      gst_harness_push_and_pull (h, overlay_frame_new ("RGB", 1280, 960, 2,
          NULL));
  fail_unless (overlay_count_drawn (out) > 1280 * 960);
  gst_buffer_unref (out);
  gst_object_unref (overlay);
  gst_harness_teardown (h);
}

GST_END_TEST;

static void
count_frame (GstElement * sink, GstBuffer * buffer, GstPad * pad, gpointer data)
{
  guint *drawn = data;

  *drawn += overlay_count_drawn (buffer) > 0;
}

/* Behind llavaov itself, through a queue. */
GST_START_TEST (test_behind_llavaov)
{
  GstElement *pipeline = gst_parse_launch ("videotestsrc pattern=solid-color "
      "foreground-color=0xff808080 num-buffers=50 ! video/x-raw, format=RGB, "
      "width=64, height=48, framerate=10/1 ! llavaov device=fake: prompt=q "
      "frames=2 window=1000000000 ! queue ! llavaovoverlay ! "
      "fakesink name=sink signal-handoffs=true", NULL);
  GstElement *sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  guint drawn = 0;

  g_signal_connect (sink, "handoff", G_CALLBACK (count_frame), &drawn);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (bus, 30 * GST_SECOND,
      GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
  gst_message_unref (message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  /* The first second has none. */
  fail_unless_equals_int (drawn, 40);
  gst_object_unref (bus);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
}

GST_END_TEST;

static Suite *
overlay_suite (void)
{
  Suite *suite = suite_create ("overlay");
  TCase *tests = tcase_create ("overlay");

  suite_add_tcase (suite, tests);
  overlay_load_plugin ();
  tcase_add_test (tests, test_untouched_without_an_answer);
  tcase_add_test (tests, test_formats);
  tcase_add_test (tests, test_texts);
  tcase_add_test (tests, test_questions);
  tcase_add_test (tests, test_hold);
  tcase_add_test (tests, test_changes);
  tcase_add_test (tests, test_behind_llavaov);
  return suite;
}

GST_CHECK_MAIN (overlay);
