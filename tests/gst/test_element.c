/* SPDX-License-Identifier: Apache-2.0
 *
 * llavaovelement in a harness: what goes in, what comes out, and when. */
#include "support.h"

#include <gst/video/video.h>
#include <jansson.h>

#define MS GST_MSECOND

static void
check_answer (Rig * rig, const gchar * expected)
{
  gchar *text = rig_answer (rig);

  fail_unless_equals_string (text, expected);
  g_free (text);
}

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

GST_START_TEST (test_windows_and_partial_at_eos)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=4 window=1000000000",
      FALSE);

  rig_push_many (rig, 0, 25, 0, 100 * MS);
  check_answer (rig, "q|1 4 6 9");
  check_answer (rig, "q|11 14 16 19");
  rig_no_answer (rig, 0);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  check_answer (rig, "q|21 24");
  fail_unless_equals_uint64 (rig_stat (rig, "windows"), 3);
  fail_unless_equals_uint64 (rig_stat (rig, "answers"), 3);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-seen"), 25);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-sampled"), 10);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-encoded"), 10);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_overlap_encodes_once)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=4 window=1000000000 "
      "interval=500000000", FALSE);

  rig_push_many (rig, 0, 21, 0, 100 * MS);
  check_answer (rig, "q|1 4 6 9");
  check_answer (rig, "q|6 9 11 14");
  check_answer (rig, "q|11 14 16 19");
  fail_unless_equals_uint64 (rig_stat (rig, "frames-encoded"), 8);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-sampled"), 8);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_eos_before_any_frame)
{
  Rig *rig = rig_new ("device=fake:", FALSE);

  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  rig_no_answer (rig, 50);
  fail_unless_equals_uint64 (rig_stat (rig, "windows"), 0);
  rig_free (rig);
}

GST_END_TEST;

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
  "finish-reason", "timestamp", "stream-time", "running-time", "duration",
  "n-frames", "frame-times", "utc-start", "prompt-tokens", "new-tokens",
  "time-to-first-token", "answer-latency", "dropped-windows", "model", "device"
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
  rig_free (rig);

  rig = rig_new ("device=fake: frames=2 window=1000000000 meta-mode=sticky",
      FALSE);
  rig_push_many (rig, 0, 21, 0, 100 * MS);
  fail_unless_equals_int (count_metas (rig, 21), 11);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_read_only_buffers)
{
  Rig *rig = rig_new ("device=fake: frames=2 window=1000000000", FALSE);
  GstBuffer *held[11], *out;
  guint i;

  /* Somebody else holds on to every buffer, as behind a tee. */
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

GST_START_TEST (test_prompt_takes_effect_with_next_window)
{
  Rig *rig = rig_new ("device=fake: prompt=old frames=1 window=1000000000",
      FALSE);

  rig_push_many (rig, 0, 5, 0, 100 * MS);
  g_object_set (rig->element, "prompt", "new", "frames", 2, NULL);
  rig_push_many (rig, 5, 16, 500 * MS, 100 * MS);
  check_answer (rig, "old|5");
  check_answer (rig, "new|12 17");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_cancels)
{
  Rig *rig = rig_new ("device=fake:answer=200 prompt=q frames=2 "
      "window=1000000000", FALSE);
  GstSegment segment;

  rig_push_many (rig, 0, 8, 0, 100 * MS);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_flush_start ()));
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_flush_stop
          (TRUE)));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  fail_unless (gst_harness_push_event (rig->h,
          gst_event_new_segment (&segment)));
  rig_push_many (rig, 100, 11, 3 * GST_SECOND, 100 * MS);
  check_answer (rig, "q|102 107");
  rig_no_answer (rig, 0);
  rig_free (rig);
}

GST_END_TEST;

typedef struct
{
  Rig *rig;
  GstFlowReturn flow;
} Push;

static gpointer
push_closing (gpointer data)
{
  Push *push = data;

  push->flow = rig_push (push->rig, 10, GST_SECOND, 100 * MS);
  return NULL;
}

