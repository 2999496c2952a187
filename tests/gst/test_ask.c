/* SPDX-License-Identifier: Apache-2.0
 *
 * The action signal ask and the event llavaov/ask. */
#include "support.h"

#define WINDOW "device=fake: frames=2 window=1000000000 "

/* fields as in a caps string, without the name; NULL: none. */
static GstStructure *
fields_new (const gchar * fields)
{
  gchar *text = g_strdup_printf ("llavaov/ask%s%s", fields ? "," : "",
      fields ? fields : "");
  GstStructure *structure = gst_structure_from_string (text, NULL);

  fail_unless (structure != NULL, "%s", text);
  g_free (text);
  return structure;
}

static guint64
ask (Rig * rig, const gchar * fields)
{
  GstStructure *structure = fields_new (fields);
  guint64 id = 99;

  g_signal_emit_by_name (rig->element, "ask", structure, &id);
  gst_structure_free (structure);
  return id;
}

/* The next answer to a question of the application; what comes before is thrown away. */
static GstStructure *
wait_asked (Rig * rig, guint64 id)
{
  for (;;) {
    GstMessage *message = rig_wait_answer (rig);
    const GstStructure *answer = gst_message_get_structure (message);
    GstStructure *copy;
    guint64 found;

    if (!gst_structure_get_uint64 (answer, "ask-id", &found)) {
      gst_message_unref (message);
      continue;
    }
    fail_unless_equals_uint64 (found, id);
    copy = gst_structure_copy (answer);
    gst_message_unref (message);
    return copy;
  }
}

static void
expect_text (Rig * rig, guint64 id, const gchar * text)
{
  GstStructure *answer = wait_asked (rig, id);

  fail_unless_equals_string (gst_structure_get_string (answer, "text"), text);
  gst_structure_free (answer);
}

typedef struct
{
  const gchar *fields, *text;   /* of the answer; NULL: it is not asked */
  const gchar *complaint;       /* then: a part of the WARNING, or NULL */
} Case;

/* Windows 0 and 1, and a part of the next. */
static void
push_seconds (Rig * rig)
{
  rig_push_many (rig, 0, 25, 0, 100 * MS);
}

/* Over window 1, of frames 10 to 19, with 20 to 24 in the open one. */
static const Case cases[] = {
  {"prompt=why", "why|12 17", NULL},
  {"prompt=why, from=last", "why|12 17", NULL},
  {"prompt=why, from=now", "why|22 24", NULL},
  {NULL, "q|12 17", NULL},
  {"from=now", "q|22 24", NULL},
  {"prompt=generation, max-new-tokens=5", "5 0 0 1 1 0", NULL},
  {"prompt=generation, max-new-tokens=(uint)5, temperature=1, seed=(guint64)3",
      "5 1 0 1 1 3", NULL},
  {"prompt=x, choices=\"yes|no\"", "yes", NULL},
  {"prompt=x, choices=<(string)yes, (string)no>", "yes", NULL},
  {"prompt=x, json-schema=\"{\\\"type\\\": \\\"boolean\\\"}\"", "true", NULL},
  {"prompt=x, question=why-not", "x|12 17", NULL},
  {"prompt=1", NULL, "prompt: a string is wanted"},
  {"prompt=x, from=then", NULL, "from: last or now is wanted"},
  {"prompt=x, from=3", NULL, "from: last or now is wanted"},
  {"prompt=x, question=\"Why not\"", NULL, "question: a name of 1 to 64 of"},
  {"prompt=x, what=1", NULL, "what is no property of a question"},
  {"prompt=x, window=1", NULL, "window is no property of a question"},
  {"prompt=x, max-new-tokens=0", NULL, "max-new-tokens: a whole number from 1"},
  {"prompt=x, max-new-tokens=1/2", NULL, "a value of type GstFraction"},
  {"prompt=x, choices=<(string)yes, 1>", NULL, "a list of labels is wanted"},
  {"prompt=x, choices=(string)\"yes\"", NULL, "choices: labels that the fake"},
  {"prompt=x, json-schema=\"{\"", NULL, "json-schema"},
  {"prompt=x, choices=\"yes|no\", max-new-tokens=5", NULL,
      "max-new-tokens is set, and so is choices"},
  {"prompt=x, alert-on=yes", NULL, "alert-on: a question that is asked once"},
};

static void
expect_complaint (Rig * rig, const gchar * text)
{
  GstMessage *message = rig_wait (rig, GST_MESSAGE_WARNING, NULL, 5000);
  GError *error = NULL;

  fail_unless (message != NULL, "%s", text);
  gst_message_parse_warning (message, &error, NULL);
  fail_unless (g_error_matches (error, GST_RESOURCE_ERROR,
          GST_RESOURCE_ERROR_SETTINGS), "%s", error->message);
  fail_unless (strstr (error->message, text), "%s: %s", text, error->message);
  g_error_free (error);
  gst_message_unref (message);
}

