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

/* ---- ways out ---- */

/* One line: the fields of a structure, in their order. */
static void
expect_line (GstHarness * text, const GstStructure * structure)
{
  GstBuffer *line = gst_harness_pull (text);
  GstMapInfo map;
  json_t *object, *value;
  const char *key;
  gint n = 0;

  fail_unless (gst_buffer_map (line, &map, GST_MAP_READ));
  fail_unless_equals_int (map.data[map.size - 1], '\n');
  fail_unless (memchr (map.data, '\n', map.size - 1) == NULL);
  object = json_loadb ((const char *) map.data, map.size, 0, NULL);
  fail_unless (object != NULL);
  json_object_foreach (object, key, value) {
    const gchar *string;
    guint64 number;
    gdouble real;

    fail_unless_equals_string (key, gst_structure_nth_field_name (structure,
            n++));
    if ((string = gst_structure_get_string (structure, key))) {
      fail_unless_equals_string (json_string_value (value), string);
    } else if (gst_structure_get_uint64 (structure, key, &number)) {
      fail_unless_equals_uint64 (json_integer_value (value), number);
    } else if (gst_structure_get_double (structure, key, &real)) {
      fail_unless (json_real_value (value) == real);
    }
  }
  fail_unless_equals_int (n, gst_structure_n_fields (structure));
  json_decref (object);
  gst_buffer_unmap (line, &map);
  gst_buffer_unref (line);
}

/* "state/reason label confidence since+duration suppressed" */
static gchar *
words_of (const GstStructure * alert, const gchar * event, const gchar * before)
{
  static const gchar *const names[] = { "reason", "label", "duration",
    "suppressed", "confidence", "since"
  };
  gchar *fields[G_N_ELEMENTS (names)];
  const gchar *reason, *label;
  guint64 since = 0, duration = 0, suppressed = 0;
  gdouble confidence = 0;
  guint i;
  gchar *words;

  for (i = 0; i < G_N_ELEMENTS (names); i++)
    fields[i] = g_strconcat (before, names[i], NULL);
  reason = gst_structure_get_string (alert, fields[0]);
  label = gst_structure_get_string (alert, fields[1]);
  gst_structure_get_uint64 (alert, fields[2], &duration);
  gst_structure_get_uint64 (alert, fields[3], &suppressed);
  gst_structure_get_double (alert, fields[4], &confidence);
  gst_structure_get_uint64 (alert, fields[5], &since);
  words = g_strdup_printf ("%s/%s %s %.2f %u+%u %u",
      gst_structure_get_string (alert, event), reason, label, confidence,
      (guint) (since / MS), (guint) (duration / MS), (guint) suppressed);
  for (i = 0; i < G_N_ELEMENTS (names); i++)
    g_free (fields[i]);
  return words;
}

static void
expect_words (const GstStructure * alert, const gchar * event,
    const gchar * before, const gchar * wanted)
{
  gchar *words = words_of (alert, event, before);

  fail_unless_equals_string (words, wanted);
  g_free (words);
}

static void
on_notify (GstElement * element, GParamSpec * spec, GString * said)
{
  gchar *last;

  g_object_get (element, "last-alert", &last, NULL);
  g_string_append_printf (said, "%s|", last);
  g_free (last);
}

