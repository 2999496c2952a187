/* SPDX-License-Identifier: Apache-2.0
 *
 * Random chains of events through the element, and a model of what must be answered. The model knows the stretches of
 * frames between the events that end windows, and finds every window's frames by looking at all of them; it shares nothing
 * with gst/window.c. LLAVAOV_CHAINS says how many chains (40 here, 500 in the soak run), LLAVAOV_SEED the first one's seed.
 * A watchdog prints all stacks when a chain does not end. */
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

typedef struct
{
  guint at;                     /* ms of running time */
  guint8 value;
} Frame;

typedef struct
{
  GRand *rand;
  Rig *rig;
  guint window, interval, n_points;     /* ms, ms */
  GString *log;                 /* what was done */

  /* the model */
  GArray *stretch;              /* of Frame, until windows end */
  guint reached;                /* how far running time has come in it */
  GString *wanted;

  /* the stream */
  guint base, pts, start;       /* ms; start of the segment */
  guint8 value;
  gboolean text;
} Chain;

/* ---- the model ---- */

/* Points of a window lie at (2k + 1) / 2n of it; doubled and times n, all is whole. */
static void
window_wanted (Chain * chain, guint start, guint end, gboolean whole)
{
  guint k, i, n = chain->n_points, n_said = 0;

  for (k = 0; k < n; k++) {
    guint64 point = (guint64) start * 2 * n + (2 * k + 1) * chain->window;
    const Frame *best = NULL;
    guint64 best_distance = G_MAXUINT64;

    if (!whole && k && point >= (guint64) end * 2 * n)
      continue;
    for (i = 0; i < chain->stretch->len; i++) {
      const Frame *frame = &g_array_index (chain->stretch, Frame, i);
      guint64 at = (guint64) frame->at * 2 * n;
      guint64 far = at > point ? at - point : point - at;

      if (frame->at < start || frame->at >= start + chain->window)
        continue;
      if (far < best_distance) {
        best = frame;
        best_distance = far;
      }
    }
    if (best == NULL)
      return;
    g_string_append_printf (chain->wanted, n_said++ ? " %u" : "q|%u",
        best->value);
  }
  g_string_append_c (chain->wanted, '\n');
}

/* The stretch is over at `end`; forgotten: only what was over before is answered. */
static void
stretch_ends (Chain * chain, gboolean forgotten)
{
  guint start, end, last;

  if (chain->stretch->len == 0)
    return;
  last = g_array_index (chain->stretch, Frame, chain->stretch->len - 1).at;
  end = MAX (chain->reached, forgotten ? 0 : last + 100);
  for (start = g_array_index (chain->stretch, Frame, 0).at; start <= last;
      start += chain->interval) {
    gboolean whole = start + chain->window <= end;

    if (whole || !forgotten)
      window_wanted (chain, start, last + 100, whole);
  }
  g_array_set_size (chain->stretch, 0);
  chain->reached = 0;
}

/* ---- what is done ---- */

static void
push (Chain * chain, GstEvent * event)
{
  fail_unless (gst_harness_push_event (chain->rig->h, event), "%s",
      chain->log->str);
}

static void
push_frame (Chain * chain, guint pts, gboolean discont, gboolean seen)
{
  GstBuffer *buffer = rig_buffer (chain->value, pts * MS, 100 * MS);
  Frame frame = { chain->base + pts, chain->value };

  chain->value = chain->value % 250 + 1;
  if (discont)
    GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_DISCONT);
  fail_unless_equals_int (gst_harness_push (chain->rig->h, buffer),
      GST_FLOW_OK);
  if (!seen)
    return;
  g_array_append_val (chain->stretch, frame);
  chain->reached = MAX (chain->reached, frame.at);
}

static void
frames (Chain * chain, guint n, gboolean discont)
{
  for (; n; n--, chain->pts += 100, discont = FALSE)
    push_frame (chain, chain->pts, discont, TRUE);
}

static void
segment (Chain * chain, guint base, guint start)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.base = base * MS;
  segment.start = start * MS;
  segment.time = start * MS;
  push (chain, gst_event_new_segment (&segment));
  chain->base = base - start;
  chain->pts = chain->start = start;
}

static void
begin (Chain * chain)
{
  push (chain, gst_event_new_stream_start ("chain"));
  gst_harness_set_src_caps_str (chain->rig->h, "video/x-raw, format=GRAY8, "
      "width=16, height=16, framerate=10/1");
  segment (chain, 0, 0);
}

