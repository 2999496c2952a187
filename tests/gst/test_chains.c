/* SPDX-License-Identifier: Apache-2.0
 *
 * Random chains of events through the element, and a model of what must be answered or reported. The model knows the stretches
 * of frames between the events that end windows, and finds every window's frames by looking at all of them; it shares
 * nothing with gst/window.c. Each chain goes through every mode below. LLAVAOV_CHAINS says how many chains (40 here, 500 in
 * the soak run), LLAVAOV_SEED the first one's seed. A watchdog prints all stacks when a chain does not end. */
#include <stdlib.h>
#include <unistd.h>

#include "support.h"

static guint32 seed;
static GString *doing;          /* the log of the chain, for the watchdog */

typedef struct
{
  const gchar *name, *properties;
  gboolean live;
  gboolean clip;                /* one answer a stream */
  gboolean drops;               /* a slow engine: windows may be dropped, and are reported */
} Mode;

static const Mode modes[] = {
  {"file", "overload=block", FALSE, FALSE, FALSE},
  {"live, blocking", "overload=block", TRUE, FALSE, FALSE},
  {"file, newest", "overload=newest max-pending=1", FALSE, FALSE, TRUE},
  {"live", "overload=newest max-pending=2", TRUE, FALSE, TRUE},
  {"clip", "overload=block sampling=clip", FALSE, TRUE, FALSE},
  {"live clip", "overload=block sampling=clip", TRUE, TRUE, FALSE},
};

typedef struct
{
  guint at;                     /* ms of running time */
  guint8 value;
} Frame;

/* What a window must become: an answer of this text, or a message that it was dropped. */
typedef struct
{
  guint start;                  /* ms of running time */
  gchar *text;
} Wanted;

/* What the bus brought. */
typedef struct
{
  gchar *text;                  /* of an answer; NULL: a window was dropped */
  guint64 start;                /* ns of running time */
} Found;

typedef struct
{
  GRand *rand;
  Rig *rig;
  const Mode *mode;
  guint window, interval, n_points;     /* ms, ms */
  GString *log;                 /* what was done */

  /* the model */
  GArray *stretch;              /* of Frame, until windows end */
  guint reached;                /* how far running time has come in it */
  GQueue wanted;                /* of Wanted */
  GQueue found;                 /* of Found */

  /* the stream */
  guint base, pts, start;       /* ms; start of the segment */
  guint8 value;
  GstPad *text;                 /* ours, linked to the element's; or NULL */
  GstPad *text_src;
  GMutex lock;
  GCond cond;
  GString *cues;                /* under lock: since the pad was linked, or the stream began */
  gboolean text_ended;          /* under lock */
  GString *answers;             /* since then */
  gboolean cut;                 /* windows have been flushed since then */
} Chain;

/* ---- the model ---- */

static void
want (Chain * chain, guint start, GString * text)
{
  Wanted *wanted = g_new (Wanted, 1);

  wanted->start = start;
  wanted->text = g_string_free (text, FALSE);
  g_queue_push_tail (&chain->wanted, wanted);
}

static void
free_wanted (gpointer data)
{
  g_free (((Wanted *) data)->text);
  g_free (data);
}

static void
say (GString ** text, guint8 value)
{
  gboolean first = *text == NULL;

  if (first)
    *text = g_string_new (NULL);
  g_string_append_printf (*text, first ? "q|%u" : " %u", value);
}

/* Points of a window lie at (2k + 1) / 2n of it; doubled and times n, all is whole. */
static void
window_wanted (Chain * chain, guint start, guint end, gboolean whole)
{
  guint k, i, n = chain->n_points;
  GString *text = NULL;

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
    say (&text, best->value);
  }
  want (chain, start, text);
}

/* A clip's frames are spread evenly from the first to the last, as numpy.linspace () does it. */
static void
clip_wanted (Chain * chain)
{
  guint k, total = chain->stretch->len, n = chain->n_points;
  GString *text = NULL;

  for (k = 0; k < n; k++)
    say (&text, g_array_index (chain->stretch, Frame, n == 1 ? 0 :
            k == n - 1 ? total - 1 :
            (guint) (k * ((gdouble) (total - 1) / (n - 1)))).value);
  want (chain, g_array_index (chain->stretch, Frame, 0).at, text);
}