static void
expect_meta (Rig * rig, guint windows, guint nth, const gchar * event)
{
  guint i, n = 0;

  for (i = 0; i < windows * 10 + 1; i++) {
    GstBuffer *buffer = gst_harness_pull (rig->h);
    GstCustomMeta *meta = gst_buffer_get_custom_meta (buffer,
        "GstLlavaovMeta");

    if (meta && n++ == nth)
      fail_unless_equals_string (gst_structure_get_string
          (gst_custom_meta_get_structure (meta), "alert-event"), event);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (n, windows);
}

/* A row of windows, and for each the alert's part in its answer and the message behind it, on the bus, the text pad and the buffers. */
GST_START_TEST (test_every_way_out)
{
  static const struct
  {
    guint hundredths;
    const gchar *state, *message, *since;
  } table[] = {
    {30, "clear", NULL, NULL},
    {90, "rising", NULL, NULL},
    {80, "raised", "raised/window yes 0.80 1000+2000 0", "1000"},
    {45, "raised", NULL, "1000"},
    {10, "falling", NULL, "1000"},
    {20, "clear", "cleared/window yes 0.20 1000+3000 0", NULL},
    {70, "rising", NULL, NULL},
    {70, "muted", NULL, "6000"},
    {0, "fading", NULL, "6000"},
    {0, "clear", "cleared/window yes 0.00 6000+2000 1", NULL},
    {60, "rising", NULL, NULL},
    {60, "raised", "raised/window yes 0.60 10000+2000 1", "10000"},
  };
  Rig *rig = rig_new_null (ALERT "alert-confirm=2 alert-cooldown=9000000000 "
      "stream-name=gate", FALSE);
  GstHarness *text = gst_harness_new_with_element (rig->element, NULL, "text");
  GString *said = g_string_new (NULL);
  GstStructure *stats;
  guint64 number;
  guint i;

  gst_harness_set_sink_caps_str (text, "application/x-json");
  g_signal_connect (rig->element, "notify::last-alert",
      G_CALLBACK (on_notify), said);
  rig_start (rig);
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    Play play = {.rig = rig,.now = i * GST_SECOND };

    window (&play, table[i].hundredths, FALSE);
  }
  rig_push (rig, 0, i * GST_SECOND, 100 * MS);
  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GstMessage *message = rig_wait (rig, GST_MESSAGE_ELEMENT, NULL, 5000);
    const GstStructure *structure;
    gchar *since = NULL;

    fail_unless (message && gst_message_has_name (message, "llavaov-answer"));
    structure = gst_message_get_structure (message);
    fail_unless_equals_string (gst_structure_get_string (structure, "alert"),
        table[i].state);
    if (gst_structure_get_uint64 (structure, "alert-since", &number))
      since = g_strdup_printf ("%u", (guint) (number / MS));
    fail_unless_equals_string (since, table[i].since);
    g_free (since);
    expect_line (text, structure);
    fail_unless_equals_int (gst_structure_has_field (structure,
            "alert-event"), table[i].message != NULL);
    if (table[i].message && table[i].since)
      expect_words (structure, "alert-event", "alert-", table[i].message);
    gst_message_unref (message);
    if (table[i].message == NULL)
      continue;
    message = rig_wait (rig, GST_MESSAGE_ELEMENT, NULL, 5000);
    fail_unless (message && gst_message_has_name (message, "llavaov-alert"));
    structure = gst_message_get_structure (message);
    expect_words (structure, "state", "", table[i].message);
    fail_unless_equals_string (gst_structure_get_string (structure, "stream"),
        "gate");
    fail_unless_equals_string (gst_structure_get_string (structure, "prompt"),
        "level");
    fail_unless (gst_structure_get_uint64 (structure, "seq", &number)
        && number == i);
    fail_unless (gst_structure_get_uint64 (structure, "utc-since", &number)
        && number > 0);
    expect_line (text, structure);
    gst_message_unref (message);
  }
  expect_meta (rig, G_N_ELEMENTS (table), 2, "raised");
  fail_unless_equals_string (said->str, "raised: yes (0.80)|"
      "cleared: yes (0.20) after 3.0 s|cleared: yes (0.00) after 2.0 s|"
      "raised: yes (0.60)|");
  g_object_get (rig->element, "stats", &stats, NULL);
  fail_unless (gst_structure_get_uint64 (stats, "alerts-raised", &number)
      && number == 2);
  fail_unless (gst_structure_get_uint64 (stats, "alerts-cleared", &number)
      && number == 2);
  fail_unless (gst_structure_get_uint64 (stats, "alerts-suppressed", &number)
      && number == 1);
  gst_structure_free (stats);
  g_string_free (said, TRUE);
  gst_harness_teardown (text);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_subtitles_have_answers_alone)
{
  Rig *rig = rig_new_null (ALERT, FALSE);
  GstHarness *text = gst_harness_new_with_element (rig->element, NULL, "text");
  Play play = {.rig = rig };
  guint i;

  gst_harness_set_sink_caps_str (text, "text/x-raw, format=utf8");
  rig_start (rig);
  for (i = 0; i < 4; i++)
    window (&play, i % 2 ? 0 : 100, FALSE);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  for (i = 0; i < 4; i++) {
    GstBuffer *buffer = gst_harness_pull (text);

    fail_unless (gst_buffer_memcmp (buffer, 0, i % 2 ? "no" : "yes",
            i % 2 ? 2 : 3) == 0);
    gst_buffer_unref (buffer);
  }
  fail_unless_equals_int (gst_harness_buffers_in_queue (text), 0);
  gst_harness_teardown (text);
  rig_free (rig);
}

