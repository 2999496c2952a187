/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/windows.md, row by row: what is answered or reported when a window ends before its time.
 *
 * A row is a script, and what the bus says in the end: answers in order, then all else in order. Frames come every 100 ms and
 * last as long; a window is 1 s long with two sampling points, at 250 and 750 ms. Words of a script:
 *   A-B@T      frames with the values A to B from the timestamp T (ms) on
 *   !A-B@T     the same, the first one marked as a discontinuity
 *   run:N@T/S  N frames of the value 7 from T on, S ms apart
 *   seg:T      a segment from 0 at the running time T
 *   on:T       a segment that continues the one before at T
 *   rate:T     a segment at double rate from 0 at the running time T
 *   stream     another stream begins; again: the same event once more
 *   done  eos  flush  tags  caps
 *   gap:T-U    a GAP event
 *   tick:T     the clock comes to T and wakes those who wait
 *   clock:T/N  the clock comes to T, and then N messages have come
 * EOS follows every script. Answers are the frames' values, "-" is llavaov-no-frames with its reason, start and length,
 * "x" a QOS message with its reason. */
#include "support.h"

#include <gst/check/gsttestclock.h>
#include <stdio.h>

typedef struct
{
  const gchar *name, *properties, *script, *said;
} Row;

static GString *said, *told;    /* answers; everything else */
static guint n_said;
static GstEvent *stream_event;

static void
note (GstMessage * message)
{
  const GstStructure *structure = gst_message_get_structure (message);
  const gchar *reason = gst_structure_get_string (structure, "reason");
  guint64 start, length;

  if (gst_message_has_name (message, "llavaov-answer")) {
    g_string_append_printf (said, ", %s",
        gst_structure_get_string (structure, "text") + 2);
  } else if (gst_message_has_name (message, "llavaov-no-frames")) {
    gst_structure_get_uint64 (structure, "running-time", &start);
    gst_structure_get_uint64 (structure, "duration", &length);
    g_string_append_printf (told, ", -%s %u+%u", reason,
        (guint) (start / MS), (guint) (length / MS));
  } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_QOS) {
    g_string_append_printf (told, ", x%s", reason);
  } else {
    return;
  }
  n_said++;
}

static void
listen (Rig * rig)
{
  GstMessage *message;

  while ((message = gst_bus_pop_filtered (rig->bus,
              GST_MESSAGE_ELEMENT | GST_MESSAGE_QOS))) {
    note (message);
    gst_message_unref (message);
  }
}

static void
segment (Rig * rig, guint base, guint start, gdouble rate)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.rate = rate;
  segment.base = base * MS;
  segment.start = segment.time = start * MS;
  gst_harness_push_event (rig->h, gst_event_new_segment (&segment));
}

static void
frames (Rig * rig, const gchar * word)
{
  gboolean discont = *word == '!';
  guint from, to, at, i;

  fail_unless (sscanf (word + discont, "%u-%u@%u", &from, &to, &at) == 3,
      "%s", word);
  for (i = from; i <= to; i++) {
    GstBuffer *buffer = rig_buffer (i, (at + (i - from) * 100) * MS, 100 * MS);

    if (discont && i == from)
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
    fail_unless_equals_int (gst_harness_push (rig->h, buffer), GST_FLOW_OK);
  }
}

/* Holds the clock at a time until so many messages have come. */
static void
clock_to (Rig * rig, guint at, guint until)
{
  GstTestClock *clock = gst_harness_get_testclock (rig->h);
  GstClockID id;
  guint tries;

  gst_test_clock_set_time (clock, at * MS);
  for (tries = 0; tries < 10000 && n_said < until; tries++) {
    if (gst_test_clock_peek_next_pending_id (clock, &id)) {
      if (gst_clock_id_get_time (id) <= at * MS)
        gst_clock_id_unref (gst_test_clock_process_next_clock_id (clock));
      gst_clock_id_unref (id);
    }
    g_usleep (1000);
    listen (rig);
  }
  gst_object_unref (clock);
}