static void
text_pad (Chain * chain)
{
  GstElement *element = chain->rig->element;
  GstPad *pad;

  if (chain->text) {
    pad = gst_element_get_static_pad (element, "text");
    gst_element_release_request_pad (element, pad);
  } else {
    pad = gst_element_request_pad_simple (element, "text");
  }
  gst_object_unref (pad);
  chain->text = !chain->text;
}

static const gchar *steps[] = {
  "frames", "frames", "frames", "segment", "segment that goes on", "stream",
  "segment done", "hole", "unmarked hole", "jump back", "unmarked jump back",
  "late frame", "gap", "tags", "caps", "flush", "end", "seek and qos",
  "text pad",
  "paused", "ready",
};

static void
step (Chain * chain)
{
  guint choice = g_rand_int_range (chain->rand, 0, G_N_ELEMENTS (steps));
  const gchar *name = steps[choice];
  GstElement *element = chain->rig->element;
  gboolean any = chain->stretch->len > 0;
  guint now = chain->base + chain->pts;
  GstCaps *caps;
  gboolean near = any && now - g_array_index (chain->stretch, Frame,
      chain->stretch->len - 1).at < 500 && chain->pts > chain->start + 1500;

  g_string_append_printf (chain->log, "%s, ", name);
  if (!strcmp (name, "frames")) {
    frames (chain, g_rand_int_range (chain->rand, 1, 16), FALSE);
  } else if (!strcmp (name, "segment")) {
    stretch_ends (chain, FALSE);
    segment (chain, now + 7000, 0);
  } else if (!strcmp (name, "segment that goes on")) {
    if (chain->base == 0)
      segment (chain, chain->pts, chain->pts);
  } else if (!strcmp (name, "stream")) {
    push (chain, gst_event_new_stream_start ("another"));
    stretch_ends (chain, FALSE);
    segment (chain, now, 0);
  } else if (!strcmp (name, "segment done")) {
    push (chain, gst_event_new_segment_done (GST_FORMAT_TIME, chain->pts * MS));
    stretch_ends (chain, FALSE);
  } else if (!strcmp (name, "hole")) {
    stretch_ends (chain, FALSE);
    chain->pts += 20000;
    frames (chain, 3, TRUE);
  } else if (!strcmp (name, "unmarked hole")) {
    chain->pts += g_rand_int_range (chain->rand, 1, 40) * 100;
  } else if (!strcmp (name, "jump back") && near) {
    stretch_ends (chain, FALSE);
    chain->pts -= 1000;
    frames (chain, 2, TRUE);
  } else if (!strcmp (name, "unmarked jump back") && near) {
    stretch_ends (chain, FALSE);
    chain->pts -= 1000;
    frames (chain, 2, FALSE);
  } else if (!strcmp (name, "late frame") && near
      && now - g_array_index (chain->stretch, Frame,
          chain->stretch->len - 1).at == 100) {
    push_frame (chain, chain->pts - 250, FALSE, FALSE);
  } else if (!strcmp (name, "gap")) {
    push (chain, gst_event_new_gap (chain->pts * MS, 700 * MS));
    chain->pts += 700;
    if (any)
      chain->reached = MAX (chain->reached, now + 700);
  } else if (!strcmp (name, "tags")) {
    push (chain, gst_event_new_tag (gst_tag_list_new (GST_TAG_TITLE, "t",
                NULL)));
  } else if (!strcmp (name, "caps")) {
    /* Not through the harness, which adds a segment. */
    caps = gst_caps_new_simple ("video/x-raw", "format", G_TYPE_STRING,
        "GRAY8", "width", G_TYPE_INT, 16, "height", G_TYPE_INT, 16,
        "framerate", GST_TYPE_FRACTION, g_rand_int_range (chain->rand, 9, 12),
        1, NULL);
    push (chain, gst_event_new_caps (caps));
    gst_caps_unref (caps);
  } else if (!strcmp (name, "flush")) {
    stretch_ends (chain, TRUE);
    push (chain, gst_event_new_flush_start ());
    push (chain, gst_event_new_flush_stop (TRUE));
    segment (chain, 0, 0);
  } else if (!strcmp (name, "end")) {
    push (chain, gst_event_new_eos ());
    stretch_ends (chain, FALSE);
    begin (chain);
  } else if (!strcmp (name, "seek and qos")) {
    gst_harness_push_upstream_event (chain->rig->h, gst_event_new_seek (1,
            GST_FORMAT_TIME, GST_SEEK_FLAG_NONE, GST_SEEK_TYPE_SET, 0,
            GST_SEEK_TYPE_NONE, 0));
    gst_harness_push_upstream_event (chain->rig->h, gst_event_new_qos
        (GST_QOS_TYPE_UNDERFLOW, 2, 5, 0));
  } else if (!strcmp (name, "text pad")) {
    text_pad (chain);
  } else if (!strcmp (name, "paused")) {
    gst_element_set_state (element, GST_STATE_PAUSED);
    gst_element_set_state (element, GST_STATE_PLAYING);
  } else if (!strcmp (name, "ready")) {
    stretch_ends (chain, TRUE);
    gst_element_set_state (element, GST_STATE_READY);
    gst_element_set_state (element, GST_STATE_PLAYING);
    begin (chain);
  }
}

