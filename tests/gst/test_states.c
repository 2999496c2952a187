/* SPDX-License-Identifier: Apache-2.0
 *
 * State changes up and down from every state, with nothing left behind. LLAVAOV_CYCLES sets how often (60 here, 1,000 in the
 * soak run). */
#include "support.h"

/* A hang is what these tests look for, not speed: the limit is far above what a state change should take. */
static void
to_null_in_time (Rig * rig)
{
  gint64 begin = g_get_monotonic_time ();

  fail_unless_equals_int (gst_element_set_state (rig->element,
          GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
  fail_unless (g_get_monotonic_time () - begin < 2 * G_TIME_SPAN_SECOND);
}

GST_START_TEST (test_null_while_loading)
{
  Rig *rig = rig_new_null ("device=fake:load-ms=20000", FALSE);
  GstState states[] = { GST_STATE_PAUSED, GST_STATE_PLAYING };
  guint i;

  for (i = 0; i < 4; i++) {
    fail_unless (gst_element_set_state (rig->element, states[i % 2]) !=
        GST_STATE_CHANGE_FAILURE);
    g_usleep (20000);
    to_null_in_time (rig);
  }
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_null_while_loading_is_stuck)
{
  Rig *rig = rig_new_null ("device=fake:stuck-ms=4000", FALSE);

  gst_element_set_state (rig->element, GST_STATE_PLAYING);
  g_usleep (20000);
  to_null_in_time (rig);
  /* And up again at once, on a load of its own. */
  gst_element_set_state (rig->element, GST_STATE_PLAYING);
  to_null_in_time (rig);
  rig_free (rig);
}

GST_END_TEST;

static gpointer
push_until_refused (gpointer data)
{
  Rig *rig = data;
  GstFlowReturn flow = GST_FLOW_OK;
  guint i;

  for (i = 0; i < 100000 && flow == GST_FLOW_OK; i++)
    flow = rig_push (rig, i, i * 100 * MS, 100 * MS);
  return GINT_TO_POINTER (flow);
}

static void
null_while_pushing (const gchar * properties, gboolean live, guint wait_ms)
{
  Rig *rig = rig_new (properties, live);
  GThread *thread = g_thread_new ("push", push_until_refused, rig);

  g_usleep (wait_ms * 1000);
  to_null_in_time (rig);
  fail_unless_equals_int (GPOINTER_TO_INT (g_thread_join (thread)),
      GST_FLOW_FLUSHING);
  rig_free (rig);
}

GST_START_TEST (test_null_while_waiting_for_the_load)
{
  null_while_pushing ("device=fake:load-ms=30000 window=1000000000", FALSE, 50);
  null_while_pushing ("device=fake:load-ms=30000 sampling=clip", FALSE, 50);
}

GST_END_TEST;

GST_START_TEST (test_null_while_encoding)
{
  null_while_pushing ("device=fake:encode-ms=30000 window=1000000000", FALSE,
      100);
  null_while_pushing ("device=fake:encode-ms=30000 sampling=clip", FALSE, 100);
  null_while_pushing ("device=fake:encode-ms=30000 window=1000000000", TRUE,
      100);
}

GST_END_TEST;

GST_START_TEST (test_null_while_answering)
{
  null_while_pushing ("device=fake:answer-ms=30000 window=1000000000", FALSE,
      100);
  null_while_pushing ("device=fake:answer-ms=30000 window=1000000000", TRUE,
      100);
}

GST_END_TEST;

static gpointer
push_eos (gpointer data)
{
  Rig *rig = data;

  rig_push_many (rig, 0, 3, 0, 100 * MS);
  gst_harness_push_event (rig->h, gst_event_new_eos ());
  return NULL;
}

GST_START_TEST (test_null_while_eos_waits)
{
  Rig *rig = rig_new ("device=fake:answer-ms=30000", FALSE);
  GThread *thread = g_thread_new ("push", push_eos, rig);

  g_usleep (50000);
  to_null_in_time (rig);
  g_thread_join (thread);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_bad_setting_fails_the_change)
{
  Rig *rig = rig_new_null ("precision=int3", FALSE);

  fail_unless_equals_int (gst_element_set_state (rig->element,
          GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state (rig->element, GST_STATE_NULL);
  /* With the mistake corrected it starts. */
  g_object_set (rig->element, "precision", "f32", "device", "fake:", NULL);
  fail_unless (gst_element_set_state (rig->element, GST_STATE_PLAYING) !=
      GST_STATE_CHANGE_FAILURE);
  to_null_in_time (rig);
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_load_again_after_failure)
{
  Rig *rig = rig_new_null ("device=fake:load-error=io", FALSE);
  GstMessage *message;
  guint i;

  for (i = 0; i < 3; i++) {
    gst_element_set_state (rig->element, GST_STATE_PLAYING);
    message = rig_wait (rig, GST_MESSAGE_ERROR, NULL, 5000);
    fail_unless (message != NULL);
    gst_message_unref (message);
    to_null_in_time (rig);
  }
  g_object_set (rig->element, "device", "fake:", NULL);
  gst_element_set_state (rig->element, GST_STATE_PLAYING);
  message = rig_wait (rig, GST_MESSAGE_PROGRESS | GST_MESSAGE_ERROR, NULL,
      5000);
  fail_unless (GST_MESSAGE_TYPE (message) == GST_MESSAGE_PROGRESS);
  gst_message_unref (message);
  rig_free (rig);
}

GST_END_TEST;

/* Half of the cycles stop in the middle of a stream. */
static void
cycle (GstElement * pipeline, guint i)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  if (i % 2) {
    message = gst_bus_timed_pop_filtered (bus, 20 * GST_SECOND,
        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    fail_unless (message && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
    gst_message_unref (message);
  } else {
    g_usleep (i % 7 * 1000);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  while ((message = gst_bus_pop (bus)))
    gst_message_unref (message);
  gst_object_unref (bus);
}

/* Joined threads stay in /proc for a moment. */
static guint
settled (const gchar * directory, guint limit)
{
  guint n = count_entries (directory), tries;

  for (tries = 0; n > limit && tries < 200; tries++) {
    g_usleep (10000);
    n = count_entries (directory);
  }
  return n;
}

/* GStreamer's tasks run on threads that GLib keeps when they are done: half a second for the same pool, then as many as it is
 * allowed to for any. How many those are differs from cycle to cycle, so they are sent away before threads are counted. */
static guint
threads_at_rest (void)
{
  g_thread_pool_set_max_unused_threads (0);
  g_usleep (700000);
  return count_entries ("/proc/self/task");
}

static void
cycles (const gchar * line, guint n)
{
  GstElement *pipeline = gst_parse_launch (line, NULL);
  guint i, threads = 0, descriptors = 0;

  fail_unless (pipeline != NULL);
  for (i = 0; i < n; i++) {
    cycle (pipeline, i);
    if (i == 9) {
      threads = threads_at_rest ();
      descriptors = count_entries ("/proc/self/fd");
    }
  }
  fail_unless (settled ("/proc/self/task", threads) <= threads);
  fail_unless (settled ("/proc/self/fd", descriptors) <= descriptors);
  gst_object_unref (pipeline);
}

static gpointer
wait_for_lock (gpointer data)
{
  g_mutex_lock (data);
  g_mutex_unlock (data);
  return NULL;
}

/* What the cycles rely on: one thread more is seen, one that ended is not. */
GST_START_TEST (test_a_thread_more_is_seen)
{
  GMutex lock;
  GThread *thread;
  guint before = threads_at_rest ();

  g_mutex_init (&lock);
  g_mutex_lock (&lock);
  thread = g_thread_new ("more", wait_for_lock, &lock);
  fail_unless_equals_int (settled ("/proc/self/task", before), before + 1);
  g_mutex_unlock (&lock);
  g_thread_join (thread);
  fail_unless_equals_int (settled ("/proc/self/task", before), before);
  g_mutex_clear (&lock);
}

GST_END_TEST;

static guint
n_cycles (void)
{
  const gchar *number = g_getenv ("LLAVAOV_CYCLES");

  return number ? MAX (atoi (number), 20) : 60;
}

GST_START_TEST (test_cycles_raw)
{
  cycles ("videotestsrc num-buffers=12 ! "
      "video/x-raw, width=64, height=48, framerate=10/1 ! "
      "llavaov device=fake:load-ms=2;answer-ms=1 window=500000000 frames=2 name=l ! "
      "fakesink  l.text ! fakesink", n_cycles ());
}

GST_END_TEST;

GST_START_TEST (test_cycles_decoded)
{
  cycles ("videotestsrc num-buffers=12 ! "
      "video/x-raw, width=64, height=48, framerate=10/1 ! jpegenc ! "
      "llavaov device=fake: window=500000000 frames=2 ! fakesink", n_cycles ());
}

GST_END_TEST;

GST_START_TEST (test_cycles_live)
{
  cycles ("videotestsrc is-live=true num-buffers=4 ! "
      "video/x-raw, width=64, height=48, framerate=50/1 ! "
      "llavaov device=fake:answer-ms=20 window=20000000 frames=1 name=l ! "
      "fakesink  l.text ! fakesink", n_cycles ());
}

GST_END_TEST;

static Suite *
states_suite (void)
{
  Suite *s = suite_create ("states");
  TCase *tc = tcase_create ("states");

  suite_add_tcase (s, tc);
  if (g_getenv ("LLAVAOV_CYCLES"))
    tcase_set_timeout (tc, 3600);
  tcase_add_test (tc, test_null_while_loading);
  tcase_add_test (tc, test_null_while_loading_is_stuck);
  tcase_add_test (tc, test_null_while_waiting_for_the_load);
  tcase_add_test (tc, test_null_while_encoding);
  tcase_add_test (tc, test_null_while_answering);
  tcase_add_test (tc, test_null_while_eos_waits);
  tcase_add_test (tc, test_bad_setting_fails_the_change);
  tcase_add_test (tc, test_load_again_after_failure);
  tcase_add_test (tc, test_a_thread_more_is_seen);
  tcase_add_test (tc, test_cycles_raw);
  tcase_add_test (tc, test_cycles_decoded);
  tcase_add_test (tc, test_cycles_live);
  return s;
}

GST_CHECK_MAIN (states);