/* Returns when everybody who was woken by it is done. */
static void
tick (Rig * rig, guint at)
{
  GstTestClock *clock = gst_harness_get_testclock (rig->h);
  GstClockID id;
  gboolean due = TRUE;

  gst_test_clock_set_time (clock, at * MS);
  while (due) {
    gst_test_clock_wait_for_next_pending_id (clock, &id);
    due = gst_clock_id_get_time (id) <= at * MS;
    if (due)
      gst_clock_id_unref (gst_test_clock_process_next_clock_id (clock));
    gst_clock_id_unref (id);
  }
  gst_object_unref (clock);
}

static void
run_of_frames (Rig * rig, guint n, guint at, guint step)
{
  guint i;

  for (i = 0; i < n; i++)
    fail_unless_equals_int (rig_push (rig, 7, (at + i * step) * MS,
            100 * MS), GST_FLOW_OK);
}

static void
act (Rig * rig, const gchar * word)
{
  guint a = 0, b = 0, c = 0;

  if (g_ascii_isdigit (*word) || *word == '!')
    frames (rig, word);
  else if (sscanf (word, "run:%u@%u/%u", &a, &b, &c) == 3)
    run_of_frames (rig, a, b, c);
  else if (sscanf (word, "seg:%u", &a) == 1)
    segment (rig, a, 0, 1);
  else if (sscanf (word, "on:%u", &a) == 1)
    segment (rig, a, a, 1);
  else if (sscanf (word, "rate:%u", &a) == 1)
    segment (rig, a, 0, 2);
  else if (sscanf (word, "gap:%u-%u", &a, &b) == 2)
    gst_harness_push_event (rig->h, gst_event_new_gap (a * MS, (b - a) * MS));
  else if (sscanf (word, "tick:%u", &a) == 1)
    tick (rig, a);
  else if (sscanf (word, "clock:%u/%u", &a, &b) == 2)
    clock_to (rig, a, b);
  else if (!strcmp (word, "stream"))
    gst_event_replace (&stream_event, gst_event_new_stream_start ("another")),
        gst_harness_push_event (rig->h, gst_event_ref (stream_event));
  else if (!strcmp (word, "again"))
    gst_harness_push_event (rig->h, gst_event_ref (stream_event));
  else if (!strcmp (word, "done"))
    gst_harness_push_event (rig->h,
        gst_event_new_segment_done (GST_FORMAT_TIME, 500 * MS));
  else if (!strcmp (word, "eos"))
    gst_harness_push_event (rig->h, gst_event_new_eos ());
  else if (!strcmp (word, "flush"))
    gst_harness_push_event (rig->h, gst_event_new_flush_start ()),
        gst_harness_push_event (rig->h, gst_event_new_flush_stop (TRUE));
  else if (!strcmp (word, "tags"))
    gst_harness_push_event (rig->h, gst_event_new_tag (gst_tag_list_new
            (GST_TAG_TITLE, "t", NULL)));
  else if (!strcmp (word, "caps"))
    gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, "
        "width=16, height=16, framerate=5/1");
  else
    fail ("%s", word);
}

static void
run_row (const Row * row, const gchar * properties, gboolean live)
{
  gchar *line = g_strconcat ("device=fake: prompt=q frames=2 "
      "window=1000000000 ", properties, " ", row->properties, NULL);
  Rig *rig = rig_new_null (line, live);
  gchar **words = g_strsplit (row->script, " ", -1);
  guint i;

  said = g_string_new (NULL);
  told = g_string_new (NULL);
  n_said = 0;
  rig_prepare (rig);
  if (live)
    gst_harness_use_testclock (rig->h);
  rig_play (rig);
  for (i = 0; words[i]; i++)
    act (rig, words[i]);
  act (rig, "eos");
  listen (rig);
  g_string_append (said, told->str);
  g_string_free (told, TRUE);
  fail_unless (!strcmp (said->len ? said->str + 2 : "", row->said),
      "%s (%s): %s, wanted: %s", row->name, properties,
      said->len ? said->str + 2 : "", row->said);
  fail_unless_equals_uint64 (rig_stat (rig, "windows") + rig_stat (rig,
          "empty-windows"), n_said + rig_stat (rig, "failed-windows"));
  g_string_free (said, TRUE);
  gst_event_replace (&stream_event, NULL);
  g_strfreev (words);
  rig_free (rig);
  g_free (line);
}

