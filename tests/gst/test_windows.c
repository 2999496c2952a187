/* SPDX-License-Identifier: Apache-2.0
 *
 * Which frames stand for which stretch of a stream. test_endings.c has the windows that end before their time. */
#include "support.h"

GST_START_TEST (test_windows_and_partial_at_eos)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=4 window=1000000000",
      FALSE);

  rig_push_many (rig, 0, 25, 0, 100 * MS);
  rig_expect (rig, "q|1 4 6 9");
  rig_expect (rig, "q|11 14 16 19");
  rig_no_answer (rig, 0);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  rig_expect (rig, "q|21 24");
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
  rig_expect (rig, "q|1 4 6 9");
  rig_expect (rig, "q|6 9 11 14");
  rig_expect (rig, "q|11 14 16 19");
  fail_unless_equals_uint64 (rig_stat (rig, "frames-encoded"), 8);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-sampled"), 8);
  rig_free (rig);
}

GST_END_TEST;

/* The engine is told with every frame; what it makes of that is in the answer and in the counts. */
GST_START_TEST (test_reuse_below)
{
  Rig *rig = rig_new ("device=fake: prompt=q frames=4 window=1000000000 "
      "reuse-below=2.5", FALSE);
  const GstStructure *answer;
  GstMessage *message;
  guint reused;

  rig_push_many (rig, 0, 12, 0, 100 * MS);
  message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-answer", 10000);
  fail_unless (message != NULL);
  answer = gst_message_get_structure (message);
  fail_unless_equals_string (gst_structure_get_string (answer, "text"),
      "q|1 4 6 9");
  fail_unless (gst_structure_get_uint (answer, "frames-reused", &reused));
  fail_unless_equals_int (reused, 1);   /* 6 as 4 */
  gst_message_unref (message);
  rig_push_many (rig, 12, 10, 1200 * MS, 100 * MS);
  rig_expect (rig, "q|11 14 16 19");
  fail_unless_equals_uint64 (rig_stat (rig, "frames-reused"), 3);       /* 11 as 9, 16 as 14 */
  fail_unless_equals_uint64 (rig_stat (rig, "frames-encoded"), 5);
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

GST_START_TEST (test_prompt_takes_effect_with_next_window)
{
  Rig *rig = rig_new ("device=fake: prompt=old frames=1 window=1000000000",
      FALSE);

  rig_push_many (rig, 0, 5, 0, 100 * MS);
  g_object_set (rig->element, "prompt", "new", "frames", 2, NULL);
  rig_push_many (rig, 5, 16, 500 * MS, 100 * MS);
  rig_expect (rig, "old|5");
  rig_expect (rig, "new|12 17");
  rig_free (rig);

  /* The next window opens in a gap. */
  rig = rig_new ("device=fake: prompt=old frames=1 window=1000000000", FALSE);
  rig_push_many (rig, 0, 9, 0, 100 * MS);
  g_object_set (rig->element, "prompt", "new", NULL);
  fail_unless (gst_harness_push_event (rig->h,
          gst_event_new_gap (900 * MS, 200 * MS)));
  rig_push_many (rig, 11, 10, 1100 * MS, 100 * MS);
  rig_expect (rig, "old|5");
  rig_expect (rig, "new|15");
  rig_free (rig);

  /* A clip is asked about at its end. */
  rig = rig_new ("device=fake: prompt=old sampling=clip frames=2", FALSE);
  rig_push_many (rig, 0, 5, 0, 100 * MS);
  g_object_set (rig->element, "prompt", "new", NULL);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  rig_expect (rig, "new|0 4");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush_cancels)
{
  Rig *rig = rig_new ("device=fake:answer-ms=200 prompt=q frames=2 "
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
  rig_expect (rig, "q|102 107");
  rig_no_answer (rig, 0);
  rig_free (rig);
}

GST_END_TEST;

/* Timestamps, durations and gaps that make no sense (a negative time, a muxer's bug) end no window and hang nothing: twenty
 * frames of 100 ms are two windows. */
GST_START_TEST (test_times_that_make_no_sense)
{
  static const struct
  {
    GstClockTime start, duration, gap, gap_duration;
  } rows[] = {
    /* 20 frames before the end of time; 146 years and a little; half of that */
    {G_MAXUINT64 - 1 - 2 * GST_SECOND, 100 * MS, GST_CLOCK_TIME_NONE, 0},
    {(G_GUINT64_CONSTANT (1) << 62) + 1, 100 * MS, GST_CLOCK_TIME_NONE, 0},
    {G_GUINT64_CONSTANT (1) << 61, 100 * MS, GST_CLOCK_TIME_NONE, 0},
    {G_GUINT64_CONSTANT (1) << 63, 100 * MS, GST_CLOCK_TIME_NONE, 0},
    {0, 3600 * GST_SECOND, GST_CLOCK_TIME_NONE, 0},
    {0, G_GUINT64_CONSTANT (1) << 63, GST_CLOCK_TIME_NONE, 0},
    {0, G_MAXUINT64 - 1, GST_CLOCK_TIME_NONE, 0},
    {0, 100 * MS, 0, G_MAXUINT64 - 1},
    {0, 100 * MS, G_GUINT64_CONSTANT (1) << 63, 100 * MS},
    {0, 100 * MS, G_MAXUINT64 - 1, G_MAXUINT64 - 1},
  };
  guint i, k;
  Rig *rig;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000", FALSE);
    for (k = 0; k < 20; k++) {
      rig_push (rig, k, rows[i].start + k * 100 * MS, rows[i].duration);
      if (k == 4 && GST_CLOCK_TIME_IS_VALID (rows[i].gap))
        gst_harness_push_event (rig->h, gst_event_new_gap (rows[i].gap,
                rows[i].gap_duration));
    }
    fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
    rig_expect (rig, "q|2 7");
    rig_expect (rig, "q|12 17");
    rig_no_answer (rig, 0);
    fail_unless_equals_uint64 (rig_stat (rig, "empty-windows"), 0);
    rig_free (rig);
  }
}

GST_END_TEST;

/* The longest windows and intervals, which no clock will ever come to the end of. */
GST_START_TEST (test_windows_without_end)
{
  static const struct
  {
    const gchar *properties, *answer;
  } rows[] = {
    {"window=9223372036854775807", "q|19"},
    {"interval=9223372036854775807 window=1000000000", "q|2 7"},
    {"interval=9223372036854775807 window=9223372036854775807", "q|19"},
    {"interval=1 window=9223372036854775807", "q|19"},
  };
  gboolean live;
  guint i;
  Rig *rig;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    for (live = FALSE; live <= TRUE; live++) {
      gchar *properties = g_strconcat ("device=fake: prompt=q frames=2 ",
          rows[i].properties, NULL);

      rig = rig_new (properties, live);
      rig_push_many (rig, 0, 20, GST_SECOND, 100 * MS);
      fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
      rig_expect (rig, rows[i].answer);
      rig_no_answer (rig, 0);
      rig_free (rig);
      g_free (properties);
    }
  }
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
  Rig *rig = rig_new ("device=fake:answer-ms=60000 frames=2 window=1000000000",
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
  rig_expect (rig, "q|2 97");
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_missing_timestamps)
{
  /* The frame rate of the caps is used instead. */
  Rig *rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000",
      FALSE);
  GstMessage *message;
  guint i;

  for (i = 0; i < 11; i++)
    rig_push (rig, i, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  rig_expect (rig, "q|2 7");
  rig_free (rig);

  /* There is no frame rate either. */
  rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000", FALSE);
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, width=16,"
      " height=16, framerate=0/1");
  rig_push (rig, 0, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  fail_if (rig_wait (rig, GST_MESSAGE_WARNING, NULL, 0));       /* it may be a picture */
  for (i = 1; i < 26; i++)
    rig_push (rig, i, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 0);
  fail_unless (message != NULL);
  gst_message_unref (message);
  rig_free (rig);

  rig = rig_new ("device=fake: prompt=q frames=2 window=1000000000", FALSE);
  gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, width=16,"
      " height=16, framerate=0/1");
  for (i = 0; i < 26; i++)
    rig_push (rig, i, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE);
  rig_expect (rig, "q|6 19");
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
  rig_expect (rig, "q|2 5");
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
  /* One still picture: the image layout takes exactly one frame, or the fake engine refuses. */
  Rig *rig = rig_new ("device=fake: prompt=q", FALSE);

  rig_push (rig, 9, 0, GST_CLOCK_TIME_NONE);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  rig_expect (rig, "q|9");
  rig_free (rig);

  /* So does one image with layout=images; several do not. */
  rig = rig_new ("device=fake: prompt=q layout=images", FALSE);
  rig_push (rig, 9, 0, GST_CLOCK_TIME_NONE);
  fail_unless (gst_harness_push_event (rig->h, gst_event_new_eos ()));
  rig_expect (rig, "q|9");
  rig_free (rig);

  rig = rig_new ("device=fake: prompt=q layout=images frames=1 "
      "window=1000000000", FALSE);
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  rig_expect (rig, "q|5");
  rig_free (rig);

  rig = rig_new ("device=fake: prompt=q layout=images frames=2 "
      "window=1000000000", FALSE);
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  rig_expect (rig, "q|2 7");
  rig_free (rig);

  rig = rig_new ("device=fake: prompt=q layout=image window=1000000000", FALSE);
  rig_push_many (rig, 0, 11, 0, 100 * MS);
  rig_expect (rig, "q|5");
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
  Rig *rig = rig_new ("device=fake:answer-ms=300;load-ms=200 prompt=q frames=1",
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

static Suite *
windows_suite (void)
{
  Suite *s = suite_create ("windows");
  TCase *tc = tcase_create ("windows");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_windows_and_partial_at_eos);
  tcase_add_test (tc, test_overlap_encodes_once);
  tcase_add_test (tc, test_reuse_below);
  tcase_add_test (tc, test_eos_before_any_frame);
  tcase_add_test (tc, test_prompt_takes_effect_with_next_window);
  tcase_add_test (tc, test_times_that_make_no_sense);
  tcase_add_test (tc, test_windows_without_end);
  tcase_add_test (tc, test_flush_cancels);
  tcase_add_test (tc, test_flush_unblocks);
  tcase_add_test (tc, test_renegotiation_inside_a_window);
  tcase_add_test (tc, test_missing_timestamps);
  tcase_add_test (tc, test_gap_closes_a_window);
  tcase_add_test (tc, test_layout_auto);
  tcase_add_test (tc, test_clip);
  tcase_add_test (tc, test_eos_waits_for_answers);
  return s;
}

GST_CHECK_MAIN (windows);
