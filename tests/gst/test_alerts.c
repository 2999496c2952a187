/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts of the element: docs/alerts.md, the tables behind the first two. tests/gst/test_alert_state.c has the first two.
 *
 * A row is a script, and the messages llavaov-alert in the end. Words of a script:
 *   N           a window of 1 s in which the alert's label has N hundredths; above 100 its answer is not valid
 *   NAME=VALUE  a property, set between two windows
 *   flush  stream (another begins)  again (the same event once more)  hole (of 5 s, discontinuous)  eos  done  seg
 *   stop        to READY and back
 * EOS follows every script. A message is "state@window", with "/reason" where that is not the window. */
#include "support.h"

#include <jansson.h>

#define ALERT "device=fake: prompt=level frames=1 window=1000000000 " \
    "choices=\"yes|no\" alert-on=yes "

typedef struct
{
  Rig *rig;
  GString *said;
  guint64 now;                  /* where the next window begins, ns */
  GstEvent *stream;
} Play;

static void
note (Play * play, GstMessage * message)
{
  const GstStructure *alert = gst_message_get_structure (message);
  const gchar *reason = gst_structure_get_string (alert, "reason");
  guint64 seq;

  fail_unless (gst_structure_get_uint64 (alert, "seq", &seq));
  g_string_append_printf (play->said, "%s%s@%u", play->said->len ? " " : "",
      gst_structure_get_string (alert, "state"), (guint) seq);
  if (!g_str_equal (reason, "window"))
    g_string_append_printf (play->said, "/%s", reason);
}

static void
listen (Play * play, guint ms)
{
  GstMessage *message;

  while ((message = rig_wait (play->rig, GST_MESSAGE_ELEMENT, "llavaov-alert",
              ms))) {
    note (play, message);
    gst_message_unref (message);
  }
}

static void
push_segment (Play * play)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (play->rig->h, gst_event_new_segment (&segment));
}

static void
window (Play * play, guint hundredths, gboolean discont)
{
  guint i;

  for (i = 0; i < 10; i++, play->now += 100 * MS) {
    GstBuffer *buffer = rig_buffer (hundredths, play->now, 100 * MS);

    if (discont && i == 0)
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
    fail_unless_equals_int (gst_harness_push (play->rig->h, buffer),
        GST_FLOW_OK);
  }
}

/* Ends the window before, which is then answered. */
static void
begin_stream (Play * play, const gchar * name)
{
  gst_event_replace (&play->stream, NULL);
  play->stream = gst_event_new_stream_start (name);
  gst_harness_push_event (play->rig->h, gst_event_ref (play->stream));
}

static void
act (Play * play, const gchar * word)
{
  GstHarness *h = play->rig->h;
  gchar **pair;

  if (g_ascii_isdigit (*word)) {
    window (play, (guint) g_ascii_strtoull (word, NULL, 10), FALSE);
  } else if (strchr (word, '=')) {
    pair = g_strsplit (word, "=", 2);
    if (g_str_equal (pair[1], "NULL"))
      g_object_set (play->rig->element, pair[0], NULL, NULL);
    else
      gst_util_set_object_arg (G_OBJECT (play->rig->element), pair[0], pair[1]);
    g_strfreev (pair);
  } else if (g_str_equal (word, "flush")) {
    /* the frame that closes the window before */
    rig_push (play->rig, 0, play->now, 100 * MS);
    gst_harness_push_event (h, gst_event_new_flush_start ());
    listen (play, 200);         /* at once, on the worker's thread */
    gst_harness_push_event (h, gst_event_new_flush_stop (TRUE));
    push_segment (play);
    play->now = 0;
  } else if (g_str_equal (word, "stream")) {
    begin_stream (play, "another");
  } else if (g_str_equal (word, "again")) {
    gst_harness_push_event (h, gst_event_ref (play->stream));
  } else if (g_str_equal (word, "hole")) {
    play->now += 5000 * MS;
    window (play, 45, TRUE);
  } else if (g_str_equal (word, "seg")) {
    push_segment (play);
  } else if (g_str_equal (word, "done")) {
    gst_harness_push_event (h, gst_event_new_segment_done (GST_FORMAT_TIME,
            play->now));
  } else if (g_str_equal (word, "eos")) {
    gst_harness_push_event (h, gst_event_new_eos ());
  } else if (g_str_equal (word, "stop")) {
    rig_push (play->rig, 0, play->now, 100 * MS);
    gst_element_set_state (play->rig->element, GST_STATE_READY);
    gst_pad_set_active (h->srcpad, FALSE);
    gst_pad_set_active (h->srcpad, TRUE);
    gst_element_set_state (play->rig->element, GST_STATE_PLAYING);
    begin_stream (play, "anew");
    gst_harness_set_src_caps_str (h, "video/x-raw, format=GRAY8, "
        "width=16, height=16, framerate=10/1");
    push_segment (play);
    play->now = 0;
  } else {
    fail ("%s", word);
  }
  listen (play, 0);
}

