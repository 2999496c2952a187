/* SPDX-License-Identifier: Apache-2.0
 *
 * trigger, enabled, min-interval, max-interval and lookback: docs/triggers.md.
 *
 * A row is a script, and what was said in the end. The stream has a frame every 100 ms, of value n mod 256 for the n-th; windows
 * take 1 s and have two frames, at their quarters. Words of a script:
 *   N           N frames
 *   up  down    the event llavaov/trigger from either side; up@MS, down@MS: about that running time
 *   twice       one event that came from two sinks
 *   on  off     enabled
 *   NAME=VALUE  a property
 *   stream (another begins)  flush  hole (of 5 s)  eos
 * EOS follows every script. An answer is "FRAMES:TRIGGER@TIME", without the time where it has none; the numbers are 100 ms. */
#include "support.h"

#define TRIGGER "device=fake: prompt=\"\" frames=2 window=1000000000 "

typedef struct
{
  Rig *rig;
  GString *said;
  guint n;                      /* frames so far */
} Play;

static void
note (Play * play, GstMessage * message)
{
  const GstStructure *answer = gst_message_get_structure (message);
  guint64 time;

  g_string_append_printf (play->said, "%s%s:%s", play->said->len ? ", " : "",
      gst_structure_get_string (answer, "text") + 1,
      gst_structure_get_string (answer, "trigger"));
  if (gst_structure_get_uint64 (answer, "trigger-time", &time))
    g_string_append_printf (play->said, "@%u", (guint) (time / (100 * MS)));
}

static void
listen (Play * play, guint ms)
{
  GstMessage *message;

  while ((message = rig_wait (play->rig, GST_MESSAGE_ELEMENT, "llavaov-answer",
              ms))) {
    note (play, message);
    gst_message_unref (message);
  }
}

static void
frames (Play * play, guint n)
{
  for (; n; n--, play->n++)
    fail_unless_equals_int (rig_push (play->rig, play->n,
            play->n * 100 * MS, 100 * MS), GST_FLOW_OK);
}

static void
send (Play * play, const gchar * word)
{
  const gchar *at = strchr (word, '@');
  GstStructure *structure = gst_structure_new_empty ("llavaov/trigger");
  GstEvent *event;

  if (at)
    gst_structure_set (structure, "running-time", G_TYPE_UINT64,
        g_ascii_strtoull (at + 1, NULL, 10) * 100 * MS, NULL);
  if (g_str_has_prefix (word, "down")) {
    event = gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM, structure);
    gst_harness_push_event (play->rig->h, event);
    return;
  }
  event = gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, structure);
  if (g_str_equal (word, "twice"))
    gst_harness_push_upstream_event (play->rig->h, gst_event_ref (event));
  gst_harness_push_upstream_event (play->rig->h, event);
}

static void
push_segment (Play * play)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (play->rig->h, gst_event_new_segment (&segment));
}

static void
act (Play * play, const gchar * word)
{
  GstHarness *h = play->rig->h;
  gchar **pair;

  if (g_ascii_isdigit (*word)) {
    frames (play, (guint) g_ascii_strtoull (word, NULL, 10));
  } else if (strchr (word, '=')) {
    pair = g_strsplit (word, "=", 2);
    gst_util_set_object_arg (G_OBJECT (play->rig->element), pair[0], pair[1]);
    g_strfreev (pair);
  } else if (g_str_equal (word, "on") || g_str_equal (word, "off")) {
    g_object_set (play->rig->element, "enabled", g_str_equal (word, "on"),
        NULL);
  } else if (g_str_equal (word, "stream")) {
    gst_harness_push_event (h, gst_event_new_stream_start ("another"));
    push_segment (play);
  } else if (g_str_equal (word, "flush")) {
    gst_harness_push_event (h, gst_event_new_flush_start ());
    gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
    push_segment (play);
    play->n = 0;
  } else if (g_str_equal (word, "hole")) {
    GstBuffer *buffer;

    play->n += 50;
    buffer = rig_buffer (play->n, play->n * 100 * MS, 100 * MS);
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
    gst_harness_push (h, buffer);
    play->n++;
  } else {
    send (play, word);
  }
  listen (play, 0);
}