/* The stretch ends at `end`. forgotten: its open windows are not answered, only those that were over before. */
static void
stretch_ends (Chain * chain, gboolean forgotten)
{
  guint start, end, last;

  if (chain->stretch->len == 0)
    return;
  if (chain->mode->clip) {
    if (!forgotten)
      clip_wanted (chain);
    g_array_set_size (chain->stretch, 0);
    return;
  }
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

/* Windows end here; a clip goes on. */
static void
windows_end (Chain * chain)
{
  if (!chain->mode->clip)
    stretch_ends (chain, FALSE);
}

static void
forget (Chain * chain)
{
  stretch_ends (chain, TRUE);
  chain->cut = TRUE;
}

/* ---- the links of a chain ---- */

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

/* ---- the text pad ---- */

static GstFlowReturn
take_cue (GstPad * pad, GstObject * parent, GstBuffer * buffer)
{
  Chain *chain = gst_pad_get_element_private (pad);
  GstMapInfo map;

  fail_unless (gst_buffer_map (buffer, &map, GST_MAP_READ));
  g_mutex_lock (&chain->lock);
  g_string_append_len (chain->cues, (gchar *) map.data, map.size);
  g_string_append_c (chain->cues, '\n');
  g_mutex_unlock (&chain->lock);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static gboolean
take_event (GstPad * pad, GstObject * parent, GstEvent * event)
{
  Chain *chain = gst_pad_get_element_private (pad);

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    g_mutex_lock (&chain->lock);
    chain->text_ended = TRUE;
    g_cond_signal (&chain->cond);
    g_mutex_unlock (&chain->lock);
  }
  gst_event_unref (event);
  return TRUE;
}

static void
cues_begin (Chain * chain)
{
  g_mutex_lock (&chain->lock);
  g_string_truncate (chain->cues, 0);
  chain->text_ended = FALSE;
  g_mutex_unlock (&chain->lock);
  g_string_truncate (chain->answers, 0);
  chain->cut = FALSE;
}

static void
text_link (Chain * chain)
{
  cues_begin (chain);
  chain->text = gst_pad_new ("sink", GST_PAD_SINK);
  gst_pad_set_element_private (chain->text, chain);
  gst_pad_set_chain_function (chain->text, take_cue);
  gst_pad_set_event_function (chain->text, take_event);
  gst_pad_set_active (chain->text, TRUE);
  chain->text_src = gst_element_request_pad_simple (chain->rig->element,
      "text");
  fail_unless_equals_int (gst_pad_link (chain->text_src, chain->text),
      GST_PAD_LINK_OK);
}

static void
text_unlink (Chain * chain)
{
  if (chain->text == NULL)
    return;
  gst_pad_unlink (chain->text_src, chain->text);
  gst_element_release_request_pad (chain->rig->element, chain->text_src);
  gst_pad_set_active (chain->text, FALSE);
  g_clear_object (&chain->text_src);
  g_clear_object (&chain->text);
}

/* The text is the answers in their order; at the end of a stream all of them, unless there was a flush. */
static void
check_cues (Chain * chain, gboolean all)
{
  gchar **cues, **answers;
  guint i, k, n_answers = 0;

  if (chain->text == NULL)
    return;
  g_mutex_lock (&chain->lock);
  while (all && !chain->text_ended)
    g_cond_wait (&chain->cond, &chain->lock);
  cues = g_strsplit (chain->cues->str, "\n", -1);
  g_mutex_unlock (&chain->lock);
  answers = g_strsplit (chain->answers->str, "\n", -1);
  for (i = k = 0; cues[i] && *cues[i]; i++, k++) {
    while (answers[k] && strcmp (answers[k], cues[i]))
      k++;
    fail_unless (answers[k] != NULL, "seed %u, %s, %s: cue %u, '%s', is no "
        "answer\n%s", seed, chain->mode->name, chain->log->str, i, cues[i],
        chain->answers->str);
  }
  while (answers[n_answers] && *answers[n_answers])
    n_answers++;
  if (all && !chain->cut)
    fail_unless (i == n_answers, "seed %u, %s, %s: %u cues "
        "of\n%s", seed, chain->mode->name, chain->log->str, i,
        chain->answers->str);
  g_strfreev (cues);
  g_strfreev (answers);
}

/* ---- what the bus brought ---- */

static void
collect (Chain * chain)
{
  GstMessage *message;

  while ((message = gst_bus_pop (chain->rig->bus))) {
    Found *found = NULL;

    if (gst_message_has_name (message, "llavaov-answer")) {
      found = g_new0 (Found, 1);
      found->text = g_strdup (gst_structure_get_string
          (gst_message_get_structure (message), "text"));
      gst_structure_get_uint64 (gst_message_get_structure (message),
          "running-time", &found->start);
      g_string_append_printf (chain->answers, "%s\n", found->text);
    } else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_QOS) {
      found = g_new0 (Found, 1);
      gst_message_parse_qos (message, NULL, &found->start, NULL, NULL, NULL);
    }
    if (found)
      g_queue_push_tail (&chain->found, found);
    gst_message_unref (message);
  }
}