#define AFTER ", 52 57, 60"
#define OVERLAP "interval=500000000"
#define SPARSE "interval=2000000000"

/* The same for a file, a live stream and a live stream that blocks, except for rows about files or stills. */
static const Row any[] = {
  {"end", "", "0-4@0", "2"},
  {"end, overlapping", OVERLAP, "0-7@0", "2 7, 7"},
  {"end between windows", SPARSE, "0-14@0", "2 7"},
  {"one frame", "", "7-7@300", "7"},
  {"segment", "", "0-4@0 seg:500 50-60@0", "2" AFTER},
  {"segment, hours on", "", "0-4@0 seg:9000500 50-60@0", "2" AFTER},
  {"segment, back", "", "0-4@9000 seg:500 50-60@0", "2" AFTER},
  {"segment, overlapping", OVERLAP, "0-7@0 seg:800 50-60@0",
      "2 7, 7, 52 57, 57, 60"},
  {"segment between windows", SPARSE, "0-14@0 seg:1500 50-60@0",
      "2 7, 52 57"},
  {"segment with another rate", "", "0-4@0 rate:500 50-70@0",
      "2, 55 65, 70"},
  {"segment that goes on", "", "0-4@0 on:500 5-10@500", "2 7, 10"},
  {"segment, many", "",
        "0-4@0 seg:500 10-14@0 seg:1000 20-24@0 seg:1500 30-34@0",
      "2, 12, 22, 32"},
  {"segment in front of the first frame", "", "seg:500 seg:700 50-60@0",
      "52 57, 60"},
  {"stream", "", "0-4@0 stream seg:500 50-60@0", "2" AFTER},
  {"stream, one frame before", "layout=video",
      "7-7@0 stream seg:100 50-60@0", "7" AFTER},
  {"stream, still pictures", "", "7-7@0 stream seg:0 8-8@0 stream seg:0 9-9@0",
      "7, 8, 9"},
  {"the same stream again", "", "stream seg:0 0-4@0 again 5-10@500",
      "2 7, 10"},
  {"segment done", "", "0-4@0 done", "2"},
  {"segment done, and another", "", "0-4@0 done seg:500 50-60@0", "2" AFTER},
  {"segment done twice", "", "0-4@0 done done seg:500 50-60@0 done",
      "2" AFTER},
  {"hole", "", "0-4@0 !50-60@20000", "2" AFTER},
  {"hole, small", "", "0-4@0 !5-10@500", "2 7, 10"},
  {"hole, overlapping", OVERLAP, "0-7@0 !50-54@20000", "2 7, 7, 52"},
  {"hole in a file that nobody marked", "", "0-4@0 50-60@20000", "2 4" AFTER},
  {"jump back", "", "0-4@9000 !50-60@0", "2" AFTER},
  {"jump back that nobody marked", "", "0-4@9000 50-60@0", "2" AFTER},
  {"jump back inside a window", "", "0-4@9000 50-60@9000", "2" AFTER},
  {"jump back again and again", "", "0-4@0 0-4@0 0-4@0 0-4@0",
      "2, 2, 2, 2"},
  {"frames out of order", "", "0-0@0 3-3@300 1-2@100 6-6@600 4-5@400 7-10@700",
      "3 7, 10"},
  {"gap in a file behind the window", "", "0-4@0 gap:500-1500 50-60@2000",
      "2 4" AFTER},
  {"gap inside the window", "", "0-4@0 gap:500-800 8-10@800", "2 8, 10"},
  {"flush", "", "0-4@0 flush seg:0 50-60@0", "52 57, 60"},
  {"flush, then the end", "", "0-4@0 flush seg:0", ""},
  {"tags", "", "0-4@0 tags 5-10@500", "2 7, 10"},
  {"caps", "", "0-4@0 caps 5-10@500", "2 7, 10"},
  {"timestamps that stand still", "", "run:700@500/0", "7, 7"},
  {"frames outside the segment", "", "on:900000 run:700@0/100",
      "-outside-segment 0+0"},
  {"frames in a file between windows", "interval=100000000000",
      "run:6@0/30000", "7 7, -between-windows 30000+120000"},
  {"frames out of order for ever", "", "0-4@500 run:40@700/0 run:40@600/0",
      "2, 7, 7"},
  {"clip", "sampling=clip", "0-4@0 seg:500 10-14@0", "0 14"},
  {"clip over a hole and back", "sampling=clip",
      "0-4@0 !10-14@90000 20-24@0", "0 24"},
  {"clips of two streams", "sampling=clip",
      "0-4@0 stream seg:500 10-14@0", "0 4, 10 14"},
  {"clips of two loops", "sampling=clip",
      "0-4@0 done seg:500 10-14@0 done", "0 4, 10 14"},
};

