/* SPDX-License-Identifier: Apache-2.0
 *
 * ask in every state, at the edges of streams, many at once, from other threads and from callbacks: each question has an id
 * and then exactly one message of its own, in their order, or 0 at once. */
#include "support.h"

#define WINDOW "frames=2 window=1000000000 prompt=q "

/* What the messages of a rig say about its questions. */
typedef struct
{
  guint64 last;                 /* id of the latest */
  guint n_answers, n_unanswered, n_windows, n_refused, n_warnings;
  gchar *reason;                /* of the latest that has no answer */
  gboolean eos;
} Tally;

static guint64
ask_from (GstElement * element, const gchar * prompt, const gchar * from)
{
  GstStructure *fields = gst_structure_new ("ask", "prompt", G_TYPE_STRING,
      prompt, NULL);
  guint64 id = 99;

  if (from)
    gst_structure_set (fields, "from", G_TYPE_STRING, from, NULL);
  g_signal_emit_by_name (element, "ask", fields, &id);
  gst_structure_free (fields);
  return id;
}

static guint64
ask (Rig * rig, const gchar * prompt)
{
  return ask_from (rig->element, prompt, NULL);
}

static void
count (Tally * tally, GstMessage * message)
{
  const GstStructure *structure = gst_message_get_structure (message);
  const gboolean answer = gst_message_has_name (message, "llavaov-answer");
  guint64 id = 0;

  tally->n_warnings += GST_MESSAGE_TYPE (message) == GST_MESSAGE_WARNING;
  if (!answer && !gst_message_has_name (message, "llavaov-no-answer"))
    return;
  if (!gst_structure_get_uint64 (structure, "ask-id", &id)) {
    tally->n_windows++;
    return;
  }
  if (!answer) {
    g_free (tally->reason);
    tally->reason = g_strdup (gst_structure_get_string (structure, "reason"));
  }
  if (id == 0) {
    tally->n_refused++;
    return;
  }
  fail_unless_equals_uint64 (id, tally->last + 1);
  tally->last = id;
  if (answer)
    tally->n_answers++;
  else
    tally->n_unanswered++;
}

/* Until every question up to `last` has its message, which must be within 5 s, and then what there is. */
static void
collect (Rig * rig, Tally * tally, guint64 last)
{
  gint64 until = g_get_monotonic_time () + 5 * G_TIME_SPAN_SECOND;
  GstMessage *message;

  while ((message = gst_bus_timed_pop_filtered (rig->bus,
              tally->last < last ? 100 * GST_MSECOND : 0,
              GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING)) ||
      tally->last < last) {
    if (message)
      count (tally, message);
    g_clear_pointer (&message, gst_message_unref);
    fail_unless (g_get_monotonic_time () < until, "%u of %u came",
        (guint) tally->last, (guint) last);
  }
}

static void
tally_clear (Tally * tally)
{
  g_free (tally->reason);
  memset (tally, 0, sizeof (*tally));
}

static void
expect (Tally * tally, guint answers, guint unanswered, const gchar * reason)
{
  fail_unless_equals_int (tally->n_answers, answers);
  fail_unless_equals_int (tally->n_unanswered, unanswered);
  if (reason)
    fail_unless_equals_string (tally->reason, reason);
}

GST_START_TEST (test_states)
{
  Rig *rig = rig_new_null ("device=fake:answer-ms=30000 " WINDOW, FALSE);
  Tally tally = { 0, };
  guint i;

  fail_unless_equals_uint64 (ask (rig, "x"), 0);
  gst_element_set_state (rig->element, GST_STATE_READY);
  fail_unless_equals_uint64 (ask (rig, "x"), 0);
  rig_start (rig);
  fail_unless_equals_uint64 (ask (rig, "x"), 0);        /* before any frame */
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 0);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "last"), 0);
  rig_push_many (rig, 0, 1, 0, 100 * MS);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "last"), 0);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 1);
  gst_element_set_state (rig->element, GST_STATE_PAUSED);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 2);
  gst_element_set_state (rig->element, GST_STATE_PLAYING);
  g_usleep (100000);            /* one is with the engine, eight can wait */
  for (i = 3; i <= 9; i++)
    fail_unless_equals_uint64 (ask (rig, "x"), i);
  fail_unless_equals_uint64 (ask (rig, "x"), 0);
  gst_element_set_state (rig->element, GST_STATE_READY);
  fail_unless_equals_uint64 (ask (rig, "x"), 0);
  collect (rig, &tally, 9);
  expect (&tally, 0, 9, "stopped");
  gst_element_set_state (rig->element, GST_STATE_NULL);
  fail_unless_equals_uint64 (ask (rig, "x"), 0);
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_flush)
{
  Rig *rig = rig_new ("device=fake:answer-ms=300 " WINDOW, FALSE);
  Tally tally = { 0, };
  guint i;

  for (i = 0; i < 3; i++) {
    rig_push_many (rig, 0, 5, 0, 100 * MS);
    ask (rig, "a");
    ask (rig, "b");
    gst_harness_push_event (rig->h, gst_event_new_flush_start ());
    fail_unless_equals_uint64 (ask (rig, "x"), 0);
    fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 0);
    collect (rig, &tally, 2 * i + 2);
    expect (&tally, 0, 2 * i + 2, "flush");
    gst_harness_push_event (rig->h, gst_event_new_flush_stop (TRUE));
    gst_harness_set_src_caps_str (rig->h, "video/x-raw, format=GRAY8, "
        "width=16, height=16, framerate=10/1");
    fail_unless_equals_uint64 (ask (rig, "x"), 0);
  }
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