static void
free_found (gpointer data)
{
  g_free (((Found *) data)->text);
  g_free (data);
}

/* Removes the first window, from `from` on, that this can be about. Returns the one behind it. */
static GList *
take_wanted (Chain * chain, GList * from, const Found * found)
{
  GList *walk, *next;

  for (walk = from; walk; walk = walk->next) {
    Wanted *wanted = walk->data;

    if (wanted->start == found->start / MS && (found->text == NULL ||
            !strcmp (found->text, wanted->text)))
      break;
  }
  fail_unless (walk != NULL, "seed %u, %s, %s: no window at %" GST_TIME_FORMAT
      " was to become '%s'", seed, chain->mode->name, chain->log->str,
      GST_TIME_ARGS (found->start), found->text ? found->text : "dropped");
  next = walk->next;
  free_wanted (walk->data);
  g_queue_delete_link (&chain->wanted, walk);
  return next;
}

/* All windows of the stream are over: they were answered in their order, and where some may be dropped, each of the others was
 * reported, also in order. */
static void
check (Chain * chain)
{
  GList *walk, *from;
  Wanted *wanted;
  gboolean told;

  collect (chain);
  for (told = FALSE; told <= chain->mode->drops; told++) {
    from = chain->wanted.head;
    for (walk = chain->found.head; walk; walk = walk->next) {
      Found *found = walk->data;

      if ((found->text == NULL) == told)
        from = take_wanted (chain, from, found);
    }
  }
  wanted = g_queue_peek_head (&chain->wanted);
  fail_unless (wanted == NULL, "seed %u, %s, %s: nothing was told of the "
      "window at %u ms, '%s'", seed, chain->mode->name, chain->log->str,
      wanted->start, wanted->text);
  g_queue_clear_full (&chain->found, free_found);
}

static void
end (Chain * chain)
{
  push (chain, gst_event_new_eos ());
  stretch_ends (chain, FALSE);
  check (chain);
  check_cues (chain, TRUE);
  cues_begin (chain);
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

  /* Windows that the engine was asked about before may be answered or not. */
  if (chain->mode->drops && (!strcmp (name, "flush")
          || !strcmp (name, "ready")))
    return;
  g_string_append_printf (chain->log, "%s, ", name);
  if (!strcmp (name, "frames")) {
    frames (chain, g_rand_int_range (chain->rand, 1, 16), FALSE);
  } else if (!strcmp (name, "segment")) {
    windows_end (chain);
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
    windows_end (chain);
    chain->pts += 20000;
    frames (chain, 3, TRUE);
  } else if (!strcmp (name, "unmarked hole")) {
    chain->pts += g_rand_int_range (chain->rand, 1, 40) * 100;
  } else if (!strcmp (name, "jump back") && near) {
    windows_end (chain);
    chain->pts -= 1000;
    frames (chain, 2, TRUE);
  } else if (!strcmp (name, "unmarked jump back") && near) {
    windows_end (chain);
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
    forget (chain);
    push (chain, gst_event_new_flush_start ());
    push (chain, gst_event_new_flush_stop (TRUE));
    segment (chain, 0, 0);
  } else if (!strcmp (name, "end")) {
    end (chain);
    begin (chain);
  } else if (!strcmp (name, "seek and qos")) {
    gst_harness_push_upstream_event (chain->rig->h, gst_event_new_seek (1,
            GST_FORMAT_TIME, GST_SEEK_FLAG_NONE, GST_SEEK_TYPE_SET, 0,
            GST_SEEK_TYPE_NONE, 0));
    gst_harness_push_upstream_event (chain->rig->h, gst_event_new_qos
        (GST_QOS_TYPE_UNDERFLOW, 2, 5, 0));
  } else if (!strcmp (name, "text pad")) {
    collect (chain);
    check_cues (chain, FALSE);
    if (chain->text)
      text_unlink (chain);
    else
      text_link (chain);
  } else if (!strcmp (name, "paused")) {
    gst_element_set_state (element, GST_STATE_PAUSED);
    gst_element_set_state (element, GST_STATE_PLAYING);
  } else if (!strcmp (name, "ready")) {
    forget (chain);
    gst_element_set_state (element, GST_STATE_READY);
    gst_element_set_state (element, GST_STATE_PLAYING);
    begin (chain);
  }
}