GST_START_TEST (test_any_stream)
{
  const Row *row = &any[__i__];

  run_row (row, "", FALSE);
  if (!strstr (row->name, "still") && !strstr (row->name, "file")) {
    run_row (row, "max-pending=16", TRUE);
    run_row (row, "overload=block", TRUE);
  }
}

GST_END_TEST;

/* Live streams report stretches without a frame; two rows are about holes as above. */
static const Row live[] = {
  {"silence from the start", "", "clock:1500/1", "-silence 0+1000"},
  {"silence after frames", "", "0-4@0 clock:1300/1 clock:2300/2",
      "2 4, -silence 1000+1000"},
  {"silence, overlapping", OVERLAP, "0-7@0 clock:1300/1 clock:1800/2 "
        "clock:2300/3", "2 7, 7 7, -silence 1000+1000"},
  {"silence, and a segment", "", "0-4@0 clock:1300/1 clock:2100/1 "
        "seg:2100 50-60@0", "2 4" AFTER ", -segment 1000+1000"},
  {"silence, and a stream", "", "0-4@0 clock:1300/1 clock:2100/1 "
        "stream seg:2100 50-60@0", "2 4" AFTER ", -stream-start 1000+1000"},
  {"silence, and the end", "", "0-4@0 clock:1300/1 clock:2100/1",
      "2 4, -eos 1000+1000"},
  {"silence, and a hole", "", "0-4@0 clock:1300/1 clock:2100/1 !50-60@2100",
      "2 4" AFTER ", -hole 1000+1000"},
  {"silence, and a stream in silence", "", "0-4@0 clock:600/0 stream "
        "clock:1900/2", "2, -silence 600+1000"},
  {"silence for hours", "", "0-4@0 clock:1300/1 clock:9000300/3",
      "2 4, -silence 1000+1000, -silence 2000+8998000"},
  {"frames ten seconds late", "", "clock:10000/1 0-4@0 tick:10600 5-10@500 "
        "tick:11100 11-20@1100 tick:12300", "2 7, 12 17, 20, -silence 0+9000"},
  {"frames ten seconds late, and silence", "", "clock:10000/1 0-4@0 "
        "tick:11000 tick:11300", "2 4, -silence 0+9000"},
  {"a burst after a late start", "", "clock:6000/1 0-30@0 tick:6100 31-60@3100 "
        "tick:6200", "2 7, 12 17, 22 27, 32 37, 42 47, 52 57, 60, "
        "-silence 0+5000"},
  {"hole that nobody marked", "", "0-4@0 50-60@3000",
      "2 4" AFTER ", -silence 1000+1000, -silence 2000+1000"},
  {"gap behind the window", "", "0-4@0 gap:500-1500 50-60@2000",
      "2 4" AFTER ", -silence 1000+1000"},
};

GST_START_TEST (test_live)
{
  run_row (&live[__i__], "max-pending=16", TRUE);
}

GST_END_TEST;

GST_START_TEST (test_nothing_came)
{
  Rig *rig = rig_new ("device=fake:", FALSE);
  GstMessage *message;

  gst_harness_push_event (rig->h, gst_event_new_eos ());
  message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 1000);
  fail_unless (message != NULL);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
endings_suite (void)
{
  Suite *s = suite_create ("endings");
  TCase *tc = tcase_create ("endings");

  suite_add_tcase (s, tc);
  tcase_add_loop_test (tc, test_any_stream, 0, G_N_ELEMENTS (any));
  tcase_add_loop_test (tc, test_live, 0, G_N_ELEMENTS (live));
  tcase_add_test (tc, test_nothing_came);
  return s;
}

GST_CHECK_MAIN (endings);