static GstPadProbeReturn
seen_eos (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  Tally *tally = data;

  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS)
    tally->eos = TRUE;
  return GST_PAD_PROBE_OK;
}

/* EOS waits for the questions so far; after it there is the last window to ask about. */
GST_START_TEST (test_eos)
{
  Rig *rig = rig_new ("device=fake:answer-ms=50 " WINDOW, FALSE);
  GstPad *src = gst_element_get_static_pad (rig->element, "src");
  Tally tally = { 0, };
  guint i;

  gst_pad_add_probe (src, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, seen_eos, &tally,
      NULL);
  rig_push_many (rig, 0, 5, 0, 100 * MS);
  for (i = 1; i <= 5; i++)
    fail_unless_equals_uint64 (ask (rig, "x"), i);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  fail_unless (tally.eos);
  collect (rig, &tally, 0);
  expect (&tally, 5, 0, NULL);
  fail_unless_equals_int (tally.n_windows, 1);
  fail_unless_equals_uint64 (ask (rig, "x"), 6);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 0);
  collect (rig, &tally, 6);
  expect (&tally, 6, 0, NULL);
  tally_clear (&tally);
  gst_object_unref (src);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_before_the_model_is_loaded)
{
  static const struct
  {
    const gchar *device;
    gboolean loads;
  } devices[] = { {"fake:load-ms=300", TRUE},
  {"fake:load-ms=300;load-error=io", FALSE}
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (devices); i++) {
    gchar *line = g_strdup_printf ("device=\"%s\" " WINDOW, devices[i].device);
    Rig *rig = rig_new (line, TRUE);
    Tally tally = { 0, };

    rig_push_many (rig, 0, 5, 0, 100 * MS);
    fail_unless_equals_uint64 (ask (rig, "x"), 1);
    fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 2);
    collect (rig, &tally, 2);
    expect (&tally, devices[i].loads ? 2 : 0, devices[i].loads ? 0 : 2,
        devices[i].loads ? NULL : "error");
    fail_unless_equals_int (ask (rig, "x") != 0, devices[i].loads);
    tally_clear (&tally);
    g_free (line);
    rig_free (rig);
  }
}

GST_END_TEST;

GST_START_TEST (test_failures)
{
  Rig *rig = rig_new ("device=fake:ask-error=numeric;every=2 " WINDOW, FALSE);
  Tally tally = { 0, };
  guint i;

  rig_push_many (rig, 0, 5, 0, 100 * MS);
  for (i = 1; i <= 4; i++) {
    fail_unless_equals_uint64 (ask (rig, "x"), i);
    collect (rig, &tally, i);
  }
  expect (&tally, 2, 2, "failed");
  fail_unless_equals_int (tally.n_warnings, 2);
  fail_unless_equals_uint64 (rig_stat (rig, "failed-windows"), 0);
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

static gpointer
ask_many (gpointer data)
{
  guint i, n = 0;

  for (i = 0; i < 100; i++) {
    n += ask_from (data, "x", i % 2 ? "now" : "last") != 0;
    g_usleep (i % 10 * 100);
  }
  return GUINT_TO_POINTER (n);
}

/* While windows come and go, and the sink asks, too. */
GST_START_TEST (test_threads)
{
  Rig *rig = rig_new ("device=fake:answer-ms=1 " WINDOW, FALSE);
  Tally tally = { 0, };
  GThread *threads[4];
  guint i, n = 0;

  rig_push_many (rig, 0, 25, 0, 100 * MS);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("asker", ask_many, rig->element);
  for (i = 0; i < 40; i++)
    rig_push_many (rig, 0, 10, (i + 3) * GST_SECOND, 100 * MS);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    n += GPOINTER_TO_UINT (g_thread_join (threads[i]));
  fail_unless (n >= 8);
  collect (rig, &tally, n);
  expect (&tally, n, 0, NULL);
  fail_unless (tally.n_windows >= 41, "%u windows", tally.n_windows);
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

/* ---- callbacks ---- */

typedef struct
{
  Rig *rig;
  gint left;                    /* questions still to be asked */
  gint asked;
} Asker;

static void
ask_back (Asker * asker)
{
  if (g_atomic_int_add (&asker->left, -1) <= 0)
    return;
  if (ask (asker->rig, "x"))
    g_atomic_int_inc (&asker->asked);
}

static void
notified (GObject * object, GParamSpec * pspec, gpointer data)
{
  ask_back (data);
}

static GstBusSyncReply
synced (GstBus * bus, GstMessage * message, gpointer data)
{
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT)
    ask_back (data);
  return GST_BUS_PASS;
}

static GstPadProbeReturn
probed (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  ask_back (data);
  return GST_PAD_PROBE_OK;
}

static void
probe (Rig * rig, const gchar * name, Asker * asker)
{
  GstPad *pad = gst_element_get_static_pad (rig->element, name);

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER |
      GST_PAD_PROBE_TYPE_EVENT_BOTH, probed, asker, NULL);
  gst_object_unref (pad);
}