GST_START_TEST (test_scripts)
{
  static const struct
  {
    const gchar *properties, *script, *said;
  } table[] = {
    /* one after another, as it was */
    {"", "20", "2 7:periodic, 12 17:periodic"},
    {"", "up 20 down", "2 7:periodic, 12 17:periodic"},
    /* nothing, until something triggers: from the next frame on */
    {"trigger=none", "100 up 20", ""},
    {"trigger=event", "100", ""},
    {"trigger=event", "20 up 30", "22 27:event@20"},
    {"trigger=event", "20 down 30", "22 27:event@20"},
    {"trigger=event", "20 twice 30", "22 27:event@20"},
    {"trigger=event", "down 30", "2 7:event@0"},
    /* two at once open one window; one within it none; one behind it another */
    {"trigger=event", "20 up up 30", "22 27:event@20"},
    {"trigger=event", "20 up 5 up 30", "22 27:event@20"},
    {"trigger=event", "20 up 10 up 20", "22 27:event@20, 32 37:event@30"},
    /* beside those of the grid */
    {"trigger=periodic+event", "5 up 20",
        "2 7:periodic, 7 12:event@5, 12 17:periodic, 22:periodic"},
    /* the end cuts it short */
    {"trigger=event", "20 up 4", "22:event@20"},
    {"trigger=event", "20 up", ""},
    /* looking back, at the pitch of the window's frames; a window holds what triggered it */
    {"trigger=event lookback=500000000", "20 up 30", "15 20:event@20"},
    {"trigger=event lookback=500000000", "22 up 30", "20 25:event@22"},
    {"trigger=event lookback=500000000", "24 up 30", "20 25:event@24"},
    {"trigger=event lookback=900000000", "24 up 30", "20 25:event@24"},
    {"trigger=event frames=4 lookback=600000000", "25 up 30",
        "20 23 25 27:event@25"},
    {"trigger=event lookback=500000000", "2 up 30", "2 7:event@2"},
    {"trigger=event lookback=500000000", "24 up@22 30", "20 25:event@22"},
    {"trigger=event lookback=500000000", "24 up@900 30", "20 25:event@24"},
    {"trigger=event lookback=500000000", "24 up@2 30", "5 10:event@2"},
    /* ... overlaps the window before when the cause began in its end, else follows it */
    {"trigger=event lookback=500000000", "20 up 5 up@21 30",
        "15 20:event@20, 20 25:event@21"},
    {"trigger=event lookback=300000000", "20 up 8 up@21 30",
        "20 25:event@20, 30 35:event@21"},
    {"trigger=event lookback=500000000", "20 up 5 up@15 30",
        "15 20:event@20, 25 30:event@15"},
    {"trigger=event lookback=500000000", "20 up 10 up 30",
        "15 20:event@20, 25 30:event@30"},
    /* min-interval: from trigger to trigger; max-interval: from window to window */
    {"trigger=event min-interval=3000000000", "20 up 15 up 15 up 20",
        "22 27:event@20, 52 57:event@50"},
    {"trigger=none max-interval=3000000000", "75",
        "32 37:max-interval@30, 62 67:max-interval@60"},
    {"trigger=event max-interval=3000000000", "20 up 45",
        "22 27:event@20, 52 57:max-interval@50"},
    {"trigger=periodic max-interval=1000000", "10", "2 7:periodic"},
    {"trigger=event min-interval=3000000000 max-interval=3000000000",
        "35 up 5 up 30", "32 37:max-interval@30, 42 47:event@40"},
    /* off: what is open is dropped, events count for nothing; on: at once */
    {"enabled=false", "100", ""},
    {"", "25 off 30", "2 7:periodic, 12 17:periodic"},
    {"", "25 off 30 on 10", "2 7:periodic, 12 17:periodic, 57 62:periodic"},
    {"enabled=false trigger=event", "20 up 5 on 20", ""},
    {"trigger=event", "20 up 5 off 5 on 20 up 20", "52 57:event@50"},
    {"trigger=event lookback=500000000", "20 off 4 on 1 up 20",
        "24 29:event@25"},
    {"sampling=clip frames=4", "4 off 4 on 4", "0 2 8 11:(null)"},
    /* changed on the way: what is open stays */
    {"", "5 trigger=event 10 up 20", "2 7:periodic, 17 22:event@15"},
    {"trigger=event", "25 trigger=periodic 20",
        "27 32:periodic, 37 42:periodic"},
    /* what ends windows ends these, and what was looked back to */
    {"trigger=event lookback=500000000", "20 stream up 20", "20 25:event@20"},
    {"trigger=event lookback=500000000", "20 up 5 stream 20",
        "15 20:event@20"},
    {"trigger=event lookback=500000000", "20 up 1 stream 20",
        "15 20:event@20"},
    {"trigger=event lookback=500000000", "20 up 5 hole up 20",
        "15 20:event@20, 75 80:event@76"},
    {"trigger=event lookback=500000000", "20 up 5 flush 20 up 20",
        "15 20:event@20, 15 20:event@20"},
    {"trigger=event lookback=500000000 min-interval=9000000000",
        "20 up 5 stream 2 up 20", "15 20:event@20, 25 30:event@27"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat (TRIGGER, table[i].properties, NULL);
    Play play = { rig_new (properties, FALSE), g_string_new (NULL), 0 };
    gchar **words = g_strsplit (table[i].script, " ", 0);
    guint k;

    for (k = 0; words[k]; k++)
      act (&play, words[k]);
    gst_harness_push_event (play.rig->h, gst_event_new_eos ());
    listen (&play, 0);
    fail_unless (g_str_equal (play.said->str, table[i].said),
        "%s: %s\n  said   %s\n  wanted %s", table[i].properties,
        table[i].script, play.said->str, table[i].said);
    g_strfreev (words);
    g_string_free (play.said, TRUE);
    rig_free (play.rig);
    g_free (properties);
  }
}

GST_END_TEST;

GST_START_TEST (test_counts)
{
  Rig *rig = rig_new (TRIGGER "trigger=event lookback=500000000 "
      "min-interval=2000000000", FALSE);
  Play play = { rig, g_string_new (NULL), 0 };
  static const gchar *const words[] = {
    "20", "up", "2", "up", "up",        /* in the window */
    "8", "up", "1", "up",       /* too soon */
    "19", "up", "20"
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (words); i++)
    act (&play, words[i]);
  fail_unless_equals_uint64 (rig_stat (rig, "triggered-windows"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "triggers-in-window"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "suppressed-triggers"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "windows"), 2);
  fail_unless_equals_uint64 (rig_stat (rig, "idle-windows"), 6);
  fail_unless_equals_uint64 (rig_stat (rig, "frames-sampled"), 4);
  fail_unless (rig_stat (rig, "frames-kept") >= 10);
  g_string_free (play.said, TRUE);
  rig_free (rig);
}

GST_END_TEST;

static void
gone (gpointer count, GstMiniObject * buffer)
{
  g_atomic_int_inc ((gint *) count);
}

/* Neither what is looked back to nor what is off holds a buffer, but for the one before the next. */
GST_START_TEST (test_buffers_are_let_go)
{
  static const gchar *const table[] = {
    "trigger=event lookback=900000000 frames=10",
    "trigger=event lookback=900000000 frames=10 layout=video",
    "trigger=none", "enabled=false"
  };
  guint i, k;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat (TRIGGER, table[i], NULL);
    Rig *rig = rig_new (properties, FALSE);
    gint n_gone = 0;
    gint64 until = g_get_monotonic_time () + 5 * G_TIME_SPAN_SECOND;

    for (k = 0; k < 30; k++) {
      GstBuffer *buffer = rig_buffer (k, k * 100 * MS, 100 * MS);

      gst_mini_object_weak_ref (GST_MINI_OBJECT (buffer), gone, &n_gone);
      gst_harness_push (rig->h, buffer);
      while ((buffer = gst_harness_try_pull (rig->h)))
        gst_buffer_unref (buffer);
    }
    while (g_atomic_int_get (&n_gone) < 29 && g_get_monotonic_time () < until)
      g_usleep (1000);
    fail_unless (g_atomic_int_get (&n_gone) >= 29, "%s: %d", table[i], n_gone);
    rig_free (rig);
    g_free (properties);
  }
}