GST_START_TEST (test_flush_unblocks)
{
  Rig *rig = rig_new ("device=fake:answer=60000 frames=2 window=1000000000",
      FALSE);
  Push push = { rig, GST_FLOW_OK };
  GThread *thread;
  gint64 begin;

  rig_push_many (rig, 0, 10, 0, 100 * MS);
  thread = g_thread_new ("push", push_closing, &push);
  g_usleep (50000);
  begin = g_get_monotonic_time ();
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_flush_start ()));
  g_thread_join (thread);
  fail_unless_equals_int (push.flow, GST_FLOW_FLUSHING);
  fail_unless (g_get_monotonic_time () - begin < 5 * G_TIME_SPAN_SECOND);
  rig_no_answer (rig, 0);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_segment_restarts_the_window)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000",
      FALSE);
  GstSegment segment;

  rig_push_many (rig, 0, 8, 0, 100 * MS);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = 800 * MS;
  fail_unless (gst_harness_push_event (rig->h,
          gst_event_new_segment (&segment)));
  rig_push_many (rig, 50, 11, 0, 100 * MS);
  check_answer (rig, "q|52 57");
  rig_free (rig);

  /* The same segment again changes nothing. */
  rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000", FALSE);
  rig_push_many (rig, 0, 5, 0, 100 * MS);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  fail_unless (gst_harness_push_event (rig->h,
          gst_event_new_segment (&segment)));
  rig_push_many (rig, 5, 6, 500 * MS, 100 * MS);
  check_answer (rig, "q|2 7");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_discont_restarts_the_window)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000",
      FALSE);
  GstBuffer *buffer;

  rig_push_many (rig, 0, 5, 0, 100 * MS);
  /* times run on: a lost packet, say */
  buffer = rig_buffer (5, 500 * MS, 100 * MS);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  gst_harness_push (rig->h, buffer);
  rig_push_many (rig, 6, 6, 600 * MS, 100 * MS);
  check_answer (rig, "q|2 7");
  /* a jump */
  buffer = rig_buffer (50, 20 * GST_SECOND, 100 * MS);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  gst_harness_push (rig->h, buffer);
  rig_push_many (rig, 51, 10, 20100 * MS, 100 * MS);
  check_answer (rig, "q|52 57");
  /* back in time */
  buffer = rig_buffer (80, 10 * GST_SECOND, 100 * MS);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  gst_harness_push (rig->h, buffer);
  rig_push_many (rig, 81, 10, 10100 * MS, 100 * MS);
  check_answer (rig, "q|82 87");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_renegotiation_inside_a_window)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000",
      FALSE);
  GstBuffer *buffer;
  guint i;

  rig_push_many (rig, 0, 5, 0, 100 * MS);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_caps
          (gst_caps_from_string ("video/x-raw, format=I420, width=32, "
                  "height=32, framerate=10/1"))));
  for (i = 5; i < 11; i++) {
    buffer = gst_buffer_new_allocate (NULL, 32 * 32 * 3 / 2, NULL);
    gst_buffer_memset (buffer, 0, 90 + i, 32 * 32 * 3 / 2);
    GST_BUFFER_PTS (buffer) = i * 100 * MS;
    fail_unless_equals_int (gst_harness_push (rig->h, buffer), GST_FLOW_OK);
  }
  check_answer (rig, "q|2 97");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_missing_timestamps)
{
  /* The rate of the caps stands in. */
  Rig *rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000",
      FALSE);
  guint i;

  for (i = 0; i < 11; i++)
    rig_push (rig, i, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  check_answer (rig, "q|2 7");
  rig_free (rig);

  /* No rate either. */
  rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000", FALSE);
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, width=16,"
      " height=16, framerate=0/1");
  for (i = 0; i < 26; i++)
    rig_push (rig, i, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  check_answer (rig, "q|6 19");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_gap_closes_a_window)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000",
      FALSE);
  GstEvent *event;

  rig_push_many (rig, 0, 6, 0, 100 * MS);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_gap (600 * MS,
              100 * MS)));
  rig_no_answer (rig, 20);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_gap (700 * MS,
              500 * MS)));
  check_answer (rig, "q|2 5");
  while ((event = gst_harness_try_pull_event (rig->h))) {
    gboolean gap = GST_EVENT_TYPE (event) == GST_EVENT_GAP;

    gst_event_unref (event);
    if (gap)
      break;
  }
  fail_unless (event != NULL);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_layout_auto)
{
  /* One still picture: the image layout takes exactly one frame, or the double refuses. */
  Rig *rig = rig_new ("device=fake: prompt=q", FALSE);

  rig_push (rig, 9, 0, GST_CLOCK_TIME_NONE);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  check_answer (rig, "q|9");
  rig_free (rig);

  rig = rig_new ("device=fake: prompt=q layout=image window=1000000000", FALSE);
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  check_answer (rig, "q|5");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_clip)
{
  Rig *rig = rig_new ("device=fake: prompt=q sampling=clip frames=5", FALSE);
  GstMessage *message;
  guint64 value;

  rig_push_many (rig, 0, 41, GST_SECOND, 100 * MS);
  rig_no_answer (rig, 20);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 5000);
  fail_unless (message != NULL);
  fail_unless_equals_string (gst_structure_get_string
      (gst_message_get_structure (message), "text"), "q|0 10 20 30 40");
  gst_structure_get_uint64 (gst_message_get_structure (message), "duration",
      &value);
  fail_unless_equals_uint64 (value, 4100 * MS);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_eos_waits_for_answers)
{
  Rig *rig = rig_new ("device=fake:answer=300,load=200 prompt=q frames=1",
      FALSE);

  rig_push_many (rig, 3, 4, 0, 100 * MS);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  /* It is on the bus already. */
  {
    GstMessage *message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer",
        0);

    fail_unless (message != NULL);
    gst_message_unref (message);
  }
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_live_newest_drops_whole_windows)
{
  Rig *rig = rig_new ("device=fake:answer=1000 prompt=q frames=2 "
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
  /* Five windows handed over during the first answer: the streaming thread was not held up. */
  fail_unless (g_get_monotonic_time () - begin < 600000);
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
  check_answer (rig, "q|2 7");
  check_answer (rig, "q|42 47");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_live_block_answers_every_window)
{
  Rig *rig = rig_new ("device=fake:answer=50 prompt=q frames=1 "
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
  check_answer (rig, "q|40 40");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_failed_window_is_a_warning)
{
  Rig *rig = rig_new ("device=fake:ask-error=numeric,every=2 prompt=q "
      "frames=1 window=1000000000", FALSE);
  GstMessage *message;

  rig_push_many (rig, 0, 31, 0, 100 * MS);
  check_answer (rig, "q|5");
  check_answer (rig, "q|25");
  fail_unless_equals_uint64 (rig_stat (rig, "failed-windows"), 1);
  rig_push_many (rig, 31, 10, 3100 * MS, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 1000);
  fail_unless (message != NULL);
  gst_message_unref (message);
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

  /* In PLAYING it costs a window. */
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  check_answer (rig, "q|1 4 6 9");
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
element_suite (void)
{
  Suite *s = suite_create ("llavaovelement");
  TCase *tc = tcase_create ("llavaovelement");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_video_goes_through_untouched);
  tcase_add_test (tc, test_windows_and_partial_at_eos);
  tcase_add_test (tc, test_overlap_encodes_once);
  tcase_add_test (tc, test_eos_before_any_frame);
  tcase_add_test (tc, test_message_meta_and_json_are_one);
  tcase_add_test (tc, test_times_in_answer);
  tcase_add_test (tc, test_meta_modes);
  tcase_add_test (tc, test_read_only_buffers);
  tcase_add_test (tc, test_prompt_takes_effect_with_next_window);
  tcase_add_test (tc, test_flush_cancels);
  tcase_add_test (tc, test_flush_unblocks);
  tcase_add_test (tc, test_segment_restarts_the_window);
  tcase_add_test (tc, test_discont_restarts_the_window);
  tcase_add_test (tc, test_renegotiation_inside_a_window);
  tcase_add_test (tc, test_missing_timestamps);
  tcase_add_test (tc, test_gap_closes_a_window);
  tcase_add_test (tc, test_layout_auto);
  tcase_add_test (tc, test_clip);
  tcase_add_test (tc, test_eos_waits_for_answers);
  tcase_add_test (tc, test_live_newest_drops_whole_windows);
  tcase_add_test (tc, test_live_block_answers_every_window);
  tcase_add_test (tc, test_live_without_frames);
  tcase_add_test (tc, test_failed_window_is_a_warning);
  tcase_add_test (tc, test_prompt_too_long);
  tcase_add_test (tc, test_queries);
  tcase_add_test (tc, test_text_pad);
  tcase_add_test (tc, test_notify);
  return s;
}

GST_CHECK_MAIN (element);