/* One conversation after another, over window 1, of frames 10 to 19; each asked when the answer before is there. */
static const Case conversation[] = {
  {"prompt=a, history=true", "q>a|12 17", NULL},        /* that of the window itself */
  {"prompt=b, history=true", "q>a>b|12 17", NULL},
  {"prompt=c", "c|12 17", NULL},        /* 3 */
  {"prompt=d, history=true", "c>d|12 17", NULL},        /* 4 */
  {"prompt=e, follows=3", "c>e|12 17", NULL},   /* 5 */
  {"prompt=(string)f, follows=(guint64)4, history=true", "c>d>f|12 17", NULL},  /* 6 */
  {"prompt=g, history=true, from=last", "c>d>f>g|12 17", NULL}, /* it has these frames */
  {"prompt=h, history=true, from=now", "c>d>f>g>h|12 17 22 24", NULL},
  {"prompt=i, history=true, from=now", "c>d>f>g>h>i|12 17 22 24", NULL},
  {"prompt=j, follows=1", NULL, NULL},  /* eight others have been answered since */
  {"prompt=j, follows=2", "q>a>b>j|12 17", NULL},
  {"prompt=j, follows=99", NULL, NULL},
  {"prompt=j, follows=0", NULL, "follows: the id of a question is wanted"},
  {"prompt=j, history=1", NULL, "history: true or false is wanted"},
  {"prompt=k, history=false", "k|12 17", NULL},
  {"history=true", "k>q|12 17", NULL},
  {"prompt=x, history=true, choices=\"yes|no\"", "yes", NULL},
  {"prompt=l, history=true", "k>q>x>l|12 17", NULL},
};

GST_START_TEST (test_conversation)
{
  Rig *rig = rig_new (WINDOW "prompt=q system-prompt=s", FALSE);
  guint64 next = 1;
  guint i;

  push_seconds (rig);
  for (i = 0; i < G_N_ELEMENTS (conversation); i++) {
    const Case *c = &conversation[i];
    guint64 id = ask (rig, c->fields);

    fail_unless (id == (c->text ? next : 0), "%s: %u", c->fields, (guint) id);
    next += c->text != NULL;
    if (c->text)
      expect_text (rig, id, c->text);
    else if (c->complaint)
      expect_complaint (rig, c->complaint);
  }
  rig_free (rig);
}

GST_END_TEST;

GST_START_TEST (test_cases)
{
  Rig *rig = rig_new (WINDOW "prompt=q", FALSE);
  guint64 next = 1;
  guint i;

  push_seconds (rig);
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    const Case *c = &cases[i];
    guint64 id = ask (rig, c->fields);

    fail_unless (id == (c->text ? next : 0), "%s: %u", c->fields, (guint) id);
    next += c->text != NULL;
    if (c->text)
      expect_text (rig, id, c->text);
    else
      expect_complaint (rig, c->complaint);
  }
  rig_free (rig);
}

GST_END_TEST;

/* How many metas the buffers so far have carried, and how many of them are of questions; the last one's ask-id. */
static guint
count_metas (Rig * rig, guint * n_asked, guint64 * id)
{
  GstBuffer *buffer;
  guint n = 0;

  *n_asked = 0;
  while ((buffer = gst_harness_try_pull (rig->h))) {
    gpointer state = NULL;
    GstMeta *meta;

    while ((meta = gst_buffer_iterate_meta (buffer, &state))) {
      if (!gst_custom_meta_has_name ((GstCustomMeta *) meta, "GstLlavaovMeta"))
        continue;
      n++;
      *n_asked += gst_structure_get_uint64 (gst_custom_meta_get_structure
          ((GstCustomMeta *) meta), "ask-id", id);
    }
    gst_buffer_unref (buffer);
  }
  return n;
}

/* The answer to a question is on a buffer of its own with once; with sticky the latest window's stays. */
GST_START_TEST (test_meta)
{
  static const gchar *const modes[] = { "none", "once", "sticky" };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (modes); i++) {
    gchar *line = g_strconcat (WINDOW "prompt=q meta-mode=", modes[i], NULL);
    Rig *rig = rig_new (line, FALSE);
    guint n_asked, n;
    guint64 id = 0;

    push_seconds (rig);
    n = count_metas (rig, &n_asked, &id);
    fail_unless_equals_int (n, i == 0 ? 0 : i == 1 ? 2 : 15);
    fail_unless_equals_int (n_asked, 0);
    expect_text (rig, ask (rig, "prompt=why"), "why|12 17");
    while (gst_bus_have_pending (rig->bus))
      gst_message_unref (gst_bus_pop (rig->bus));
    g_usleep (50000);           /* the meta follows the message */
    rig_push_many (rig, 25, 2, 2500 * MS, 100 * MS);
    n = count_metas (rig, &n_asked, &id);
    fail_unless_equals_int (n, i == 0 ? 0 : i == 1 ? 1 : 2);
    fail_unless_equals_int (n_asked, i == 1);
    fail_unless_equals_uint64 (id, i == 1);
    g_free (line);
    rig_free (rig);
  }
}