/* ---- one chain ---- */

static gint64 deadline;         /* atomic by being written before and after only */
static guint32 seed;

static gpointer
watch (gpointer stop)
{
  while (!g_atomic_int_get ((gint *) stop)) {
    if (g_get_monotonic_time () > deadline) {
      gchar *line = g_strdup_printf ("gdb -batch -p %d -ex 'thread apply all "
          "bt 20'", getpid ());

      g_printerr ("the chain of seed %u does not end\n", seed);
      g_spawn_command_line_sync (line, NULL, NULL, NULL, NULL);
      abort ();
    }
    g_usleep (10000);
  }
  return NULL;
}

static void
run_chain (gboolean live)
{
  static const guint windows[] = { 500, 1000, 2300 };
  Chain chain;
  GString *found = g_string_new (NULL);
  GstMessage *message;
  guint i, n;
  gchar *line;

  memset (&chain, 0, sizeof (chain));
  chain.rand = g_rand_new_with_seed (seed);
  chain.window = windows[g_rand_int_range (chain.rand, 0, 3)];
  chain.interval = chain.window * g_rand_int_range (chain.rand, 1, 5) / 2;
  chain.n_points = g_rand_int_range (chain.rand, 1, 9);
  chain.log = g_string_new (NULL);
  chain.wanted = g_string_new (NULL);
  chain.stretch = g_array_new (FALSE, FALSE, sizeof (Frame));
  chain.value = 1;
  line = g_strdup_printf ("device=fake: prompt=q layout=video overload=block "
      "window=%u000000 interval=%u000000 frames=%u", chain.window,
      chain.interval, chain.n_points);
  chain.rig = rig_new_null (line, live);
  rig_prepare (chain.rig);
  if (live)
    gst_harness_use_testclock (chain.rig->h);
  rig_play (chain.rig);

  n = g_rand_int_range (chain.rand, 5, 40);
  for (i = 0; i < n; i++)
    step (&chain);
  push (&chain, gst_event_new_eos ());
  stretch_ends (&chain, FALSE);
  while ((message = gst_bus_pop (chain.rig->bus))) {
    if (gst_message_has_name (message, "llavaov-answer"))
      g_string_append_printf (found, "%s\n", gst_structure_get_string
          (gst_message_get_structure (message), "text"));
    gst_message_unref (message);
  }
  fail_unless (!strcmp (found->str, chain.wanted->str), "seed %u, %s, %s: %s\n"
      "answers:\n%swanted:\n%s", seed, live ? "live" : "file", line,
      chain.log->str, found->str, chain.wanted->str);

  rig_free (chain.rig);
  g_free (line);
  g_string_free (found, TRUE);
  g_string_free (chain.log, TRUE);
  g_string_free (chain.wanted, TRUE);
  g_array_unref (chain.stretch);
  g_rand_free (chain.rand);
}

GST_START_TEST (test_random_chains)
{
  const gchar *number = g_getenv ("LLAVAOV_CHAINS");
  const gchar *first = g_getenv ("LLAVAOV_SEED");
  guint i, n = number ? atoi (number) : 40;
  gint stop = 0;
  GThread *watchdog;

  deadline = G_MAXINT64;
  watchdog = g_thread_new ("watchdog", watch, &stop);
  for (i = 0; i < n; i++) {
    seed = (first ? atoi (first) : 1) + i;
    deadline = g_get_monotonic_time () + 30 * G_TIME_SPAN_SECOND;
    run_chain (FALSE);
    run_chain (TRUE);
  }
  g_atomic_int_set (&stop, 1);
  g_thread_join (watchdog);
}

GST_END_TEST;

static Suite *
chains_suite (void)
{
  Suite *s = suite_create ("chains");
  TCase *tc = tcase_create ("chains");

  suite_add_tcase (s, tc);
  tcase_set_timeout (tc, 3600);
  tcase_add_test (tc, test_random_chains);
  return s;
}

GST_CHECK_MAIN (chains);