GST_END_TEST;

/* Whoever is dropped between, the third answer raises it. */
GST_START_TEST (test_dropped_windows_are_neither)
{
  Rig *rig = rig_new (ALERT "device=fake:answer-ms=150 window=50000000 "
      "alert-confirm=3", TRUE);
  GstMessage *message;
  guint answers = 0, i;
  guint64 raised = 0, seq[8] = { 0, };

  for (i = 0; i < 80; i++) {
    fail_unless_equals_int (rig_push (rig, 100, i * 10 * MS, 10 * MS),
        GST_FLOW_OK);
    g_usleep (10000);
  }
  while ((message = rig_wait (rig, GST_MESSAGE_ELEMENT, NULL, 5000)) &&
      !gst_message_has_name (message, "llavaov-alert")) {
    if (gst_message_has_name (message, "llavaov-answer") && answers < 8)
      gst_structure_get_uint64 (gst_message_get_structure (message), "seq",
          &seq[answers++]);
    gst_message_unref (message);
  }
  fail_unless (message != NULL);
  gst_structure_get_uint64 (gst_message_get_structure (message), "seq",
      &raised);
  fail_unless_equals_int (answers, 3);
  fail_unless_equals_uint64 (raised, seq[2]);
  fail_unless (seq[2] > 2, "nothing was dropped");
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

/* ---- what is refused ---- */

static const struct
{
  const gchar *property, *value, *begins;
} wrong[] = {
  {"alert-on", "", "alert-on: there is no label"},
  {"alert-on", "yes|", "alert-on: label 2 is empty"},
  {"alert-on", "Yes", "alert-on: there is no label \"Yes\""},
  {"alert-on", "yes|fire", "alert-on: there is no label \"fire\""},
  {"alert-on", "yes|yes", "alert-on: a label is there twice: \"yes\""},
  {"alert-on", "no|yes", "alert-on: these are all labels"},
  {"alert-on", "\xff", "alert-on: not valid UTF-8"},
  {"choices", "open|shut", "alert-on: there is no label \"yes\""},
  {"choices", NULL, "alert-on: there are no choices"},
  {"alert-threshold", "0", "alert-threshold: 0"},
  {"alert-clear-threshold", "0.51", "alert-clear-threshold: 0.51"},
  {"alert-threshold", "0.39", "alert-clear-threshold: 0.4"},
};

static void
set (Rig * rig, const gchar * property, const gchar * value)
{
  if (value == NULL || !g_utf8_validate (value, -1, NULL) || *value == '\0')
    g_object_set (rig->element, property, value, NULL);
  else
    gst_util_set_object_arg (G_OBJECT (rig->element), property, value);
}

static void
expect_settings (GstMessage * message, const gchar * text)
{
  GError *error = NULL;

  fail_unless (message != NULL, "%s", text);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
          GST_RESOURCE_ERROR_SETTINGS), "%s", error->message);
  fail_unless (strstr (error->message, text) != NULL, "%s, not: %s",
      error->message, text);
  g_error_free (error);
  gst_message_unref (message);
}

GST_START_TEST (test_refused_at_the_start)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (wrong); i++) {
    Rig *rig = rig_new_null (ALERT "alert-clear-threshold=0.4", FALSE);

    set (rig, wrong[i].property, wrong[i].value);
    fail_unless (gst_element_set_state (rig->element, GST_STATE_PLAYING) ==
        GST_STATE_CHANGE_FAILURE, "%s", wrong[i].begins);
    expect_settings (rig_wait (rig, GST_MESSAGE_ERROR, NULL, 0),
        wrong[i].begins);
    rig_free (rig);
  }
}

GST_END_TEST;