GST_END_TEST;

/* Video without a trigger is not taken for silence, and somebody hears of it all the same. */
GST_START_TEST (test_a_message_says_that_it_is_quiet)
{
  static const struct
  {
    const gchar *properties, *name, *reason;
    guint n;
  } table[] = {
    {"trigger=event", "llavaov-quiet", "no-trigger", 4},
    {"enabled=false", "llavaov-quiet", "disabled", 4},
    {"interval=100000000000", "llavaov-no-frames", "between-windows", 0},
  };
  guint i, k;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat (TRIGGER, table[i].properties, NULL);
    Rig *rig = rig_new (properties, FALSE);
    GstMessage *message;
    guint64 duration = 0;
    guint n = 0;

    for (k = 0; k < 2500; k++)
      rig_push (rig, 0, k * 100 * MS, 100 * MS);
    while ((message = rig_wait (rig, GST_MESSAGE_ELEMENT, table[i].name, 200))) {
      const GstStructure *quiet = gst_message_get_structure (message);

      fail_unless_equals_string (gst_structure_get_string (quiet, "reason"),
          table[i].reason);
      fail_unless (gst_structure_get_uint64 (quiet, "duration", &duration));
      fail_unless (duration >= 60 * GST_SECOND &&
          duration < 61 * GST_SECOND, "%" GST_TIME_FORMAT,
          GST_TIME_ARGS (duration));
      gst_message_unref (message);
      n++;
    }
    fail_unless_equals_int (n, table[i].n);
    fail_unless_equals_uint64 (rig_stat (rig, "empty-windows"), 0);
    rig_free (rig);
    g_free (properties);
  }
}