static gchar *
state_of (Rig * rig)
{
  GstStructure *stats;
  gchar *state;

  g_object_get (rig->element, "stats", &stats, NULL);
  state = g_strdup (gst_structure_get_string (stats, "alert"));
  gst_structure_free (stats);
  return state;
}

GST_START_TEST (test_scripts)
{
  static const struct
  {
    const gchar *properties, *script, *said, *state;
  } table[] = {
    /* the numbers and their defaults */
    {"", "0 49 50", "raised@2", "raised"},
    {"", "90 40 39 39", "raised@0 cleared@3", "clear"},
    {"", "90 39 40 39 39", "raised@0 cleared@4", "clear"},
    {"", "90 39", "raised@0", "falling"},
    {"alert-threshold=0.8", "79 80 70 69 69", "raised@1 cleared@4", "clear"},
    {"alert-threshold=0.2", "20 10 9 9", "raised@0 cleared@3", "clear"},
    {"alert-threshold=0.1", "10 5 4 4", "raised@0 cleared@3", "clear"},
    {"alert-threshold=1", "99 100", "raised@1", "raised"},
    {"alert-clear-threshold=0.5", "50 49 49", "raised@0 cleared@2", "clear"},
    {"alert-clear-threshold=0.2", "50 20 20 19 19", "raised@0 cleared@4",
        "clear"},
    {"alert-confirm=3", "90 90 49 90 90 90", "raised@5", "raised"},
    {"alert-confirm=3", "90 90", "", "rising"},
    {"alert-clear=1", "90 10 90", "raised@0 cleared@1 raised@2", "raised"},
    {"alert-cooldown=3000000000 alert-clear=1", "90 10 90 10 90 10",
        "raised@0 cleared@1 cleared@3 raised@4 cleared@5", "clear"},
    {"alert-cooldown=3000000000 alert-clear=1", "90 10 90 90",
        "raised@0 cleared@1 raised@3", "raised"},
    {"alert-cooldown=9000000000 alert-clear=1", "90 10 90",
        "raised@0 cleared@1", "muted"},
    {"alert-cooldown=9000000000", "90 10 10 90 10",
        "raised@0 cleared@2", "fading"},
    /* more labels, which are added up; white space around them */
    {"choices=\"yes|no|some\" alert-on=\" some | yes \"", "0",
        "raised@0", "raised"},
    {"choices=\"yes|no|some\" alert-on=\"no\"", "0", "raised@0", "raised"},
    {"choices=\"yes|no|some\" alert-on=\"no\"", "100", "", "clear"},
    {"post-messages=false", "90", "raised@0", "raised"},
    /* neither: not valid, failed */
    {"alert-confirm=2", "90 200 90", "raised@2", "raised"},
    {"", "90 10 200 200 10", "raised@0 cleared@4", "clear"},
    {"", "200 200", "", "clear"},
    {"alert-confirm=2 device=\"fake:ask-error=format;every=2\"", "90 0 90",
        "raised@2", "raised"},
    {"device=\"fake:ask-error=format;every=2\"", "90 90 10 90 10",
        "raised@0 cleared@4", "clear"},
    /* what ends a state otherwise: docs/alerts.md row by row */
    {"", "90 flush", "raised@0 cleared@0/flush", "clear"},
    {"", "90 flush 90 flush", "raised@0 cleared@0/flush raised@1 "
          "cleared@1/flush", "clear"},
    {"alert-confirm=2", "90 flush 90", "", "rising"},
    {"alert-cooldown=9000000000", "90 flush 90",
        "raised@0 cleared@0/flush raised@1", "raised"},
    {"", "10 flush", "", "clear"},
    {"", "90 stream 10", "raised@0 cleared@0/stream-start", "clear"},
    {"", "90 stream 90", "raised@0 cleared@0/stream-start raised@1",
        "raised"},
    {"", "90 stream 200", "raised@0 cleared@0/stream-start", "clear"},
    {"", "90 stream", "raised@0", "raised"},
    {"alert-confirm=2", "90 stream 90 90", "raised@2", "raised"},
    {"alert-confirm=2", "stream 90 again 90", "raised@1", "raised"},
    {"", "90 prompt=level2 90", "raised@0 cleared@0/settings raised@1",
        "raised"},
    {"", "90 choices=no|yes 10", "raised@0 cleared@0/settings raised@1",
        "raised"},
    {"", "90 choices=no|yes 90", "raised@0 cleared@0/settings", "clear"},
    {"", "90 alert-on=no 90", "raised@0 cleared@0/settings", "clear"},
    {"", "90 alert-on=NULL 90", "raised@0 cleared@0/settings", "clear"},
    {"", "90 alert-on=NULL 90 alert-on=yes 90",
        "raised@0 cleared@0/settings raised@2", "raised"},
    {"alert-confirm=3", "90 alert-confirm=2 90", "raised@1", "raised"},
    {"", "90 alert-threshold=0.95 90 80 80", "raised@0 cleared@3", "clear"},
    {"", "90 alert-clear=1 10", "raised@0 cleared@1", "clear"},
    {"alert-confirm=2", "90 seg 90", "raised@1", "raised"},
    {"alert-confirm=2", "90 done 90", "raised@1", "raised"},
    {"", "90 10 hole 10 10", "raised@0 cleared@4", "clear"},
    {"", "90 eos", "raised@0", "raised"},
    {"", "90 stop", "raised@0", "clear"},
    {"", "90 stop 90", "raised@0 raised@0", "raised"},
    {"alert-confirm=2", "90 stop 90", "", "rising"},
  };
  guint i, k;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *line = g_strconcat (ALERT, table[i].properties, NULL), *state;
    gchar **words = g_strsplit (table[i].script, " ", 0);
    Play play = {.rig = rig_new (line, FALSE),.said = g_string_new (NULL) };

    begin_stream (&play, "one");
    push_segment (&play);
    for (k = 0; words[k]; k++)
      act (&play, words[k]);
    act (&play, "eos");
    fail_unless (g_str_equal (play.said->str, table[i].said),
        "%s %s: %s, wanted: %s", table[i].properties, table[i].script,
        play.said->str, table[i].said);
    state = state_of (play.rig);
    fail_unless (g_str_equal (state, table[i].state),
        "%s %s: %s, wanted: %s", table[i].properties, table[i].script, state,
        table[i].state);
    g_free (state);
    g_string_free (play.said, TRUE);
    gst_event_replace (&play.stream, NULL);
    g_strfreev (words);
    rig_free (play.rig);
    g_free (line);
  }
}

GST_END_TEST;

static Suite *
alerts_suite (void)
{
  Suite *s = suite_create ("alerts");
  TCase *tc = tcase_create ("alerts");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_scripts);
  return s;
}

GST_CHECK_MAIN (alerts);