GST_START_TEST (test_refused_together)
{
  static const gchar *const table[][2] = {
    {"alert-on=yes", "alert-on: there are no choices"},
    {"alert-on=yes json-schema={\\\"type\\\":\\\"boolean\\\"}",
        "alert-on: there are no choices"},
    {"alert-on=yes choices=\"yes|no\" sampling=clip alert-confirm=2",
        "alert-confirm: 2"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    gchar *line = g_strconcat ("device=fake: ", table[i][0], NULL);
    Rig *rig = rig_new_null (line, FALSE);

    fail_unless (gst_element_set_state (rig->element, GST_STATE_PLAYING) ==
        GST_STATE_CHANGE_FAILURE, "%s", line);
    expect_settings (rig_wait (rig, GST_MESSAGE_ERROR, NULL, 0), table[i][1]);
    rig_free (rig);
    g_free (line);
  }
}

GST_END_TEST;

/* Each window that is wrong has its WARNING and changes nothing about the alert; mended, it goes on. */
GST_START_TEST (test_refused_while_playing)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (wrong); i++) {
    Play play = {.rig = rig_new (ALERT "alert-clear-threshold=0.4", FALSE),
      .said = g_string_new (NULL)
    };
    GstElement *element = play.rig->element;
    GstMessage *message;
    gchar *state;

    window (&play, 90, FALSE);
    window (&play, 10, FALSE);
    set (play.rig, wrong[i].property, wrong[i].value);
    window (&play, 10, FALSE);
    window (&play, 10, FALSE);
    g_object_set (element, "choices", "yes|no", "alert-on", "yes",
        "alert-threshold", 0.5, "alert-clear-threshold", 0.4, NULL);
    rig_push (play.rig, 10, play.now, 100 * MS);
    listen (&play, 0);
    fail_unless_equals_string (play.said->str, "raised@0");
    fail_unless_equals_uint64 (rig_stat (play.rig, "failed-windows"), 2);
    state = state_of (play.rig);
    fail_unless_equals_string (state, "falling");
    g_free (state);
    gst_harness_push_event (play.rig->h, gst_event_new_eos ());
    listen (&play, 0);
    fail_unless_equals_string (play.said->str, "raised@0 cleared@4");
    g_string_free (play.said, TRUE);
    rig_free (play.rig);

    /* the same once more, for its messages */
    play = (Play) {
    .rig = rig_new (ALERT "alert-clear-threshold=0.4", FALSE)};
    window (&play, 90, FALSE);
    set (play.rig, wrong[i].property, wrong[i].value);
    window (&play, 90, FALSE);
    gst_harness_push_event (play.rig->h, gst_event_new_eos ());
    message = rig_wait (play.rig, GST_MESSAGE_WARNING, NULL, 5000);
    expect_settings (message, wrong[i].begins);
    fail_unless (rig_wait (play.rig, GST_MESSAGE_WARNING, NULL, 0) == NULL);
    rig_free (play.rig);
  }
}

GST_END_TEST;

/* GObject takes none of these. */
GST_START_TEST (test_out_of_range)
{
  static const gchar *const table[][2] = {
    {"alert-threshold", "1.01"}, {"alert-threshold", "-0.01"},
    {"alert-clear-threshold", "1.01"}, {"alert-clear-threshold", "-1"},
    {"alert-threshold", "nan"}, {"alert-clear-threshold", "nan"},
    {"alert-confirm", "0"}, {"alert-confirm", "10001"},
    {"alert-clear", "0"}, {"alert-clear", "10001"},
    {"alert-cooldown", "9223372036854775808"},
  };
  GstElement *element = gst_element_factory_make ("llavaov", NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (table); i++) {
    GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS
        (element), table[i][0]);
    GValue value = G_VALUE_INIT;

    g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (spec));
    fail_unless (gst_value_deserialize (&value, table[i][1]));
    fail_unless (g_param_value_validate (spec, &value), "%s=%s", table[i][0],
        table[i][1]);
    g_value_unset (&value);
  }
  gst_object_unref (element);
}

GST_END_TEST;

static Suite *
alerts_suite (void)
{
  Suite *s = suite_create ("alerts");
  TCase *tc = tcase_create ("alerts");

  suite_add_tcase (s, tc);
  tcase_add_test (tc, test_scripts);
  tcase_add_test (tc, test_every_way_out);
  tcase_add_test (tc, test_subtitles_have_answers_alone);
  tcase_add_test (tc, test_dropped_windows_are_neither);
  tcase_add_test (tc, test_refused_at_the_start);
  tcase_add_test (tc, test_refused_together);
  tcase_add_test (tc, test_refused_while_playing);
  tcase_add_test (tc, test_out_of_range);
  return s;
}

GST_CHECK_MAIN (alerts);