GST_END_TEST;

/* A camera that sends nothing is told of as ever. */
GST_START_TEST (test_a_silent_camera)
{
  static const gchar *const table[] = { "trigger=event", "enabled=false" };
  GstMessage *message;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat (TRIGGER, table[i], NULL);
    Rig *rig = rig_new_null (properties, TRUE);

    rig_prepare (rig);
    gst_harness_use_testclock (rig->h);
    rig_play (rig);
    rig_push (rig, 0, 0, 100 * MS);
    fail_unless (gst_harness_wait_for_clock_id_waits (rig->h, 1, 10));
    fail_unless (gst_harness_crank_single_clock_wait (rig->h));
    fail_unless (gst_harness_wait_for_clock_id_waits (rig->h, 1, 10));
    fail_unless (gst_harness_crank_single_clock_wait (rig->h));
    message = rig_wait (rig, GST_MESSAGE_ELEMENT, "llavaov-no-frames", 5000);
    fail_unless (message != NULL, "%s", table[i]);
    fail_unless_equals_string (gst_structure_get_string
        (gst_message_get_structure (message), "reason"), "silence");
    gst_message_unref (message);
    rig_free (rig);
    g_free (properties);
  }
}

GST_END_TEST;

static void
wait_until_ready (Rig * rig)
{
  gboolean ready = FALSE;

  while (!ready) {
    g_object_get (rig->element, "ready", &ready, NULL);
    g_usleep (1000);
  }
}

GST_START_TEST (test_live)
{
  Rig *rig = rig_new (TRIGGER "trigger=event lookback=500000000", TRUE);
  Play play = { rig, g_string_new (NULL), 0 };

  wait_until_ready (rig);
  frames (&play, 22);
  send (&play, "up");
  frames (&play, 30);
  listen (&play, 2000);
  fail_unless_equals_string (play.said->str, "20 25:event@22");
  g_string_free (play.said, TRUE);
  rig_free (rig);
}

GST_END_TEST;