static void
from_notify (Rig * rig, Asker * asker)
{
  g_signal_connect (rig->element, "notify::last-answer",
      G_CALLBACK (notified), asker);
}

static void
from_bus (Rig * rig, Asker * asker)
{
  gst_bus_set_sync_handler (rig->bus, synced, asker, NULL);
}

static void
from_sink (Rig * rig, Asker * asker)
{
  probe (rig, "sink", asker);
}

static void
from_src (Rig * rig, Asker * asker)
{
  probe (rig, "src", asker);
}

static void
from_text (Rig * rig, Asker * asker)
{
  GstPad *text = gst_element_request_pad_simple (rig->element, "text");

  gst_pad_add_probe (text, GST_PAD_PROBE_TYPE_EVENT_BOTH |
      GST_PAD_PROBE_TYPE_BUFFER, probed, asker, NULL);
  gst_object_unref (text);
}

GST_START_TEST (test_callbacks)
{
  static void (*const from[]) (Rig * rig, Asker * asker) = {
    from_notify, from_bus, from_sink, from_src, from_text
  };
  Rig *rig = rig_new_null ("device=fake: " WINDOW, FALSE);
  Asker asker = { rig, 0, 0 };
  Tally tally = { 0, };

  rig_prepare (rig);
  from[__i__] (rig, &asker);
  rig_play (rig);
  asker.left = 10;
  rig_push_many (rig, 0, 50, 0, 100 * MS);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  do
    collect (rig, &tally, g_atomic_int_get (&asker.asked));
  while (g_atomic_int_get (&asker.left) > 0 ||
      tally.last < (guint) g_atomic_int_get (&asker.asked));
  fail_unless_equals_int (tally.n_windows, 5);
  gst_bus_set_sync_handler (rig->bus, NULL, NULL, NULL);
  expect (&tally, asker.asked, 0, NULL);
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

/* Every message brings another question: the windows are answered all the same, and the end comes. */
GST_START_TEST (test_asked_without_end)
{
  Rig *rig = rig_new ("device=fake:answer-ms=1 " WINDOW, FALSE);
  Asker asker = { rig, G_MAXINT, 0 };
  Tally tally = { 0, };

  from_bus (rig, &asker);
  rig_push_many (rig, 0, 50, 0, 100 * MS);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  g_atomic_int_set (&asker.left, 0);
  collect (rig, &tally, g_atomic_int_get (&asker.asked));
  fail_unless_equals_int (tally.n_windows, 5);
  fail_unless (asker.asked >= 5);
  gst_bus_set_sync_handler (rig->bus, NULL, NULL, NULL);
  expect (&tally, asker.asked, 0, NULL);
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

/* With more questions than the engine can answer, every other turn is a window's. */
GST_START_TEST (test_turns)
{
  Rig *rig = rig_new ("device=fake:answer-ms=20 max-pending=64 "
      "overload=newest " WINDOW, FALSE);
  GString *order = g_string_new (NULL);
  guint i;

  rig_push_many (rig, 0, 11, 0, 100 * MS);
  for (i = 0; i < 8; i++)
    fail_unless (ask (rig, "x") != 0);
  rig_push_many (rig, 0, 60, 1100 * MS, 100 * MS);
  for (i = 0; i < 14; i++) {
    GstMessage *message = rig_wait_answer (rig);

    g_string_append_c (order, gst_structure_has_field (gst_message_get_structure
            (message), "ask-id") ? 'a' : 'w');
    gst_message_unref (message);
  }
  fail_unless (strstr (order->str, "awawawaw"), "%s", order->str);
  fail_unless (!strstr (order->str, "ww") || strstr (order->str, "ww") >
      strrchr (order->str, 'a') - 1, "%s", order->str);
  g_string_free (order, TRUE);
  rig_free (rig);
}

GST_END_TEST;

/* ---- events ---- */

static GstEvent *
event_new (GstEventType type, const gchar * prompt)
{
  return gst_event_new_custom (type, gst_structure_new ("llavaov/ask",
          "prompt", G_TYPE_STRING, prompt, NULL));
}

GST_START_TEST (test_events)
{
  Rig *rig = rig_new ("device=fake: " WINDOW, FALSE);
  Tally tally = { 0, };

  gst_harness_push_event (rig->h, event_new (GST_EVENT_CUSTOM_DOWNSTREAM, "a"));
  collect (rig, &tally, 0);
  fail_unless_equals_int (tally.n_refused, 1);
  fail_unless_equals_string (tally.reason, "no-frames");
  rig_push_many (rig, 0, 5, 0, 100 * MS);
  gst_harness_push_event (rig->h, event_new (GST_EVENT_CUSTOM_DOWNSTREAM, "a"));
  gst_harness_push_event (rig->h,
      event_new (GST_EVENT_CUSTOM_DOWNSTREAM_OOB, "b"));
  gst_harness_push_upstream_event (rig->h,
      event_new (GST_EVENT_CUSTOM_UPSTREAM, "c"));
  fail_unless (gst_element_send_event (rig->element,
          event_new (GST_EVENT_CUSTOM_UPSTREAM, "d")));
  fail_unless (gst_element_send_event (rig->element,
          event_new (GST_EVENT_CUSTOM_BOTH, "e")));
  collect (rig, &tally, 5);
  expect (&tally, 5, 0, NULL);
  gst_harness_push_upstream_event (rig->h,
      gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
          gst_structure_new ("llavaov/ask", "prompt", G_TYPE_INT, 3, NULL)));
  collect (rig, &tally, 5);
  fail_unless_equals_int (tally.n_refused, 2);
  fail_unless_equals_string (tally.reason, "fields");
  /* They are taken: nobody else has them. */
  while (gst_harness_events_in_queue (rig->h)) {
    GstEvent *event = gst_harness_pull_event (rig->h);

    fail_unless (!gst_event_has_name (event, "llavaov/ask"));
    gst_event_unref (event);
  }
  while (gst_harness_upstream_events_in_queue (rig->h)) {
    GstEvent *event = gst_harness_pull_upstream_event (rig->h);

    fail_unless (!gst_event_has_name (event, "llavaov/ask"));
    gst_event_unref (event);
  }
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

/* While nothing is sampled, there are the frames of the window before. */
GST_START_TEST (test_not_enabled)
{
  Rig *rig = rig_new ("device=fake: " WINDOW, FALSE);
  Tally tally = { 0, };

  rig_push_many (rig, 0, 15, 0, 100 * MS);
  g_object_set (rig->element, "enabled", FALSE, NULL);
  rig_push_many (rig, 15, 15, 1500 * MS, 100 * MS);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 0);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "last"), 1);
  fail_unless_equals_uint64 (ask (rig, "x"), 2);
  collect (rig, &tally, 2);
  expect (&tally, 2, 0, NULL);
  fail_unless_equals_int (tally.n_windows, 1);
  g_object_set (rig->element, "enabled", TRUE, NULL);
  rig_push_many (rig, 30, 5, 3 * GST_SECOND, 100 * MS);
  fail_unless_equals_uint64 (ask_from (rig->element, "x", "now"), 3);
  collect (rig, &tally, 3);
  tally_clear (&tally);
  rig_free (rig);
}

GST_END_TEST;

static Suite *
ask_suite (void)
{
  Suite *suite = suite_create ("ask");
  TCase *tcase = tcase_create ("general");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_states);
  tcase_add_test (tcase, test_flush);
  tcase_add_test (tcase, test_eos);
  tcase_add_test (tcase, test_before_the_model_is_loaded);
  tcase_add_test (tcase, test_failures);
  tcase_add_test (tcase, test_threads);
  tcase_add_loop_test (tcase, test_callbacks, 0, 5);
  tcase_add_test (tcase, test_asked_without_end);
  tcase_add_test (tcase, test_turns);
  tcase_add_test (tcase, test_events);
  tcase_add_test (tcase, test_not_enabled);
  return suite;
}

GST_CHECK_MAIN (ask);