GST_END_TEST;

static GstPadProbeReturn
take_text (GstPad * pad, GstPadProbeInfo * info, gpointer data)
{
  GstMapInfo map;

  gst_buffer_map (GST_PAD_PROBE_INFO_BUFFER (info), &map, GST_MAP_READ);
  g_async_queue_push (data, g_strndup ((gchar *) map.data, map.size));
  gst_buffer_unmap (GST_PAD_PROBE_INFO_BUFFER (info), &map);
  return GST_PAD_PROBE_OK;
}

/* Lines of JSON have it, subtitles do not. */
GST_START_TEST (test_text)
{
  static const gchar *const caps[] = { "application/x-json", "text/x-raw" };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (caps); i++) {
    Rig *rig = rig_new_null (WINDOW "prompt=q", FALSE);
    GstPad *text = gst_element_request_pad_simple (rig->element, "text");
    GstElement *sink = gst_parse_launch ("capsfilter name=c ! "
        "fakesink async=false sync=false", NULL);
    GAsyncQueue *lines = g_async_queue_new_full (g_free);
    GstCaps *filter = gst_caps_from_string (caps[i]);
    GstElement *c = gst_bin_get_by_name (GST_BIN (sink), "c");
    GstPad *pad = gst_element_get_static_pad (c, "sink");
    GstPad *ghost = gst_ghost_pad_new ("sink", pad);
    guint n_asked = 0, n = 0;
    gchar *line;

    g_object_set (c, "caps", filter, NULL);
    gst_caps_unref (filter);
    gst_element_add_pad (sink, ghost);
    gst_pad_link_full (text, ghost, GST_PAD_LINK_CHECK_NOTHING);
    gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, take_text, lines, NULL);
    gst_element_set_state (sink, GST_STATE_PLAYING);
    rig_start (rig);
    push_seconds (rig);
    expect_text (rig, ask (rig, "prompt=why"), "why|12 17");
    gst_harness_push_event (rig->h, gst_event_new_eos ());
    while ((line = g_async_queue_timeout_pop (lines, n < 3 + !i ? 5000000 :
                200000))) {
      n++;
      n_asked += strstr (line, "why|12 17") != NULL;
      fail_unless_equals_int (!i && strstr (line, "why|12 17"),
          strstr (line, "\"ask-id\":1,") != NULL);
      g_free (line);
    }
    fail_unless_equals_int (n, 3 + !i);
    fail_unless_equals_int (n_asked, !i);
    gst_element_set_state (sink, GST_STATE_NULL);
    gst_pad_unlink (text, ghost);
    gst_object_unref (text);
    gst_object_unref (pad);
    gst_object_unref (c);
    gst_object_unref (sink);
    g_async_queue_unref (lines);
    rig_free (rig);
  }
}

GST_END_TEST;

/* The bin speaks for the element inside. */
GST_START_TEST (test_bin)
{
  GstElement *pipeline = gst_parse_launch ("videotestsrc is-live=true "
      "pattern=white ! video/x-raw, format=GRAY8, width=16, height=16, "
      "framerate=50/1 ! llavaov name=l device=fake: prompt=q frames=2 "
      "window=200000000 ! fakesink", NULL);
  GstElement *bin = gst_bin_get_by_name (GST_BIN (pipeline), "l");
  GstBus *bus = gst_element_get_bus (pipeline);
  GstStructure *fields = fields_new ("prompt=why");
  guint64 id = 0, found = 0;
  GstMessage *message;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (id == 0) {
    g_usleep (10000);
    g_signal_emit_by_name (bin, "ask", fields, &id);
  }
  fail_unless (gst_element_send_event (bin,
          gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM, fields)));
  fail_unless (gst_element_send_event (pipeline,
          gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
              fields_new ("prompt=who"))));
  while (found < 3) {
    message = gst_bus_timed_pop_filtered (bus, 5 * GST_SECOND,
        GST_MESSAGE_ELEMENT);
    fail_unless (message != NULL);
    fail_unless (GST_MESSAGE_SRC (message) == GST_OBJECT (bin));
    if (gst_structure_get_uint64 (gst_message_get_structure (message),
            "ask-id", &id))
      fail_unless_equals_uint64 (id, ++found);
    gst_message_unref (message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (bin);
  gst_object_unref (pipeline);
}

GST_END_TEST;

static Suite *
ask_suite (void)
{
  Suite *suite = suite_create ("ask");
  TCase *tcase = tcase_create ("general");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_cases);
  tcase_add_test (tcase, test_conversation);
  tcase_add_test (tcase, test_meta);
  tcase_add_test (tcase, test_text);
  tcase_add_test (tcase, test_bin);
  return suite;
}

GST_CHECK_MAIN (ask);