/* enabled, the event and ask beside each other: what is asked, and about which frames; "-": it is not. */
GST_START_TEST (test_ask_beside)
{
  static const struct
  {
    const gchar *properties, *script, *from, *said;
  } table[] = {
    /* nothing has triggered: the latest frame */
    {"trigger=event", "25", "now", "24"},
    {"trigger=none", "25", "now", "24"},
    {"trigger=event", "25", "last", "-"},
    /* an open window that something triggered: its frames so far, and the latest */
    {"trigger=event", "20 up 5", "now", "22 24"},
    {"trigger=event lookback=500000000", "20 up 3", "now", "15 20 22"},
    /* one that has been answered */
    {"trigger=event", "20 up 20", "last", "22 27"},
    /* off: nothing of now, but what was asked about is still known */
    {"enabled=false", "25", "now", "-"},
    {"enabled=false", "25", "last", "-"},
    {"trigger=event", "20 up 20 off 5", "last", "22 27"},
    {"trigger=event", "20 up 20 off 5", "now", "-"},
    {"trigger=event", "20 up 5 off 5", "last", "-"},
    {"", "15 off 5 on 3", "last", "2 7"},
    {"trigger=event", "20 off 5 on 3", "now", "27"},
  };
  guint i, k;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat (TRIGGER, table[i].properties, NULL);
    Play play = { rig_new (properties, FALSE), g_string_new (NULL), 0 };
    gchar **words = g_strsplit (table[i].script, " ", 0);
    GstStructure *ask = gst_structure_new ("ask", "prompt", G_TYPE_STRING,
        "asked", "from", G_TYPE_STRING, table[i].from, NULL);
    gchar *answer = g_strdup ("-");
    guint64 id = 0;

    wait_until_ready (play.rig);
    for (k = 0; words[k]; k++)
      act (&play, words[k]);
    g_signal_emit_by_name (play.rig->element, "ask", ask, &id);
    if (id) {
      g_free (answer);
      answer = rig_answer (play.rig);
      fail_unless (g_str_has_prefix (answer, "asked|"), "%s", answer);
      memmove (answer, answer + 6, strlen (answer + 6) + 1);
    }
    fail_unless (g_str_equal (answer, table[i].said), "%s: %s, %s: %s",
        table[i].properties, table[i].script, table[i].from, answer);
    g_free (answer);
    gst_structure_free (ask);
    g_strfreev (words);
    g_string_free (play.said, TRUE);
    rig_free (play.rig);
    g_free (properties);
  }
}

GST_END_TEST;

GST_START_TEST (test_what_is_refused)
{
  static const struct
  {
    const gchar *properties, *named;
  } table[] = {
    {"trigger=event sampling=clip", "trigger: "},
    {"trigger=none sampling=clip", "trigger: "},
    {"trigger=event lookback=1000000000", "lookback: "},
    {"lookback=2000000000", "lookback: "},
    {"min-interval=2 max-interval=1", "max-interval: "},
    {"motion-mask=\"1,2,3\"", "motion-mask: "},
    {"motion-mask=\"0,0,1000,1000\" trigger=motion", "motion-mask: "},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *properties = g_strconcat (TRIGGER, table[i].properties, NULL);
    Rig *rig = rig_new_null (properties, FALSE);
    GstMessage *message;
    GError *error;

    fail_unless_equals_int (gst_element_set_state (rig->element,
            GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    message = rig_wait (rig, GST_MESSAGE_ERROR, NULL, 1000);
    fail_unless (message != NULL, "%s", properties);
    gst_message_parse_error (message, &error, NULL);
    fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
            GST_RESOURCE_ERROR_SETTINGS));
    fail_unless (strstr (error->message, table[i].named), "%s", error->message);
    g_error_free (error);
    gst_message_unref (message);
    rig_free (rig);
    g_free (properties);
  }
}

GST_END_TEST;

static Suite *
triggers_suite (void)
{
  Suite *suite = suite_create ("triggers");
  TCase *tc = tcase_create ("triggers");

  suite_add_tcase (suite, tc);
  tcase_add_test (tc, test_scripts);
  tcase_add_test (tc, test_counts);
  tcase_add_test (tc, test_buffers_are_let_go);
  tcase_add_test (tc, test_a_message_says_that_it_is_quiet);
  tcase_add_test (tc, test_a_silent_camera);
  tcase_add_test (tc, test_live);
  tcase_add_test (tc, test_ask_beside);
  tcase_add_test (tc, test_what_is_refused);
  return suite;
}

GST_CHECK_MAIN (triggers);
