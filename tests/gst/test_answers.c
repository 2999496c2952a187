/* SPDX-License-Identifier: Apache-2.0
 *
 * The ways out of an answer: message, meta, JSON, text pad, notification. */
#include "support.h"

#include <jansson.h>

static GstStructure *
meta_of (GstBuffer * buffer)
{
  GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer, "GstLlavaovMeta");

  return meta ? gst_custom_meta_get_structure (meta) : NULL;
}

static gboolean
same_field (GQuark field, const GValue * value, gpointer other)
{
  const GValue *twin = gst_structure_id_get_value (other, field);

  fail_unless (twin != NULL, "%s", g_quark_to_string (field));
  fail_unless_equals_int (gst_value_compare (value, twin), GST_VALUE_EQUAL);
  return TRUE;
}

static const gchar *fields[] = { "stream", "seq", "prompt", "text",
  "finish-reason", "trigger", "timestamp", "stream-time", "running-time",
  "duration",
  "n-frames", "frame-times", "frames-reused", "utc-start", "prompt-tokens",
  "new-tokens",
  "time-to-first-token", "answer-latency", "encode-time", "prefill-time",
  "decode-time", "dropped-windows", "model", "device"
};

GST_START_TEST (test_message_meta_and_json_are_one)
{
  Rig *rig = rig_new_null ("device=fake: prompt=\"was \\\"das\\\"?\" frames=2 "
      "window=1000000000 stream-name=cam", FALSE);
  GstPad *text;
  GstHarness *json;
  GstMessage *message;
  const GstStructure *answer;
  GstStructure *meta = NULL;
  GstBuffer *buffer, *line;
  GstMapInfo map;
  json_t *object, *value;
  const char *key;
  guint i, metas = 0;

  json = gst_harness_new_with_element (rig->element, NULL, "text");
  gst_harness_set_sink_caps_str (json, "application/x-json");
  text = gst_element_get_static_pad (rig->element, "text");
  fail_unless (text != NULL);
  gst_object_unref (text);
  rig_start (rig);
  for (i = 0; i < 12; i++) {
    fail_unless_equals_int (rig_push (rig, i, i * 100 * MS, 100 * MS),
        GST_FLOW_OK);
    buffer = gst_harness_pull (rig->h);
    if (meta_of (buffer)) {
      /* on the buffer that closed the window */
      fail_unless_equals_int (i, 10);
      meta = gst_structure_copy (meta_of (buffer));
      metas++;
    }
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (metas, 1);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 5000);
  fail_unless (message != NULL);
  answer = gst_message_get_structure (message);
  fail_unless_equals_int (gst_structure_n_fields (answer), G_N_ELEMENTS
      (fields));
  for (i = 0; i < G_N_ELEMENTS (fields); i++)
    fail_unless_equals_string (gst_structure_nth_field_name (answer, i),
        fields[i]);
  fail_unless_equals_int (gst_structure_n_fields (meta), G_N_ELEMENTS (fields));
  gst_structure_foreach (answer, same_field, meta);
  fail_unless_equals_string (gst_structure_get_string (answer, "stream"),
      "cam");
  fail_unless_equals_string (gst_structure_get_string (answer, "prompt"),
      "was \"das\"?");
  fail_unless_equals_string (gst_structure_get_string (answer,
          "finish-reason"), "stop");

  line = gst_harness_pull (json);
  fail_unless (gst_buffer_map (line, &map, GST_MAP_READ));
  fail_unless_equals_int (map.data[map.size - 1], '\n');
  fail_unless (memchr (map.data, '\n', map.size - 1) == NULL);
  object = json_loadb ((const char *) map.data, map.size, 0, NULL);
  fail_unless (object != NULL);
  i = 0;
  json_object_foreach (object, key, value) {
    guint64 number;
    guint small;
    const gchar *string;

    fail_unless_equals_string (key, fields[i++]);
    if (gst_structure_get_uint64 (answer, key, &number)) {
      fail_unless_equals_uint64 (json_integer_value (value), number);
    } else if (gst_structure_get_uint (answer, key, &small)) {
      fail_unless_equals_uint64 (json_integer_value (value), small);
    } else if ((string = gst_structure_get_string (answer, key))) {
      fail_unless_equals_string (json_string_value (value), string);
    } else {
      const GValue *times = gst_structure_get_value (answer, key);
      guint j;

      fail_unless_equals_int (json_array_size (value),
          gst_value_array_get_size (times));
      for (j = 0; j < json_array_size (value); j++)
        fail_unless_equals_uint64 (json_integer_value (json_array_get (value,
                    j)),
            g_value_get_uint64 (gst_value_array_get_value (times, j)));
    }
  }
  fail_unless_equals_int (i, G_N_ELEMENTS (fields));
  json_decref (object);
  gst_buffer_unmap (line, &map);
  gst_buffer_unref (line);
  gst_message_unref (message);
  gst_structure_free (meta);
  gst_harness_teardown (json);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_times_in_answer)
{
  Rig *rig = rig_new ("device=fake: frames=2 window=1000000000", FALSE);
  GstMessage *message;
  const GstStructure *answer;
  GstSegment segment;
  guint64 value;
  guint i;

  /* 5 s into the file, shown from running time 0 */
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = segment.time = 5 * GST_SECOND;
  fail_unless (gst_harness_push_event (rig->h,
          gst_event_new_segment (&segment)));
  for (i = 0; i < 11; i++)
    rig_push (rig, i, 5 * GST_SECOND + i * 100 * MS, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 5000);
  answer = gst_message_get_structure (message);
  fail_unless (gst_structure_get_uint64 (answer, "timestamp", &value));
  fail_unless_equals_uint64 (value, 5 * GST_SECOND);
  fail_unless (gst_structure_get_uint64 (answer, "stream-time", &value));
  fail_unless_equals_uint64 (value, 5 * GST_SECOND);
  fail_unless (gst_structure_get_uint64 (answer, "running-time", &value));
  fail_unless_equals_uint64 (value, 0);
  fail_unless (gst_structure_get_uint64 (answer, "duration", &value));
  fail_unless_equals_uint64 (value, GST_SECOND);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

static guint
count_metas (Rig * rig, guint n)
{
  guint i, found = 0;

  for (i = 0; i < n; i++) {
    GstBuffer *buffer = gst_harness_pull (rig->h);

    found += meta_of (buffer) != NULL;
    gst_buffer_unref (buffer);
  }
  return found;
}

GST_START_TEST (test_meta_modes)
{
  Rig *rig = rig_new ("device=fake: frames=2 window=1000000000 "
      "meta-mode=none", FALSE);

  rig_push_many (rig, 0, 21, 0, 100 * MS);
  fail_unless_equals_int (count_metas (rig, 21), 0);
  rig_free (rig);

  rig = rig_new ("device=fake: frames=2 window=1000000000 meta-mode=once",
      FALSE);
  rig_push_many (rig, 0, 21, 0, 100 * MS);
  fail_unless_equals_int (count_metas (rig, 21), 2);
  /* The window that EOS closes is answered before it, and no buffer is left to carry the answer. */
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  fail_unless_equals_uint64 (rig_stat (rig, "answers"), 3);
  fail_unless_equals_int (gst_harness_buffers_in_queue (rig->h), 0);
  rig_free (rig);

  rig = rig_new ("device=fake: frames=2 window=1000000000 meta-mode=sticky",
      FALSE);
  rig_push_many (rig, 0, 21, 0, 100 * MS);
  fail_unless_equals_int (count_metas (rig, 21), 11);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_name_that_is_not_utf8)
{
  Rig *rig = rig_new ("device=fake: frames=2 window=1000000000", FALSE);
  GstMessage *message;

  g_object_set (rig->element, "stream-name", "caf\xe9", NULL);
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 10000);
  fail_unless (message != NULL);
  fail_unless_equals_string (gst_structure_get_string
      (gst_message_get_structure (message), "stream"), "caf\xef\xbf\xbd");
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_read_only_buffers)
{
  Rig *rig = rig_new ("device=fake: frames=2 window=1000000000", FALSE);
  GstBuffer *held[11], *out;
  guint i;

  /* Somebody else holds a reference to every buffer, as behind a tee. */
  for (i = 0; i < 11; i++) {
    held[i] = rig_buffer (i, i * 100 * MS, 100 * MS);
    fail_unless_equals_int (gst_harness_push (rig->h,
            gst_buffer_ref (held[i])), GST_FLOW_OK);
    out = gst_harness_pull (rig->h);
    fail_unless ((meta_of (out) != NULL) == (i == 10));
    fail_unless (gst_buffer_peek_memory (out, 0) ==
        gst_buffer_peek_memory (held[i], 0));
    gst_buffer_unref (out);
  }
  for (i = 0; i < 11; i++) {
    fail_unless (meta_of (held[i]) == NULL);
    gst_buffer_unref (held[i]);
  }
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_text_pad)
{
  Rig *rig = rig_new_null ("device=fake: prompt=q frames=1 "
      "window=1000000000 text-timing=window", FALSE);
  GstHarness *text = gst_harness_new_with_element (rig->element, NULL, "text");
  GstStreamFlags flags;
  GstBuffer *buffer;
  GstEvent *event;
  GstClockTime end = 0;
  const gchar *id;
  guint i;

  gst_harness_set_sink_caps_str (text, "text/x-raw, format=utf8");
  rig_start (rig);
  rig_push_many (rig, 0, 25, 0, 100 * MS);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  for (i = 0; i < 3; i++) {
    gchar *expected = g_strdup_printf ("q|%u", i < 2 ? 5 + 10 * i : 24);

    buffer = gst_harness_pull (text);
    fail_unless (buffer != NULL);
    fail_unless_equals_uint64 (GST_BUFFER_PTS (buffer), i * GST_SECOND);
    fail_unless_equals_uint64 (GST_BUFFER_DURATION (buffer),
        i < 2 ? GST_SECOND : 500 * MS);
    fail_unless_equals_int (gst_buffer_memcmp (buffer, 0, expected,
            strlen (expected)), 0);
    fail_unless_equals_int (gst_buffer_get_size (buffer), strlen (expected));
    gst_buffer_unref (buffer);
    g_free (expected);
  }
  /* The order of events, and gaps that never reach into a window to come. */
  event = gst_harness_pull_event (text);
  fail_unless_equals_int (GST_EVENT_TYPE (event), GST_EVENT_STREAM_START);
  gst_event_parse_stream_start (event, &id);
  fail_unless (g_str_has_suffix (id, "/text"));
  gst_event_parse_stream_flags (event, &flags);
  fail_unless (flags & GST_STREAM_FLAG_SPARSE);
  gst_event_unref (event);
  event = gst_harness_pull_event (text);
  fail_unless_equals_int (GST_EVENT_TYPE (event), GST_EVENT_CAPS);
  gst_event_unref (event);
  event = gst_harness_pull_event (text);
  fail_unless_equals_int (GST_EVENT_TYPE (event), GST_EVENT_SEGMENT);
  gst_event_unref (event);
  for (;;) {
    GstClockTime start, duration;

    event = gst_harness_pull_event (text);
    fail_unless (event != NULL);
    if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
      break;
    fail_unless_equals_int (GST_EVENT_TYPE (event), GST_EVENT_GAP);
    gst_event_parse_gap (event, &start, &duration);
    fail_unless (start >= end);
    end = start + duration;
    gst_event_unref (event);
  }
  gst_event_unref (event);
  gst_harness_teardown (text);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_notify)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=1 window=1000000000",
      FALSE);
  gchar *text;
  gboolean ready;

  rig_push_many (rig, 0, 11, 0, 100 * MS);
  g_object_get (rig->element, "last-answer", &text, "ready", &ready, NULL);
  fail_unless_equals_string (text, "q|5");
  fail_unless (ready);
  g_free (text);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
answers_suite (void)
{
  Suite *s = suite_create ("answers");
  TCase *tc = tcase_create ("answers");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_message_meta_and_json_are_one);
  tcase_add_test (tc, test_times_in_answer);
  tcase_add_test (tc, test_meta_modes);
  tcase_add_test (tc, test_name_that_is_not_utf8);
  tcase_add_test (tc, test_read_only_buffers);
  tcase_add_test (tc, test_text_pad);
  tcase_add_test (tc, test_notify);
  return s;
}

GST_CHECK_MAIN (answers);