/* ---- one chain ---- */

static gint64 deadline;         /* atomic by being written before and after only */

static gpointer
watch (gpointer stop)
{
  while (!g_atomic_int_get ((gint *) stop)) {
    if (g_get_monotonic_time () > deadline) {
      gchar *line = g_strdup_printf ("gdb -batch -p %d -ex 'thread apply all "
          "bt 20'", getpid ());

      g_printerr ("the chain of seed %u does not end: %s\n", seed, doing->str);
      g_spawn_command_line_sync (line, NULL, NULL, NULL, NULL);
      abort ();
    }
    g_usleep (10000);
  }
  return NULL;
}

static void
run_chain (const Mode * mode)
{
  static const guint windows[] = { 500, 1000, 2300 };
  Chain chain;
  guint i, n;
  gchar *line;

  memset (&chain, 0, sizeof (chain));
  chain.mode = mode;
  chain.rand = g_rand_new_with_seed (seed);
  chain.window = windows[g_rand_int_range (chain.rand, 0, 3)];
  chain.interval = chain.window * g_rand_int_range (chain.rand, 1, 5) / 2;
  chain.n_points = g_rand_int_range (chain.rand, 1, 9);
  chain.log = g_string_new (NULL);
  doing = chain.log;
  chain.cues = g_string_new (NULL);
  chain.answers = g_string_new (NULL);
  chain.stretch = g_array_new (FALSE, FALSE, sizeof (Frame));
  chain.value = 1;
  g_mutex_init (&chain.lock);
  g_cond_init (&chain.cond);
  line = g_strdup_printf ("device=fake:answer-ms=%u prompt=q layout=video %s "
      "window=%u000000 interval=%u000000 frames=%u", mode->drops ? 1 : 0,
      mode->properties, chain.window, chain.interval, chain.n_points);
  g_string_append_printf (chain.log, "%s: ", line);
  chain.rig = rig_new_null (line, mode->live);
  g_free (line);
  rig_prepare (chain.rig);
  if (mode->live)
    gst_harness_use_testclock (chain.rig->h);
  rig_play (chain.rig);

  n = g_rand_int_range (chain.rand, 5, 40);
  for (i = 0; i < n; i++)
    step (&chain);
  end (&chain);

  text_unlink (&chain);
  rig_free (chain.rig);
  g_queue_clear_full (&chain.wanted, free_wanted);
  g_string_free (chain.log, TRUE);
  g_string_free (chain.cues, TRUE);
  g_string_free (chain.answers, TRUE);
  g_array_unref (chain.stretch);
  g_mutex_clear (&chain.lock);
  g_cond_clear (&chain.cond);
  g_rand_free (chain.rand);
}

GST_START_TEST (test_random_chains)
{
  const gchar *number = g_getenv ("LLAVAOV_CHAINS");
  const gchar *first = g_getenv ("LLAVAOV_SEED");
  guint i, k, n = number ? atoi (number) : 40;
  gint stop = 0;
  GThread *watchdog;

  deadline = G_MAXINT64;
  watchdog = g_thread_new ("watchdog", watch, &stop);
  for (i = 0; i < n; i++) {
    seed = (first ? atoi (first) : 1) + i;
    deadline = g_get_monotonic_time () + 30 * G_TIME_SPAN_SECOND;
    for (k = 0; k < G_N_ELEMENTS (modes); k++)
      run_chain (&modes[k]);
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
